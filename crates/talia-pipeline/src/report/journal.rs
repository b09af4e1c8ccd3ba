//! What was done on a server, kept there: events as JSON lines, added to a file.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
};

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    error::{Error, Result},
    event::Event,
};

use super::Report;

/// A longer journal becomes the old one, and a new one begins.
const LONGEST: u64 = 16 << 20;

/// Adds every event of a run to a file before anybody else is told of it.
pub struct Journal {
    file: File,
    path: Utf8PathBuf,
}

impl Journal {
    /// Opens it for adding; root's alone.
    ///
    /// # Errors
    /// When it cannot be written: then nothing is done that it could not tell of.
    pub fn open(path: &Utf8Path) -> Result<Self> {
        let cannot = cannot(path);
        if fs::metadata(path).is_ok_and(|data| data.len() > LONGEST) {
            fs::rename(path, path.with_extension("old.jsonl")).map_err(&cannot)?;
        }
        let mut file =
            File::options().create(true).append(true).mode(0o600).open(path).map_err(&cannot)?;
        // A kill may have left half a line; and a full disk is found here.
        file.write_all(b"\n").and_then(|()| file.sync_data()).map_err(&cannot)?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// Adds a line of text, on the disk when this returns.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn note(&mut self, text: impl Into<String>) -> Result<()> {
        let event = Event::Note { text: text.into() };
        writeln!(self.file, "{}", event.to_json())
            .and_then(|()| self.file.sync_data())
            .map_err(cannot(&self.path))
    }
}

fn cannot(path: &Utf8Path) -> impl Fn(std::io::Error) -> Error {
    move |cause| {
        Error::preflight(format!("the journal {path} cannot be written"))
            .caused_by(cause)
            .hint("free some disk on the server; without a journal nothing is changed there")
    }
}

impl Report for Journal {
    fn event(&mut self, event: &Event) {
        if matches!(event, Event::Progress { .. } | Event::Output { .. }) {
            return;
        }
        // A disk that has filled up meanwhile must not end the work half done.
        drop(writeln!(self.file, "{}", event.to_json()));
        if matches!(event, Event::FlowStarted { .. } | Event::FlowFinished { .. }) {
            drop(self.file.sync_data());
        }
    }
}
