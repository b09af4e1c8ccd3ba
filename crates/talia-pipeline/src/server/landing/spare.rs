//! A tree that nobody needs any more, put by to become the next staging tree: where both
//! have the same files, nothing has to be linked anew, nor taken away before.

use std::{fs, io};

use super::{
    LandingPlace,
    beneath::{Folder, Type, type_of},
    remove::{empty, remove_tree},
    walk::DEEPEST,
};
use crate::{
    landing::{Entry, Tree, TreePath},
    protocol::ReleaseId,
};

/// What may lie there that no release has: more bytes than that are not worth it.
const OWN_BYTES: u64 = 50 << 20;

/// Takes the tree of a release away, or puts it by where there is none yet. Whether files
/// have lost names.
///
/// # Errors
/// Whatever the file system says.
pub(super) fn put_by(place: &LandingPlace, id: &ReleaseId) -> io::Result<bool> {
    let (tree, spare) = (place.release(id), place.spare());
    let folder = match Folder::open(&tree) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        folder => folder?,
    };
    if fs::symlink_metadata(&spare).is_ok() || own_bytes(&folder, 0)? > OWN_BYTES {
        return remove_tree(&tree).map(|()| true);
    }
    fs::rename(&tree, &spare).map(|()| false)
}

/// The bytes that nobody else has, as far as they are few.
fn own_bytes(folder: &Folder, depth: usize) -> io::Result<u64> {
    let mut bytes = 0_u64;
    folder.names(|name| {
        if bytes > OWN_BYTES {
            return Ok(());
        }
        let stat = folder.look(name)?;
        bytes += match type_of(&stat) {
            Type::Folder if depth < DEEPEST => own_bytes(&folder.enter(name)?, depth + 1)?,
            Type::File if stat.st_nlink == 1 => u64::try_from(stat.st_size).unwrap_or_default(),
            Type::Folder => OWN_BYTES + 1,
            _ => 0,
        };
        Ok(())
    })?;
    Ok(bytes)
}

/// Makes it the staging tree, where there is one; whether it is.
pub(super) fn take(place: &LandingPlace) -> io::Result<bool> {
    match fs::rename(place.spare(), place.staging()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        renamed => renamed.map(|()| true),
    }
}

/// The names that were given to files, or taken from them: what the files are known by is
/// another one since. `None` for all of them.
pub(super) type Touched = Option<Vec<TreePath>>;

/// Takes away what stands in the way of this tree: what is left is part of it, but for the
/// files, of which only the names are.
pub(super) fn fit(root: &Folder, tree: &Tree) -> io::Result<Touched> {
    let mut touched = Some(Vec::new());
    fit_folder(root, "", tree, 0, &mut touched)?;
    Ok(touched)
}

fn fit_folder(
    folder: &Folder,
    above: &str,
    tree: &Tree,
    depth: usize,
    touched: &mut Touched,
) -> io::Result<()> {
    folder.permit(Entry::FOLDER_MODE)?;
    folder.names(|name| {
        let path = name.to_str().ok().and_then(|name| format!("{above}{name}").parse().ok());
        let path: Option<TreePath> = path;
        let entry = path.as_ref().and_then(|path| tree.get(path));
        match (type_of(&folder.look(name)?), entry, path.as_ref()) {
            (Type::Folder, Some(Entry::Folder { .. }), Some(path)) if depth < DEEPEST => {
                let above = format!("{}/", path.as_str());
                fit_folder(&folder.enter(name)?, &above, tree, depth + 1, touched)
            }
            (Type::Folder, ..) => {
                *touched = None;
                empty(&folder.enter(name)?)?;
                folder.remove_folder(name)
            }
            (Type::File, Some(Entry::File { .. }), _) => Ok(()),
            (Type::Link, Some(Entry::Link { target }), _)
                if folder.read_link(name)? == target.as_bytes() =>
            {
                Ok(())
            }
            _ => {
                if let (Some(touched), Some(path)) = (touched.as_mut(), path) {
                    touched.push(path);
                }
                folder.unlink(name)
            }
        }
    })
}
