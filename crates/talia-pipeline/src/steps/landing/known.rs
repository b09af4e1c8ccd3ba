//! What an earlier deploy knew to be published, kept for the next one.

use camino::Utf8PathBuf;

use crate::{
    error::{Error, Result},
    files::write_atomically,
    landing::{ContentHash, Tree},
    step::{Action, Step, Summary},
};

/// Observation: the hash of the tree that [`KeepTree`] has left; a server does not send
/// that one.
///
/// - In this process: reads the file. It holds the very text of which a tree's hash is
///   made, so that it proves itself: one that is damaged is of no tree.
/// - Touches: nothing.
///
/// ```
/// use talia_pipeline::{Step, steps::landing::KnownHash};
///
/// assert_eq!(KnownHash::new("/state/landing.tree").label(), "which tree is known");
/// ```
#[derive(Debug)]
pub struct KnownHash {
    file: Utf8PathBuf,
}

impl KnownHash {
    /// That of the tree in this file.
    pub fn new(file: impl Into<Utf8PathBuf>) -> Self {
        Self { file: file.into() }
    }
}

impl Step for KnownHash {
    /// `None` where there is none.
    type Output = Option<ContentHash>;

    fn label(&self) -> String {
        "which tree is known".into()
    }

    fn action(&self) -> Action<'_, Self::Output> {
        let what = format!("hash {}", self.file);
        Action::read(what, || Ok(std::fs::read(&self.file).ok().map(|text| ContentHash::of(&text))))
    }

    fn assume(&self) -> Self::Output {
        None
    }

    fn summary(&self, known: &Self::Output) -> Summary {
        Summary::line(known.map_or("none".to_owned(), |hash| hash.short()))
    }
}

/// Observation: the tree that [`KeepTree`] has left.
///
/// - In this process: reads the file.
/// - Touches: nothing.
/// - Errors: a step's error where the file holds another tree, or none.
///
/// ```
/// use talia_pipeline::{Step, landing::{ContentHash, Tree}, steps::landing::KnownTree};
///
/// let (hash, local) = (ContentHash::of(b""), Tree::default());
/// let step = KnownTree::new("/state/landing.tree", hash, &local);
/// assert_eq!(step.label(), "the tree that is known");
/// ```
#[derive(Debug)]
pub struct KnownTree {
    file: Utf8PathBuf,
    hash: ContentHash,
    like: Tree,
}

impl KnownTree {
    /// The one of this hash in this file; much of it is as in `like`.
    pub fn new(file: impl Into<Utf8PathBuf>, hash: ContentHash, like: &Tree) -> Self {
        Self { file: file.into(), hash, like: like.clone() }
    }

    fn read(&self) -> Option<Tree> {
        let text = std::fs::read(&self.file).ok()?;
        Tree::from_text(&text, &self.like).filter(|tree| tree.hash() == self.hash)
    }
}

impl Step for KnownTree {
    type Output = Tree;

    fn label(&self) -> String {
        "the tree that is known".into()
    }

    fn action(&self) -> Action<'_, Tree> {
        Action::read(format!("read {}", self.file), || -> Result<Tree> {
            self.read().ok_or_else(|| {
                Error::step(format!("{} is not the tree {}", self.file, self.hash.short()))
                    .hint("another deploy may have written it meanwhile: try again")
            })
        })
    }

    fn assume(&self) -> Tree {
        self.like.clone()
    }

    fn summary(&self, tree: &Tree) -> Summary {
        Summary::line(format!("{} names", tree.len()))
    }
}

/// Writes what is published, so that the next deploy need not be told.
///
/// - In this process: writes the file at once.
/// - Touches: the file, and its folder when that is not there. Keep it in the state
///   folder, one for each environment.
///
/// ```
/// use talia_pipeline::{Step, landing::Tree, steps::landing::KeepTree};
///
/// let step = KeepTree::new("/state/landing.tree", &Tree::default());
/// assert_eq!(step.label(), "keep the tree");
/// ```
#[derive(Debug)]
pub struct KeepTree {
    file: Utf8PathBuf,
    tree: Tree,
}

impl KeepTree {
    /// This tree in this file.
    pub fn new(file: impl Into<Utf8PathBuf>, tree: &Tree) -> Self {
        Self { file: file.into(), tree: tree.clone() }
    }
}

impl Step for KeepTree {
    type Output = ();

    fn label(&self) -> String {
        "keep the tree".into()
    }

    fn action(&self) -> Action<'_, ()> {
        Action::work(format!("write {}", self.file), || {
            write_atomically(&self.file, &self.tree.text()).map_err(|cause| {
                Error::step(format!("{} cannot be written", self.file)).caused_by(cause)
            })
        })
    }

    fn assume(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{landing::Entry, steps::testing::check};

    fn tree() -> Tree {
        [("a b\n".parse().unwrap(), Entry::link("$(id)"))].into_iter().collect()
    }

    #[test]
    fn known_hash_minimal() {
        check("known_hash__minimal", &KnownHash::new("/state/landing.tree"));
    }

    #[test]
    fn known_tree_minimal() {
        check("known_tree__minimal", &KnownTree::new("/state/t", tree().hash(), &tree()));
    }

    #[test]
    fn keep_tree_minimal() {
        check("keep_tree__minimal", &KeepTree::new("/state/t", &tree()));
    }

    fn done<T>(step: &impl Step<Output = T>) -> Result<T> {
        let Action::Work { work, .. } = step.action() else { unreachable!("it is no command") };
        work()
    }

    #[test]
    fn what_was_kept_is_known_and_nothing_else() {
        let folder = std::env::temp_dir().join(format!("talia known {}", std::process::id()));
        let folder = Utf8PathBuf::from_path_buf(folder).unwrap();
        let (file, nothing) = (folder.join("tree"), Tree::default());
        let hash = || done(&KnownHash::new(&file)).unwrap();
        assert_eq!(hash(), None);
        done(&KeepTree::new(&file, &tree())).unwrap();
        assert_eq!(hash(), Some(tree().hash()));
        let known = |hash| done(&KnownTree::new(&file, hash, &nothing));
        assert_eq!(known(tree().hash()).unwrap(), tree());
        known(nothing.hash()).unwrap_err();
        std::fs::write(&file, "a b\n\0l $(ID)\0").unwrap();
        assert_ne!(hash(), Some(tree().hash()));
        known(tree().hash()).unwrap_err();
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
