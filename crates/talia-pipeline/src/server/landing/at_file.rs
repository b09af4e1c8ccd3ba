//! One place of a folder, opened without following a link.

use std::{fs::File, io, os::unix::fs::PermissionsExt as _};

use camino::Utf8Path;
use rustix::io::Errno;

use super::{
    Stamp,
    beneath::{Folder, Type, type_of},
};
use crate::landing::TreePath;

const READ_BY_ALL: u32 = 0o004;
const ENTERED_BY_ALL: u32 = 0o001;

/// What stands at a place, open where it is a file.
#[derive(Debug)]
pub enum AtFile {
    /// Nothing, or nothing that is published or that all may read.
    Nothing,
    /// A folder.
    Folder,
    /// A link, and what it names.
    Link(String),
    /// A file.
    File(File),
}

/// Looks at a place below this folder, which is no link. Whoever asks this as root gets
/// what all may read, and no more.
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
        let mut folder = Folder::open(root)?;
        let names: Vec<&str> = path.as_str().split('/').collect();
        for name in &names[..names.len() - 1] {
            folder = folder.enter(*name)?;
            if Stamp::of(&folder.look_at_itself()?).permissions() & ENTERED_BY_ALL == 0 {
                return Ok(AtFile::Nothing);
            }
        }
        let stat = folder.look(path.name())?;
        Ok(match type_of(&stat) {
            Type::Folder => AtFile::Folder,
            Type::File => {
                let file = folder.read(path.name())?;
                let is_read = file.metadata()?.permissions().mode() & READ_BY_ALL != 0;
                if is_read { AtFile::File(file) } else { AtFile::Nothing }
            }
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
