//! Which commits lie between two revisions.

use camino::Utf8PathBuf;
use serde::Serialize;

use crate::step::{Action, Step, Summary};

use super::git;

/// A commit in a list.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct Commit {
    /// Its full hash.
    pub hash: String,
    /// The first line of its message.
    pub subject: String,
}

/// `git log -z --format=%H%n%s --end-of-options BASE..HEAD --`: what `HEAD` has and
/// `BASE` has not, newest first. What a deploy would bring.
///
/// Accepts exit 0. Changes nothing. Fails when a revision is not in the clone.
///
/// Source: git's manual, *git-log*.
///
/// ```
/// use talia_pipeline::{Step, steps::git::commits::CommitsBetween};
///
/// let step = CommitsBetween::new("/srv/app", "12ab34", "main");
/// assert_eq!(step.label(), "commits from 12ab34 to main");
/// ```
#[derive(Debug)]
pub struct CommitsBetween {
    root: Utf8PathBuf,
    base: String,
    head: String,
}

impl CommitsBetween {
    /// The commits of `head` that `base` has not, in the repository at `root`.
    pub fn new(
        root: impl Into<Utf8PathBuf>,
        base: impl Into<String>,
        head: impl Into<String>,
    ) -> Self {
        Self { root: root.into(), base: base.into(), head: head.into() }
    }
}

impl Step for CommitsBetween {
    type Output = Vec<Commit>;

    fn label(&self) -> String {
        format!("commits from {} to {}", self.base, self.head)
    }

    fn action(&self) -> Action<'_, Self::Output> {
        let line = git(&self.root)
            .args(["log", "-z", "--format=%H%n%s", "--end-of-options"])
            .arg(format!("{}..{}", self.base, self.head))
            .arg("--")
            .stdout_is_data()
            .purpose("what a deploy would bring");
        Action::command(line, |answer| {
            let said = answer.stdout();
            let commits = said.split('\0').filter(|commit| !commit.is_empty()).map(|commit| {
                let (hash, subject) = commit.split_once('\n').unwrap_or((commit, ""));
                Commit { hash: hash.to_owned(), subject: subject.trim_end().to_owned() }
            });
            Ok(commits.collect())
        })
    }

    fn assume(&self) -> Self::Output {
        Vec::new()
    }

    fn summary(&self, commits: &Self::Output) -> Summary {
        Summary::line(match commits.len() {
            1 => "1 commit".to_owned(),
            count => format!("{count} commits"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Answer, steps::testing::check};

    #[test]
    fn commits_between_minimal() {
        check("commits_between__minimal", &CommitsBetween::new("/srv/app", "12ab34", "main"));
    }

    #[test]
    fn commits_between_tags() {
        check("commits_between__tags", &CommitsBetween::new("/srv/app", "v1.0", "v1.1"));
    }

    #[test]
    fn commits_between_hostile() {
        let step = CommitsBetween::new("/srv/it's\n-a $b", "--output=x", "a b");
        check("commits_between__hostile", &step);
    }

    #[test]
    fn commits_are_read_newest_first() {
        let step = CommitsBetween::new("/srv/app", "a", "b");
        let Action::Command { read, .. } = step.action() else { unreachable!("it is a command") };
        let commits =
            read(&Answer::new(0, "22\nMend it\n\x0011\nAdd it\n\0", "")).expect("two commits");
        let told: Vec<_> = commits.iter().map(|c| (c.hash.as_str(), c.subject.as_str())).collect();
        assert_eq!(told, [("22", "Mend it"), ("11", "Add it")]);
        assert_eq!(read_none(), []);
    }

    fn read_none() -> Vec<Commit> {
        let step = CommitsBetween::new("/srv/app", "a", "a");
        let Action::Command { read, .. } = step.action() else { unreachable!("it is a command") };
        read(&Answer::new(0, "", "")).expect("no commit")
    }
}
