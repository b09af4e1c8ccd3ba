//! Folders and files for the tests of in-process steps.

use std::{
    fs,
    sync::atomic::{AtomicU32, Ordering},
};

use camino::{Utf8Path, Utf8PathBuf};

use super::{BackupPlace, BackupRecord, checksum, record};

/// A folder of one test, removed when dropped.
pub(super) struct Folder(Utf8PathBuf);

impl Folder {
    pub(super) fn new(test: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("talia-backup-{test}-{}-{count}", std::process::id());
        let folder = Utf8PathBuf::from_path_buf(std::env::temp_dir().join(name));
        let folder = folder.expect("a path of UTF-8");
        fs::create_dir_all(&folder).expect("the folder can be made");
        Self(folder)
    }

    pub(super) fn path(&self) -> &Utf8Path {
        &self.0
    }

    pub(super) fn place(&self) -> BackupPlace {
        BackupPlace::new(&self.0)
    }

    /// A backup with its files, changed by `change` before its record is written.
    pub(super) fn backup(
        &self,
        id: &str,
        at_ms: u64,
        change: impl FnOnce(&mut BackupRecord),
    ) -> BackupRecord {
        let mut record = record::sample(id, at_ms);
        let place = self.place();
        let file = |path: &Utf8Path, text: String| {
            fs::write(path, text).expect("it can be written");
            checksum::of_file(path).expect("it can be read").0
        };
        record.full = file(&place.full(&record.id), format!("full {id}"));
        record.schema = file(&place.schema(&record.id), format!("schema {id}"));
        change(&mut record);
        fs::write(place.record(&record.id), record.to_json()).expect("it can be written");
        record
    }

    /// The names in the folder, sorted.
    pub(super) fn names(&self) -> Vec<String> {
        let entries = self.0.read_dir_utf8().expect("it is a folder");
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("an entry").file_name().to_owned()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}
