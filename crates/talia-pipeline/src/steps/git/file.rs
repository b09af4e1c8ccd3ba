use camino::Utf8PathBuf;

use crate::{
    error::Error,
    step::{Action, Step, Summary},
};

use super::git;

/// How large a file may be.
const FILE_BYTES: usize = 1 << 20;

/// Observation: a text file as a commit has it, whatever the tree looks like.
///
/// - Command: `git cat-file blob REVISION:./PATH`, in the folder that the path is
///   relative to.
/// - Exits: 0; 128 where the commit has no such file, which gives `None`.
/// - Touches: nothing. At most 1 MiB.
/// - Source: git's manual, *git-cat-file*, *gitrevisions*.
///
/// ```
/// use talia_pipeline::{Step, steps::git::CommittedFile};
///
/// let step = CommittedFile::new("/srv/app", "12ab", "Dockerfile");
/// assert_eq!(step.label(), "Dockerfile of 12ab");
/// ```
#[derive(Debug, Clone)]
pub struct CommittedFile {
    folder: Utf8PathBuf,
    revision: String,
    path: Utf8PathBuf,
}

impl CommittedFile {
    /// Of this commit, by its full hash; `path` is relative to `folder`.
    pub fn new(
        folder: impl Into<Utf8PathBuf>,
        revision: impl Into<String>,
        path: impl Into<Utf8PathBuf>,
    ) -> Self {
        Self { folder: folder.into(), revision: revision.into(), path: path.into() }
    }
}

impl Step for CommittedFile {
    type Output = Option<String>;

    fn label(&self) -> String {
        format!("{} of {}", self.path, self.revision)
    }

    fn action(&self) -> Action<'_, Self::Output> {
        let line = git(&self.folder)
            .args(["cat-file", "blob", "--end-of-options"])
            .arg(format!("{}:./{}", self.revision, self.path))
            .accept([0, 128])
            .capture_bytes(FILE_BYTES)
            .stdout_is_data()
            .purpose("a file as the commit has it");
        Action::command(line, |answer| {
            if answer.is_truncated() {
                return Err(Error::step(format!("{} has more than 1 MiB", self.path)));
            }
            Ok((answer.exit() == 0).then(|| answer.stdout().into_owned()))
        })
    }

    fn assume(&self) -> Self::Output {
        None
    }

    fn summary(&self, text: &Self::Output) -> Summary {
        Summary::line(match text {
            Some(text) => format!("{} lines", text.lines().count()),
            None => "not there".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Answer, steps::testing::check};

    #[test]
    fn committed_file_minimal() {
        check("committed_file__minimal", &CommittedFile::new("/srv/app", "12ab", "Dockerfile"));
    }

    #[test]
    fn committed_file_above() {
        check("committed_file__above", &CommittedFile::new("/srv/app", "12ab", "../infra/Docker"));
    }

    #[test]
    fn committed_file_hostile() {
        let step = CommittedFile::new("/it's\n", "--batch", "$(id) \"ä\"");
        check("committed_file__hostile", &step);
    }

    #[test]
    fn a_file_that_is_not_there_is_an_answer() {
        let step = CommittedFile::new("/srv/app", "12ab", "Dockerfile");
        let read = |answer: Answer| {
            let Action::Command { read, .. } = step.action() else {
                unreachable!("it is a command")
            };
            read(&answer)
        };
        assert_eq!(
            read(Answer::new(0, "FROM x\n", "")).ok().flatten().as_deref(),
            Some("FROM x\n")
        );
        assert_eq!(read(Answer::new(128, "", "fatal: x")).ok(), Some(None));
        assert!(read(Answer::new(0, "x", "").truncated(true)).is_err());
    }
}
