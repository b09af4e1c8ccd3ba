//! What is released on a server on its own.

use std::fmt;

/// What has releases, a lock and a journal of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Area {
    /// The backend, and all that is done to its server.
    Backend,
    /// The landing page.
    Landing,
}

impl Area {
    /// Both of them.
    pub const BOTH: [Self; 2] = [Self::Backend, Self::Landing];

    /// As commands and requests name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Backend => "backend",
            Self::Landing => "landing",
        }
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
