//! One place of a folder, opened without following a link.

use std::{fs::File, io};

use camino::Utf8Path;
use rustix::io::Errno;

use super::beneath::{Folder, Type, type_of};
use crate::landing::TreePath;

/// What stands at a place, open where it is a file.
#[derive(Debug)]
pub enum AtFile {
    /// Nothing, or nothing that is published.
    Nothing,
    /// A folder.
    Folder,
    /// A link, and what it names.
    Link(String),
    /// A file.
    File(File),
}

/// Looks at a place below this folder, which is no link.
///
/// # Errors
/// Whatever else the file system says.
pub fn look_at(root: &Utf8Path, path: &TreePath) -> io::Result<AtFile> {
    let nothing = |error: &io::Error| {
        // Links above it are answered with one of the other two.
        let none = [Errno::NOENT, Errno::NOTDIR, Errno::LOOP].map(Errno::raw_os_error);
        error.raw_os_error().is_some_and(|error| none.contains(&error))
    };
    let look = || {
        let folder = Folder::open(root)?.parent_of(path)?;
        let stat = folder.look(path.name())?;
        Ok(match type_of(&stat) {
            Type::Folder => AtFile::Folder,
            Type::File => AtFile::File(folder.read(path.name())?),
            Type::Link => {
                let target = folder.read_link(path.name())?;
                AtFile::Link(String::from_utf8_lossy(&target).into_owned())
            }
            Type::Special => AtFile::Nothing,
        })
    };
    match look() {
        Err(error) if nothing(&error) => Ok(AtFile::Nothing),
        looked => looked,
    }
}
