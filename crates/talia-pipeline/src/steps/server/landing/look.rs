//! What is so now.

use std::{fs::File, io, io::Read as _};

use camino::Utf8PathBuf;

use crate::{
    error::Error,
    landing::{ContentHash, Tree, TreeChanges, TreePath},
    protocol::{LandingFile, LandingTransaction, ReleaseId},
    server::landing::{
        AtFile, LandingPlace, LandingRecord, LandingSeen, Published, ReleaseTree, Transaction,
        Wanted, look_at, published,
    },
    step::{Action, Step, Summary},
};

/// In this process: what is published, which releases are kept, what is under way.
#[derive(Debug)]
pub struct ReadLanding {
    place: LandingPlace,
}

impl ReadLanding {
    /// Looks here.
    pub fn new(place: &LandingPlace) -> Self {
        Self { place: place.clone() }
    }
}

impl Step for ReadLanding {
    type Output = LandingSeen;

    fn label(&self) -> String {
        "landing page".into()
    }

    fn action(&self) -> Action<'_, LandingSeen> {
        let what = format!("look at {} and the records in {}", self.place.web(), self.place.own());
        Action::read(what, || LandingSeen::look(&self.place))
    }

    fn assume(&self) -> LandingSeen {
        LandingSeen::default()
    }

    fn summary(&self, seen: &LandingSeen) -> Summary {
        Summary::line(seen.live().map_or("no release", |live| live.id.as_str()))
    }
}

/// In this process: the transaction as a client is told of it, and whether rsync works.
#[derive(Debug)]
pub struct ReadOpenTransaction {
    place: LandingPlace,
    transaction: Transaction,
    now_ms: u64,
}

impl ReadOpenTransaction {
    /// Looks after this one.
    pub fn new(place: &LandingPlace, transaction: &Transaction, now_ms: u64) -> Self {
        Self { place: place.clone(), transaction: transaction.clone(), now_ms }
    }
}

impl Step for ReadOpenTransaction {
    type Output = LandingTransaction;

    fn label(&self) -> String {
        "open transaction".into()
    }

    fn action(&self) -> Action<'_, LandingTransaction> {
        let what = format!("ask who holds {}", self.place.rsync_lock());
        Action::read(what, || self.transaction.told(&self.place, self.now_ms))
    }

    fn assume(&self) -> LandingTransaction {
        LandingTransaction {
            id: self.transaction.id.clone(),
            tree: self.transaction.tree,
            revision: self.transaction.revision.clone(),
            by: self.transaction.by.clone(),
            began_ms: self.transaction.began_ms,
            idle_ms: 0,
            works: false,
        }
    }

    fn summary(&self, told: &LandingTransaction) -> Summary {
        let works = if told.works { ", rsync works" } else { "" };
        Summary::line(format!("{} by {}{works}", told.id, told.by))
    }
}

/// In this process: what was published when the transaction began, and what it shall
/// become.
#[derive(Debug)]
pub struct ReadAnnounced {
    place: LandingPlace,
    transaction: Transaction,
}

impl ReadAnnounced {
    /// Reads what was announced with this one.
    pub fn new(place: &LandingPlace, transaction: &Transaction) -> Self {
        Self { place: place.clone(), transaction: transaction.clone() }
    }
}

impl Step for ReadAnnounced {
    type Output = (Tree, Tree);

    fn label(&self) -> String {
        "what was announced".into()
    }

    fn action(&self) -> Action<'_, (Tree, Tree)> {
        let (base, announced) = (self.place.base(), self.place.announced());
        Action::read(format!("read {base} and {announced}"), || {
            Ok((Transaction::base(&self.place)?, self.transaction.announced(&self.place)?))
        })
    }

    fn assume(&self) -> (Tree, Tree) {
        (Tree::default(), Tree::default())
    }

    fn summary(&self, (base, announced): &(Tree, Tree)) -> Summary {
        let changes = TreeChanges::between(base, announced).len();
        Summary::line(format!("{} names, {changes} changes", announced.len()))
    }
}

