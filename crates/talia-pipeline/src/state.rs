//! The state folder: environments, reports, and the full log of every step.

use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, Write as _},
};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{FlockOperation, flock};

use crate::{
    error::{Error, Result},
    files,
    secret::Masker,
};

/// How many runs keep their logs.
const KEPT_RUNS: usize = 10;

/// Where a project's state lives: below cargo's target folder, in a folder named
/// by the project's root, so that two projects never share one.
///
/// ```
/// use talia_pipeline::state_dir;
///
/// let dir = state_dir("/srv/target".into(), "/srv/my app".into());
/// assert!(dir.as_str().starts_with("/srv/target/talia/my-app-"));
/// ```
pub fn state_dir(target: &Utf8Path, root: &Utf8Path) -> Utf8PathBuf {
    let name = root.file_name().unwrap_or("root");
    let name: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' })
        .collect();
    target.join("talia").join(format!("{name}-{:016x}", files::fingerprint(root.as_str())))
}

/// The folders of one project's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    dir: Utf8PathBuf,
}

/// Holds the state for one run; freed when dropped, or by the kernel when the
/// process ends in any way.
#[derive(Debug)]
pub struct StateLock {
    _file: File,
}

impl State {
    /// The state in this folder, which need not exist yet.
    pub fn new(dir: impl Into<Utf8PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The folder itself.
    pub fn dir(&self) -> &Utf8Path {
        &self.dir
    }

    /// The project's Python environment.
    pub fn python_env(&self) -> Utf8PathBuf {
        self.dir.join("env")
    }

    /// The environment of a tool that was brought in: `ruff-0.12.0`.
    pub fn tool(&self, name: &str) -> Utf8PathBuf {
        self.dir.join("tools").join(name)
    }

    /// Caches that tools keep for themselves.
    pub fn cache(&self, name: &str) -> Utf8PathBuf {
        self.dir.join("cache").join(name)
    }

    /// The reports of the last run: `coverage.xml`, `junit.xml`.
    pub fn report(&self, name: &str) -> Utf8PathBuf {
        self.dir.join("reports").join(name)
    }

    /// The files of the commit that is built; its tar file lies beside it.
    pub fn export(&self) -> Utf8PathBuf {
        self.dir.join("export")
    }

    /// The logs of one run, a file for each step.
    pub fn logs(&self, run: &str) -> Utf8PathBuf {
        self.dir.join("logs").join(run)
    }

    /// Takes the state for one run.
    ///
    /// # Errors
    /// Refused when another run holds it, naming that run's process; a step
    /// error when the folder cannot be written.
    pub fn lock(&self) -> Result<StateLock> {
        let cannot = |cause: io::Error| {
            Error::step(format!("the state folder {} cannot be written", self.dir))
                .caused_by(cause)
                .hint("free some disk, or set CARGO_TARGET_DIR to a folder that can be written")
        };
        fs::create_dir_all(self.dir.join("reports")).map_err(cannot)?;
        let path = self.dir.join("lock");
        let mut file = File::options()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .open(&path)
            .map_err(cannot)?;
        if let Err(error) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
            if error != rustix::io::Errno::WOULDBLOCK {
                return Err(cannot(error.into()));
            }
            let mut holder = String::new();
            drop(file.read_to_string(&mut holder));
            return Err(Error::refused(format!(
                "another run works on this project (process {})",
                holder.trim()
            ))
            .hint("wait until it has ended, or end it, and start again"));
        }
        file.set_len(0).map_err(cannot)?;
        file.rewind().map_err(cannot)?;
        writeln!(file, "{}", std::process::id()).map_err(cannot)?;
        Ok(StateLock { _file: file })
    }

    /// Masks what tools themselves have written: reports and caches, byte code left
    /// out. A test's failure may quote a secret.
    ///
    /// # Errors
    /// Whatever the file system says; files that came before are masked.
    pub(crate) fn mask(&self, masker: &Masker) -> io::Result<()> {
        let mut open = vec![self.dir.join("reports"), self.dir.join("cache")];
        while let Some(folder) = open.pop() {
            let entries = match folder.read_dir_utf8() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries?,
            };
            for entry in entries {
                let entry = entry?;
                let kind = entry.file_type()?;
                if kind.is_dir() && entry.file_name() != "pycache" {
                    open.push(entry.into_path());
                } else if kind.is_file() {
                    mask_file(entry.path(), masker)?;
                }
            }
        }
        Ok(())
    }

    /// Removes the logs of all but the last runs. Names sort by time.
    pub fn prune_logs(&self) {
        let Ok(entries) = self.dir.join("logs").read_dir_utf8() else { return };
        let mut runs: Vec<Utf8PathBuf> =
            entries.filter_map(|entry| Some(entry.ok()?.into_path())).collect();
        runs.sort();
        // The run that is about to begin is one of those that are kept.
        for old in &runs[..runs.len().saturating_sub(KEPT_RUNS - 1)] {
            // A log that cannot be removed costs disk, nothing else.
            drop(fs::remove_dir_all(old));
        }
    }
}

/// Puts a masked copy in the place of a file, in bounded memory.
fn mask_file(path: &Utf8Path, masker: &Masker) -> io::Result<()> {
    let partial = path.with_file_name(format!(".masked.{}.partial", std::process::id()));
    let copy = || {
        let (mut from, mut to) = (File::open(path)?, File::create(&partial)?);
        let (mut mask, mut clean) = (masker.stream(), Vec::new());
        let mut chunk = vec![0; 1 << 16];
        loop {
            let count = from.read(&mut chunk)?;
            if count == 0 {
                break;
            }
            mask.push(&chunk[..count], &mut clean);
            to.write_all(&clean)?;
            clean.clear();
        }
        mask.finish(&mut clean);
        to.write_all(&clean)?;
        fs::rename(&partial, path)
    };
    let copied = copy();
    if copied.is_err() {
        drop(fs::remove_file(&partial));
    }
    copied
}
