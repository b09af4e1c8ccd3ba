//! Remembers what an environment was made from.

use std::fs;

use camino::Utf8PathBuf;

use crate::{
    error::{Error, Result},
    files,
    step::{Action, Step, Summary, Touches},
};

/// Where the stamp lies in an environment.
const NAME: &str = "talia-made-from.txt";

/// Observation: what the environment in a folder was made from, if it is whole.
///
/// The stamp is written last, so an environment whose making was interrupted
/// has none.
#[derive(Debug)]
pub struct ReadStamp {
    dir: Utf8PathBuf,
}

impl ReadStamp {
    /// Of the environment in this folder.
    pub fn new(dir: impl Into<Utf8PathBuf>) -> Self {
        Self { dir: dir.into() }
    }
}

impl Step for ReadStamp {
    type Output = Option<String>;

    fn label(&self) -> String {
        let name = self.dir.file_name().unwrap_or_default();
        format!("environment `{name}`")
    }

    fn action(&self) -> Action<'_, Option<String>> {
        Action::read(format!("read {}", self.dir.join(NAME)), || {
            let python = self.dir.join("bin/python");
            let stamp = fs::read_to_string(self.dir.join(NAME)).ok();
            Ok(stamp.filter(|_| python.exists()))
        })
    }

    fn assume(&self) -> Option<String> {
        None
    }

    fn summary(&self, stamp: &Option<String>) -> Summary {
        Summary::line(if stamp.is_some() { "there" } else { "not made yet" })
    }
}

/// In this process: writes what an environment was made from, once it is whole.
#[derive(Debug)]
pub struct WriteStamp {
    dir: Utf8PathBuf,
    stamp: String,
    what: Option<String>,
}

impl WriteStamp {
    /// Into the environment in this folder.
    pub fn new(dir: impl Into<Utf8PathBuf>, stamp: impl Into<String>) -> Self {
        Self { dir: dir.into(), stamp: stamp.into(), what: None }
    }

    /// Names what the environment is for, where it is not the project's.
    #[must_use]
    pub fn of(mut self, what: impl Into<String>) -> Self {
        self.what = Some(what.into());
        self
    }

    fn write(&self) -> Result<()> {
        let path = self.dir.join(NAME);
        files::write_atomically(&path, self.stamp.as_bytes())
            .map_err(|cause| Error::step(format!("{path} cannot be written")).caused_by(cause))
    }
}

impl Step for WriteStamp {
    type Output = ();

    fn label(&self) -> String {
        match &self.what {
            Some(what) => format!("keep environment of {what}"),
            None => "keep environment".into(),
        }
    }

    fn action(&self) -> Action<'_, ()> {
        Action::work(format!("write {}", self.dir.join(NAME)), || self.write())
    }

    fn assume(&self) {}

    fn touches(&self) -> Option<Touches> {
        Some(Touches::new(&self.dir).writes(self.dir.join(NAME)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    #[test]
    fn read_stamp_minimal() {
        check("read_stamp__minimal", &ReadStamp::new("/state/env"));
    }

    #[test]
    fn write_stamp_minimal() {
        check("write_stamp__minimal", &WriteStamp::new("/state/env", "uv 3.12\n"));
    }
}
