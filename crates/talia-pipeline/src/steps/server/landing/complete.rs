//! What a release has beside its own tree.

use std::fmt;

use camino::Utf8PathBuf;

use crate::{
    error::{Error, Result},
    landing::{ContentHash, Entry, Tree, TreePath},
    protocol::ReleaseId,
    server::landing::{
        LandingPlace, ReleaseTree, Side, Staging, Transaction, VERSION_FILE, assets_to_keep,
        bring_own, has_own,
    },
    step::{Action, Step, Summary},
};

/// Where what is the server's own is, and what the release there has published.
#[derive(Debug)]
struct Own {
    root: Utf8PathBuf,
    release: Option<ReleaseId>,
    protected: Vec<TreePath>,
}

/// In this process: what a release has beside its own tree: the hashed assets that older
/// ones had, what is the server's own, and `.talia-version.json`. Then all of it is synced
/// to the disk. Gives what was kept.
pub struct CompleteStaging {
    place: LandingPlace,
    transaction: Transaction,
    root: Utf8PathBuf,
    tree: Tree,
    version: String,
    fresh: Vec<TreePath>,
    older: Vec<(ReleaseId, Utf8PathBuf)>,
    own: Option<Own>,
}

impl fmt::Debug for CompleteStaging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompleteStaging").field("older", &self.older).finish_non_exhaustive()
    }
}

impl CompleteStaging {
    /// Completes what the transaction holds: this tree, of which `fresh` is new on the
    /// disk; `version` is what the version's file says.
    pub fn new(
        place: &LandingPlace,
        transaction: &Transaction,
        tree: Tree,
        version: impl Into<String>,
        fresh: Vec<TreePath>,
    ) -> Self {
        let (place, root, version) = (place.clone(), place.staging(), version.into());
        let transaction = Transaction { is_checked: true, ..transaction.clone() };
        Self { place, transaction, root, tree, version, fresh, older: Vec::new(), own: None }
    }

    /// It is the tree in this folder, and not the staging tree.
    #[must_use]
    pub fn at(mut self, root: impl Into<Utf8PathBuf>) -> Self {
        self.root = root.into();
        self
    }

    /// Keeps the hashed assets of this release, whose tree is in this folder. The newest
    /// one is named first.
    #[must_use]
    pub fn assets_of(mut self, release: &ReleaseId, root: Utf8PathBuf) -> Self {
        self.older.push((release.clone(), root));
        self
    }

    /// Brings what is the server's own along from the live folder, where this release is.
    #[must_use]
    pub fn own(
        mut self,
        live: Option<Utf8PathBuf>,
        release: Option<&ReleaseId>,
        protected: &[TreePath],
    ) -> Self {
        let (release, protected) = (release.cloned(), protected.to_vec());
        self.own = live.map(|root| Own { root, release, protected });
        self
    }

    fn complete(&self) -> Result<Tree> {
        self.transaction.write(&self.place)?;
        let staging = Staging::new(&self.root);
        let trees: Vec<(ReleaseId, Tree)> = self
            .older
            .iter()
            .map(|(id, _)| Ok((id.clone(), ReleaseTree::read(&self.place, id)?.tree)))
            .collect::<Result<_>>()?;
        let assets = assets_to_keep(&self.tree, &trees);
        let mut kept = Tree::default();
        for (id, root) in &self.older {
            let of_it = assets.iter().filter(|(_, (owner, _))| owner == id);
            let found = staging.keep(root, of_it.map(|(path, (_, entry))| (path, entry)))?;
            kept = kept.into_iter().chain(found).collect();
        }
        if let Some(Own { root, release, protected }) = &self.own
            && has_own([root.as_path(), &self.root], protected)
        {
            let old = release.as_ref().map(|id| ReleaseTree::read(&self.place, id)).transpose()?;
            let new = ReleaseTree { tree: self.tree.clone(), kept: kept.clone() };
            let from = Side { root, release: &old.unwrap_or_default() };
            let to = Side { root: &self.root, release: &new };
            bring_own(from, to, protected, false).map_err(|cause| {
                Error::step(format!("what is the server's own cannot be brought from {root}"))
                    .caused_by(cause)
            })?;
        }
        staging.write(VERSION_FILE, self.version.as_bytes())?;
        staging.sync(&self.fresh)?;
        kept.insert(VERSION_FILE.parse()?, version_entry(&self.version));
        Ok(kept)
    }
}

fn version_entry(version: &str) -> Entry {
    Entry::file(version.len() as u64, ContentHash::of(version.as_bytes()))
}

impl Step for CompleteStaging {
    type Output = Tree;

    fn label(&self) -> String {
        "complete the tree".into()
    }

    fn action(&self) -> Action<'_, Tree> {
        let (root, older) = (&self.root, self.older.len());
        let what = format!(
            "link the hashed assets of {older} releases into {root}, write {VERSION_FILE}, sync"
        );
        Action::work(what, || self.complete())
    }

    fn assume(&self) -> Tree {
        Tree::default()
    }

    fn summary(&self, kept: &Tree) -> Summary {
        let assets = kept.iter().filter(|(_, entry)| matches!(entry, Entry::File { .. })).count();
        Summary::line(format!("{} assets kept", assets.saturating_sub(1)))
    }
}

