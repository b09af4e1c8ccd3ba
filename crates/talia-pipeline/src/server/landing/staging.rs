//! A tree that is made what shall be published: opened for rsync, closed, completed.

use std::{collections::HashMap, fs, io};

use camino::{Utf8Path, Utf8PathBuf};

use super::{
    Kind, LandingPlace, Own, ReleaseTree, Stamp, Stamps, Standing,
    beneath::{Folder, Owner, Parents, Type, type_of},
    folders::{give_folders, sync_folders, take_folder},
    interrupted::is_partial,
    published::{entry as entry_of, read, walked},
    remove_tree,
    sharing::{copy_file, give_file, is_shared, share_file, stays},
    spare::{fit, take as take_spare},
};
use crate::{
    error::{Error, Result},
    landing::{ContentHash, Entry, Tree, TreePath},
    protocol::ReleaseId,
};

/// With more changed files than this, the whole file system is synced instead of each.
const SYNCED_ONE_BY_ONE: usize = 100;

/// The folder that becomes a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staging {
    root: Utf8PathBuf,
}

/// How a staging tree came about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Made {
    /// Files that are the live ones.
    pub linked: u64,
    /// The live files that have got other names or lost some; `None` for all of them.
    pub touched: Option<Vec<TreePath>>,
    /// Files that were copied, because their owner or mode is another one.
    pub copied: u64,
    /// Files that only look as if they were, because they do not stay.
    pub hollow: u64,
}

/// What stands in a staging tree that nobody but root can change any more.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Staged {
    /// All of it.
    pub tree: Tree,
    /// The files that are not those of the release before.
    pub fresh: Vec<TreePath>,
    /// What cannot be published, for people, with why.
    pub odd: Vec<String>,
    /// What tells whether any of it changes from now on.
    pub stamps: Stamps,
}

/// What is known of a file without reading it: as long as its stamp is this one, it holds
/// this.
pub type Trusted = HashMap<u64, (Stamp, ContentHash)>;

/// What is known of the files of a release.
///
/// # Errors
/// When what the agent knows cannot be read.
pub fn trusted(place: &LandingPlace, id: &ReleaseId) -> Result<Trusted> {
    let ReleaseTree { tree, .. } = ReleaseTree::read(place, id)?;
    let stamps = Stamps::read(&place.stamps(id)).unwrap_or_default();
    let known = stamps.iter().filter_map(|(path, stamp)| match (stamp, tree.get(path)) {
        (Some(stamp), Some(Entry::File { hash, .. })) => Some((stamp.inode(), (*stamp, *hash))),
        _ => None,
    });
    Ok(known.collect())
}

impl Staging {
    /// The tree in this folder.
    pub fn new(root: impl Into<Utf8PathBuf>) -> Self {
        Self { root: root.into() }
    }

    fn cannot(&self, what: &str, cause: io::Error) -> Error {
        Error::step(format!("{}: {what}", self.root)).caused_by(cause)
    }

    /// Makes it anew: folders in which every file of `base` is the live one under another
    /// name; a tree that was put by becomes it, where there is one. Who may change the folders may take such a name away, but cannot
    /// write to what it names, because that is root's. A file that is not root's, or has
    /// another mode than published ones have, is copied where `announced` has it as well;
    /// else it is one of that size without content: it may be for few to read.
    ///
    /// # Errors
    /// When the file system does not take it.
    pub fn make(
        &self,
        place: &LandingPlace,
        live: Option<&Utf8Path>,
        base: &Tree,
        announced: &Tree,
    ) -> Result<Made> {
        let make = || {
            remove_tree(&self.root)?;
            if let Some(live) = live
                && take_spare(place)?
                && let Ok(made) = self.make_of(live, base, announced, true)
            {
                return Ok(made);
            }
            remove_tree(&self.root)?;
            make_public(&self.root)?;
            let Some(live) = live else { return Ok(Made::default()) };
            self.make_of(live, base, announced, false)
        };
        make().map_err(|cause| self.cannot("it cannot be made", cause))
    }

