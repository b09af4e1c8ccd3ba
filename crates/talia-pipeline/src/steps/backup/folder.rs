use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
};

use crate::{
    error::{Error, Result},
    files::{remove_if_there, write_atomically},
    step::{Action, Step, Summary},
};

use super::{BackupId, BackupPlace, BackupRecord};

/// Makes the folder for backups, which only its owner can read.
///
/// - In this process: makes the folder, and those above it, with mode 0700. One that
///   is there loses what others may do in it.
/// - Touches: the folder.
///
/// ```
/// use talia_pipeline::{Step, steps::backup::{BackupPlace, MakePlace}};
///
/// let step = MakePlace::new(&BackupPlace::new("/srv/backups"));
/// assert_eq!(step.label(), "make the folder for backups");
/// ```
#[derive(Debug, Clone)]
pub struct MakePlace {
    place: BackupPlace,
}

impl MakePlace {
    /// This folder.
    pub fn new(place: &BackupPlace) -> Self {
        Self { place: place.clone() }
    }

    fn make(&self) -> io::Result<()> {
        let folder = self.place.folder();
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
    }
}

impl Step for MakePlace {
    type Output = ();

    fn label(&self) -> String {
        "make the folder for backups".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let folder = self.place.folder();
        Action::work(format!("make {folder}, for its owner alone"), move || {
            self.make().map_err(|cause| {
                Error::step(format!("the folder {folder} cannot be made")).caused_by(cause)
            })
        })
    }

    fn assume(&self) {}
}

/// Removes what dead runs have left half-written, and nothing else. It must hold the
/// environment's lock, or a living run would lose its files.
///
/// - In this process: removes the files of the folder that have a backup's name and
///   end in `.partial`; where `<id>.json.partial` is among them and `<id>.json` is not
///   there, `<id>.dump` and `<id>.sql` too: that run ended before its record, or while
///   an outdated backup was removed.
/// - Touches: these files.
///
/// ```
/// use talia_pipeline::{Step, steps::backup::{BackupPlace, RemovePartials}};
///
/// let step = RemovePartials::new(&BackupPlace::new("/srv/backups"));
/// assert_eq!(step.label(), "remove half-written backups");
/// ```
#[derive(Debug, Clone)]
pub struct RemovePartials {
    place: BackupPlace,
    only: Option<BackupId>,
}

impl RemovePartials {
    /// Of this folder.
    pub fn new(place: &BackupPlace) -> Self {
        Self { place: place.clone(), only: None }
    }

    /// Those of this backup alone.
    #[must_use]
    pub fn only(mut self, id: &BackupId) -> Self {
        self.only = Some(id.clone());
        self
    }

    fn remove(&self) -> Result<Vec<String>> {
        let folder = self.place.folder();
        let cannot = |cause: io::Error| {
            Error::step(format!("half-written backups in {folder} cannot be removed"))
                .caused_by(cause)
        };
        let mut removed = Vec::new();
        let entries = match folder.read_dir_utf8() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(removed),
            entries => entries.map_err(cannot)?,
        };
        for entry in entries {
            let entry = entry.map_err(cannot)?;
            let Some(id) = BackupPlace::partial_of(entry.file_name()) else { continue };
            if self.only.as_ref().is_some_and(|only| *only != id) {
                continue;
            }
            // The mark goes last: killed in between, this is done again.
            if *entry.path() == self.place.mark(&id) && !self.place.record(&id).exists() {
                let dumps = [self.place.full(&id), self.place.schema(&id)];
                for path in dumps.into_iter().filter(|path| path.exists()) {
                    remove_if_there(&path).map_err(cannot)?;
                    removed.extend(path.file_name().map(str::to_owned));
                }
            }
            remove_if_there(entry.path()).map_err(cannot)?;
            removed.push(entry.file_name().to_owned());
        }
        removed.sort();
        Ok(removed)
    }
}

impl Step for RemovePartials {
    type Output = Vec<String>;

    fn label(&self) -> String {
        "remove half-written backups".into()
    }

    fn action(&self) -> Action<'_, Vec<String>> {
        let folder = self.place.folder();
        let what = match &self.only {
            Some(id) => format!("remove {folder}/{id}.*.partial"),
            None => format!("remove {folder}/*.partial of dead runs"),
        };
        Action::work(what, || self.remove())
    }

    fn assume(&self) -> Vec<String> {
        Vec::new()
    }

    fn summary(&self, removed: &Vec<String>) -> Summary {
        Summary::line(if removed.is_empty() { "none".to_owned() } else { removed.join(", ") })
    }
}

