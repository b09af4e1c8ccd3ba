//! Where everything of the landing page lies.

use std::{fs::DirBuilder, io, os::unix::fs::DirBuilderExt as _};

use camino::{Utf8Path, Utf8PathBuf};

use super::make_public;
use crate::protocol::ReleaseId;

/// In every release, at its top: which one it is.
pub const VERSION_FILE: &str = ".talia-version.json";

/// The paths of the landing page of one environment; see
/// [`Layout::landing`](crate::server::Layout::landing).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LandingPlace {
    root: Utf8PathBuf,
    web: Utf8PathBuf,
    own: Utf8PathBuf,
    trees: Utf8PathBuf,
}

impl LandingPlace {
    pub(in crate::server) fn new(
        root: Utf8PathBuf,
        web: Utf8PathBuf,
        own: Utf8PathBuf,
        environment: &str,
    ) -> Self {
        let beside = web.parent().unwrap_or(Utf8Path::new("/"));
        // On the same file system: a rename does not leave one.
        let trees = beside.join(".talia-landing").join(environment);
        Self { root, web, own, trees }
    }

    /// What all of it is below: `/`, but in tests.
    pub fn root(&self) -> &Utf8Path {
        &self.root
    }

    /// The live path: what Nginx serves.
    pub fn web(&self) -> &Utf8Path {
        &self.web
    }

    /// What the agent knows; root's alone.
    pub fn own(&self) -> &Utf8Path {
        &self.own
    }

    /// Makes the folder of what the agent knows, root's alone from the beginning, where it
    /// is not there. Those above it hold more than that, and all may enter them.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn make_own(&self) -> io::Result<()> {
        self.own.parent().map_or(Ok(()), make_public)?;
        match DirBuilder::new().mode(0o700).create(&self.own) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            made => made,
        }
    }

    /// Held by whoever changes something.
    pub fn lock(&self) -> Utf8PathBuf {
        self.own.join("lock")
    }

    /// What was done, by whom, as events.
    pub fn journal(&self) -> Utf8PathBuf {
        self.own.join("journal.jsonl")
    }

    /// The logs of the agent's steps.
    pub fn state(&self) -> Utf8PathBuf {
        self.own.join("state")
    }

    /// The open transaction.
    pub fn transaction(&self) -> Utf8PathBuf {
        self.own.join("transaction.json")
    }

    /// The tree that the open transaction shall become.
    pub fn announced(&self) -> Utf8PathBuf {
        self.own.join("transaction.tree.json")
    }

    /// What was published when the open transaction began.
    pub fn base(&self) -> Utf8PathBuf {
        self.own.join("transaction.base.json")
    }

    /// rsync's configuration, made anew with every transaction.
    pub fn rsyncd(&self) -> Utf8PathBuf {
        self.own.join("rsyncd.conf")
    }

    /// What rsync may not see of a live folder.
    pub fn rsync_hidden(&self) -> Utf8PathBuf {
        self.own.join("rsyncd.hidden")
    }

    /// What rsync says.
    pub fn rsync_log(&self) -> Utf8PathBuf {
        self.own.join("rsyncd.log")
    }

    /// Held by the rsync that works, and by whoever needs that none does.
    pub fn rsync_lock(&self) -> Utf8PathBuf {
        self.own.join("rsync.lock")
    }

    /// What Nginx's configuration was at the last release, as a hash.
    pub fn nginx(&self) -> Utf8PathBuf {
        self.own.join("nginx")
    }

    /// Where what Nginx serves is put to be looked at.
    pub fn fetched(&self) -> Utf8PathBuf {
        self.own.join("fetched")
    }

    /// The records of all releases.
    pub fn records(&self) -> Utf8PathBuf {
        self.own.join("releases")
    }

    /// The record of a release.
    pub fn record(&self, id: &ReleaseId) -> Utf8PathBuf {
        self.records().join(format!("{id}.json"))
    }

    /// What stands in a release's tree.
    pub fn tree(&self, id: &ReleaseId) -> Utf8PathBuf {
        self.records().join(format!("{id}.tree.json"))
    }

    /// What tells whether any of it was changed since.
    pub fn stamps(&self, id: &ReleaseId) -> Utf8PathBuf {
        self.records().join(format!("{id}.stamps.json"))
    }

    /// Beside the live path: all trees of this environment.
    pub fn trees(&self) -> &Utf8Path {
        &self.trees
    }

    /// The tree of the open transaction.
    pub fn staging(&self) -> Utf8PathBuf {
        self.trees.join("staging")
    }

    /// A tree that was pruned, to become the next staging tree.
    pub fn spare(&self) -> Utf8PathBuf {
        self.trees.join("spare")
    }

    /// What changes places with the live path.
    pub fn switch(&self) -> Utf8PathBuf {
        self.trees.join("switch")
    }

    /// The trees of all releases.
    pub fn releases(&self) -> Utf8PathBuf {
        self.trees.join("releases")
    }

    /// The tree of a release.
    pub fn release(&self, id: &ReleaseId) -> Utf8PathBuf {
        self.releases().join(id.as_str())
    }

    /// What the live path's link has to name for a release to be live: relative, so that
    /// the tree may be mounted anywhere.
    pub fn link_to(&self, id: &ReleaseId) -> Utf8PathBuf {
        let beside = self.web.parent().unwrap_or(Utf8Path::new("/"));
        let release = self.release(id);
        release.strip_prefix(beside).map(Utf8Path::to_owned).unwrap_or(release)
    }
}
