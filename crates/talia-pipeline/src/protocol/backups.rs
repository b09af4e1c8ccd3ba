//! The answer to `backups`.

use serde::{Deserialize, Serialize};

use super::{answer::BackupState, word::ReleaseId};

/// One backup of which there is a record and both files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BackupKept {
    /// Its id, time and size, and whether it was drilled.
    #[serde(flatten)]
    pub backup: BackupState,
    /// Which database it is of: `app at db.example:5432`.
    pub database: String,
    /// Whether all of it was read back without an error.
    pub read_verified: bool,
    /// Why it is none, where a drill has found that.
    #[serde(default)]
    pub failed: Option<String>,
    /// The releases that it was made before, the newest first.
    #[serde(default)]
    pub releases: Vec<ReleaseId>,
}

impl BackupKept {
    /// One that was read back or not, and before no release.
    pub fn new(backup: BackupState, database: impl Into<String>, read_verified: bool) -> Self {
        let database = database.into();
        Self { backup, database, read_verified, failed: None, releases: Vec::new() }
    }

    /// Says why it is none, if a drill has found that.
    #[must_use]
    pub fn failed(mut self, reason: Option<String>) -> Self {
        self.failed = reason;
        self
    }

    /// Names the releases that it was made before.
    #[must_use]
    pub fn releases(mut self, releases: Vec<ReleaseId>) -> Self {
        self.releases = releases;
        self
    }
}

/// To `backups`: what is kept, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BackupList {
    /// Those that are whole.
    pub backups: Vec<BackupKept>,
    /// Those that are not, and why: `ID: its record cannot be read`.
    #[serde(default)]
    pub broken: Vec<String>,
}

impl BackupList {
    /// Of these.
    pub fn new(backups: Vec<BackupKept>, broken: Vec<String>) -> Self {
        Self { backups, broken }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_older_agent_does_not_send_has_a_default_and_what_a_newer_one_adds_is_passed_over() {
        let text = r#"{"backups":[{"id":"20261124T081500Z","at_ms":1,"bytes":2,"database":"a",
            "read_verified":true,"later":1}],"later":[]}"#;
        let list: BackupList = serde_json::from_str(text).unwrap();
        let backup =
            BackupState { id: "20261124T081500Z".into(), at_ms: 1, bytes: 2, drilled_ms: None };
        assert_eq!(list, BackupList::new(vec![BackupKept::new(backup, "a", true)], vec![]));
    }
}
