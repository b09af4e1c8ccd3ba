//! The files that a service runs with, as steps.

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    error::{Error, Result},
    files,
    server::{Drift, Layout, PushedFile, ServerFiles, drift},
    step::{Action, Step, Summary},
};

/// In this process: compose file and `.env` on the server, and what was edited there
/// since it was pushed.
#[derive(Debug)]
pub struct ReadFiles {
    layout: Layout,
}

impl ReadFiles {
    /// Reads those of this environment.
    pub fn new(layout: &Layout) -> Self {
        Self { layout: layout.clone() }
    }
}

impl Step for ReadFiles {
    type Output = ServerFiles;

    fn label(&self) -> String {
        "files".into()
    }

    fn action(&self) -> Action<'_, ServerFiles> {
        let what = format!("read compose file and .env in {}", self.layout.folder());
        Action::read(what, || ServerFiles::read(&self.layout))
    }

    fn assume(&self) -> ServerFiles {
        ServerFiles::default()
    }

    fn summary(&self, files: &ServerFiles) -> Summary {
        let told: Vec<String> = files.drift.iter().map(Drift::told).collect();
        Summary::line(if told.is_empty() { "as pushed".to_owned() } else { told.join("; ") })
    }
}

/// In this process: what was edited on the server since it was pushed.
#[derive(Debug)]
pub struct ReadDrift {
    layout: Layout,
}

impl ReadDrift {
    /// Compares the files of this environment with what was pushed.
    pub fn new(layout: &Layout) -> Self {
        Self { layout: layout.clone() }
    }
}

impl Step for ReadDrift {
    type Output = Vec<Drift>;

    fn label(&self) -> String {
        "drift".into()
    }

    fn action(&self) -> Action<'_, Vec<Drift>> {
        let what = format!("compare the files with {}", self.layout.pushed());
        Action::read(what, || drift(&self.layout))
    }

    fn assume(&self) -> Vec<Drift> {
        Vec::new()
    }

    fn summary(&self, drift: &Vec<Drift>) -> Summary {
        Summary::line(format!("{} files", drift.len()))
    }
}

/// In this process: the files that a release has run with.
#[derive(Debug)]
pub struct ReadReleaseFiles {
    folder: Utf8PathBuf,
}

impl ReadReleaseFiles {
    /// Reads those in this release's folder.
    pub fn new(folder: impl Into<Utf8PathBuf>) -> Self {
        Self { folder: folder.into() }
    }
}

impl Step for ReadReleaseFiles {
    type Output = ServerFiles;

    fn label(&self) -> String {
        format!("files of {}", self.folder.file_name().unwrap_or_default())
    }

    fn action(&self) -> Action<'_, ServerFiles> {
        Action::read(format!("read compose file and .env in {}", self.folder), || {
            ServerFiles::of_release(&self.folder)
        })
    }

    fn assume(&self) -> ServerFiles {
        ServerFiles::default()
    }
}

/// In this process: puts a file on the server on purpose: the old one is kept beside
/// it, the new one is written whole or not at all, and a copy tells it from what is
/// edited by hand later.
#[derive(Debug)]
pub struct PushFile {
    layout: Layout,
    file: PushedFile,
    content: Vec<u8>,
    now_ms: u64,
}

impl PushFile {
    /// Writes this content; `now_ms` names the copy of what was there.
    pub fn new(layout: &Layout, file: PushedFile, content: Vec<u8>, now_ms: u64) -> Self {
        Self { layout: layout.clone(), file, content, now_ms }
    }

    fn push(&self) -> std::io::Result<()> {
        let path = self.file.path(&self.layout);
        let mode = self.file.mode();
        if let Ok(old) = std::fs::read(&path)
            && old != self.content
        {
            let name = format!("{}.{}", self.file.name(), self.now_ms);
            let before = self.layout.pushed().join("before");
            files::write_atomically_as(&before.join(name), &old, mode)?;
            self.forget(&before)?;
        }
        files::write_atomically_as(&path, &self.content, mode)?;
        files::write_atomically_as(&self.file.pushed(&self.layout), &self.content, mode)
    }
}

/// How many earlier ones of a file are kept: a `.env` holds secrets that are secrets still.
const KEPT: usize = 5;

impl PushFile {
    /// Removes all but the last few earlier ones.
    fn forget(&self, before: &Utf8Path) -> std::io::Result<()> {
        let at_ms = |path: &Utf8PathBuf| {
            let rest = path.file_name()?.strip_prefix(self.file.name())?.strip_prefix('.')?;
            rest.parse::<u64>().ok()
        };
        let entries = before.read_dir_utf8()?.flatten().map(|entry| entry.path().to_owned());
        let mut own: Vec<_> = entries.filter_map(|path| Some((at_ms(&path)?, path))).collect();
        own.sort();
        let more = own.len().saturating_sub(KEPT);
        own.iter().take(more).try_for_each(|(_, path)| std::fs::remove_file(path))
    }
}

impl Step for PushFile {
    type Output = ();

    fn label(&self) -> String {
        format!("push {}", self.file.name())
    }

    fn action(&self) -> Action<'_, ()> {
        let path = self.file.path(&self.layout);
        Action::work(format!("write {path}"), move || {
            self.push()
                .map_err(|cause| Error::step(format!("{path} cannot be written")).caused_by(cause))
        })
    }

    fn assume(&self) {}

    fn summary(&self, (): &()) -> Summary {
        Summary::line(format!("{} bytes", self.content.len()))
    }
}

