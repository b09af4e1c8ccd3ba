//! All that stands in a folder.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

use super::{ContentHash, Entry, TreePath};

/// Everything below a folder, each with its place; the folder itself is not part of it.
///
/// ```
/// use talia_pipeline::landing::{ContentHash, Entry, Tree};
///
/// let page = Entry::file(2, ContentHash::of(b"hi"));
/// let tree: Tree = [("index.html".parse()?, page)].into_iter().collect();
/// assert_eq!((tree.len(), tree.bytes()), (1, 2));
/// tree.check()?;
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tree(BTreeMap<TreePath, Entry>);

impl Tree {
    /// What stands there.
    pub fn get(&self, path: &TreePath) -> Option<&Entry> {
        self.0.get(path)
    }

    /// Everything, in order of the places.
    pub fn iter(&self) -> impl Iterator<Item = (&TreePath, &Entry)> {
        self.0.iter()
    }

    /// Puts something there; gives what was there before.
    pub fn insert(&mut self, path: TreePath, entry: Entry) -> Option<Entry> {
        self.0.insert(path, entry)
    }

    /// Takes away what is there.
    pub fn remove(&mut self, path: &TreePath) -> Option<Entry> {
        self.0.remove(path)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.0.values().map(Entry::size).sum()
    }

    /// One hash of all of it: two trees have the same one when they are the same.
    pub fn hash(&self) -> ContentHash {
        let mut text = Vec::new();
        for (path, entry) in &self.0 {
            // Paths have no NUL, nor have links: nothing can be read two ways.
            let said = match entry {
                Entry::Folder { mode } => format!("d {mode:o}"),
                Entry::File { size, hash, mode } => format!("f {mode:o} {size} {hash}"),
                Entry::Link { target } => format!("l {target}"),
            };
            text.extend_from_slice(path.as_str().as_bytes());
            text.push(0);
            text.extend_from_slice(said.as_bytes());
            text.push(0);
        }
        ContentHash::of(&text)
    }

    /// Checks that every entry stands in a folder that is there as well.
    ///
    /// # Errors
    /// A usage error that names the first that does not.
    pub fn check(&self) -> Result<()> {
        // Most entries are in the same folder as the one before them.
        let mut known = None;
        for path in self.0.keys() {
            let folder = path.folder();
            if folder == known {
                continue;
            }
            if folder.is_some_and(|folder| !self.0.get(folder).is_some_and(Entry::is_folder)) {
                return Err(Error::usage(format!("{path} is in no folder of its tree")));
            }
            known = folder;
        }
        Ok(())
    }
}

impl FromIterator<(TreePath, Entry)> for Tree {
    fn from_iter<I: IntoIterator<Item = (TreePath, Entry)>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}

impl IntoIterator for Tree {
    type Item = (TreePath, Entry);
    type IntoIter = std::collections::btree_map::IntoIter<TreePath, Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(entries: &[(&str, Entry)]) -> Tree {
        entries.iter().map(|(path, entry)| (path.parse().unwrap(), entry.clone())).collect()
    }

    #[test]
    fn every_part_of_a_tree_is_in_its_hash() {
        let page = || Entry::file(1, ContentHash::of(b"a"));
        let all = [
            tree(&[]),
            tree(&[("a", Entry::folder())]),
            tree(&[("a", Entry::Folder { mode: 0o700 })]),
            tree(&[("a", page())]),
            tree(&[("a", Entry::file(1, ContentHash::of(b"b")))]),
            tree(&[("b", page())]),
            tree(&[("a", Entry::link("b"))]),
            tree(&[("a", Entry::link("c"))]),
        ];
        for (at, one) in all.iter().enumerate() {
            for (other_at, other) in all.iter().enumerate() {
                assert_eq!(one.hash() == other.hash(), at == other_at, "{at} {other_at}");
            }
        }
    }

    #[test]
    fn what_is_in_no_folder_is_found() {
        tree(&[("a", Entry::folder()), ("a/b", Entry::link("c"))]).check().unwrap();
        tree(&[("a", Entry::link("x")), ("a/b", Entry::link("c"))]).check().unwrap_err();
        tree(&[("a/b", Entry::link("c"))]).check().unwrap_err();
        let folders = ["a", "a/b", "a/b/c", "a/d", "e", "e/f"].map(|path| (path, Entry::folder()));
        for without in [0, 1, 4] {
            let mut tree = tree(&folders);
            tree.check().unwrap();
            tree.remove(&folders[without].0.parse().unwrap());
            tree.check().unwrap_err();
        }
    }
}
