//! A folder by its handle: what is done below it stays below it, whoever moves links
//! there meanwhile.

use std::{
    ffi::CStr,
    fs::File,
    io,
    os::fd::{AsFd, OwnedFd},
};

use camino::Utf8Path;
use rustix::{
    fs::{self, AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, Uid},
    io::Errno,
};

pub(super) use rustix::fs::Stat;

use crate::landing::TreePath;

/// Who shall own what is given away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The user.
    pub user: u32,
    /// Their group.
    pub group: u32,
}

impl Owner {
    /// root.
    pub const ROOT: Self = Self { user: 0, group: 0 };
}

/// An open folder. No name in it is followed if it is a link.
#[derive(Debug)]
pub(super) struct Folder(OwnedFd);

const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// What a place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Folder,
    File,
    Link,
    /// Nothing that is published: a device, a socket, a pipe.
    Special,
}

pub(super) fn type_of(stat: &Stat) -> Type {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => Type::Folder,
        FileType::RegularFile => Type::File,
        FileType::Symlink => Type::Link,
        _ => Type::Special,
    }
}

impl Folder {
    /// This folder, which is no link.
    pub(super) fn open(path: &Utf8Path) -> io::Result<Self> {
        Ok(Self(fs::openat(CWD, path.as_std_path(), FOLDER, Mode::empty())?))
    }

    /// The folder of this name in it.
    pub(super) fn enter(&self, name: impl rustix::path::Arg) -> io::Result<Self> {
        Ok(Self(fs::openat(&self.0, name, FOLDER, Mode::empty())?))
    }

    /// The folder that this place is in.
    pub(super) fn parent_of(&self, path: &TreePath) -> io::Result<Self> {
        let mut folder = self.enter(".")?;
        let names: Vec<&str> = path.as_str().split('/').collect();
        for name in &names[..names.len() - 1] {
            folder = folder.enter(*name)?;
        }
        Ok(folder)
    }

    /// Makes the folder of this name in it, for all to read.
    pub(super) fn make(&self, name: &str) -> io::Result<()> {
        match fs::mkdirat(&self.0, name, Mode::from_raw_mode(0o755)) {
            Err(Errno::EXIST) if type_of(&self.look(name)?) == Type::Folder => Ok(()),
            Err(error) => Err(error.into()),
            // The caller's umask may have taken something away.
            Ok(()) => Ok(fs::chmodat(&self.0, name, 0o755.into(), AtFlags::empty())?),
        }
    }

    /// Hands every name to `each`, in no order.
    pub(super) fn names(&self, mut each: impl FnMut(&CStr) -> io::Result<()>) -> io::Result<()> {
        for entry in Dir::read_from(&self.0)? {
            let entry = entry?;
            let name = entry.file_name();
            if name != c"." && name != c".." {
                each(name)?;
            }
        }
        Ok(())
    }

    /// Hands the name of every folder in it to `each`, in no order.
    pub(super) fn folders(&self, mut each: impl FnMut(&CStr) -> io::Result<()>) -> io::Result<()> {
        for entry in Dir::read_from(&self.0)? {
            let entry = entry?;
            let name = entry.file_name();
            let is_folder = match entry.file_type() {
                FileType::Unknown => type_of(&self.look(name)?) == Type::Folder,
                kind => kind == FileType::Directory,
            };
            if is_folder && name != c"." && name != c".." {
                each(name)?;
            }
        }
        Ok(())
    }

