//! What a deploy of the landing page does to the server's files.

use std::{collections::BTreeMap, fmt};

use serde::{Serialize, Serializer, ser::SerializeStruct};

use super::{
    Change, Entry, Filters, Kept, Totals, Tree, TreePath, difference::pairs, kept::kept,
    listing::listing, renames,
};
use crate::error::Result;

/// What makes the server's tree the local one: every change as a value, before
/// anything is done.
///
/// rsync is then asked to do it, and has to report exactly these changes
/// ([`RsyncPlan::check_report`]); what it leaves has to be the plan's result
/// ([`RsyncPlan::check_staged`]).
///
/// ```
/// use talia_pipeline::landing::{ContentHash, Entry, RsyncPlan, Tree};
///
/// let file = |size, text: &str| Entry::file(size, ContentHash::of(text.as_bytes()));
/// let tree = |entries: Vec<(&str, Entry)>| -> talia_pipeline::Result<Tree> {
///     entries.into_iter().map(|(path, entry)| Ok((path.parse()?, entry))).collect()
/// };
/// let server = tree(vec![
///     (".well-known", Entry::folder()),
///     (".well-known/security.txt", file(90, "contact")),
///     ("assets", Entry::folder()),
///     ("assets/app.1b3d.js", file(18_200, "old code")),
///     ("assets/mark.svg", file(3_200, "logo")),
///     ("index.html", file(4_010, "old page")),
///     ("robots.txt", file(24, "all")),
/// ])?;
/// let local = tree(vec![
///     ("assets", Entry::folder()),
///     ("assets/app.9f2c.js", file(19_400, "new code")),
///     ("assets/logo.svg", file(3_200, "logo")),
///     ("index.html", file(4_100, "new page")),
///     ("robots.txt", file(24, "all")),
/// ])?;
///
/// let plan = RsyncPlan::between(&server, &local, |path, _| path.name() == ".well-known")?;
/// assert_eq!(plan.to_string(), "\
/// 1 added, 1 changed, 1 renamed, 1 deleted: 26.7 kB to send, 21.4 kB to delete; unchanged: 2 files, 114 B
///
/// = .well-known/             protected: 1 file
///   assets/
/// -   app.1b3d.js   18.2 kB
/// +   app.9f2c.js   19.4 kB
/// →   logo.svg       3.2 kB  was assets/mark.svg
/// ~ index.html       4.1 kB  was 4.0 kB
/// ");
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RsyncPlan {
    /// In order of the places.
    changes: Vec<(TreePath, Change)>,
    kept: BTreeMap<TreePath, Kept>,
    result: Tree,
    totals: Totals,
    pub(super) own: Vec<TreePath>,
}

impl RsyncPlan {
    /// What makes `server` the same as `local`, but for what `protected` says may not
    /// be deleted.
    ///
    /// `protected` is asked for entries of the server that `local` does not have. A
    /// protected folder stays with all that is in it, and the folders around what
    /// stays stay too: all as rsync does it. What stays gets the permissions of
    /// everything that is published, for nobody but the server has a word in them.
    ///
    /// # Errors
    /// A usage error when one of the trees has an entry in no folder; refused when a
    /// file or a link has to take the place of a folder in which something is
    /// protected, as rsync would fail then.
    pub fn between(
        server: &Tree,
        local: &Tree,
        protected: impl Fn(&TreePath, &Entry) -> bool,
    ) -> Result<Self> {
        Self::planned(server, local, &[], |path, entry, _| protected(path, entry))
    }

    /// The same, with what these filters protect: what rsync does with
    /// [`Filters::rsync_arguments`].
    ///
    /// # Errors
    /// As [`RsyncPlan::between`].
    pub fn filtered(server: &Tree, local: &Tree, filters: &Filters) -> Result<Self> {
        Self::beside(server, local, filters, &[], &[])
    }

    /// The same beside what is the server's own, which `server` has nothing of. Folders that
    /// come there may be there already, so that rsync reports nothing of them; and those
    /// around what is `standing` there stay.
    ///
    /// # Errors
    /// As [`RsyncPlan::between`].
    pub fn beside(
        server: &Tree,
        local: &Tree,
        filters: &Filters,
        own: &[TreePath],
        standing: &[TreePath],
    ) -> Result<Self> {
        let plan = Self::planned(server, local, standing, |path, entry, goes| {
            filters.keeps(path, entry.is_folder(), goes)
        })?;
        Ok(Self { own: own.to_vec(), ..plan })
    }

