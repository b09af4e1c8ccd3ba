use std::{fs, io};

use camino::Utf8Path;

use crate::{
    error::{Error, Result},
    step::{Action, Step, Summary},
};

use super::{BackupId, BackupPlace, BackupRecord, DumpFile, checksum};

/// What a folder of backups holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// The records whose files are there in their sizes, newest first.
    pub records: Vec<BackupRecord>,
    /// Records that cannot be read, or whose files are not what they say, with the
    /// reason.
    pub broken: Vec<String>,
}

impl Listing {
    /// The newest backup that counts.
    pub fn last(&self) -> Option<&BackupRecord> {
        self.records.iter().find(|record| record.counts())
    }
}

/// Observation: which backups there are.
///
/// - In this process: reads the records and the sizes of the files. Checksums are
///   [`CheckBackup`]'s.
/// - Touches: nothing. A folder that is not there has none.
///
/// ```
/// use talia_pipeline::{Step, steps::backup::{BackupPlace, Backups}};
///
/// assert_eq!(Backups::new(&BackupPlace::new("/srv/backups")).label(), "backups");
/// ```
#[derive(Debug, Clone)]
pub struct Backups {
    place: BackupPlace,
}

impl Backups {
    /// In this folder.
    pub fn new(place: &BackupPlace) -> Self {
        Self { place: place.clone() }
    }

    pub(super) fn list(&self) -> Result<Listing> {
        let folder = self.place.folder();
        let cannot = |cause: io::Error| {
            Error::step(format!("the backups in {folder} cannot be read")).caused_by(cause)
        };
        let mut listing = Listing::default();
        let entries = match folder.read_dir_utf8() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(listing),
            entries => entries.map_err(cannot)?,
        };
        for entry in entries {
            let entry = entry.map_err(cannot)?;
            let name = entry.file_name().strip_suffix(".json");
            let Some(id) = name.and_then(|name| BackupId::new(name).ok()) else { continue };
            match read(&self.place, &id).and_then(|record| {
                there(&self.place, &record)?;
                Ok(record)
            }) {
                Ok(record) => listing.records.push(record),
                Err(error) => listing.broken.push(format!("{id}: {error}")),
            }
        }
        listing.records.sort_by(|a, b| (b.at_ms, &b.id).cmp(&(a.at_ms, &a.id)));
        listing.broken.sort();
        Ok(listing)
    }
}

impl Step for Backups {
    type Output = Listing;

    fn label(&self) -> String {
        "backups".into()
    }

    fn action(&self) -> Action<'_, Listing> {
        Action::read(format!("read {}/*.json", self.place.folder()), || self.list())
    }

    fn assume(&self) -> Listing {
        Listing::default()
    }

    fn summary(&self, listing: &Listing) -> Summary {
        let broken = match listing.broken.len() {
            0 => String::new(),
            count => format!(", {count} broken"),
        };
        Summary::line(format!("{}{broken}", listing.records.len()))
    }
}

fn read(place: &BackupPlace, id: &BackupId) -> Result<BackupRecord> {
    let path = place.record(id);
    let text = fs::read_to_string(&path).map_err(|cause| match cause.kind() {
        io::ErrorKind::NotFound => Error::usage(format!("there is no backup {id}"))
            .hint("`cargo xtask backups` lists them"),
        _ => Error::step(format!("{path} cannot be read")).caused_by(cause),
    })?;
    let record = BackupRecord::from_json(&text)?;
    if record.id != *id {
        return Err(Error::step(format!("its record is that of {}", record.id)));
    }
    Ok(record)
}

