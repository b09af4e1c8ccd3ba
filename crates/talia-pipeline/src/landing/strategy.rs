//! How new files take the place of those that are published.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How new files take the place of those that are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LandingStrategy {
    /// `"release"`: a tree beside the live one is made what it shall be, then clients get
    /// it by one rename; the trees before it are kept.
    #[default]
    Release,
    /// `"in-place"`: rsync changes the live folder itself. Clients may get files of two
    /// releases meanwhile, and nothing is kept to go back to.
    InPlace,
}

impl LandingStrategy {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::InPlace => "in-place",
        }
    }
}

impl fmt::Display for LandingStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
