//! What is the server's own in a published folder: it goes from one tree to the next.

use std::io;

use camino::Utf8Path;

use super::{
    ReleaseTree, Stamp,
    beneath::{Folder, Owner, Type, type_of},
    remove::empty,
    staging::make_parents,
    walk::DEEPEST,
};
use crate::landing::{Tree, TreePath};

/// A tree, and what its release has put there: what else is protected is the server's own.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// Its folder, which is no link.
    pub root: &'a Utf8Path,
    /// What is published of it.
    pub release: &'a ReleaseTree,
}

/// Brings what is the server's own along, as it is there: the same files, and folders that
/// are whose they were. What the other tree has of its own release stays. Of the server's
/// own it keeps nothing else, unless it is live: then it only gets what it has not.
///
/// # Errors
/// Whatever the file system says.
pub fn bring_own(
    from: Side<'_>,
    to: Side<'_>,
    protected: &[TreePath],
    is_live: bool,
) -> io::Result<()> {
    let (old, new) = (Folder::open(from.root)?, Folder::open(to.root)?);
    for path in protected {
        if let Ok(folder) = new.parent_of(path)
            && !is_live
        {
            clear(&folder, path, to.release, 0)?;
        }
        if let Ok(old) = old.parent_of(path)
            && old.look(path.name()).is_ok()
        {
            let new = make_parents(&new, path, &mut Tree::default())?;
            bring(&old, &new, path, (from.release, to.release), 0)?;
        }
    }
    Ok(())
}

/// Whether anything protected stands in any of these trees.
pub fn has_own<'a>(roots: impl IntoIterator<Item = &'a Utf8Path>, protected: &[TreePath]) -> bool {
    let is_there = |path: &Utf8Path| !path.symlink_metadata().is_err_and(is_missing);
    roots.into_iter().any(|root| protected.iter().any(|own| is_there(&root.join(own.as_str()))))
}

fn is_missing(error: io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Takes away what is not the release's.
fn clear(folder: &Folder, path: &TreePath, release: &ReleaseTree, depth: usize) -> io::Result<()> {
    let name = path.name();
    let is_folder = match folder.look(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        stat => type_of(&stat?) == Type::Folder,
    };
    match release.get(path) {
        Some(_) if is_folder && depth < DEEPEST => {
            let inside = folder.enter(name)?;
            each(&inside, path, |path| clear(&inside, path, release, depth + 1))
        }
        Some(_) => Ok(()),
        None if is_folder => {
            empty(&folder.enter(name)?)?;
            folder.remove_folder(name)
        }
        None => folder.unlink(name),
    }
}

fn bring(
    from: &Folder,
    to: &Folder,
    path: &TreePath,
    releases: (&ReleaseTree, &ReleaseTree),
    depth: usize,
) -> io::Result<()> {
    let (name, was_published) = (path.name(), releases.0.get(path));
    let stat = from.look(name)?;
    let there = to.look(name).ok();
    match type_of(&stat) {
        Type::Folder if depth < DEEPEST => {
            if there.as_ref().is_some_and(|there| type_of(there) != Type::Folder) {
                return Ok(());
            }
            to.make(name)?;
            let (from, inside) = (from.enter(name)?, to.enter(name)?);
            each(&from, path, |path| bring(&from, &inside, path, releases, depth + 1))?;
            if there.is_none() {
                inside.permit(Stamp::of(&stat).permissions())?;
                inside.give(Owner { user: stat.st_uid, group: stat.st_gid })?;
                if was_published.is_some() {
                    // It stays where it was needed.
                    drop(to.remove_folder(name));
                }
            }
            Ok(())
        }
        Type::File | Type::Link if was_published.is_some_and(|was| !was.is_folder()) => Ok(()),
        Type::File if there.is_none() => from.link(name, to, name),
        Type::Link if there.is_none() => {
            let target = String::from_utf8(from.read_link(name)?);
            target.map_or(Ok(()), |target| to.symlink(&target, name))
        }
        _ => Ok(()),
    }
}

/// Hands the place of everything in a folder to `act`, but for what has no place.
fn each(
    folder: &Folder,
    path: &TreePath,
    mut act: impl FnMut(&TreePath) -> io::Result<()>,
) -> io::Result<()> {
    folder.names(|name| {
        let path =
            name.to_str().ok().and_then(|name| format!("{}/{name}", path.as_str()).parse().ok());
        match path {
            // It may be taken away meanwhile.
            Some(path) => match act(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                done => done,
            },
            None => Ok(()),
        }
    })
}
