//! The tree that becomes a release.

use std::io;

use camino::Utf8PathBuf;

use crate::{
    error::Result,
    landing::{Tree, TreePath},
    protocol::ReleaseId,
    server::landing::{LandingPlace, LandingRecord, Made, Own, Owner, Staged, Staging, trusted},
    step::{Action, Step, Summary},
};

/// In this process: the staging tree, anew: fresh folders, and in them the files that are
/// live, root's, under another name each.
#[derive(Debug)]
pub struct MakeStaging {
    place: LandingPlace,
    live: Option<Utf8PathBuf>,
    base: Tree,
    announced: Tree,
}

impl MakeStaging {
    /// Makes it of what `base` names in the folder `live`, to become `announced`.
    pub fn new(
        place: &LandingPlace,
        live: Option<Utf8PathBuf>,
        base: Tree,
        announced: Tree,
    ) -> Self {
        Self { place: place.clone(), live, base, announced }
    }
}

impl Step for MakeStaging {
    type Output = Made;

    fn label(&self) -> String {
        "staging tree".into()
    }

    fn action(&self) -> Action<'_, Made> {
        let from = self.live.as_ref().map_or("nothing", |live| live.as_str());
        Action::work(format!("make {} of {from}", self.place.staging()), || {
            let staging = Staging::new(self.place.staging());
            staging.make(&self.place, self.live.as_deref(), &self.base, &self.announced)
        })
    }

    fn assume(&self) -> Made {
        Made::default()
    }

    fn summary(&self, made: &Made) -> Summary {
        let Made { linked, copied, hollow, .. } = made;
        Summary::line(format!("{linked} files shared, {copied} copied, {hollow} without content"))
    }
}

/// In this process: gives the folders of a tree to rsync's user, but for what is the
/// server's own; its files stay root's.
#[derive(Debug)]
pub struct OpenTree {
    root: Utf8PathBuf,
    owner: Owner,
    own: Own,
}

impl OpenTree {
    /// Gives those of this tree away.
    pub fn new(root: impl Into<Utf8PathBuf>, owner: Owner, own: Own) -> Self {
        Self { root: root.into(), owner, own }
    }
}

impl Step for OpenTree {
    type Output = ();

    fn label(&self) -> String {
        "give the folders to rsync".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let user = self.owner.user;
        Action::work(format!("give the folders of {} to user {user}", self.root), || {
            Staging::new(&self.root).open(self.owner, &self.own)
        })
    }

    fn assume(&self) {}
}

/// In this process: takes a tree back: every name is root's, files are 0644 and folders
/// 0755, but for what is the server's own.
#[derive(Debug)]
pub struct CloseTree {
    root: Utf8PathBuf,
    own: Own,
    is_live: bool,
}

impl CloseTree {
    /// Takes this one back.
    pub fn new(root: impl Into<Utf8PathBuf>, own: Own) -> Self {
        Self { root: root.into(), own, is_live: false }
    }

    /// It is the live folder: what rsync has not put in place goes. Where somebody has
    /// removed it, there is nothing to take back.
    #[must_use]
    pub fn live(mut self, is_live: bool) -> Self {
        self.is_live = is_live;
        self
    }
}

impl Step for CloseTree {
    type Output = ();

    fn label(&self) -> String {
        "take the tree back".into()
    }

    fn action(&self) -> Action<'_, ()> {
        Action::work(format!("make {} root's", self.root), || {
            let tree = Staging::new(&self.root);
            let is_missing = |error: io::Error| error.kind() == io::ErrorKind::NotFound;
            if self.is_live && self.root.symlink_metadata().is_err_and(is_missing) {
                return Ok(());
            }
            tree.close(&self.own)?;
            if self.is_live { tree.sweep(&self.own) } else { Ok(()) }
        })
    }

    fn assume(&self) {}
}

/// In this process: everything in a tree that is closed. What it shares with a release is
/// known by its stamp; the rest is read.
#[derive(Debug)]
pub struct ReadStaged {
    place: LandingPlace,
    root: Utf8PathBuf,
    base: Option<ReleaseId>,
    hoped: Tree,
    own: Own,
    is_completed: bool,
}

impl ReadStaged {
    /// Reads this tree; `hoped` is what a plan goes on with.
    pub fn new(place: &LandingPlace, root: impl Into<Utf8PathBuf>, hoped: Tree) -> Self {
        let (place, root) = (place.clone(), root.into());
        Self { place, root, base: None, hoped, own: Own::default(), is_completed: false }
    }

