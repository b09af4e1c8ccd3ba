//! What becomes of one place.

use serde::Serialize;

use super::{Entry, TreePath};

/// What becomes of one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// There was nothing.
    Added {
        /// What is there now.
        after: Entry,
    },
    /// A file gets another content, and perhaps other permissions.
    Changed {
        /// The file that was there.
        before: Entry,
        /// The file that is there now.
        after: Entry,
    },
    /// A file or a folder gets other permissions, and stays what it is.
    ModeChanged {
        /// What was there.
        before: Entry,
        /// What is there now.
        after: Entry,
    },
    /// A link names something else.
    LinkChanged {
        /// The link that was there.
        before: Entry,
        /// The link that is there now.
        after: Entry,
    },
    /// A file, a folder or a link takes the place of something that is not of its kind.
    KindChanged {
        /// What goes. The content of a folder has changes of its own.
        before: Entry,
        /// What is there now.
        after: Entry,
    },
    /// A file that was elsewhere. rsync knows nothing of that: it sends the file again
    /// and deletes the other one.
    Renamed {
        /// Where it was.
        from: TreePath,
        /// The file that was there.
        before: Entry,
        /// The file that is here now.
        after: Entry,
    },
    /// It goes.
    Deleted {
        /// What was there.
        before: Entry,
    },
}

impl Change {
    /// What makes one entry the other; `None` when they are the same.
    pub(super) fn between(before: &Entry, after: &Entry) -> Option<Self> {
        if before == after {
            return None;
        }
        let (old, new) = (before.clone(), after.clone());
        Some(match (before, after) {
            (Entry::Folder { .. }, Entry::Folder { .. }) => {
                Self::ModeChanged { before: old, after: new }
            }
            (Entry::Link { .. }, Entry::Link { .. }) => {
                Self::LinkChanged { before: old, after: new }
            }
            (Entry::File { size, hash, .. }, Entry::File { size: to, hash: other, .. }) => {
                if (size, hash) == (to, other) {
                    Self::ModeChanged { before: old, after: new }
                } else {
                    Self::Changed { before: old, after: new }
                }
            }
            _ => Self::KindChanged { before: old, after: new },
        })
    }

    /// What was there; of a renamed file, where it was.
    pub fn before(&self) -> Option<&Entry> {
        match self {
            Self::Added { .. } => None,
            Self::Changed { before, .. }
            | Self::ModeChanged { before, .. }
            | Self::LinkChanged { before, .. }
            | Self::KindChanged { before, .. }
            | Self::Renamed { before, .. }
            | Self::Deleted { before } => Some(before),
        }
    }

    /// What is there now.
    pub fn after(&self) -> Option<&Entry> {
        match self {
            Self::Added { after }
            | Self::Changed { after, .. }
            | Self::ModeChanged { after, .. }
            | Self::LinkChanged { after, .. }
            | Self::KindChanged { after, .. }
            | Self::Renamed { after, .. } => Some(after),
            Self::Deleted { .. } => None,
        }
    }

    /// How many bytes of content rsync has to bring to the server at most: it sends
    /// only what differs where a file of the name is there.
    pub fn bytes_to_send(&self) -> u64 {
        match self {
            Self::Added { after }
            | Self::Changed { after, .. }
            | Self::KindChanged { after, .. }
            | Self::Renamed { after, .. } => after.size(),
            Self::ModeChanged { .. } | Self::LinkChanged { .. } | Self::Deleted { .. } => 0,
        }
    }

    /// How many bytes of files go, without those that get a new content.
    pub fn bytes_deleted(&self) -> u64 {
        match self {
            Self::Deleted { before }
            | Self::KindChanged { before, .. }
            | Self::Renamed { before, .. } => before.size(),
            Self::Added { .. }
            | Self::Changed { .. }
            | Self::ModeChanged { .. }
            | Self::LinkChanged { .. } => 0,
        }
    }
}
