//! What an agent answers, as JSON inside [`Event::Answered`](crate::Event::Answered).
//!
//! A field that a reader does not know is passed over, and one that an older agent
//! does not send has a default: that is how neighbouring versions get along.

use serde::{Deserialize, Serialize};

use crate::{digest::Digest, hole};

use super::{
    landing::LandingState,
    lock_holder::LockHolder,
    role::Role,
    slot::Slot,
    version::Version,
    word::{EnvironmentName, ReleaseId, RevisionId, Who},
};

/// An answer for other programs: one JSON line, without the newline.
pub fn to_json(answer: &impl Serialize) -> String {
    // Serialising texts, numbers and lists of them cannot fail.
    serde_json::to_string(answer).unwrap_or_default()
}

/// To `hello`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Hello {
    /// The agent's version, as far as both must agree.
    pub version: Version,
    /// Which environment the key is for.
    pub environment: EnvironmentName,
    /// `deploy` or `admin`.
    pub role: String,
}

impl Hello {
    /// This build's greeting.
    pub fn new(environment: &EnvironmentName, role: Role) -> Self {
        let (version, environment) = (Version::own(), environment.clone());
        Self { version, environment, role: role.name().to_owned() }
    }
}

/// One slot, as the engine shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotState {
    /// Which one; `None` where the environment has no slots.
    pub slot: Option<Slot>,
    /// The container's id.
    pub container: String,
    /// What the engine says: `running`, `exited`, …
    pub state: String,
    /// The release in it, as its labels name it.
    pub release: Option<ReleaseId>,
    /// That release's revision.
    pub revision: Option<RevisionId>,
}

/// A backup that counts; the answer to `backup`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupState {
    /// Its id.
    pub id: String,
    /// When it was made, in milliseconds since 1970.
    pub at_ms: u64,
    /// The size of the full dump, in bytes.
    pub bytes: u64,
    /// When it was restored and compared, if it was.
    #[serde(default)]
    pub drilled_ms: Option<u64>,
}

impl BackupState {
    /// What a plan has in its place.
    pub fn planned() -> Self {
        Self { id: hole::named("backup id"), at_ms: 0, bytes: 0, drilled_ms: None }
    }
}

/// The live release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// Its id.
    pub release: ReleaseId,
    /// What it was built from.
    pub revision: RevisionId,
    /// Its image.
    pub digest: Digest,
    /// Where it runs; `None` where the environment has no slots.
    pub slot: Option<Slot>,
    /// When it went live, in milliseconds since 1970.
    pub at_ms: u64,
    /// Who asked for it.
    pub by: Who,
}

/// To `status`: what is so now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ServerState {
    /// Which environment.
    pub environment: EnvironmentName,
    /// When it was asked, in milliseconds since 1970.
    pub at_ms: u64,
    /// What clients get now.
    pub live: Option<Taken>,
    /// What the health behind Nginx says: the revision, or why it says none.
    pub served: Result<RevisionId, String>,
    /// Every container of the service.
    pub slots: Vec<SlotState>,
    /// Who works on it.
    #[serde(default)]
    pub lock: Option<LockHolder>,
    /// A release that has begun and neither ended nor been undone.
    #[serde(default)]
    pub unfinished: Option<ReleaseId>,
    /// Files that differ from what was pushed.
    #[serde(default)]
    pub drift: Vec<String>,
    /// Whether clients get the maintenance page.
    #[serde(default)]
    pub maintenance: bool,
    /// Why, where it was not a person who has asked for it.
    #[serde(default)]
    pub maintenance_reason: Option<String>,
    /// The last backup that counts.
    #[serde(default)]
    pub backup: Option<BackupState>,
    /// Free disk where images and backups go, in bytes.
    #[serde(default)]
    pub free_bytes: u64,
    /// The landing page; `None` where the agent tells nothing of it.
    #[serde(default)]
    pub landing: Option<LandingState>,
}

/// How the server's files differ from those that the live release runs with.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Difference {
    /// Names that `.env` has and the live release had not.
    pub env_added: Vec<String>,
    /// Names that the live release had and `.env` has not.
    pub env_removed: Vec<String>,
    /// Names whose value is another one now.
    #[serde(default)]
    pub env_changed: Vec<String>,
    /// What has changed in the compose files, a unified diff.
    pub compose_diff: String,
}

impl Difference {
    /// One of these names and this diff.
    pub fn new(
        env_added: Vec<String>,
        env_removed: Vec<String>,
        env_changed: Vec<String>,
        compose_diff: String,
    ) -> Self {
        Self { env_added, env_removed, env_changed, compose_diff }
    }
}

/// Why a release would not be carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    #[serde(default)]
    pub hint: Option<String>,
    /// The exit code that it would end with.
    pub exit_code: u8,
}

