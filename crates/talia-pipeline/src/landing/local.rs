//! What a source holds, and what of it cannot be published.

use std::fmt;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use super::{Filters, Tree, TreePath};

/// The source as it is on this machine, without what its filters hide.
///
/// Made by [`steps::landing::IndexTree`](crate::steps::landing::IndexTree).
#[derive(Debug, Clone, Default)]
pub struct LocalIndex {
    /// The source's own path: no link is in it.
    pub source: Utf8PathBuf,
    /// What would be published.
    pub tree: Tree,
    /// The rules that hold for it, those of its own [`Filters::FILE`] included.
    pub filters: Filters,
    /// What cannot be published. The tree is not whole while there is anything.
    pub problems: Problems,
    /// What of it could be left out: places of [`Problems::unreadable`], folders among them.
    pub unreadable: Vec<TreePath>,
    /// How much there was to do.
    pub counts: IndexCounts,
    /// What [`KeepIndex`](crate::steps::landing::KeepIndex) writes, so that the next index
    /// reads no file again; `None` when the file has it already.
    pub cache: Option<Vec<u8>>,
}

impl LocalIndex {
    /// Whether the source is in this repository.
    pub fn is_in(&self, repository: &Utf8Path) -> bool {
        self.source.starts_with(repository)
    }

    /// Leaves out what cannot be read: it is hidden as by a filter. Gives it as well.
    #[must_use]
    pub fn without_unreadable(mut self) -> (Self, Places) {
        let left_out = std::mem::take(&mut self.unreadable);
        if left_out.is_empty() || left_out.len() != self.problems.unreadable.count() {
            // Such as the source itself, which nobody can leave out.
            return (self, Places::default());
        }
        let is_left_out =
            |path: &TreePath| left_out.iter().any(|one| path == one || path.is_below(one));
        self.tree = self
            .tree
            .iter()
            .filter(|(path, _)| !is_left_out(path))
            .map(|(path, entry)| (path.clone(), entry.clone()))
            .collect();
        self.filters = self.filters.hiding(&left_out);
        let told = std::mem::take(&mut self.problems.unreadable);
        (self, told)
    }
}

/// How much an index had to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct IndexCounts {
    /// Regular files that would be published.
    pub files: u64,
    /// Folders.
    pub folders: u64,
    /// Symbolic links.
    pub links: u64,
    /// Places that a filter hides; what is in a hidden folder is not counted.
    pub hidden: u64,
    /// Files that were read, because nothing proved that they are as before.
    pub read_files: u64,
    /// How many bytes those have.
    pub read_bytes: u64,
}

/// What of a source cannot be published, by the reason.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Problems {
    /// Sockets, named pipes and devices.
    pub special: Places,
    /// Names, and targets of links, that are not UTF-8.
    pub not_utf8: Places,
    /// Files and folders that cannot be read.
    pub unreadable: Places,
    /// Files that changed while they were read.
    pub changed: Places,
    /// Places in too many folders, or with too long a path.
    pub too_deep: Places,
}

/// Places to be told to people: the first few of them in order, escaped, and how many
/// there are.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Places {
    listed: Vec<String>,
    count: usize,
}

impl Places {
    /// How many are named.
    const LISTED: usize = 10;

    /// Adds one, escaped already.
    pub fn add(&mut self, place: impl fmt::Display) {
        self.count += 1;
        let place = place.to_string();
        let at = self.listed.partition_point(|other| *other <= place);
        if at < Self::LISTED {
            self.listed.insert(at, place);
            self.listed.truncate(Self::LISTED);
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The first of them.
    pub fn listed(&self) -> &[String] {
        &self.listed
    }
}

impl<T: fmt::Display> FromIterator<T> for Places {
    fn from_iter<I: IntoIterator<Item = T>>(all: I) -> Self {
        let mut places = Self::default();
        all.into_iter().for_each(|place| places.add(place));
        places
    }
}

impl fmt::Display for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed: Vec<String> = self.listed.iter().map(|place| format!("`{place}`")).collect();
        f.write_str(&listed.join(", "))?;
        match self.count - self.listed.len() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::landing::{ContentHash, Entry};

    #[test]
    fn a_long_list_is_cut_and_counted() {
        let places: Places = ('a'..='l').rev().collect();
        assert_eq!(
            places.to_string(),
            "`a`, `b`, `c`, `d`, `e`, `f`, `g`, `h`, `i`, `j` and 2 more"
        );
        let places: Places = ["b", "a b"].into_iter().collect();
        assert_eq!(places.to_string(), "`a b`, `b`");
    }

    #[test]
    fn what_cannot_be_read_is_left_out_with_all_that_is_in_it() {
        let paths = ["a.html", "private/", "private/x", "secret*.txt", "secret-1.txt"];
        let tree: Tree = paths
            .iter()
            .map(|path| match path.strip_suffix('/') {
                Some(folder) => (folder.parse().unwrap(), Entry::folder()),
                None => (path.parse().unwrap(), Entry::file(1, ContentHash::of(b"x"))),
            })
            .collect();
        let unreadable = ["private", "secret*.txt"];
        let index = LocalIndex {
            tree,
            problems: Problems { unreadable: unreadable.iter().collect(), ..Problems::default() },
            unreadable: unreadable.iter().map(|path| path.parse().unwrap()).collect(),
            ..LocalIndex::default()
        };
        let (left, told) = index.clone().without_unreadable();
        assert_eq!(told.to_string(), "`private`, `secret*.txt`");
        let kept: Vec<String> = left.tree.iter().map(|(path, _)| path.to_string()).collect();
        assert_eq!(kept, ["a.html", "secret-1.txt"]);
        assert!(left.problems.unreadable.is_empty());
        let hides = |path: &str| left.filters.hides(&path.parse().unwrap(), false);
        assert!(hides("private/x") && hides("secret*.txt"));
        assert!(!hides("secret-1.txt") && !hides("a.html") && !hides("d/private"));
        assert!(!left.filters.protects(&"private".parse().unwrap(), true), "it goes there");
        // The source itself has no name to be left out by.
        let top = LocalIndex { unreadable: Vec::new(), ..index };
        let (left, told) = top.without_unreadable();
        assert!(told.is_empty() && !left.problems.unreadable.is_empty());
    }
}
