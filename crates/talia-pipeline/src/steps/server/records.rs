//! The records of releases, as steps.

use std::{
    fs::{self, DirBuilder, File, Permissions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
};

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    error::Error,
    server::{
        Fate, Layout, PushedFile, Record, Records, ServerFiles, compose_env, landing::remove_tree,
    },
    step::{Action, Step, Summary},
};

/// In this process: the records of all releases that are kept.
#[derive(Debug)]
pub struct ReadRecords {
    layout: Layout,
}

impl ReadRecords {
    /// Reads those of this environment.
    pub fn new(layout: &Layout) -> Self {
        Self { layout: layout.clone() }
    }
}

impl Step for ReadRecords {
    type Output = Records;

    fn label(&self) -> String {
        "releases".into()
    }

    fn action(&self) -> Action<'_, Records> {
        let what = format!("read the records in {}", self.layout.releases());
        Action::read(what, || Records::read(&self.layout))
    }

    fn assume(&self) -> Records {
        Records::default()
    }

    fn summary(&self, records: &Records) -> Summary {
        let broken = match records.broken.len() + records.torn.len() {
            0 => String::new(),
            count => format!(", {count} without a record"),
        };
        Summary::line(format!("{}{broken}", records.all.len()))
    }
}

/// In this process: a release's folder, with the files that it runs with and its
/// record, synced to the disk. Root's alone, because `.env` holds secrets: there it is
/// what Compose reads, and `env.original` beside it is what was pushed.
///
/// A folder of this release that a kill has left is made anew.
#[derive(Debug)]
pub struct WriteRelease {
    layout: Layout,
    record: Record,
    files: ServerFiles,
    slot_file: String,
}

impl WriteRelease {
    /// Writes this record with its files; `slot_file` is what its slot adds to them.
    pub fn new(
        layout: &Layout,
        record: Record,
        files: ServerFiles,
        slot_file: impl Into<String>,
    ) -> Self {
        Self { layout: layout.clone(), record, files, slot_file: slot_file.into() }
    }

    fn write(&self, compose_env: &str) -> io::Result<()> {
        let folder = self.layout.release(&self.record.id);
        private_folder(&self.layout.releases())?;
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => private_folder(&folder)?,
        }
        let name = |file: PushedFile| folder.join(file.name_in_release());
        private_file(&name(PushedFile::Compose), &self.files.compose)?;
        if let Some(extra) = &self.files.extra {
            private_file(&name(PushedFile::Override), extra)?;
        }
        private_file(&name(PushedFile::Env), &self.files.env)?;
        private_file(&folder.join(PushedFile::Env.name()), compose_env.as_bytes())?;
        private_file(&folder.join(Record::SLOT_FILE), self.slot_file.as_bytes())?;
        File::open(&folder)?.sync_all()?;
        // And its own name, in the folder of all.
        File::open(self.layout.releases())?.sync_all()
    }
}

fn private_folder(path: &Utf8Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::set_permissions(path, Permissions::from_mode(0o700))
        }
        made => made,
    }
}

fn private_file(path: &Utf8Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

impl Step for WriteRelease {
    type Output = ();

    fn label(&self) -> String {
        "write release".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let folder = self.layout.release(&self.record.id);
        Action::work(format!("write the release's files and record to {folder}"), move || {
            let compose_env = compose_env(&self.files.env)?;
            self.write(&compose_env).map_err(|cause| {
                Error::step(format!("the release cannot be written to {folder}")).caused_by(cause)
            })?;
            self.record.write(&self.layout)
        })
    }

    fn assume(&self) {}

    fn summary(&self, (): &()) -> Summary {
        Summary::line(self.record.id.as_str())
    }
}

/// In this process: what has become of a release, in its record. One of which nothing has
/// become yet is written again: whether the disk takes what will be said of it.
#[derive(Debug)]
pub struct MarkRelease {
    layout: Layout,
    record: Record,
}

impl MarkRelease {
    /// Writes the record as it is now.
    pub fn new(layout: &Layout, record: Record) -> Self {
        Self { layout: layout.clone(), record }
    }
}

impl Step for MarkRelease {
    type Output = ();

    fn label(&self) -> String {
        match self.record.fate {
            Fate::Begun => "room for the record".into(),
            Fate::Live { .. } | Fate::Undone { .. } => "record".into(),
        }
    }

    fn action(&self) -> Action<'_, ()> {
        let what = format!("write the record of {}", self.record.id);
        Action::work(what, || self.record.write(&self.layout))
    }

    fn assume(&self) {}

    fn summary(&self, (): &()) -> Summary {
        Summary::line(match &self.record.fate {
            Fate::Begun => "there is".to_owned(),
            Fate::Live { .. } => format!("{} is live", self.record.id),
            Fate::Undone { reason } => format!("undone: {reason}"),
        })
    }
}