/// To `plan`: what a release would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Outlook {
    /// What is so now.
    pub state: ServerState,
    /// How the server's files differ from those of the live release.
    pub difference: Difference,
    /// The release's steps, as the plan of the agent's flow has them.
    pub steps: serde_json::Value,
    /// The same as text.
    pub text: String,
    /// Whether the live one is ended before the new one starts, and clients get errors.
    #[serde(default)]
    pub has_gap: bool,
    /// Why it would be refused now.
    #[serde(default)]
    pub refused: Vec<Refusal>,
}

impl Outlook {
    /// The state, the files' difference, and the plan as data and as text.
    pub fn new(
        state: ServerState,
        difference: Difference,
        steps: serde_json::Value,
        text: String,
    ) -> Self {
        Self { state, difference, steps, text, has_gap: false, refused: Vec::new() }
    }

    /// Says whether the live one is ended before the new one starts.
    #[must_use]
    pub fn has_gap(self, has_gap: bool) -> Self {
        Self { has_gap, ..self }
    }

    /// Says why it would be refused now.
    #[must_use]
    pub fn refused(mut self, refused: Vec<Refusal>) -> Self {
        self.refused = refused;
        self
    }
}

/// Where the image of a release is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageAt {
    /// On the server: nothing is pulled.
    Server,
    /// In the registry, which lets the server have it.
    Registry,
    /// Neither there nor here, for this reason.
    Gone(String),
}

/// The release that a rollback leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Earlier {
    /// The release.
    pub release: Taken,
    /// Where its image is.
    pub image: ImageAt,
    /// Whether the database's schema has changed since, as far as backups tell.
    #[serde(default)]
    pub schema_changed: Option<bool>,
}

impl Earlier {
    /// This release, whose image is there.
    pub fn new(release: Taken, image: ImageAt, schema_changed: Option<bool>) -> Self {
        Self { release, image, schema_changed }
    }
}

/// To `rollback … plan`: what a rollback would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BackOutlook {
    /// What is so now.
    pub state: ServerState,
    /// Where it leads to; `None` where there is nothing to go back to.
    pub to: Option<Earlier>,
    /// The rollback's steps, as the plan of the agent's flow has them.
    pub steps: serde_json::Value,
    /// The same as text.
    pub text: String,
    /// Why it would be refused now.
    #[serde(default)]
    pub refused: Vec<Refusal>,
}

impl BackOutlook {
    /// The state, where it leads to, the plan as data and as text, and why it would be
    /// refused.
    pub fn new(
        state: ServerState,
        to: Option<Earlier>,
        (steps, text): (serde_json::Value, String),
        refused: Vec<Refusal>,
    ) -> Self {
        Self { state, to, steps, text, refused }
    }
}

/// To `cancel`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cancelled {
    /// Nothing ran that this one has asked for.
    NothingRan,
    /// It was taken back.
    Undone,
    /// It had switched already, and was finished.
    Live(ReleaseId),
}

/// To `release` and `rollback`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Released {
    /// What is live now.
    pub live: Taken,
    /// What was live before.
    #[serde(default)]
    pub before: Option<Taken>,
    /// Whether nothing had to be done.
    #[serde(default)]
    pub unchanged: bool,
    /// Whether the agent holds the lock until `latest` is moved.
    #[serde(default)]
    pub waits_for_latest: bool,
}

/// To `drill`: a backup was restored somewhere else, and all of it was there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Drilled {
    /// The backup.
    pub backup: BackupState,
    /// How many tables were compared.
    pub tables: u64,
    /// How many rows they have.
    pub rows: u64,
    /// What could not be tried, because the scratch server lacks an extension.
    #[serde(default)]
    pub not_drilled: Vec<String>,
}

/// To `restore ID plan`: what a restore would overwrite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RestorePlan {
    /// The database, as people read it: `app at db.example:5432`.
    pub database: String,
    /// The backup.
    pub backup: BackupState,
    /// What differs, for a person to say yes to.
    pub text: String,
}

impl RestorePlan {
    /// What a plan has in its place.
    pub fn planned() -> Self {
        let database = hole::named("database");
        Self { database, backup: BackupState::planned(), text: String::new() }
    }
}

/// To `restore`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Restored {
    /// The database that was overwritten.
    pub database: String,
    /// The backup that it is now.
    pub backup: BackupState,
    /// The backup of what was there before.
    pub before: BackupState,
    /// What was dropped because it depended on what was replaced.
    #[serde(default)]
    pub dropped: Vec<String>,
    /// Where it is not as in the backup: a newer table that stays, something that
    /// wrote meanwhile.
    #[serde(default)]
    pub differences: Vec<String>,
}

impl Restored {
    /// What a plan has in its place.
    pub fn planned() -> Self {
        let (backup, before) = (BackupState::planned(), BackupState::planned());
        let (dropped, differences) = (Vec::new(), Vec::new());
        Self { database: hole::named("database"), backup, before, dropped, differences }
    }
}