    fn make_of(
        &self,
        live: &Utf8Path,
        base: &Tree,
        announced: &Tree,
        is_spare: bool,
    ) -> io::Result<Made> {
        let root = Folder::open(&self.root)?;
        let mut made = Made::default();
        if is_spare {
            made.touched = fit(&root, base)?;
        }
        let mut to = Parents::below(root);
        let mut from = Parents::below(Folder::open(live)?);
        for (path, entry) in base.iter() {
            let (to, name) = (to.of(path)?, path.name());
            match entry {
                Entry::Folder { .. } => to.make(name)?,
                Entry::Link { .. } if is_spare && to.look(name).is_ok() => {}
                Entry::Link { target } => to.symlink(target, name)?,
                Entry::File { size, .. } => {
                    let from = from.of(path)?;
                    if is_spare && is_shared(from, to, name)? {
                        made.linked += 1;
                        continue;
                    }
                    if let Some(touched) = &mut made.touched {
                        touched.push(path.clone());
                    }
                    if share_file(from, to, name)? {
                        made.linked += 1;
                    } else if stays(path, entry, announced) {
                        copy_file(from, to, name)?;
                        made.copied += 1;
                    } else {
                        to.create(name)?.set_len(*size)?;
                        made.hollow += 1;
                    }
                }
            }
        }
        Ok(made)
    }

    /// Takes it away, if it is there.
    ///
    /// # Errors
    /// When the file system does not let it go.
    pub fn remove(&self) -> Result<()> {
        remove_tree(&self.root).map_err(|cause| self.cannot("it cannot be removed", cause))
    }

    /// Gives its folders to a user, but for what is the server's own.
    ///
    /// # Errors
    /// When the file system does not take it.
    pub fn open(&self, owner: Owner, own: &Own) -> Result<()> {
        let given =
            Folder::open(&self.root).and_then(|folder| give_folders(&folder, "", owner, own, 0));
        given.map_err(|cause| self.cannot("it cannot be given away", cause))
    }

    /// Takes it back: every name is root's, with the modes of published files, and no
    /// writer is left. What is the server's own stays as it is.
    ///
    /// # Errors
    /// When the file system does not take it.
    pub fn close(&self, own: &Own) -> Result<()> {
        let closed = Folder::open(&self.root).and_then(|folder| take_folder(&folder, "", own, 0));
        closed.map_err(|cause| self.cannot("it cannot be taken back", cause))
    }

    /// Takes away what an rsync that did not end had not put in place yet. Only where
    /// nobody else may change it.
    ///
    /// # Errors
    /// When the file system does not let it go.
    pub fn sweep(&self, own: &Own) -> Result<()> {
        let mut found = walked(&self.root)?;
        found.leave_out(|path| own.has(path));
        let is_whole = |path: &TreePath| path.parent().is_none_or(|above| !is_partial(&above));
        for (path, standing) in found.all {
            if standing.kind == Kind::Folder && is_partial(&path) && is_whole(&path) {
                fs::remove_dir_all(self.root.join(path.as_str()))
                    .map_err(|cause| self.cannot(&format!("{path} stays in it"), cause))?;
            }
        }
        Ok(())
    }

