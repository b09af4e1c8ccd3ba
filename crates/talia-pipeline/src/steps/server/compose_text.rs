//! What only the text of a compose file tells, and a place to try one in.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    error::{Error, Result},
    files,
    parse::compose::hidden,
    server::{PushedFile, Record, ServerFiles, compose_env},
    step::{Action, Step, Summary},
};

use super::Compose;

/// In this process: what stands in a project's files and is gone from what Compose
/// shows of them, such as `include`.
#[derive(Debug)]
pub struct ComposeText {
    paths: Vec<Utf8PathBuf>,
}

impl ComposeText {
    /// Reads the files of this project that somebody has written. What the agent adds
    /// itself has escapes in the values of `.env`, and says nothing that it does not mean.
    pub fn new(compose: &Compose) -> Self {
        let is_own = |path: &Utf8PathBuf| path.file_name() == Some(Record::SLOT_FILE);
        Self { paths: compose.paths().filter(|path| !is_own(path)).collect() }
    }
}

fn read(path: &Utf8Path) -> Result<Vec<String>> {
    let bytes = fs::read(path)
        .map_err(|cause| Error::preflight(format!("{path} cannot be read")).caused_by(cause))?;
    let name = path.file_name().unwrap_or_default();
    // YAML may be UTF-16 as well, where none of this would be seen.
    let Some(text) = String::from_utf8(bytes).ok().filter(|text| !text.contains('\0')) else {
        return Ok(vec![format!("{name} is not UTF-8")]);
    };
    Ok(hidden(&text).into_iter().map(|fault| format!("{name}, {fault}")).collect())
}

impl Step for ComposeText {
    type Output = Vec<String>;

    fn label(&self) -> String {
        "compose file, its text".into()
    }

    fn action(&self) -> Action<'_, Vec<String>> {
        let paths: Vec<&str> = self.paths.iter().map(|path| path.as_str()).collect();
        Action::read(format!("read {}", paths.join(" and ")), || {
            let found: Result<Vec<_>> = self.paths.iter().map(|path| read(path)).collect();
            Ok(found?.concat())
        })
    }

    fn assume(&self) -> Vec<String> {
        Vec::new()
    }

    fn summary(&self, faults: &Vec<String>) -> Summary {
        Summary::line(if faults.is_empty() { "nothing hidden".into() } else { faults.join("; ") })
    }
}

/// In this process: a folder with the files of a release that nobody has made, as
/// Compose would get them. Root's alone, because `.env` holds secrets.
#[derive(Debug)]
pub struct WriteScratch {
    folder: Utf8PathBuf,
    files: ServerFiles,
}

impl WriteScratch {
    /// Writes these files; what the folder holds already is removed.
    pub fn new(folder: impl Into<Utf8PathBuf>, files: ServerFiles) -> Self {
        Self { folder: folder.into(), files }
    }

    fn write(&self, compose_env: &str) -> std::io::Result<()> {
        remove(&self.folder)?;
        let put = |file: PushedFile, content: &[u8]| {
            files::write_atomically_as(&self.folder.join(file.name()), content, 0o600)
        };
        put(PushedFile::Compose, &self.files.compose)?;
        if let Some(extra) = &self.files.extra {
            put(PushedFile::Override, extra)?;
        }
        put(PushedFile::Env, compose_env.as_bytes())
    }
}

impl Step for WriteScratch {
    type Output = ();

    fn label(&self) -> String {
        "write to try".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let folder = &self.folder;
        Action::work(format!("write the compose file and what belongs to it to {folder}"), || {
            let compose_env = compose_env(&self.files.env)?;
            self.write(&compose_env).map_err(|cause| {
                Error::step(format!("{} cannot be written", self.folder)).caused_by(cause)
            })
        })
    }

    fn assume(&self) {}
}

/// In this process: takes such a folder away again.
#[derive(Debug)]
pub struct RemoveScratch {
    folder: Utf8PathBuf,
}

impl RemoveScratch {
    /// Removes this folder.
    pub fn new(folder: impl Into<Utf8PathBuf>) -> Self {
        Self { folder: folder.into() }
    }
}

fn remove(folder: &Utf8Path) -> std::io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

impl Step for RemoveScratch {
    type Output = ();

    fn label(&self) -> String {
        "remove what was tried".into()
    }

    fn action(&self) -> Action<'_, ()> {
        Action::work(format!("remove {}", self.folder), || {
            remove(&self.folder).map_err(|cause| {
                Error::step(format!("{} cannot be removed", self.folder)).caused_by(cause)
            })
        })
    }

    fn assume(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    #[test]
    fn compose_text_minimal() {
        let compose = Compose::new("talia-production-blue", "/opt/talia-backend");
        check("compose_text__minimal", &ComposeText::new(&compose));
    }

    #[test]
    fn what_the_agent_adds_is_not_read() {
        let compose = Compose::new("talia-production-blue", "/opt/talia-backend");
        let with = compose.clone().with(Record::SLOT_FILE);
        assert_eq!(ComposeText::new(&with).paths, ComposeText::new(&compose).paths);
    }

    #[test]
    fn write_scratch_minimal() {
        let step = WriteScratch::new("/var/lib/talia/production/state/try", ServerFiles::default());
        check("write_scratch__minimal", &step);
    }

    #[test]
    fn remove_scratch_minimal() {
        check(
            "remove_scratch__minimal",
            &RemoveScratch::new("/var/lib/talia/production/state/try"),
        );
    }

    #[test]
    fn a_file_that_is_no_utf_8_is_told() {
        let root = std::env::temp_dir().join(format!("talia-text-{}", std::process::id()));
        let root = Utf8PathBuf::from_path_buf(root).unwrap();
        let files = ServerFiles {
            compose: b"\xff\xfei\0n\0".to_vec(),
            extra: Some(b"x: 1\ninclude: y\n".to_vec()),
            env: b"A=x$y".to_vec(),
            ..ServerFiles::default()
        };
        WriteScratch::new(&root, files).write("A=\"x\\$y\"\n").unwrap();
        let compose = Compose::new("x", &root).with(PushedFile::Override.name());
        let told: Vec<String> = compose.paths().flat_map(|path| read(&path).unwrap()).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        remove(&root).unwrap();
        remove(&root).unwrap();
    }
}
