//! The images and what they are made from.

use talia_pipeline::files::fingerprint;

/// The recipe of all three.
pub(crate) const RECIPE: &str = include_str!("Dockerfile");
/// What they stand on; `cargo xtask ci --install` makes it.
pub(crate) const BASE: &str = "talia-base:bookworm";

/// One of the images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Image {
    Droplet,
    Registry,
    Database,
}

impl Image {
    pub(crate) const ALL: [Self; 3] = [Self::Droplet, Self::Registry, Self::Database];

    /// The stage of the recipe that makes it.
    pub(crate) fn stage(self) -> &'static str {
        match self {
            Self::Droplet => "droplet",
            Self::Registry => "registry",
            Self::Database => "database",
        }
    }

    /// Its name; another recipe gives another one.
    pub(crate) fn name(self) -> String {
        format!("talia-sandbox-{}:{}", self.stage(), version())
    }
}

/// Tells recipes apart.
pub(crate) fn version() -> String {
    format!("{:016x}", fingerprint(RECIPE))
}
