//! Whose a tree is: given to rsync's user, and taken back.
//!
//! Nothing here goes deeper than what is published may lie: each folder is two handles
//! while what is in it is looked at. What is deeper is found by [`walk`](super::walk), and
//! is no release.

use std::io;

use super::{
    Own, Stamp,
    beneath::{Folder, Owner, Type, type_of},
    walk::DEEPEST,
};
use crate::landing::Entry;

/// Gives every folder to this owner, but for what is the server's own.
pub(super) fn give_folders(
    folder: &Folder,
    above: &str,
    owner: Owner,
    own: &Own,
    depth: usize,
) -> io::Result<()> {
    // From the inside: who has a folder could take what is in it away.
    each_folder(folder, above, own, depth, |folder, path| {
        give_folders(folder, path, owner, own, depth + 1)
    })?;
    folder.give(owner)
}

/// Hands every folder in this one to `each`, with its path and a slash.
fn each_folder(
    folder: &Folder,
    above: &str,
    own: &Own,
    depth: usize,
    mut each: impl FnMut(&Folder, &str) -> io::Result<()>,
) -> io::Result<()> {
    if depth >= DEEPEST {
        return Ok(());
    }
    folder.folders(|name| {
        let path = format!("{above}{}", name.to_string_lossy());
        if own.has_name(&path) {
            return Ok(());
        }
        each(&folder.enter(name)?, &format!("{path}/"))
    })
}

/// Makes all of it root's, with the modes of published files, but for what is the server's
/// own.
pub(super) fn take_folder(folder: &Folder, above: &str, own: &Own, depth: usize) -> io::Result<()> {
    // The folder first: from then on nobody changes what is in it.
    let stat = folder.look_at_itself()?;
    if stat.st_uid != 0 || stat.st_gid != 0 {
        folder.give(Owner::ROOT)?;
    }
    if Stamp::of(&stat).permissions() != Entry::FOLDER_MODE {
        folder.permit(Entry::FOLDER_MODE)?;
    }
    folder.names(|name| {
        let path = format!("{above}{}", name.to_string_lossy());
        if own.has_name(&path) {
            return Ok(());
        }
        let stat = folder.look(name)?;
        let kind = type_of(&stat);
        if kind == Type::Folder && depth < DEEPEST {
            let folder = folder.enter(name)?;
            return take_folder(&folder, &format!("{path}/"), own, depth + 1);
        }
        // What is root's already has its other names in live releases.
        if stat.st_uid != 0 {
            folder.give_name(name, Owner::ROOT)?;
        }
        if kind == Type::File && Stamp::of(&stat).permissions() != Entry::FILE_MODE {
            folder.permit_name(name, Entry::FILE_MODE)?;
        }
        Ok(())
    })
}

/// Waits until the disk has every folder.
pub(super) fn sync_folders(folder: &Folder, depth: usize) -> io::Result<()> {
    each_folder(folder, "", &Own::default(), depth, |folder, _| sync_folders(folder, depth + 1))?;
    folder.sync()
}