/// In this process: takes the files that a release runs with for what was pushed, and
/// the site as it is where that was accepted or never pushed.
#[derive(Debug)]
pub struct KeepPushed {
    layout: Layout,
    files: ServerFiles,
}

impl KeepPushed {
    /// Takes these, of this environment.
    pub fn new(layout: &Layout, files: &ServerFiles) -> Self {
        Self { layout: layout.clone(), files: files.clone() }
    }

    /// What counts as pushed from now on; `None` where the copy stays as it is.
    fn content(&self, file: PushedFile) -> Option<Option<Vec<u8>>> {
        match file {
            PushedFile::Compose => Some(Some(self.files.compose.clone())),
            PushedFile::Override => Some(self.files.extra.clone()),
            PushedFile::Env => Some(Some(self.files.env.clone())),
            PushedFile::Site => {
                let accepted = self.files.drift.iter().any(|drift| drift.file == file);
                let is_new = !file.pushed(&self.layout).exists();
                (accepted || is_new).then(|| std::fs::read(file.path(&self.layout)).ok())
            }
        }
    }

    fn keep(&self) -> Result<()> {
        for file in PushedFile::ALL {
            let Some(content) = self.content(file) else { continue };
            let copy = file.pushed(&self.layout);
            let kept = match content {
                Some(now) if std::fs::read(&copy).is_ok_and(|before| before == now) => Ok(()),
                Some(now) => files::write_atomically_as(&copy, &now, file.mode()),
                None => files::remove_if_there(&copy),
            };
            kept.map_err(|cause| {
                Error::step(format!("the copy {copy} cannot be kept")).caused_by(cause)
            })?;
        }
        Ok(())
    }
}

impl Step for KeepPushed {
    type Output = ();

    fn label(&self) -> String {
        "keep the files".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let what = format!("copy the release's files to {}", self.layout.pushed());
        Action::work(what, || self.keep())
    }

    fn assume(&self) {}
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;
    use crate::{settings::Policy, steps::testing::check};

    fn layout() -> Layout {
        Layout::new(&"production".parse().unwrap(), &Policy::default())
    }

    #[test]
    fn read_files_minimal() {
        check("read_files__minimal", &ReadFiles::new(&layout()));
    }

    #[test]
    fn read_release_files_minimal() {
        let step = ReadReleaseFiles::new("/opt/talia-backend/releases/1");
        check("read_release_files__minimal", &step);
    }

    #[test]
    fn push_file_minimal() {
        let step = PushFile::new(&layout(), PushedFile::Env, b"A=1".to_vec(), 0);
        check("push_file__minimal", &step);
    }

    #[test]
    fn read_drift_minimal() {
        check("read_drift__minimal", &ReadDrift::new(&layout()));
    }

    #[test]
    fn keep_pushed_minimal() {
        check("keep_pushed__minimal", &KeepPushed::new(&layout(), &ServerFiles::default()));
    }

    #[test]
    fn a_few_earlier_ones_are_kept_and_no_more() {
        let root = std::env::temp_dir().join(format!("talia-pushed-{}", std::process::id()));
        let root = Utf8PathBuf::from_path_buf(root).unwrap();
        let layout = layout().below(&root);
        let push = |file: PushedFile, text: String, at_ms: u64| {
            PushFile::new(&layout, file, text.into_bytes(), at_ms).push().unwrap();
        };
        for number in 8..20 {
            push(PushedFile::Env, format!("A={number}"), number);
        }
        push(PushedFile::Compose, "a".to_owned(), 1);
        push(PushedFile::Compose, "b".to_owned(), 2);
        let before = layout.pushed().join("before");
        let mut kept: Vec<String> =
            before.read_dir_utf8().unwrap().map(|one| one.unwrap().file_name().into()).collect();
        kept.sort();
        let env = (15..20).map(|number| format!(".env.{number}"));
        assert_eq!(kept, env.chain(["docker-compose.yml.2".to_owned()]).collect::<Vec<_>>());
        assert_eq!(fs::read_to_string(before.join(".env.19")).unwrap(), "A=18");
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn what_is_edited_on_the_server_is_drift_until_it_is_kept() {
        let root = std::env::temp_dir().join(format!("talia-drift-{}", std::process::id()));
        let root = Utf8PathBuf::from_path_buf(root).unwrap();
        let layout = layout().below(&root);
        fs::create_dir_all(layout.folder()).unwrap();
        fs::write(layout.compose_file(), "a").unwrap();
        assert!(ServerFiles::read(&layout).is_err(), "there is no .env");
        fs::write(layout.env_file(), "b").unwrap();
        assert_eq!(ServerFiles::read(&layout).unwrap().drift, []);
        let keep =
            || KeepPushed::new(&layout, &ServerFiles::read(&layout).unwrap()).keep().unwrap();
        keep();
        fs::write(layout.env_file(), "c").unwrap();
        fs::write(layout.compose_override(), "d").unwrap();
        let drift = ServerFiles::read(&layout).unwrap().drift;
        let told: Vec<String> = drift.iter().map(Drift::told).collect();
        assert!(told[0].ends_with("compose.override.yml was edited on the server"), "{told:?}");
        assert!(told[1].ends_with(".env was edited on the server"), "{told:?}");
        keep();
        fs::remove_file(layout.compose_override()).unwrap();
        assert!(ServerFiles::read(&layout).unwrap().drift[0].is_gone);
        let mode = fs::metadata(PushedFile::Env.pushed(&layout)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::remove_dir_all(root).unwrap();
    }
}