/// In this process: gives a kept release that is about to be live again the hashed assets of
/// the live one, and those that it has kept of others: pages that are open now may ask for
/// them. Gives all that it keeps then.
#[derive(Debug)]
pub struct KeepAssets {
    place: LandingPlace,
    id: ReleaseId,
    live: ReleaseId,
}

impl KeepAssets {
    /// Gives them to `id`, from `live`.
    pub fn new(place: &LandingPlace, id: &ReleaseId, live: &ReleaseId) -> Self {
        Self { place: place.clone(), id: id.clone(), live: live.clone() }
    }

    fn keep(&self) -> Result<Tree> {
        let mut release = ReleaseTree::read(&self.place, &self.id)?;
        let live = ReleaseTree::read(&self.place, &self.live)?;
        let all = |release: ReleaseTree| release.tree.into_iter().chain(release.kept).collect();
        let (here, there): (Tree, Tree) = (all(release.clone()), all(live));
        let assets = assets_to_keep(&here, &[(self.live.clone(), there)]);
        // Written first: what is there without being written down was put there by hand.
        let more = assets.iter().map(|(path, (_, entry))| (path.clone(), entry.clone()));
        release.kept = release.kept.into_iter().chain(more).collect();
        for path in assets.keys() {
            let mut above = path.parent();
            while let Some(folder) = above.filter(|folder| release.get(folder).is_none()) {
                above = folder.parent();
                release.kept.insert(folder, Entry::folder());
            }
        }
        release.write(&self.place, &self.id)?;
        let from = self.place.release(&self.live);
        Staging::new(self.place.release(&self.id))
            .keep(&from, assets.iter().map(|(path, (_, entry))| (path, entry)))?;
        Ok(release.kept)
    }
}

impl Step for KeepAssets {
    type Output = Tree;

    fn label(&self) -> String {
        "keep the assets of open pages".into()
    }

    fn action(&self) -> Action<'_, Tree> {
        let (from, to) = (self.place.release(&self.live), self.place.release(&self.id));
        Action::work(format!("link the hashed assets of {from} into {to}"), || self.keep())
    }

    fn assume(&self) -> Tree {
        Tree::default()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{super::tests::*, *};
    use crate::{server::landing::tests::Ground, steps::testing::check};

    fn own() -> Vec<TreePath> {
        vec![".well-known".parse().unwrap()]
    }

    #[test]
    fn complete_staging_minimal() {
        let step =
            CompleteStaging::new(&place(), &transaction(), Tree::default(), "{}", Vec::new());
        check("complete_staging__minimal", &step);
    }

    #[test]
    fn complete_staging_everything() {
        let (id, web) = (record().id, place().web().to_owned());
        let step =
            CompleteStaging::new(&place(), &transaction(), Tree::default(), "{}", Vec::new())
                .assets_of(&id, place().release(&id))
                .own(Some(web), Some(&id), &own());
        check("complete_staging__everything", &step);
    }

    #[test]
    fn keep_assets_minimal() {
        let live = "20261124T091500Z-0123456789ab".parse().unwrap();
        check("keep_assets__minimal", &KeepAssets::new(&place(), &record().id, &live));
    }

    #[test]
    fn a_release_that_is_live_again_has_what_open_pages_ask_for() {
        let ground = Ground::new("keep assets");
        let place = ground.place();
        let back = ground.release(1, &[("index.html", "1")]);
        let live = ground.release(2, &[("index.html", "2"), ("js/app-5e6f7a8b.js", "two")]);
        // Its open pages may be of a release before it, whose assets it has.
        let root = place.release(&live.id);
        for (path, text) in [("old/app-1a2b3c4d.js", "one"), (VERSION_FILE, "{}")] {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), text).unwrap();
        }
        let file = |text: &str| Entry::file(text.len() as u64, ContentHash::of(text.as_bytes()));
        let mut release = ReleaseTree::read(&place, &live.id).unwrap();
        let kept = [
            ("old", Entry::folder()),
            ("old/app-1a2b3c4d.js", file("one")),
            (VERSION_FILE, file("{}")),
        ];
        release.kept =
            kept.map(|(path, entry)| (path.parse().unwrap(), entry)).into_iter().collect();
        release.write(&place, &live.id).unwrap();

        let kept = KeepAssets::new(&place, &back.id, &live.id).keep().unwrap();
        let names: Vec<&str> = kept.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(names, ["js", "js/app-5e6f7a8b.js", "old", "old/app-1a2b3c4d.js"]);
        let read = |path: &str| fs::read_to_string(place.release(&back.id).join(path)).unwrap();
        assert_eq!(
            (read("js/app-5e6f7a8b.js"), read("old/app-1a2b3c4d.js")),
            ("two".into(), "one".into())
        );
    }
}
