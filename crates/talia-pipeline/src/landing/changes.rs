//! What has to change for one tree to become another.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Entry, Tree, TreePath};

/// What has to change for one tree to become another: for each place that differs what
/// shall stand there, or nothing.
///
/// It is what a client tells a server before it sends any file, so that both know the
/// same: applied to what is there, it gives what will be there.
///
/// ```
/// use talia_pipeline::landing::{ContentHash, Entry, Tree, TreeChanges};
///
/// let old: Tree = [("a.html".parse()?, Entry::file(1, ContentHash::of(b"a")))].into_iter().collect();
/// let new: Tree = [("b.html".parse()?, Entry::file(1, ContentHash::of(b"b")))].into_iter().collect();
/// let changes = TreeChanges::between(&old, &new);
/// assert_eq!(changes.len(), 2);
/// assert_eq!(changes.applied_to(old), new);
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TreeChanges(BTreeMap<TreePath, Option<Entry>>);

impl TreeChanges {
    /// What makes `new` of `old`.
    pub fn between(old: &Tree, new: &Tree) -> Self {
        let gone = old.iter().filter(|(path, _)| new.get(path).is_none());
        let come = new.iter().filter(|(path, entry)| old.get(path) != Some(entry));
        let changes = gone
            .map(|(path, _)| (path.clone(), None))
            .chain(come.map(|(path, entry)| (path.clone(), Some(entry.clone()))));
        Self(changes.collect())
    }

    /// That tree with these changes.
    #[must_use]
    pub fn applied_to(&self, mut tree: Tree) -> Tree {
        for (path, entry) in &self.0 {
            match entry {
                Some(entry) => tree.insert(path.clone(), entry.clone()),
                None => tree.remove(path),
            };
        }
        tree
    }

    /// Each place that changes, with what shall stand there.
    pub fn iter(&self) -> impl Iterator<Item = (&TreePath, Option<&Entry>)> {
        self.0.iter().map(|(path, entry)| (path, entry.as_ref()))
    }

    /// How many places change.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes of the files that come or change.
    pub fn bytes(&self) -> u64 {
        self.0.values().flatten().map(Entry::size).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::landing::ContentHash;

    #[test]
    fn every_kind_of_change_leads_from_one_tree_to_the_other() {
        let tree = |entries: &[(&str, Entry)]| -> Tree {
            entries.iter().map(|(path, entry)| (path.parse().unwrap(), entry.clone())).collect()
        };
        let file = |text: &str| Entry::file(text.len() as u64, ContentHash::of(text.as_bytes()));
        let old = tree(&[
            ("same", file("s")),
            ("other content", file("1")),
            ("gone", file("g")),
            ("a folder that becomes a link", Entry::folder()),
            ("another mode", Entry::File { size: 1, hash: ContentHash::of(b"m"), mode: 0o755 }),
        ]);
        let new = tree(&[
            ("same", file("s")),
            ("other content", file("22")),
            ("a folder that becomes a link", Entry::link("same")),
            ("another mode", file("m")),
            ("new", Entry::folder()),
        ]);
        let changes = TreeChanges::between(&old, &new);
        assert_eq!((changes.len(), changes.bytes()), (5, 3));
        assert_eq!(changes.applied_to(old.clone()), new);
        assert_eq!(TreeChanges::between(&new, &old).applied_to(new.clone()), old);
        assert!(TreeChanges::between(&old, &old).is_empty());
        let text = serde_json::to_string(&changes).unwrap();
        assert_eq!(serde_json::from_str::<TreeChanges>(&text).unwrap(), changes);
        assert!(serde_json::from_str::<TreeChanges>(r#"{"../x":null}"#).is_err());
    }
}