/// In this process: what a release has published.
#[derive(Debug)]
pub struct ReadReleaseTree {
    place: LandingPlace,
    id: ReleaseId,
}

impl ReadReleaseTree {
    /// Reads that of this one.
    pub fn new(place: &LandingPlace, id: &ReleaseId) -> Self {
        Self { place: place.clone(), id: id.clone() }
    }
}

impl Step for ReadReleaseTree {
    type Output = ReleaseTree;

    fn label(&self) -> String {
        format!("tree of {}", self.id)
    }

    fn action(&self) -> Action<'_, ReleaseTree> {
        let what = format!("read {}", self.place.tree(&self.id));
        Action::read(what, || ReleaseTree::read(&self.place, &self.id))
    }

    fn assume(&self) -> ReleaseTree {
        ReleaseTree::default()
    }
}

/// In this process: everything in a published folder, by `lstat`; only what has changed
/// since its release is read, or all of it where it is no release's.
#[derive(Debug)]
pub struct ReadPublished {
    place: LandingPlace,
    root: Utf8PathBuf,
    record: Option<LandingRecord>,
    protected: Vec<TreePath>,
    is_kept: bool,
    known: Option<ContentHash>,
}

impl ReadPublished {
    /// Looks at this folder, where this release should be; `protected` is the server's own.
    pub fn new(
        place: &LandingPlace,
        root: impl Into<Utf8PathBuf>,
        record: Option<&LandingRecord>,
        protected: &[TreePath],
    ) -> Self {
        let (place, root, record) = (place.clone(), root.into(), record.cloned());
        let protected = protected.to_vec();
        Self { place, root, record, protected, is_kept: false, known: None }
    }

    /// Whoever asks has the tree of this hash: it is not told where it is the release's.
    #[must_use]
    pub fn known(mut self, tree: Option<ContentHash>) -> Self {
        self.known = tree;
        self
    }

    /// It is a release that is not live: its files may have got other names since.
    #[must_use]
    pub fn kept(mut self) -> Self {
        self.is_kept = true;
        self
    }
}

impl Step for ReadPublished {
    type Output = Published;

    fn label(&self) -> String {
        "what is published".into()
    }

    fn action(&self) -> Action<'_, Published> {
        let what = match &self.record {
            Some(record) => format!("compare {} with {}", self.root, record.id),
            None => format!("read everything in {}", self.root),
        };
        Action::read(what, || {
            // Until a kill is put right, the tree may stand where a switch has put it.
            let switched = self.place.switch();
            let root = if self.root.is_dir() { &self.root } else { &switched };
            let wanted = Wanted {
                root,
                record: self.record.as_ref(),
                protected: &self.protected,
                is_kept: self.is_kept,
                known: self.known,
            };
            published(&self.place, &wanted)
        })
    }

    fn assume(&self) -> Published {
        Published::default()
    }

    fn summary(&self, published: &Published) -> Summary {
        let drift = match published.drift.len() {
            0 => String::new(),
            count => format!(", {count} changed by hand"),
        };
        let names = published.tree.len().max(published.stamps.iter().count());
        Summary::line(format!("{names} names{drift}"))
    }
}

/// In this process: what a file holds that clients get.
#[derive(Debug)]
pub struct ReadLandingFile {
    root: Utf8PathBuf,
    path: TreePath,
}

impl ReadLandingFile {
    /// Reads this place below this folder, following no link.
    pub fn new(root: impl Into<Utf8PathBuf>, path: &TreePath) -> Self {
        Self { root: root.into(), path: path.clone() }
    }

    fn read(&self) -> io::Result<LandingFile> {
        Ok(match look_at(&self.root, &self.path)? {
            AtFile::Nothing => LandingFile::Missing,
            AtFile::Folder => LandingFile::Folder,
            AtFile::Link(target) => LandingFile::Link { target },
            AtFile::File(file) => text(file)?,
        })
    }
}

