//! The image registry, as the machine that deploys sees it: log in, look, push, move a tag.
//!
//! Every step takes the private folder that [`DockerConfig`] has made, so that a
//! login never reaches the user's own configuration. A registry that is slow to
//! answer, refuses a credential, or does not have an image are told apart by what
//! the client says (`failure`).

mod builder;
mod digest;
mod docker_config;
mod exact_copy;
mod failure;
mod image;
mod labels;
mod login;
mod move_tag;
mod push;
mod tag;

pub use builder::{BuilderDriver, Driver};
pub use digest::PushedDigest;
pub use docker_config::{DockerConfig, RemoveDockerConfig};
pub use exact_copy::CopiesExactly;
pub use failure::registry_of;
pub use image::{Manifest, RegistryImage};
pub use labels::ImageLabels;
pub use login::RegistryLogin;
pub use move_tag::MoveTag;
pub use push::ImagePush;
pub use tag::ImageTag;
