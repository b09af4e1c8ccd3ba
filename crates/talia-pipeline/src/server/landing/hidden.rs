//! What is the server's own in a folder that is published.

use std::collections::BTreeSet;

use super::{VERSION_FILE, published::protects};
use crate::landing::{Tree, TreePath};

/// What is protected and not published, place by place: rsync neither sees nor changes it,
/// and it stays whose it is. By default nothing is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Own {
    protected: Vec<TreePath>,
    /// What is published where something is protected.
    published: BTreeSet<TreePath>,
}

impl Own {
    /// The protected places, and what is in them, where this tree has nothing.
    pub fn beside(tree: &Tree, protected: &[TreePath]) -> Self {
        let version = VERSION_FILE.parse().into_iter();
        let protected: Vec<TreePath> = protected.iter().cloned().chain(version).collect();
        let published = tree.iter().map(|(path, _)| path);
        let published = published.filter(|path| protects(&protected, path)).cloned().collect();
        Self { protected, published }
    }

    /// Whether a place is.
    pub fn has(&self, path: &TreePath) -> bool {
        protects(&self.protected, path) && !self.published.contains(path)
    }

    /// The same of a name that need not be UTF-8, as text.
    pub(super) fn has_name(&self, path: &str) -> bool {
        path.parse().is_ok_and(|path| self.has(&path))
    }

    /// Whether there is nothing to hide.
    pub(super) fn is_empty(&self) -> bool {
        self.protected.is_empty()
    }

    /// The patterns that hide it from rsync, a line each. Of two that a place is like, the
    /// first counts.
    pub(super) fn patterns(&self) -> String {
        let seen = self.published.iter().map(|path| format!("+ /{}\n", pattern(path, "")));
        let hidden = self.protected.iter().map(|path| {
            let below = if self.published.contains(path) { "/**" } else { "" };
            format!("/{}\n", pattern(path, below))
        });
        seen.chain(hidden).collect()
    }
}

/// A place as rsync's patterns have it. A backslash is a character like others there,
/// unless there is something to take literally.
fn pattern(path: &TreePath, below: &str) -> String {
    let is_wild = !below.is_empty() || path.as_str().contains(['*', '?', '[']);
    let literally = |c: char| match c {
        '*' | '?' | '[' | '\\' if is_wild => format!("\\{c}"),
        c => c.to_string(),
    };
    path.as_str().chars().map(literally).collect::<String>() + below
}
