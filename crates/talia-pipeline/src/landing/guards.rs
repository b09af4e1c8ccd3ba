//! What must not be published, and what must not be deleted.

mod links;
mod refused;
mod secrets;
#[cfg(test)]
mod tests;

pub use refused::{Guard, Refused};

use camino::Utf8Path;

use crate::{
    error::{Error, Result},
    parse::git_status::{FileState, StatusEntry},
};

use super::{Entry, LocalIndex, Pattern, Places, TreePath};

/// What is judged.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The source.
    pub index: &'a LocalIndex,
    /// The repository's top folder, as git tells it.
    pub repository: &'a Utf8Path,
    /// What is not committed in the source, with paths from the repository's top; empty
    /// where it may be published, too.
    pub uncommitted: &'a [StatusEntry],
    /// What would be deleted.
    pub deletions: Deletions,
}

/// How much would be deleted of what the server has, files and links, no folders; what is
/// renamed or replaced by another kind with it, for it is not there any more either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Deletions {
    /// So many.
    pub deleted: u64,
    /// Of so many.
    pub of: u64,
}

/// Where the guards begin to refuse.
///
/// ```
/// use talia_pipeline::landing::Limits;
///
/// let limits = Limits { file_bytes: 200_000_000, ..Limits::default() };
/// assert_eq!(limits.deleted_files, 50);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Files without which nothing is published. Default: `index.html`.
    pub required: Vec<TreePath>,
    /// How many bytes a file may have. Default: 50 million.
    pub file_bytes: u64,
    /// How much of what the server has may be deleted or renamed, in percent. Default: 30.
    pub deleted_percent: u64,
    /// How many files may be deleted or renamed. Default: 50.
    pub deleted_files: u64,
    /// What may be published although it looks like a secret or junk. Default: none.
    pub allowed: Vec<Pattern>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            required: "index.html".parse().into_iter().collect(),
            file_bytes: 50_000_000,
            deleted_percent: 30,
            deleted_files: 50,
            allowed: Vec::new(),
        }
    }
}

/// What is published this time although a guard would refuse it; see [`Guard::flag`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Overrides {
    /// So many files may be deleted or renamed.
    pub deletions: Option<u64>,
    /// A source without any file.
    pub empty: bool,
    /// One without a required file.
    pub missing: bool,
    /// Files that are too large.
    pub large: bool,
    /// What looks like a secret.
    pub secrets: bool,
    /// What looks like junk.
    pub junk: bool,
    /// Links that leave the tree.
    pub links: bool,
    /// What git ignores.
    pub dirty: bool,
    /// A source that is not in the repository.
    pub outside: bool,
    /// What cannot be read is left out; see [`LocalIndex::without_unreadable`].
    pub unreadable: bool,
}

/// Judges what is to be published before anything is sent.
///
/// ```
/// use camino::Utf8Path;
/// use talia_pipeline::landing::{Deletions, Facts, Guard, Guards, LocalIndex};
///
/// let index = LocalIndex { source: "/srv/repository/site".into(), ..LocalIndex::default() };
/// let facts = Facts {
///     index: &index,
///     repository: Utf8Path::new("/srv/repository"),
///     uncommitted: &[],
///     deletions: Deletions { deleted: 60, of: 100 },
/// };
/// let refused = Guards::default().refusals(&facts);
/// let guards: Vec<Guard> = refused.iter().map(|refused| refused.guard).collect();
/// assert_eq!(guards, [Guard::Empty, Guard::Deletions]);
/// assert_eq!(Guard::Empty.flag(), Some("--allow-empty"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Guards {
    /// Where they begin to refuse.
    pub limits: Limits,
    /// What they let pass.
    pub overrides: Overrides,
}

impl Guards {
    /// Refuses everything that is to be refused, at once.
    ///
    /// # Errors
    /// A refusal for each guard.
    pub fn check(&self, facts: &Facts<'_>) -> Result<()> {
        let refusals: Vec<Error> = self.refusals(facts).into_iter().map(Error::from).collect();
        if refusals.is_empty() { Ok(()) } else { Err(Error::all(refusals)) }
    }

