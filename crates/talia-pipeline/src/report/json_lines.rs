//! Events as JSON lines in a file.

use std::{
    fs::File,
    io::{BufWriter, Write as _},
};

use camino::Utf8Path;

use crate::{
    error::{Error, Result},
    event::Event,
};

use super::Report;

/// Writes every event to a file, one JSON object a line.
pub struct JsonLines {
    file: BufWriter<File>,
}

impl JsonLines {
    /// Makes the file; what it held is replaced.
    ///
    /// # Errors
    /// A usage error when the file cannot be written.
    pub fn create(path: &Utf8Path) -> Result<Self> {
        let file = File::create(path).map_err(|cause| {
            Error::usage(format!("the report {path} cannot be written"))
                .caused_by(cause)
                .hint("name a file in a folder that exists and can be written")
        })?;
        Ok(Self { file: BufWriter::new(file) })
    }
}

impl Report for JsonLines {
    fn event(&mut self, event: &Event) {
        if matches!(event, Event::Progress { .. }) {
            return;
        }
        // A full disk must not end the work; the exit code tells of the work.
        drop(writeln!(self.file, "{}", event.to_json()));
        if matches!(event, Event::FlowFinished { .. }) {
            drop(self.file.flush());
        }
    }

    fn tick(&mut self) {
        drop(self.file.flush());
    }
}