    /// What stands under this name; a link is not followed.
    pub(super) fn look(&self, name: impl rustix::path::Arg) -> io::Result<Stat> {
        Ok(fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// What itself is.
    pub(super) fn look_at_itself(&self) -> io::Result<Stat> {
        Ok(fs::fstat(&self.0)?)
    }

    /// What a link names.
    pub(super) fn read_link(&self, name: impl rustix::path::Arg) -> io::Result<Vec<u8>> {
        Ok(fs::readlinkat(&self.0, name, Vec::new())?.into_bytes())
    }

    /// Opens a regular file to read; a link or a pipe is an error.
    pub(super) fn read(&self, name: &str) -> io::Result<File> {
        // A pipe that nobody writes to would be waited for.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = File::from(fs::openat(&self.0, name, flags, Mode::empty())?);
        if type_of(&fs::fstat(&file)?) != Type::File {
            return Err(io::Error::other("it is no file"));
        }
        Ok(file)
    }

    /// Makes a new file of this name.
    pub(super) fn create(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = File::from(fs::openat(&self.0, name, flags, 0o644.into())?);
        fs::fchmod(&file, 0o644.into())?;
        Ok(file)
    }

    /// Makes a link that names this.
    pub(super) fn symlink(&self, target: &str, name: &str) -> io::Result<()> {
        Ok(fs::symlinkat(target, &self.0, name)?)
    }

    /// Gives a file a second name in another folder.
    pub(super) fn link(&self, name: &str, to: &Self, new: &str) -> io::Result<()> {
        Ok(fs::linkat(&self.0, name, &to.0, new, AtFlags::empty())?)
    }

    /// Takes a file's or a link's name away.
    pub(super) fn unlink(&self, name: impl rustix::path::Arg) -> io::Result<()> {
        Ok(fs::unlinkat(&self.0, name, AtFlags::empty())?)
    }

    /// Takes an empty folder away.
    pub(super) fn remove_folder(&self, name: impl rustix::path::Arg) -> io::Result<()> {
        Ok(fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR)?)
    }

    /// Moves what has a name to another folder, where nothing has the new one.
    pub(super) fn rename(
        &self,
        name: impl rustix::path::Arg,
        to: &Self,
        new: &str,
    ) -> io::Result<()> {
        let flags = fs::RenameFlags::NOREPLACE;
        Ok(fs::renameat_with(&self.0, name, &to.0, new, flags)?)
    }

    /// Gives itself away.
    pub(super) fn give(&self, owner: Owner) -> io::Result<()> {
        let (user, group) = (Uid::from_raw(owner.user), Gid::from_raw(owner.group));
        Ok(fs::fchown(&self.0, Some(user), Some(group))?)
    }

    /// Gives a name in it away; of a link the link itself.
    pub(super) fn give_name(&self, name: impl rustix::path::Arg, owner: Owner) -> io::Result<()> {
        let (user, group) = (Uid::from_raw(owner.user), Gid::from_raw(owner.group));
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        Ok(fs::chownat(&self.0, name, Some(user), Some(group), flags)?)
    }

    /// Sets its own permissions.
    pub(super) fn permit(&self, mode: u32) -> io::Result<()> {
        Ok(fs::fchmod(&self.0, mode.into())?)
    }

    /// Sets the permissions of a file in it. Only where nobody else may put a link there.
    pub(super) fn permit_name(&self, name: impl rustix::path::Arg, mode: u32) -> io::Result<()> {
        Ok(fs::chmodat(&self.0, name, mode.into(), AtFlags::empty())?)
    }

    /// Waits until the disk has it.
    pub(super) fn sync(&self) -> io::Result<()> {
        Ok(fs::fsync(&self.0)?)
    }

    /// Waits until the disk has all of its file system.
    pub(super) fn sync_all(&self) -> io::Result<()> {
        Ok(fs::syncfs(self.0.as_fd())?)
    }
}

/// The folders that places are in, one after the other: places of one folder ask once.
#[derive(Debug)]
pub(super) struct Parents {
    root: Folder,
    last: Option<(TreePath, Folder)>,
}

impl Parents {
    /// Those below this folder.
    pub(super) fn below(root: Folder) -> Self {
        Self { root, last: None }
    }

    /// The folder that this place is in.
    pub(super) fn of(&mut self, path: &TreePath) -> io::Result<&Folder> {
        let Some(above) = path.parent() else { return Ok(&self.root) };
        let (known, folder) = match self.last.take() {
            Some((known, folder)) if known == above => (known, folder),
            _ => {
                let folder = self.root.parent_of(path)?;
                (above, folder)
            }
        };
        Ok(&self.last.insert((known, folder)).1)
    }
}

/// Two names change places, in one step.
pub(super) fn exchange(one: &Utf8Path, other: &Utf8Path) -> io::Result<()> {
    let flags = fs::RenameFlags::EXCHANGE;
    Ok(fs::renameat_with(CWD, one.as_std_path(), CWD, other.as_std_path(), flags)?)
}
