//! All that stands in a folder.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, OnceLock},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, Result};

use super::{ContentHash, Entry, TreePath};

/// Everything below a folder, each with its place; the folder itself is not part of it.
/// A clone is the same tree until one of both is changed, and costs nothing.
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
#[derive(Clone, Default)]
pub struct Tree(Arc<Whole>);

#[derive(Clone, Default)]
struct Whole {
    all: BTreeMap<TreePath, Entry>,
    /// Found out when somebody asks first.
    hash: OnceLock<ContentHash>,
}

impl Tree {
    fn all_mut(&mut self) -> &mut BTreeMap<TreePath, Entry> {
        let whole = Arc::make_mut(&mut self.0);
        whole.hash = OnceLock::new();
        &mut whole.all
    }

    /// Whether both are clones of one, so that nobody has to compare them.
    pub(super) fn is_clone_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The same, for whoever has found out its hash already.
    pub(super) fn hashed(self, hash: ContentHash) -> Self {
        self.0.hash.get_or_init(|| hash);
        self
    }

    /// What stands there.
    pub fn get(&self, path: &TreePath) -> Option<&Entry> {
        self.0.all.get(path)
    }

    /// Everything, in order of the places.
    pub fn iter(&self) -> impl Iterator<Item = (&TreePath, &Entry)> {
        self.0.all.iter()
    }

    /// Puts something there; gives what was there before.
    pub fn insert(&mut self, path: TreePath, entry: Entry) -> Option<Entry> {
        self.all_mut().insert(path, entry)
    }

    /// Takes away what is there.
    pub fn remove(&mut self, path: &TreePath) -> Option<Entry> {
        self.all_mut().remove(path)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.0.all.len()
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.0.all.is_empty()
    }

    /// The bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.0.all.values().map(Entry::size).sum()
    }

    /// One hash of all of it: two trees have the same one when they are the same.
    pub fn hash(&self) -> ContentHash {
        *self.0.hash.get_or_init(|| ContentHash::of(&self.text()))
    }

    /// Checks that every entry stands in a folder that is there as well.
    ///
    /// # Errors
    /// A usage error that names the first that does not.
    pub fn check(&self) -> Result<()> {
        // Most entries are in the same folder as the one before them.
        let mut known = None;
        for path in self.0.all.keys() {
            let folder = path.folder();
            if folder == known {
                continue;
            }
            if folder.is_some_and(|folder| !self.0.all.get(folder).is_some_and(Entry::is_folder)) {
                return Err(Error::usage(format!("{path} is in no folder of its tree")));
            }
            known = folder;
        }
        Ok(())
    }
}

impl PartialEq for Tree {
    fn eq(&self, other: &Self) -> bool {
        self.is_clone_of(other) || self.0.all == other.0.all
    }
}

impl Eq for Tree {}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.all.fmt(f)
    }
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.all.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::deserialize(deserializer).map(Self::from)
    }
}

impl From<BTreeMap<TreePath, Entry>> for Tree {
    fn from(all: BTreeMap<TreePath, Entry>) -> Self {
        Self(Arc::new(Whole { all, hash: OnceLock::new() }))
    }
}

impl FromIterator<(TreePath, Entry)> for Tree {
    fn from_iter<I: IntoIterator<Item = (TreePath, Entry)>>(entries: I) -> Self {
        Self::from(entries.into_iter().collect::<BTreeMap<_, _>>())
    }
}

impl IntoIterator for Tree {
    type Item = (TreePath, Entry);
    type IntoIter = std::collections::btree_map::IntoIter<TreePath, Entry>;

    fn into_iter(self) -> Self::IntoIter {
        Arc::unwrap_or_clone(self.0).all.into_iter()
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
    fn a_clone_that_is_changed_is_another_tree() {
        let one = tree(&[("a", Entry::folder()), ("b", Entry::link("a"))]);
        let hash = one.hash();
        let mut other = one.clone();
        other.remove(&"b".parse().unwrap());
        assert_ne!((&other, other.hash()), (&one, hash));
        other.insert("b".parse().unwrap(), Entry::link("a"));
        assert_eq!((&other, other.hash()), (&one, hash));
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
