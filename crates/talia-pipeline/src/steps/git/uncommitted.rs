use camino::Utf8PathBuf;

use crate::{
    error::Error,
    parse::git_status::{self, StatusEntry},
    step::{Action, Step, Summary},
};

use super::git;

/// How much may be said: a path for every file.
const STATUS_BYTES: usize = 64 << 20;

/// Observation: everything in a folder that is not as the commit has it, ignored files
/// included.
///
/// - Command: `git status --porcelain=v1 -z --untracked-files=all --ignored=matching
///   --no-renames --ignore-submodules=none -- FOLDER`, in the repository's top folder.
///   Options are named that a user's configuration could change.
/// - Exits: 0.
/// - Touches: nothing.
/// - Answers the paths from the repository's top. An ignored folder is one entry, even
///   where it is above the folder.
/// - Source: git's manual, *git-status*.
///
/// ```
/// use talia_pipeline::{Step, steps::git::Uncommitted};
///
/// let step = Uncommitted::new("/srv/app", "landing");
/// assert_eq!(step.label(), "what is not committed in landing");
/// ```
#[derive(Debug, Clone)]
pub struct Uncommitted {
    root: Utf8PathBuf,
    folder: Utf8PathBuf,
}

impl Uncommitted {
    /// In this folder of the repository whose top folder is `root`; `.` for all of it.
    pub fn new(root: impl Into<Utf8PathBuf>, folder: impl Into<Utf8PathBuf>) -> Self {
        Self { root: root.into(), folder: folder.into() }
    }
}

impl Step for Uncommitted {
    type Output = Vec<StatusEntry>;

    fn label(&self) -> String {
        format!("what is not committed in {}", self.folder)
    }

    fn action(&self) -> Action<'_, Self::Output> {
        let line = git(&self.root)
            .args(["status", "--porcelain=v1", "-z", "--untracked-files=all"])
            .args(["--ignored=matching", "--no-renames", "--ignore-submodules=none"])
            // A path is one path: `:(glob)` and its relatives mean nothing.
            .env("GIT_LITERAL_PATHSPECS", "1")
            .operand(self.folder.as_str())
            .capture_bytes(STATUS_BYTES)
            .stdout_is_data()
            .purpose("what differs from the commit");
        Action::command(line, |answer| {
            if answer.is_truncated() {
                return Err(Error::step("git status says more than 64 MiB"));
            }
            git_status::read(answer.stdout_bytes())
        })
    }

    fn assume(&self) -> Self::Output {
        Vec::new()
    }

    fn summary(&self, entries: &Self::Output) -> Summary {
        Summary::line(match entries.len() {
            0 => "all of it is committed".to_owned(),
            1 => "1 entry".to_owned(),
            count => format!("{count} entries"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    #[test]
    fn uncommitted_minimal() {
        check("uncommitted__minimal", &Uncommitted::new("/srv/app", "landing"));
    }

    #[test]
    fn uncommitted_everywhere() {
        check("uncommitted__everywhere", &Uncommitted::new("/srv/app", "."));
    }

    #[test]
    fn uncommitted_hostile() {
        check("uncommitted__hostile", &Uncommitted::new("/srv/it's\n", "--ignored :(glob)* ä"));
    }
}
