//! A file on trial: the one before is kept until the new one has proven right.

use std::{fs, io};

use camino::Utf8PathBuf;

use crate::{
    error::{Error, Result},
    files::{remove_if_there, write_atomically_as},
};

/// The first line of what is kept: whether there was a file before.
const THERE: &[u8] = b"there\n";
const ABSENT: &[u8] = b"absent\n";

/// A file, and where the one before it is kept meanwhile.
#[derive(Debug)]
pub(super) struct Trial {
    pub(super) path: Utf8PathBuf,
    kept: Utf8PathBuf,
    mode: u32,
}

impl Trial {
    pub(super) fn new(path: Utf8PathBuf, kept: Utf8PathBuf, mode: u32) -> Self {
        Self { path, kept, mode }
    }

    /// Writes this content, and keeps what was there. What is kept from an earlier trial
    /// that nobody has ended stays what is kept.
    pub(super) fn begin(&self, content: &[u8]) -> Result<()> {
        self.write(content).map_err(|cause| {
            Error::step(format!("{} cannot be written", self.path)).caused_by(cause)
        })
    }

    fn write(&self, content: &[u8]) -> io::Result<()> {
        if !self.kept.try_exists()? {
            let kept = match fs::read(&self.path) {
                Ok(before) => [THERE, &before].concat(),
                Err(error) if error.kind() == io::ErrorKind::NotFound => ABSENT.to_vec(),
                Err(error) => return Err(error),
            };
            write_atomically_as(&self.kept, &kept, self.mode)?;
        }
        write_atomically_as(&self.path, content, self.mode)
    }

    /// What was there before; `None` where there was nothing.
    pub(super) fn before(&self) -> io::Result<Option<Vec<u8>>> {
        Ok(fs::read(&self.kept)?.strip_prefix(THERE).map(<[u8]>::to_vec))
    }

    /// The file stays as it is.
    pub(super) fn end(&self) -> io::Result<()> {
        remove_if_there(&self.kept)
    }

    /// The file is again, byte for byte, what it was before; nothing where none is tried.
    pub(super) fn restore(&self) -> Result<()> {
        let cannot = |cause: io::Error| {
            Error::step(format!("{} cannot be restored", self.path)).caused_by(cause)
        };
        let kept = match fs::read(&self.kept) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            kept => kept.map_err(cannot)?,
        };
        if let Some(before) = kept.strip_prefix(THERE) {
            write_atomically_as(&self.path, before, self.mode).map_err(cannot)?;
        } else if kept == ABSENT {
            remove_if_there(&self.path).map_err(cannot)?;
        } else {
            return Err(Error::step(format!("{} is not what an agent has kept", self.kept))
                .hint(format!("put {} right by hand, then remove this one", self.path)));
        }
        self.end().map_err(cannot)
    }
}
