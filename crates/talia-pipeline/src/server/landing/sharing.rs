//! A live file gets another name, or is copied where that would give it away.

use std::{io, time::UNIX_EPOCH};

use super::{
    Published, Stamp,
    beneath::{Folder, Stat, Type, type_of},
};
use crate::landing::{Entry, Tree, TreePath};

/// What a staging tree needs beside what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// Files, folders and links that are made anew.
    pub files: u64,
    /// The bytes of files that are copied.
    pub bytes: u64,
}

impl Needs {
    /// Those of a tree that begins as what is published, to become `announced`.
    pub fn of(published: &Published, announced: &Tree) -> Self {
        let mut needs = Self::default();
        for (path, entry) in published.tree.iter() {
            let is_file = matches!(entry, Entry::File { .. });
            if is_file && !published.apart.contains(path) {
                continue;
            }
            needs.files += 1;
            if stays(path, entry, announced) {
                needs.bytes += entry.size();
            }
        }
        needs
    }
}

/// Whether a file is part of what shall be published.
pub(super) fn stays(path: &TreePath, entry: &Entry, announced: &Tree) -> bool {
    match (entry, announced.get(path)) {
        (Entry::File { hash, .. }, Some(Entry::File { hash: next, .. })) => hash == next,
        _ => false,
    }
}

/// Whether a file may get another name: nobody but root can write to it, and all may read
/// it.
fn is_public(stat: &Stat) -> bool {
    type_of(stat) == Type::File
        && stat.st_uid == 0
        && Stamp::of(stat).permissions() == Entry::FILE_MODE
}

/// Gives a file another name, or copies it where that would give a live one away.
pub(super) fn give_file(from: &Folder, to: &Folder, name: &str) -> io::Result<()> {
    if share_file(from, to, name)? { Ok(()) } else { copy_file(from, to, name) }
}

/// Gives a file another name, unless that would give a live one away. Whether it was given.
pub(super) fn share_file(from: &Folder, to: &Folder, name: &str) -> io::Result<bool> {
    let stat = from.look(name)?;
    if !is_public(&stat) {
        return Ok(false);
    }
    match from.link(name, to, name) {
        Ok(()) => {}
        // So many names as a file can have.
        Err(error) if error.kind() == io::ErrorKind::TooManyLinks => return Ok(false),
        Err(error) => return Err(error),
    }
    // Whoever may change that folder could have put another one there.
    let is_it = to.look(name)?.st_ino == stat.st_ino;
    if !is_it {
        to.unlink(name)?;
    }
    Ok(is_it)
}

/// Whether a file has this name in both folders, and may have; if not, it loses the other
/// one.
pub(super) fn is_shared(from: &Folder, to: &Folder, name: &str) -> io::Result<bool> {
    let there = match to.look(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        there => there?,
    };
    let stat = from.look(name)?;
    let is_it = (there.st_ino, there.st_dev) == (stat.st_ino, stat.st_dev) && is_public(&stat);
    if !is_it {
        to.unlink(name)?;
    }
    Ok(is_it)
}

/// Copies a file with its time.
pub(super) fn copy_file(from: &Folder, to: &Folder, name: &str) -> io::Result<()> {
    let mut file = from.read(name)?;
    let mut copy = to.create(name)?;
    io::copy(&mut file, &mut copy)?;
    let modified = file.metadata()?.modified().unwrap_or(UNIX_EPOCH);
    copy.set_modified(modified)
}