    /// Whether it was held against what was announced before, and has more since.
    #[must_use]
    pub fn completed(mut self, is_completed: bool) -> Self {
        self.is_completed = is_completed;
        self
    }

    /// It began as the tree of this release.
    #[must_use]
    pub fn base(mut self, release: Option<&LandingRecord>) -> Self {
        self.base = release.map(|release| release.id.clone());
        self
    }

    /// This is no part of it.
    #[must_use]
    pub fn without(mut self, own: &Own) -> Self {
        self.own = own.clone();
        self
    }

    fn read(&self) -> Result<Staged> {
        let known = self.base.as_ref().map(|base| trusted(&self.place, base)).transpose()?;
        let mut staged = Staging::new(&self.root).staged(&known.unwrap_or_default(), &self.own)?;
        if self.is_completed {
            let is_more = |path: &TreePath| self.hoped.get(path).is_none();
            staged.stamps.leave_out(is_more);
            staged.fresh.retain(|path| !is_more(path));
            staged.tree = staged.tree.into_iter().filter(|(path, _)| !is_more(path)).collect();
        }
        Ok(staged)
    }
}

impl Step for ReadStaged {
    type Output = Staged;

    fn label(&self) -> String {
        "what rsync has left".into()
    }

    fn action(&self) -> Action<'_, Staged> {
        Action::read(format!("look at everything in {}", self.root), || self.read())
    }

    fn assume(&self) -> Staged {
        Staged { tree: self.hoped.clone(), ..Staged::default() }
    }

    fn summary(&self, staged: &Staged) -> Summary {
        let (all, read) = (staged.tree.len(), staged.fresh.len());
        Summary::line(format!("{all} names, {read} files read"))
    }
}

/// In this process: takes the staging tree away, if there is one.
#[derive(Debug)]
pub struct RemoveStaging {
    place: LandingPlace,
}

impl RemoveStaging {
    /// Takes it away here.
    pub fn new(place: &LandingPlace) -> Self {
        Self { place: place.clone() }
    }
}

impl Step for RemoveStaging {
    type Output = ();

    fn label(&self) -> String {
        "remove the staging tree".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let staging = self.place.staging();
        Action::work(format!("remove {staging}"), || Staging::new(self.place.staging()).remove())
    }

    fn assume(&self) {}
}

/// In this process: one rename that makes the staging tree that of a release.
#[derive(Debug)]
pub struct BecomeRelease {
    place: LandingPlace,
    id: ReleaseId,
}

impl BecomeRelease {
    /// Becomes this one.
    pub fn new(place: &LandingPlace, id: &ReleaseId) -> Self {
        Self { place: place.clone(), id: id.clone() }
    }
}

impl Step for BecomeRelease {
    type Output = ();

    fn label(&self) -> String {
        "keep the tree".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let (from, to) = (self.place.staging(), self.place.release(&self.id));
        Action::work(format!("rename {from} to {to}"), move || {
            Staging::new(from).become_release(&self.place, &to)
        })
    }

    fn assume(&self) {}
}

#[cfg(test)]
mod tests {
    use super::{super::tests::*, *};
    use crate::steps::testing::check;

    fn own() -> Own {
        Own::beside(&Tree::default(), &[".well-known".parse().unwrap()])
    }

    #[test]
    fn make_staging_minimal() {
        check(
            "make_staging__minimal",
            &MakeStaging::new(&place(), None, Tree::default(), Tree::default()),
        );
    }

    #[test]
    fn make_staging_everything() {
        let live = place().release(&record().id);
        let step = MakeStaging::new(&place(), Some(live), Tree::default(), Tree::default());
        check("make_staging__everything", &step);
    }

    #[test]
    fn open_tree_minimal() {
        let owner = Owner { user: 1001, group: 1002 };
        check("open_tree__minimal", &OpenTree::new(place().staging(), owner, own()));
    }

    #[test]
    fn close_tree_minimal() {
        check("close_tree__minimal", &CloseTree::new(place().staging(), own()));
    }

    #[test]
    fn read_staged_minimal() {
        let step = ReadStaged::new(&place(), place().staging(), Tree::default());
        check("read_staged__minimal", &step.base(Some(&record())).without(&own()));
    }

    #[test]
    fn remove_staging_minimal() {
        check("remove_staging__minimal", &RemoveStaging::new(&place()));
    }

    #[test]
    fn become_release_minimal() {
        check("become_release__minimal", &BecomeRelease::new(&place(), &record().id));
    }
}
