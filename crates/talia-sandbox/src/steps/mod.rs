//! What a sandbox is made with, one action each: docker's own command line.

mod container;
mod exec;
mod image;
mod key;
mod labelled;
mod network;
mod tags;
#[cfg(test)]
mod testing;

pub use container::{ContainerMade, ContainerStarted, ContainerStopped, FileCopied};
pub use exec::{Exec, Exited};
pub use image::ImageMade;
pub use key::{CertificateMade, KeyMade};
pub use labelled::{Kind, Labelled, Removed};
pub use network::{Connected, NetworkMade};
pub use tags::{ImagesOf, Untagged};
