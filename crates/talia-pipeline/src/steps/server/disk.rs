//! Room on the server's disks.

use camino::Utf8PathBuf;

use crate::{
    error::Error,
    files,
    step::{Action, Step, Summary},
};

/// What is free on the file system of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Room {
    /// Bytes that an ordinary user could still write.
    pub bytes: u64,
    /// Files that could still be made; `None` where the file system does not count.
    pub inodes: Option<u64>,
}

/// In this process: how much is free where a folder lies (`statvfs`).
#[derive(Debug)]
pub struct FreeDisk {
    folder: Utf8PathBuf,
}

impl FreeDisk {
    /// Asks for this folder's file system.
    pub fn new(folder: impl Into<Utf8PathBuf>) -> Self {
        Self { folder: folder.into() }
    }
}

impl Step for FreeDisk {
    type Output = Room;

    fn label(&self) -> String {
        format!("free disk of {}", self.folder)
    }

    fn action(&self) -> Action<'_, Room> {
        Action::read(format!("ask how much is free in {}", self.folder), || {
            let (bytes, inodes) = files::free(&self.folder).map_err(|cause| {
                Error::preflight(format!("the disk of {} cannot be asked", self.folder))
                    .caused_by(cause)
            })?;
            Ok(Room { bytes, inodes })
        })
    }

    fn assume(&self) -> Room {
        Room { bytes: u64::MAX, inodes: None }
    }

    fn summary(&self, room: &Room) -> Summary {
        let inodes = room.inodes.map(|count| format!(", {count} files")).unwrap_or_default();
        Summary::line(format!("{} MB{inodes}", room.bytes / 1_000_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    #[test]
    fn free_disk_minimal() {
        check("free_disk__minimal", &FreeDisk::new("/opt/talia-backend"));
    }

    #[test]
    fn there_is_some_room_here() {
        let room = match FreeDisk::new("/").action() {
            Action::Work { work, .. } => work().unwrap(),
            _ => unreachable!("it is work"),
        };
        assert!(room.bytes > 0);
    }
}