/// Writes a backup's record, whole or not at all. With it the backup counts.
///
/// - In this process.
/// - Touches: `<id>.json`, which is replaced where it is there; `<id>.json.partial`,
///   which [`Seal`](super::Seal) has left, is removed.
///
/// ```no_run
/// # fn example(cx: &talia_pipeline::Context, record: &talia_pipeline::steps::backup::BackupRecord) -> talia_pipeline::Result<()> {
/// use talia_pipeline::steps::backup::{BackupPlace, WriteRecord};
///
/// cx.run(WriteRecord::new(&BackupPlace::new("/srv/backups"), record))
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct WriteRecord {
    place: BackupPlace,
    record: BackupRecord,
}

impl WriteRecord {
    /// This record.
    pub fn new(place: &BackupPlace, record: &BackupRecord) -> Self {
        Self { place: place.clone(), record: record.clone() }
    }
}

impl Step for WriteRecord {
    type Output = ();

    fn label(&self) -> String {
        "write the backup's record".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let path = self.place.record(&self.record.id);
        Action::work(format!("write {path}"), move || {
            let cannot = |cause| {
                Error::step(format!("the record {path} cannot be written")).caused_by(cause)
            };
            write_atomically(&path, self.record.to_json().as_bytes()).map_err(cannot)?;
            remove_if_there(&self.place.mark(&self.record.id)).map_err(cannot)
        })
    }

    fn assume(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::{
        backup::{for_tests::Folder, record::sample},
        testing::check,
    };

    #[test]
    fn make_place_hostile() {
        check("make_place__hostile", &MakePlace::new(&BackupPlace::new("/srv/it's $x\n")));
    }
    #[test]
    fn remove_partials_of_one() {
        let step = RemovePartials::new(&BackupPlace::new("/srv/it's $x\n"));
        check("remove_partials__of_one", &step.only(&BackupId::new("7").unwrap()));
    }
    #[test]
    fn write_record_hostile() {
        let place = BackupPlace::new("/srv/it's $x\n");
        check("write_record__hostile", &WriteRecord::new(&place, &sample("7", 1)));
    }

    #[test]
    fn the_folder_is_closed_to_others() {
        let folder = Folder::new("make");
        let inner = folder.path().join("a/b");
        let step = MakePlace::new(&BackupPlace::new(&inner));
        step.make().unwrap();
        fs::set_permissions(&inner, fs::Permissions::from_mode(0o755)).unwrap();
        step.make().unwrap();
        assert_eq!(fs::metadata(&inner).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn dumps_without_their_record_go_where_the_run_was_ours() {
        let folder = Folder::new("orphans");
        let write = |name: &str| fs::write(folder.path().join(name), "").unwrap();
        let all = ["a.dump", "a.sql", "a.json.partial", "b.dump", "b.json", "b.json.partial"];
        all.into_iter().for_each(write);
        write("by-hand.dump");
        let removed = RemovePartials::new(&folder.place()).remove().unwrap();
        assert_eq!(removed, ["a.dump", "a.json.partial", "a.sql", "b.json.partial"]);
        assert_eq!(folder.names(), ["b.dump", "b.json", "by-hand.dump"]);
    }

    #[test]
    fn with_its_record_a_backup_has_no_mark() {
        let folder = Folder::new("mark");
        let record = sample("7", 1);
        fs::write(folder.place().mark(&record.id), "").unwrap();
        let step = WriteRecord::new(&folder.place(), &record);
        let Action::Work { work, .. } = step.action() else { unreachable!("it is done here") };
        work().unwrap();
        assert_eq!(folder.names(), ["7.json"]);
    }

    #[test]
    fn unknown_files_are_left_alone() {
        let folder = Folder::new("partials");
        let files = [
            "a.dump.partial",
            "b.pgpass.partial",
            ".a.json.7.partial",
            "a.dump",
            "x.partial",
            "c.txt",
        ];
        for name in files {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let step = RemovePartials::new(&folder.place());
        let of_b = step.clone().only(&BackupId::new("b").unwrap()).remove().unwrap();
        assert_eq!(of_b, ["b.pgpass.partial"]);
        assert_eq!(step.remove().unwrap(), [".a.json.7.partial", "a.dump.partial"]);
        assert_eq!(folder.names(), ["a.dump", "c.txt", "x.partial"]);
        let nowhere = BackupPlace::new(folder.path().join("none"));
        assert!(RemovePartials::new(&nowhere).remove().unwrap().is_empty());
    }
}
