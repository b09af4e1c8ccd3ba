//! Container images.

mod build;
mod inspect;
mod probe;

pub use build::{Builder, ImageBuild};
pub use inspect::{Image, ImageInspect};
pub use probe::{Buildx, ImagePresent};
