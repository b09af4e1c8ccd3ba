use camino::Utf8PathBuf;

use crate::{
    error::Error,
    step::{Action, Step, Summary},
};

use super::git;

/// What helps where a commit is not in the clone.
pub(super) const FETCH: &str = "fetch it: `git fetch origin`; a shallow clone does not hold it: \
                                `git fetch --unshallow`, or `fetch-depth: 0` for actions/checkout";

/// Observation: whether one commit is an ancestor of another, or the same.
///
/// `git merge-base --is-ancestor -- A B`. Accepts exit 0 (yes), 1 (no) and 128, a
/// commit that the clone does not have: a usage error that tells how to fetch it.
/// Changes nothing.
///
/// Source: git's manual, *git-merge-base*.
///
/// ```
/// use talia_pipeline::{Step, steps::git::Ancestor};
///
/// let step = Ancestor::new("/srv/app", "12ab", "main");
/// assert_eq!(step.label(), "whether 12ab is in main");
/// ```
#[derive(Debug, Clone)]
pub struct Ancestor {
    root: Utf8PathBuf,
    ancestor: String,
    of: String,
}

impl Ancestor {
    /// Whether `ancestor` is one of `of`, in the repository at `root`.
    pub fn new(
        root: impl Into<Utf8PathBuf>,
        ancestor: impl Into<String>,
        of: impl Into<String>,
    ) -> Self {
        Self { root: root.into(), ancestor: ancestor.into(), of: of.into() }
    }
}

impl Step for Ancestor {
    type Output = bool;

    fn label(&self) -> String {
        format!("whether {} is in {}", self.ancestor, self.of)
    }

    fn action(&self) -> Action<'_, bool> {
        let line = git(&self.root)
            .args(["merge-base", "--is-ancestor"])
            .operand(&self.ancestor)
            .operand(&self.of)
            .accept([0, 1, 128])
            .purpose("whether one commit contains the other");
        Action::command(line, |answer| match answer.exit() {
            0 => Ok(true),
            1 => Ok(false),
            _ => Err(Error::usage(format!(
                "git cannot tell whether {} is in {}: {}",
                self.ancestor,
                self.of,
                answer.last_lines(1).concat()
            ))
            .hint(FETCH)),
        })
    }

    fn assume(&self) -> bool {
        true
    }

    fn summary(&self, is: &bool) -> Summary {
        Summary::line(if *is { "yes" } else { "no" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Answer, ErrorKind, steps::testing::check};

    #[test]
    fn ancestor_minimal() {
        check("ancestor__minimal", &Ancestor::new("/srv/app", "12ab", "main"));
    }

    #[test]
    fn ancestor_hole() {
        let live = crate::hole::named("live revision");
        check("ancestor__hole", &Ancestor::new("/srv/app", live, "origin/main"));
    }

    #[test]
    fn ancestor_hostile() {
        check("ancestor__hostile", &Ancestor::new("/it's\n", "--all $(id)", "-x ä"));
    }

    #[test]
    fn the_exit_is_the_answer() {
        let step = Ancestor::new("/srv/app", "a", "b");
        let ended = |exit| {
            let Action::Command { read, .. } = step.action() else {
                unreachable!("it is a command")
            };
            read(&Answer::new(exit, "", "fatal: Not a valid commit name a"))
        };
        assert_eq!(ended(0).ok(), Some(true));
        assert_eq!(ended(1).ok(), Some(false));
        let error = ended(128).expect_err("it is not there");
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.hint_text().is_some_and(|hint| hint.contains("--unshallow")));
    }
}