    /// What every guard refuses, in a fixed order.
    pub fn refusals(&self, facts: &Facts<'_>) -> Vec<Refused> {
        let index = facts.index;
        let problems = &index.problems;
        let on = |guard, places: &Places| Refused::places(guard, &index.source, places);
        let tells = |is_let: bool, guard, places: &dyn Fn() -> Places| {
            if is_let { None } else { on(guard, &places()) }
        };
        let all = [
            self.outside(index, facts.repository),
            on(Guard::NotUtf8, &problems.not_utf8),
            on(Guard::Special, &problems.special),
            // What could not be left out either is still there.
            on(Guard::Unreadable, &problems.unreadable),
            on(Guard::Changed, &problems.changed),
            on(Guard::TooDeep, &problems.too_deep),
            self.empty(index),
            tells(self.overrides.missing, Guard::Missing, &|| self.missing(index)),
            tells(self.overrides.secrets, Guard::Secrets, &|| self.secrets(index)),
            tells(self.overrides.junk, Guard::Junk, &|| self.junk(index)),
            tells(self.overrides.links, Guard::Links, &|| links::leaving(&index.tree)),
            tells(self.overrides.large, Guard::Large, &|| self.large(index)),
            tells(self.overrides.dirty, Guard::Dirty, &|| uncommitted(facts)),
            self.deletions(facts.deletions),
        ];
        all.into_iter().flatten().collect()
    }

    /// Refuses a source of which git has nothing to tell.
    pub(crate) fn outside(&self, index: &LocalIndex, repository: &Utf8Path) -> Option<Refused> {
        let is_refused = !index.is_in(repository) && !self.overrides.outside;
        is_refused.then(|| Refused::outside(&index.source, repository))
    }

    fn empty(&self, index: &LocalIndex) -> Option<Refused> {
        (is_empty(index) && !self.overrides.empty).then(|| Refused::empty(index))
    }

    /// An empty source has none of them, which is no news.
    fn missing(&self, index: &LocalIndex) -> Places {
        let is_there = |path: &TreePath| {
            matches!(index.tree.get(path), Some(Entry::File { .. } | Entry::Link { .. }))
        };
        let missing = self.limits.required.iter().filter(|path| !is_there(path));
        let told = missing.map(|path| match index.filters.hides(path, false) {
            true => format!("{path} (hidden by a filter)"),
            false => path.to_string(),
        });
        if is_empty(index) { Places::default() } else { told.collect() }
    }

    fn secrets(&self, index: &LocalIndex) -> Places {
        secrets::find(&index.tree, &self.limits.allowed, secrets::is_secret)
    }

    fn junk(&self, index: &LocalIndex) -> Places {
        secrets::find(&index.tree, &self.limits.allowed, secrets::is_junk)
    }

    fn large(&self, index: &LocalIndex) -> Places {
        let large = index.tree.iter().filter(|(_, entry)| entry.size() > self.limits.file_bytes);
        let limit = megabytes(self.limits.file_bytes);
        let told = |(path, entry): (&TreePath, &Entry)| {
            format!("{path} ({}, at most {limit})", megabytes(entry.size()))
        };
        large.map(told).collect()
    }

    fn deletions(&self, deletions: Deletions) -> Option<Refused> {
        let Deletions { deleted, of } = deletions;
        let percent = self.limits.deleted_percent;
        let is_share = u128::from(deleted) * 100 > u128::from(of) * u128::from(percent);
        let is_count = deleted > self.limits.deleted_files;
        let is_let = self.overrides.deletions.is_some_and(|most| deleted <= most);
        if is_let || deleted == 0 || !(is_share || is_count) {
            return None;
        }
        let share = is_share.then(|| format!("{percent} %"));
        let count = is_count.then(|| format!("{} files", self.limits.deleted_files));
        let limits: Vec<String> = share.into_iter().chain(count).collect();
        Some(Refused::deletions(deleted, of, &limits.join(" and more than ")))
    }
}

/// Folders alone are nothing to see.
fn is_empty(index: &LocalIndex) -> bool {
    index.tree.iter().all(|(_, entry)| entry.is_folder())
}

/// What would be published, or is no more, without being committed.
fn uncommitted(facts: &Facts<'_>) -> Places {
    let LocalIndex { source, tree, filters, .. } = facts.index;
    let Ok(source) = source.strip_prefix(facts.repository) else { return Places::default() };
    let told = facts.uncommitted.iter().filter_map(|entry| {
        let path = Utf8Path::new(&entry.path);
        let Ok(place) = path.strip_prefix(source) else {
            // An ignored folder that the source is in.
            let is_above = source.starts_with(path) && !tree.is_empty();
            return is_above.then(|| entry.to_string());
        };
        let is_folder = entry.path.ends_with('/');
        let Ok(place) = place.as_str().parse::<TreePath>() else {
            // The source itself.
            return (!tree.is_empty()).then(|| entry.to_string());
        };
        let is_published = match (is_folder, entry.state) {
            (true, _) => tree.iter().any(|(path, _)| *path == place || path.is_below(&place)),
            // It may be one that is gone.
            (false, FileState::Changed) => !filters.hides(&place, false),
            (false, _) => tree.get(&place).is_some(),
        };
        is_published.then(|| entry.to_string())
    });
    told.collect()
}

/// In units that settings count in.
fn megabytes(bytes: u64) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000)
}
