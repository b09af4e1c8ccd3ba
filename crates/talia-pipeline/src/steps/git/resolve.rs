use camino::Utf8PathBuf;

use crate::{
    error::Error,
    step::{Action, Step, Summary},
};

use super::{ancestor::FETCH, git};

/// Observation: the full hash of a commit that is named in any of git's ways.
///
/// `git rev-parse --verify --quiet --end-of-options REVISION^{commit}`. Accepts exit
/// 0; 1 and 128 are a usage error that tells how to fetch it. Changes nothing.
///
/// Source: git's manual, *git-rev-parse*, *gitrevisions*.
///
/// ```
/// use talia_pipeline::{Step, steps::git::ResolveRevision};
///
/// assert_eq!(ResolveRevision::new("/srv/app", "main").label(), "which commit is main");
/// ```
#[derive(Debug, Clone)]
pub struct ResolveRevision {
    root: Utf8PathBuf,
    revision: String,
}

impl ResolveRevision {
    /// Of this revision in the repository at `root`.
    pub fn new(root: impl Into<Utf8PathBuf>, revision: impl Into<String>) -> Self {
        Self { root: root.into(), revision: revision.into() }
    }
}

impl Step for ResolveRevision {
    type Output = String;

    fn label(&self) -> String {
        format!("which commit is {}", self.revision)
    }

    fn action(&self) -> Action<'_, String> {
        let line = git(&self.root)
            .args(["rev-parse", "--verify", "--quiet", "--end-of-options"])
            // A tag stands for the commit that it names.
            .arg(format!("{}^{{commit}}", self.revision))
            .accept([0, 1, 128])
            .purpose("which commit is meant");
        Action::command(line, |answer| {
            if answer.exit() != 0 {
                let said = answer.last_lines(1).concat();
                let why = if said.is_empty() { String::new() } else { format!(" ({said})") };
                let message = format!("there is no commit {:?} in this clone{why}", self.revision);
                return Err(Error::usage(message).hint(FETCH));
            }
            let hash = answer.stdout().trim().to_owned();
            let is_hash = hash.len() >= 40 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
            if is_hash { Ok(hash) } else { Err(answer.unreadable("a commit's hash")) }
        })
    }

    fn assume(&self) -> String {
        crate::hole::named("revision")
    }

    fn summary(&self, hash: &String) -> Summary {
        Summary::line(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Answer, ErrorKind, steps::testing::check};

    #[test]
    fn resolve_revision_minimal() {
        check("resolve_revision__minimal", &ResolveRevision::new("/srv/app", "HEAD"));
    }

    #[test]
    fn resolve_revision_tag() {
        check("resolve_revision__tag", &ResolveRevision::new("/srv/app", "v1.0"));
    }

    #[test]
    fn resolve_revision_hostile() {
        let step = ResolveRevision::new("/srv/it's\n-a", "--help $(id) 'ä'");
        check("resolve_revision__hostile", &step);
    }

    #[test]
    fn only_a_hash_is_an_answer() {
        let step = ResolveRevision::new("/srv/app", "x");
        let read = |exit, text: &str| {
            let Action::Command { read, .. } = step.action() else {
                unreachable!("it is a command")
            };
            read(&Answer::new(exit, text, ""))
        };
        let hash = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(read(0, &format!("{hash}\n")).ok().as_deref(), Some(hash));
        assert!(read(0, "--help\n").is_err());
        assert_eq!(read(1, "").expect_err("it is not there").kind(), ErrorKind::Usage);
    }
}