/// In this process: takes a release's folder away.
#[derive(Debug)]
pub struct RemoveRelease {
    folder: Utf8PathBuf,
}

impl RemoveRelease {
    /// Removes this folder.
    pub fn new(folder: impl Into<Utf8PathBuf>) -> Self {
        Self { folder: folder.into() }
    }
}

impl Step for RemoveRelease {
    type Output = ();

    fn label(&self) -> String {
        format!("remove {}", self.folder.file_name().unwrap_or_default())
    }

    fn action(&self) -> Action<'_, ()> {
        Action::work(format!("remove {}", self.folder), || {
            remove_tree(&self.folder).map_err(|cause| {
                Error::step(format!("{} cannot be removed", self.folder)).caused_by(cause)
            })
        })
    }

    fn assume(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{settings::Policy, steps::testing::check};

    fn layout() -> Layout {
        Layout::new(&"production".parse().unwrap(), &Policy::default())
    }

    fn record() -> Record {
        serde_json::from_str(
            r#"{"id":"20261124T081500Z-0123456789ab",
            "revision":"0123456789abcdef0123456789abcdef01234567",
            "image":"ghcr.io/talia/backend",
            "digest":"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            "slot":"green","by":"ana","began_ms":1,"fate":"begun"}"#,
        )
        .unwrap()
    }

    #[test]
    fn read_records_minimal() {
        check("read_records__minimal", &ReadRecords::new(&layout()));
    }

    #[test]
    fn write_release_minimal() {
        let step = WriteRelease::new(&layout(), record(), ServerFiles::default(), "{}");
        check("write_release__minimal", &step);
    }

    #[test]
    fn mark_release_minimal() {
        check("mark_release__minimal", &MarkRelease::new(&layout(), record()));
    }

    #[test]
    fn remove_release_minimal() {
        check("remove_release__minimal", &RemoveRelease::new("/opt/talia-backend/releases/1"));
    }

    #[test]
    fn a_release_is_written_whole_private_and_again() {
        let root = std::env::temp_dir().join(format!("talia-write-{}", std::process::id()));
        let root = Utf8PathBuf::from_path_buf(root).unwrap();
        let layout = layout().below(&root);
        fs::create_dir_all(layout.folder()).unwrap();
        let files = ServerFiles {
            compose: b"services: {}".to_vec(),
            env: b"A=se$cret".to_vec(),
            env_path: layout.release(&record().id).join("env.original"),
            ..ServerFiles::default()
        };
        for _ in 0..2 {
            let step = WriteRelease::new(&layout, record(), files.clone(), "{}");
            let Action::Work { work, .. } = step.action() else { unreachable!("it is work") };
            work().unwrap();
        }
        let folder = layout.release(&record().id);
        let mode = |path: &Utf8Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&folder.join(".env"))), (0o700, 0o600));
        assert_eq!(fs::read_to_string(folder.join(".env")).unwrap(), "A=\"se\\$cret\"\n");
        assert_eq!(Records::read(&layout).unwrap().all[0].fate, Fate::Begun);
        assert_eq!(ServerFiles::of_release(&folder).unwrap(), files);
        fs::remove_dir_all(root).unwrap();
    }
}
