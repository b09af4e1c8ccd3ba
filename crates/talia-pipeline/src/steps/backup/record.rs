use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    hole,
};

use super::{BackupId, Contents, PgVersion};

/// The layout of a record. A reader refuses one that is newer than it knows.
const FORMAT: u32 = 1;

/// How many bytes of rows a byte of a compressed dump may become.
pub(crate) const TEXT_PER_DUMP: u64 = 4;

/// One file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DumpFile {
    /// Its size in bytes.
    pub bytes: u64,
    /// The SHA-256 of its content, in hex.
    pub sha256: String,
}

/// How a drill has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Drill {
    /// It was restored, and all rows were there.
    Passed {
        /// When, in milliseconds since 1970.
        at_ms: u64,
        /// How many tables were compared.
        tables: u64,
        /// How many rows they have.
        rows: u64,
        /// What could not be tried, because the scratch server lacks an extension.
        not_drilled: Vec<String>,
    },
    /// It cannot be restored, or something was not there. It is no backup.
    Failed {
        /// When, in milliseconds since 1970.
        at_ms: u64,
        /// What was wrong.
        reason: String,
    },
}

/// What is known of one backup: the file `<id>.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupRecord {
    format: u32,
    /// Its name.
    pub id: BackupId,
    /// When it was begun, in milliseconds since 1970.
    pub at_ms: u64,
    /// Which database: `app at db.example:5432`.
    pub database: String,
    /// The version of the `pg_dump` that has written it.
    pub pg_dump: PgVersion,
    /// The dump of everything, `<id>.dump`.
    pub full: DumpFile,
    /// The dump of the schema, `<id>.sql`.
    pub schema: DumpFile,
    /// How large the database was on its server's disk, in bytes; 0 where nobody has asked.
    #[serde(default)]
    pub database_bytes: u64,
    /// Tells two schemas apart; the same for the same schema at any time.
    pub schema_hash: String,
    /// Whether all of the dump was read back without an error.
    pub read_verified: bool,
    /// The last drill, if there was one.
    pub drill: Option<Drill>,
    /// What is in it.
    pub contents: Contents,
}

impl BackupRecord {
    /// A backup that was read back.
    pub fn verified(
        id: &BackupId,
        at_ms: u64,
        database: impl Into<String>,
        pg_dump: PgVersion,
        files: (DumpFile, DumpFile),
        schema_hash: impl Into<String>,
        contents: Contents,
    ) -> Self {
        Self {
            format: FORMAT,
            id: id.clone(),
            at_ms,
            database: database.into(),
            pg_dump,
            full: files.0,
            schema: files.1,
            database_bytes: 0,
            schema_hash: schema_hash.into(),
            read_verified: true,
            drill: None,
            contents,
        }
    }

    /// Whether it stands in for a backup that is not made yet.
    pub fn is_planned(&self) -> bool {
        hole::is_in(&self.schema_hash)
    }

    /// What a plan goes on with: nothing is known but its name.
    pub fn planned(id: &BackupId) -> Self {
        let file = DumpFile { bytes: 0, sha256: hole::named("sha256") };
        let (version, hash) = (PgVersion::unknown(), hole::named("schema hash"));
        let database = hole::named("database");
        Self::verified(id, 0, database, version, (file.clone(), file), hash, Contents::unknown())
    }

    /// How much room it takes once it is restored, as far as anybody knows.
    pub(crate) fn restored_bytes(&self) -> u64 {
        match self.database_bytes {
            0 => self.full.bytes.saturating_mul(TEXT_PER_DUMP),
            bytes => bytes,
        }
    }

    /// Whether a restore may begin from it: it was read back, and no drill says
    /// that it does not restore.
    pub fn counts(&self) -> bool {
        self.read_verified && !matches!(self.drill, Some(Drill::Failed { .. }))
    }

    /// Whether a drill has passed.
    pub fn is_drilled(&self) -> bool {
        matches!(self.drill, Some(Drill::Passed { .. }))
    }

    /// As the file has it.
    pub fn to_json(&self) -> String {
        // Serialising strings, numbers and lists of them cannot fail.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Reads a record.
    ///
    /// # Errors
    /// A step error when it is none, or one of a newer version of this library.
    pub fn from_json(text: &str) -> Result<Self> {
        let record: Self = serde_json::from_str(text)
            .map_err(|cause| Error::step("it is no record of a backup").caused_by(cause))?;
        if record.format > FORMAT {
            return Err(Error::step("it is a record of a newer version")
                .hint("update the program that reads it"));
        }
        Ok(record)
    }
}

#[cfg(test)]
pub(super) fn sample(id: &str, at_ms: u64) -> BackupRecord {
    let file = DumpFile { bytes: 3, sha256: "0".repeat(64) };
    let id = BackupId::new(id).expect("it is a name");
    BackupRecord::verified(
        &id,
        at_ms,
        "app at db.example:5432",
        PgVersion::of_number(150_018),
        (file.clone(), file),
        "12ab",
        Contents::unknown(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_planned_record_is_told_from_a_real_one() {
        let mut record = BackupRecord::planned(&BackupId::new("7").unwrap());
        assert!(record.is_planned());
        record.schema_hash = "ab".into();
        assert!(!record.is_planned());
    }

    #[test]
    fn a_record_survives_its_file() {
        let mut record = sample("7", 5);
        assert_eq!(BackupRecord::from_json(&record.to_json()).unwrap(), record);
        assert!(record.counts() && !record.is_drilled());
        record.drill = Some(Drill::Passed { at_ms: 1, tables: 2, rows: 3, not_drilled: vec![] });
        assert_eq!(BackupRecord::from_json(&record.to_json()).unwrap(), record);
        assert!(record.counts() && record.is_drilled());
        record.drill = Some(Drill::Failed { at_ms: 1, reason: "x".into() });
        assert!(!BackupRecord::from_json(&record.to_json()).unwrap().counts());
    }

    #[test]
    fn anything_else_is_refused() {
        let newer = sample("7", 5).to_json().replace("\"format\": 1", "\"format\": 2");
        assert!(BackupRecord::from_json(&newer).unwrap_err().to_string().contains("newer"));
        let outside = sample("7", 5).to_json().replace("\"id\": \"7\"", "\"id\": \"../7\"");
        assert!(BackupRecord::from_json(&outside).is_err());
        assert!(BackupRecord::from_json("{}").is_err());
    }

    #[test]
    fn a_record_of_an_older_version_is_read() {
        let mut record = sample("7", 5);
        record.full.bytes = 1000;
        record.database_bytes = 9000;
        assert_eq!(record.restored_bytes(), 9000);
        let text = record.to_json().replace("  \"database_bytes\": 9000,\n", "");
        assert!(!text.contains("database_bytes"), "{text}");
        let text = text.replace("    \"named_roles\": null,\n", "");
        assert!(!text.contains("named_roles"), "{text}");
        let old = BackupRecord::from_json(&text).unwrap();
        assert_eq!((old.database_bytes, old.restored_bytes()), (0, 4000));
    }
}
