//! Takes a folder away, whoever has filled it.

use std::{ffi::CStr, io};

use camino::Utf8Path;

use super::beneath::{Folder, Type, type_of};

/// Takes a folder away with all that is in it, if it is there. No link is followed. However
/// deep it is, three handles are enough: what lies deeper is moved up first.
///
/// # Errors
/// Whatever the file system says; so where it is a link or no folder at all.
pub fn remove_tree(path: &Utf8Path) -> io::Result<()> {
    let top = match Folder::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        folder => folder?,
    };
    empty(&top)?;
    std::fs::remove_dir(path)
}

/// Takes away all that is in a folder.
pub(super) fn empty(top: &Folder) -> io::Result<()> {
    let mut moved = 0_u64;
    let mut is_empty = false;
    while !is_empty {
        is_empty = true;
        top.names(|name| {
            is_empty = false;
            if type_of(&top.look(name)?) != Type::Folder {
                return top.unlink(name);
            }
            let folder = top.enter(name)?;
            folder.names(|inner| match type_of(&folder.look(inner)?) {
                Type::Folder => move_up(&folder, inner, top, &mut moved),
                _ => folder.unlink(inner),
            })?;
            top.remove_folder(name)
        })?;
    }
    Ok(())
}

/// Under the first number that nothing has for its name.
fn move_up(from: &Folder, name: &CStr, top: &Folder, moved: &mut u64) -> io::Result<()> {
    loop {
        *moved += 1;
        match from.rename(name, top, &moved.to_string()) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            renamed => return renamed,
        }
    }
}