fn text(file: File) -> io::Result<LandingFile> {
    let size = file.metadata()?.len();
    if size > LandingFile::LONGEST {
        return Ok(LandingFile::TooLong { size });
    }
    let mut bytes = Vec::new();
    file.take(LandingFile::LONGEST).read_to_end(&mut bytes)?;
    Ok(match String::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => LandingFile::Text { text },
        _ => LandingFile::Binary { size },
    })
}

impl Step for ReadLandingFile {
    type Output = LandingFile;

    fn label(&self) -> String {
        format!("read {}", self.path)
    }

    fn action(&self) -> Action<'_, LandingFile> {
        Action::read(format!("read {} in {}", self.path, self.root), || {
            self.read().map_err(|cause| {
                Error::step(format!("{} cannot be read", self.path)).caused_by(cause)
            })
        })
    }

    fn assume(&self) -> LandingFile {
        LandingFile::Missing
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::{super::tests::*, *};
    use crate::steps::testing::check;

    fn well_known() -> Vec<TreePath> {
        vec![".well-known".parse().unwrap()]
    }

    #[test]
    fn read_landing_minimal() {
        check("read_landing__minimal", &ReadLanding::new(&place()));
    }

    #[test]
    fn read_open_transaction_minimal() {
        let step = ReadOpenTransaction::new(&place(), &transaction(), 1);
        check("read_open_transaction__minimal", &step);
    }

    #[test]
    fn read_announced_minimal() {
        check("read_announced__minimal", &ReadAnnounced::new(&place(), &transaction()));
    }

    #[test]
    fn read_release_tree_minimal() {
        check("read_release_tree__minimal", &ReadReleaseTree::new(&place(), &record().id));
    }

    #[test]
    fn read_published_minimal() {
        let step = ReadPublished::new(&place(), "/var/www/talia-landing", None, &[]);
        check("read_published__minimal", &step);
    }

    #[test]
    fn read_published_everything() {
        let place = place();
        let root = place.release(&record().id);
        let step = ReadPublished::new(&place, root, Some(&record()), &well_known()).kept();
        check("read_published__everything", &step);
    }

    #[test]
    fn read_landing_file_minimal() {
        let step = ReadLandingFile::new("/var/www/x", &"a b\n".parse().unwrap());
        check("read_landing_file__minimal", &step);
    }

    #[test]
    fn a_file_is_read_as_what_it_is_and_no_link_is_followed() {
        let root = std::env::temp_dir().join(format!("talia-read-{}", std::process::id()));
        let root = Utf8PathBuf::from_path_buf(root).unwrap();
        fs::create_dir_all(root.join("d")).unwrap();
        let long = usize::try_from(LandingFile::LONGEST).unwrap();
        for (name, content) in [
            ("text", "ä\n".as_bytes().to_vec()),
            ("binary", vec![0xff, 0xfe]),
            ("nul", b"a\0b".to_vec()),
            ("longest", vec![b'x'; long]),
            ("longer", vec![b'x'; long + 1]),
        ] {
            fs::write(root.join(name), content).unwrap();
        }
        symlink("/etc/hostname", root.join("link")).unwrap();
        symlink("/etc", root.join("etc")).unwrap();
        let read = |path: &str| ReadLandingFile::new(&root, &path.parse().unwrap()).read().unwrap();
        assert_eq!(read("text"), LandingFile::Text { text: "ä\n".into() });
        assert_eq!(read("binary"), LandingFile::Binary { size: 2 });
        assert_eq!(read("nul"), LandingFile::Binary { size: 3 });
        assert!(matches!(read("longest"), LandingFile::Text { .. }));
        assert_eq!(read("longer"), LandingFile::TooLong { size: LandingFile::LONGEST + 1 });
        assert_eq!(read("link"), LandingFile::Link { target: "/etc/hostname".into() });
        assert_eq!(read("etc/hostname"), LandingFile::Missing);
        assert_eq!((read("d"), read("d/x")), (LandingFile::Folder, LandingFile::Missing));
        fs::remove_dir_all(root).unwrap();
    }
}
