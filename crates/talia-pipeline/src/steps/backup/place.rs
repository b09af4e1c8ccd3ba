use std::fmt;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A backup's name: letters, digits, `_` and `-`, at most 64, no `-` in front.
///
/// ```
/// use talia_pipeline::steps::backup::BackupId;
///
/// assert_eq!(BackupId::new("20260102T030405Z")?.as_str(), "20260102T030405Z");
/// assert!(BackupId::new("../x").is_err());
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BackupId(String);

impl BackupId {
    /// This name.
    ///
    /// # Errors
    /// A usage error when it is none.
    pub fn new(name: impl Into<String>) -> Result<Self> {
        let name = name.into();
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || name.len() > 64 || name.starts_with('-') || !name.chars().all(is_part)
        {
            return Err(Error::usage(format!("{name:?} is no name of a backup"))
                .hint("use letters, digits, `_` and `-`, such as 20260102T030405Z"));
        }
        Ok(Self(name))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for BackupId {
    type Error = Error;
    fn try_from(name: String) -> Result<Self> {
        Self::new(name)
    }
}

impl From<BackupId> for String {
    fn from(id: BackupId) -> Self {
        id.0
    }
}

impl fmt::Display for BackupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The folder of one environment's backups. Whoever writes there holds the
/// environment's lock: what a dead run has left is removed by the next one.
///
/// | file | is |
/// |---|---|
/// | `<id>.dump` | everything, in `pg_dump`'s custom format |
/// | `<id>.sql` | the schema alone, as SQL |
/// | `<id>.json` | the record, written last: without it there is no backup |
/// | `*.partial` | what is being written |
///
/// ```
/// use talia_pipeline::steps::backup::{BackupId, BackupPlace};
///
/// let place = BackupPlace::new("/srv/backups");
/// assert_eq!(place.full(&BackupId::new("7")?), "/srv/backups/7.dump");
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupPlace {
    folder: Utf8PathBuf,
}

impl BackupPlace {
    /// This folder, which need not exist yet.
    pub fn new(folder: impl Into<Utf8PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The folder.
    pub fn folder(&self) -> &Utf8Path {
        &self.folder
    }

    /// The dump of everything.
    pub fn full(&self, id: &BackupId) -> Utf8PathBuf {
        self.folder.join(format!("{id}.dump"))
    }

    /// The dump of the schema.
    pub fn schema(&self, id: &BackupId) -> Utf8PathBuf {
        self.folder.join(format!("{id}.sql"))
    }

    /// The record.
    pub fn record(&self, id: &BackupId) -> Utf8PathBuf {
        self.folder.join(format!("{id}.json"))
    }

    /// A dump as SQL, while it is restored.
    pub fn script(&self, id: &BackupId) -> Utf8PathBuf {
        self.folder.join(format!("{id}.restore.partial"))
    }

    /// What says that the dumps have their names and the record is not written yet.
    pub(super) fn mark(&self, id: &BackupId) -> Utf8PathBuf {
        Self::partial(&self.record(id))
    }

    /// The file with the password, while a backup runs.
    pub fn pass_file(&self, id: &BackupId) -> Utf8PathBuf {
        self.folder.join(format!("{id}.pgpass.partial"))
    }

    /// Where a file is while it is being written.
    pub fn partial(path: &Utf8Path) -> Utf8PathBuf {
        Utf8PathBuf::from(format!("{path}.partial"))
    }

    /// The backup that a partial file of this name belongs to, if it is one of ours.
    pub(super) fn partial_of(name: &str) -> Option<BackupId> {
        // An atomic write's own name is `.<id>.json.<process>.partial`.
        let rest = name.strip_suffix(".partial")?;
        let rest = match rest.strip_prefix('.') {
            Some(rest) => {
                let (rest, process) = rest.rsplit_once('.')?;
                process.parse::<u32>().ok()?;
                rest
            }
            None => rest,
        };
        let (id, kind) = rest.rsplit_once('.')?;
        ["dump", "sql", "json", "pgpass", "restore"]
            .contains(&kind)
            .then(|| BackupId::new(id).ok())?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_the_folder() {
        for bad in ["", "-a", "a/b", "..", "a.b", "a b", "ü", &"a".repeat(65)] {
            assert!(BackupId::new(bad).is_err(), "{bad}");
        }
        for good in ["a", "20260102T030405Z-0123456789ab", "_", &"a".repeat(64)] {
            assert!(BackupId::new(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn only_own_partial_files_are_known() {
        for own in [
            "a.dump.partial",
            "a.sql.partial",
            "a.json.partial",
            "a.pgpass.partial",
            "a.restore.partial",
            ".a.json.12.partial",
        ] {
            assert_eq!(BackupPlace::partial_of(own), BackupId::new("a").ok(), "{own}");
        }
        for other in
            ["a.partial", "a.dump", "a.txt.partial", "a b.dump.partial", ".a.json.x.partial", "x"]
        {
            assert_eq!(BackupPlace::partial_of(other), None, "{other}");
        }
    }
}