    fn planned(
        server: &Tree,
        local: &Tree,
        standing: &[TreePath],
        protected: impl Fn(&TreePath, &Entry, bool) -> bool,
    ) -> Result<Self> {
        local.check()?;
        let mut plan = Self {
            changes: Vec::new(),
            kept: BTreeMap::new(),
            result: local.clone(),
            totals: Totals::default(),
            own: Vec::new(),
        };
        if server.is_clone_of(local) {
            local.iter().for_each(|(_, entry)| plan.totals.unchanged.add(entry));
            return Ok(plan);
        }
        server.check()?;
        plan.kept = kept(server, local, standing, protected)?;
        for pair in pairs(server, local) {
            let stays = |_: &&Entry| pair.after.is_none() && plan.kept.contains_key(pair.path);
            let kept_as = pair.before.filter(stays).map(published);
            let after = kept_as.as_ref().or(pair.after);
            let change = match (pair.before, after) {
                (Some(before), Some(after)) => Change::between(before, after),
                (Some(before), None) => Some(Change::Deleted { before: before.clone() }),
                (None, Some(after)) => Some(Change::Added { after: after.clone() }),
                (None, None) => None,
            };
            match (change, after) {
                (Some(change), _) => plan.changes.push((pair.path.clone(), change)),
                (None, Some(after)) => plan.totals.unchanged.add(after),
                (None, None) => {}
            }
            if let Some(entry) = kept_as {
                plan.totals.kept.add(&entry);
                plan.result.insert(pair.path.clone(), entry);
            }
        }
        renames::pair(&mut plan.changes);
        plan.changes.iter().for_each(|(_, change)| plan.totals.add(change));
        Ok(plan)
    }

    /// Every change, in order of the places. What stays as it is has none.
    pub fn changes(&self) -> impl Iterator<Item = (&TreePath, &Change)> {
        self.changes.iter().map(|(path, change)| (path, change))
    }

    /// What becomes of this place; `None` if it stays as it is, and where a renamed
    /// file was.
    pub fn change(&self, path: &TreePath) -> Option<&Change> {
        let at = self.changes.binary_search_by(|(other, _)| other.cmp(path)).ok()?;
        Some(&self.changes[at].1)
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// What stays on the server though it is not published, and why.
    pub fn kept(&self) -> impl Iterator<Item = (&TreePath, Kept)> {
        self.kept.iter().map(|(path, why)| (path, *why))
    }

    /// What the server has when all is done: the local tree, and what is kept.
    pub fn result(&self) -> &Tree {
        &self.result
    }

    /// The plan in figures.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// The plan for people: a line of totals, then a tree with a mark for each change
    /// (`+` comes, `~` changes, `→` is moved here, `-` goes, `=` is protected).
    ///
    /// A folder that comes or goes as a whole is one row. When there are still more
    /// rows than this, folders become one row that counts what is in them, largest
    /// first, and the last line says so. `to_string` has 60 rows.
    pub fn listing(&self, rows: usize) -> String {
        listing(self, rows)
    }
}

/// The entry with the permissions of what is published.
fn published(entry: &Entry) -> Entry {
    match entry {
        Entry::Folder { .. } => Entry::folder(),
        Entry::File { size, hash, .. } => Entry::file(*size, *hash),
        Entry::Link { target } => Entry::link(target),
    }
}

impl fmt::Display for RsyncPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.listing(60))
    }
}

/// `{"totals": {…}, "changes": [{"path": …, "change": "added", "after": {…}}, …],
/// "kept": [{"path": …, "why": "protected"}, …]}`: names as they are, bytes and
/// permissions as numbers.
impl Serialize for RsyncPlan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Changed<'p> {
            path: &'p TreePath,
            #[serde(flatten)]
            change: &'p Change,
        }
        #[derive(Serialize)]
        struct Stays<'p> {
            path: &'p TreePath,
            why: Kept,
        }
        let changes = self.changes().map(|(path, change)| Changed { path, change });
        let kept = self.kept().map(|(path, why)| Stays { path, why });
        let mut plan = serializer.serialize_struct("RsyncPlan", 3)?;
        plan.serialize_field("totals", &self.totals)?;
        plan.serialize_field("changes", &changes.collect::<Vec<_>>())?;
        plan.serialize_field("kept", &kept.collect::<Vec<_>>())?;
        plan.end()
    }
}