/// Both files, as the record has them.
fn files<'a>(
    place: &BackupPlace,
    record: &'a BackupRecord,
) -> [(camino::Utf8PathBuf, &'a DumpFile); 2] {
    [(place.full(&record.id), &record.full), (place.schema(&record.id), &record.schema)]
}

fn there(place: &BackupPlace, record: &BackupRecord) -> Result<()> {
    for (path, expected) in files(place, record) {
        let bytes = fs::metadata(&path).map_err(|cause| not_there(&path, cause))?.len();
        if bytes != expected.bytes {
            let said = expected.bytes;
            return Err(Error::step(format!("{path} has {bytes} bytes, its record says {said}")));
        }
    }
    Ok(())
}

fn not_there(path: &Utf8Path, cause: io::Error) -> Error {
    Error::step(format!("{path} cannot be read")).caused_by(cause)
}

/// Whether the files are, byte for byte, what the record says.
pub(super) fn matches(place: &BackupPlace, record: &BackupRecord) -> Result<()> {
    there(place, record)?;
    for (path, expected) in files(place, record) {
        let (found, _) = checksum::of_file(&path).map_err(|cause| not_there(&path, cause))?;
        if found != *expected {
            return Err(Error::step(format!(
                "{path} is not what was backed up: its checksum differs"
            ))
            .hint("restore from another backup; see whether the disk is sound"));
        }
    }
    Ok(())
}

/// Reads a backup's record and sees that both files are what it says.
///
/// - In this process: hashes both files.
/// - Touches: nothing.
/// - Errors: there is no such backup (usage); a file is missing or has changed.
///
/// ```
/// use talia_pipeline::{Step, steps::backup::{BackupId, BackupPlace, CheckBackup}};
///
/// let step = CheckBackup::new(&BackupPlace::new("/srv/backups"), &BackupId::new("7")?);
/// assert_eq!(step.label(), "check the backup 7");
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct CheckBackup {
    place: BackupPlace,
    id: BackupId,
}

impl CheckBackup {
    /// This backup.
    pub fn new(place: &BackupPlace, id: &BackupId) -> Self {
        Self { place: place.clone(), id: id.clone() }
    }

    fn check(&self) -> Result<BackupRecord> {
        let record = read(&self.place, &self.id)?;
        matches(&self.place, &record)?;
        Ok(record)
    }
}

impl Step for CheckBackup {
    type Output = BackupRecord;

    fn label(&self) -> String {
        format!("check the backup {}", self.id)
    }

    fn action(&self) -> Action<'_, BackupRecord> {
        let what =
            format!("hash {} and {}", self.place.full(&self.id), self.place.schema(&self.id));
        Action::read(what, || self.check())
    }

    fn assume(&self) -> BackupRecord {
        BackupRecord::planned(&self.id)
    }

    fn summary(&self, record: &BackupRecord) -> Summary {
        Summary::line(record.contents.amount())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::{backup::for_tests::Folder, testing::check};

    #[test]
    fn backups_hostile() {
        check("backups__hostile", &Backups::new(&BackupPlace::new("/srv/it's $x\n")));
    }
    #[test]
    fn check_backup_hostile() {
        let step =
            CheckBackup::new(&BackupPlace::new("/srv/it's $x\n"), &BackupId::new("7").unwrap());
        check("check_backup__hostile", &step);
    }

    #[test]
    fn only_whole_backups_are_listed_newest_first() {
        let folder = Folder::new("list");
        assert_eq!(Backups::new(&folder.place()).list().unwrap(), Listing::default());
        for (id, at) in [("a", 1), ("c", 3), ("b", 2), ("short", 4), ("gone", 5), ("bad", 6)] {
            folder.backup(id, at, |_| {});
        }
        fs::write(folder.path().join("short.dump"), "x").unwrap();
        fs::remove_file(folder.path().join("gone.sql")).unwrap();
        fs::write(folder.path().join("bad.json"), "{").unwrap();
        fs::copy(folder.path().join("a.json"), folder.path().join("copy.json")).unwrap();
        fs::write(folder.path().join("un known.json"), "{").unwrap();
        let listing = Backups::new(&folder.place()).list().unwrap();
        let ids: Vec<&str> = listing.records.iter().map(|record| record.id.as_str()).collect();
        assert_eq!(ids, ["c", "b", "a"]);
        assert_eq!(listing.broken.len(), 4, "{:?}", listing.broken);
        assert!(listing.broken[0].starts_with("bad: it is no record"), "{:?}", listing.broken);
        assert_eq!(listing.last().unwrap().id.as_str(), "c");
    }

    #[test]
    fn a_changed_byte_is_found_by_its_checksum() {
        let folder = Folder::new("check");
        let record = folder.backup("a", 1, |_| {});
        let step = CheckBackup::new(&folder.place(), &record.id);
        assert_eq!(step.check().unwrap(), record);
        fs::write(folder.path().join("a.dump"), "fulL a").unwrap();
        assert!(step.check().unwrap_err().to_string().contains("checksum differs"));
        let none = CheckBackup::new(&folder.place(), &BackupId::new("none").unwrap());
        let error = none.check().unwrap_err();
        assert_eq!(error.to_string(), "there is no backup none");
        assert_eq!(error.hint_text(), Some("`cargo xtask backups` lists them"));
    }
}