    /// What stands in it, but for what is the server's own. A file that is one of the
    /// release before is not read again.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn staged(&self, trusted: &Trusted, own: &Own) -> Result<Staged> {
        let mut found = walked(&self.root)?;
        found.leave_out(|path| own.has(path));
        let mut staged = Staged { odd: found.told(), ..Staged::default() };
        let known = |standing: &Standing| {
            let (stamp, hash) = trusted.get(&standing.stamp.inode())?;
            (standing.kind == Kind::File && *stamp == standing.stamp).then_some(*hash)
        };
        let mut unknown = Vec::new();
        for (path, standing) in &found.all {
            match known(standing) {
                Some(hash) => {
                    let entry = entry_of(standing, Some(hash));
                    staged.tree.insert(path.clone(), entry);
                }
                None => unknown.push((path, standing)),
            }
        }
        for (path, entry) in read(&self.root, &unknown)? {
            if matches!(entry, Entry::File { .. }) {
                staged.fresh.push(path.clone());
            }
            staged.tree.insert(path, entry);
        }
        staged.stamps = Stamps::of(&found);
        Ok(staged)
    }

    /// Gives it files of an older release, under the same names. One that has gone there
    /// is passed over; gives what was kept, with the folders that it needed.
    ///
    /// # Errors
    /// When the file system does not take it.
    pub fn keep<'a>(
        &self,
        older: &Utf8Path,
        assets: impl IntoIterator<Item = (&'a TreePath, &'a Entry)>,
    ) -> Result<Tree> {
        let mut kept = Tree::default();
        let keep = || {
            let (from, to) = (Folder::open(older)?, Folder::open(&self.root)?);
            for (path, entry) in assets {
                let Ok(from) = from.parent_of(path) else { continue };
                if !is_file(&from, path.name()) {
                    continue;
                }
                let to = make_parents(&to, path, &mut kept)?;
                if !is_file(&to, path.name()) {
                    give_file(&from, &to, path.name())?;
                }
                kept.insert(path.clone(), entry.clone());
            }
            io::Result::Ok(())
        };
        keep().map_err(|cause| self.cannot("older assets cannot be kept in it", cause))?;
        Ok(kept)
    }

    /// Puts a small file into it.
    ///
    /// # Errors
    /// When the file system does not take it.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<()> {
        let write = || {
            let folder = Folder::open(&self.root)?;
            let new = format!(".{name}.new");
            drop(folder.unlink(&new));
            io::Write::write_all(&mut folder.create(&new)?, content)?;
            fs::rename(self.root.join(&new), self.root.join(name))
        };
        write().map_err(|cause| self.cannot(&format!("{name} cannot be written"), cause))
    }

    /// Waits until the disk has its folders and these files.
    ///
    /// # Errors
    /// When the disk does not take them.
    pub fn sync(&self, fresh: &[TreePath]) -> Result<()> {
        let sync = || {
            let root = Folder::open(&self.root)?;
            if fresh.len() > SYNCED_ONE_BY_ONE {
                return root.sync_all();
            }
            for path in fresh {
                root.parent_of(path)?.read(path.name())?.sync_all()?;
            }
            sync_folders(&root, 0)
        };
        sync().map_err(|cause| self.cannot("the disk does not take it", cause))
    }

    /// Makes it the tree of a release, by one rename.
    ///
    /// # Errors
    /// When the file system does not take it.
    pub fn become_release(&self, place: &LandingPlace, to: &Utf8Path) -> Result<()> {
        let rename = || {
            make_public(&place.releases())?;
            fs::rename(&self.root, to)?;
            Folder::open(&place.releases())?.sync()?;
            Folder::open(place.trees())?.sync()
        };
        rename().map_err(|cause| self.cannot(&format!("it cannot become {to}"), cause))
    }
}

/// Makes a folder that all may read, and those above it, where they are not there.
///
/// # Errors
/// Whatever the file system says.
pub fn make_public(path: &Utf8Path) -> io::Result<()> {
    if let Some(above) = path.parent().filter(|above| !above.exists()) {
        make_public(above)?;
    }
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        // Whatever the caller's umask has taken away.
        Ok(()) => Folder::open(path)?.permit(Entry::FOLDER_MODE),
    }
}

fn is_file(folder: &Folder, name: &str) -> bool {
    folder.look(name).is_ok_and(|stat| type_of(&stat) == Type::File)
}

/// The folder that a place is in, made if it is not there; `made` gets those that were.
pub(super) fn make_parents(root: &Folder, path: &TreePath, made: &mut Tree) -> io::Result<Folder> {
    let mut above: Vec<TreePath> = Vec::new();
    let mut next = path.parent();
    while let Some(folder) = next {
        next = folder.parent();
        above.push(folder);
    }
    let mut folder = root.enter(".")?;
    for path in above.into_iter().rev() {
        if folder.look(path.name()).is_err() {
            folder.make(path.name())?;
            made.insert(path.clone(), Entry::folder());
        }
        folder = folder.enter(path.name())?;
    }
    Ok(folder)
}
