//! What a local file says.

use std::{fs::File, io::Read as _};

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    error::{Error, Result},
    landing::TreePath,
    protocol::LandingFile,
    step::{Action, Step},
};

/// Observation: what a file of the source holds, as a server tells it of its own
/// ([`LandingFile`]).
///
/// - In this process: reads the file, unless it is longer than [`LandingFile::LONGEST`].
/// - Touches: nothing.
#[derive(Debug)]
pub struct ReadText {
    source: Utf8PathBuf,
    path: TreePath,
}

impl ReadText {
    /// At this place of this source.
    pub fn new(source: impl Into<Utf8PathBuf>, path: &TreePath) -> Self {
        Self { source: source.into(), path: path.clone() }
    }
}

fn read(file: &Utf8Path) -> std::io::Result<LandingFile> {
    let size = std::fs::symlink_metadata(file)?.len();
    if size > LandingFile::LONGEST {
        return Ok(LandingFile::TooLong { size });
    }
    let mut bytes = Vec::new();
    File::open(file)?.take(LandingFile::LONGEST + 1).read_to_end(&mut bytes)?;
    let size = bytes.len() as u64;
    Ok(match String::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => LandingFile::Text { text },
        _ => LandingFile::Binary { size },
    })
}

impl Step for ReadText {
    type Output = LandingFile;

    fn label(&self) -> String {
        format!("read {}", self.path)
    }

    fn action(&self) -> Action<'_, LandingFile> {
        let file = self.source.join(self.path.as_str());
        Action::read(format!("read {} in {}", self.path, self.source), move || -> Result<_> {
            read(&file).map_err(|cause| {
                Error::step(format!("{} cannot be read", self.path)).caused_by(cause)
            })
        })
    }

    fn assume(&self) -> LandingFile {
        LandingFile::Missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    #[test]
    fn read_text_minimal() {
        check("read_text__minimal", &ReadText::new("/srv/site", &"a b.html".parse().unwrap()));
    }

    #[test]
    fn text_and_bytes_are_told_apart() {
        let folder = std::env::temp_dir().join(format!("talia text {}", std::process::id()));
        let folder = Utf8PathBuf::from_path_buf(folder).unwrap();
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("text"), "é\n").unwrap();
        std::fs::write(folder.join("bytes"), b"\xff\0").unwrap();
        assert_eq!(read(&folder.join("text")).unwrap(), LandingFile::Text { text: "é\n".into() });
        assert_eq!(read(&folder.join("bytes")).unwrap(), LandingFile::Binary { size: 2 });
        assert!(read(&folder.join("none")).is_err());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
