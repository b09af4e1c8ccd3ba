//! Which commit is checked out, when it was made, and whether files differ.

use camino::Utf8PathBuf;

use crate::step::{Action, Step, Summary};

use super::git;

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Revision {
    /// Its full hash.
    pub hash: String,
    /// When it was made, RFC 3339: `2026-11-24T03:36:54+00:00`.
    pub committed_at: String,
}

/// Observation: the commit that is checked out, or another one.
///
/// `git log --max-count=1 --format=%H%n%cI [--end-of-options REVISION --]`. Accepts
/// exit 0; fails outside a repository and before the first commit.
#[derive(Debug)]
pub struct RevisionOf {
    root: Utf8PathBuf,
    revision: Option<String>,
}

impl RevisionOf {
    /// In the repository that holds this folder.
    pub fn new(root: impl Into<Utf8PathBuf>) -> Self {
        Self { root: root.into(), revision: None }
    }

    /// This one, not the one that is checked out.
    #[must_use]
    pub fn named(mut self, revision: impl Into<String>) -> Self {
        self.revision = Some(revision.into());
        self
    }
}

impl Step for RevisionOf {
    type Output = Revision;

    fn label(&self) -> String {
        "revision".into()
    }

    fn action(&self) -> Action<'_, Revision> {
        let line = git(&self.root).args(["log", "--max-count=1", "--format=%H%n%cI"]);
        let line = match &self.revision {
            Some(revision) => line.args(["--end-of-options", revision, "--"]),
            None => line,
        };
        let line = line.purpose("which commit it is, and when it was made");
        Action::command(line, |answer| {
            let said = answer.stdout();
            let mut lines = said.lines();
            match (lines.next(), lines.next()) {
                (Some(hash), Some(at)) if hash.len() >= 40 => {
                    Ok(Revision { hash: hash.to_owned(), committed_at: at.to_owned() })
                }
                _ => Err(answer.unreadable("a commit and its time")),
            }
        })
    }

    fn assume(&self) -> Revision {
        Revision {
            hash: crate::hole::named("revision"),
            committed_at: crate::hole::named("commit time"),
        }
    }

    fn summary(&self, revision: &Revision) -> Summary {
        Summary::line(format!("{} of {}", &revision.hash, revision.committed_at))
    }
}

/// Observation: whether files below a folder differ from the commit.
///
/// `git status --porcelain -- .`. Accepts exit 0. Ignored files do not count.
#[derive(Debug)]
pub struct WorkingTree {
    root: Utf8PathBuf,
}

impl WorkingTree {
    /// Below this folder.
    pub fn new(root: impl Into<Utf8PathBuf>) -> Self {
        Self { root: root.into() }
    }
}

impl Step for WorkingTree {
    /// Whether something differs.
    type Output = bool;

    fn label(&self) -> String {
        "working tree".into()
    }

    fn action(&self) -> Action<'_, bool> {
        let line = git(&self.root)
            .args(["status", "--porcelain"])
            .operand(".")
            .purpose("whether files differ from the commit");
        Action::command(line, |answer| Ok(!answer.stdout_bytes().is_empty()))
    }

    fn assume(&self) -> bool {
        false
    }

    fn summary(&self, differs: &bool) -> Summary {
        Summary::line(if *differs { "differs from the commit" } else { "as committed" })
    }
}

/// Observation: where the repository comes from, without any credentials.
///
/// `git config --get remote.origin.url`. Accepts exit 0; fails where there is
/// no such remote.
#[derive(Debug)]
pub struct Remote {
    root: Utf8PathBuf,
}

impl Remote {
    /// Of the repository that holds this folder.
    pub fn new(root: impl Into<Utf8PathBuf>) -> Self {
        Self { root: root.into() }
    }
}

impl Step for Remote {
    type Output = String;

    fn label(&self) -> String {
        "remote".into()
    }

    fn action(&self) -> Action<'_, String> {
        let line = git(&self.root)
            .args(["config", "--get", "remote.origin.url"])
            .purpose("where the repository comes from");
        Action::command(line, |answer| Ok(without_credentials(answer.stdout().trim())))
    }

    fn assume(&self) -> String {
        crate::hole::named("remote")
    }

    fn summary(&self, remote: &String) -> Summary {
        Summary::line(remote)
    }
}

/// `https://user:token@host/x` without `user:token@`. An ssh user is no secret.
fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let host_end = rest.find('/').unwrap_or(rest.len());
    match rest[..host_end].rfind('@') {
        Some(at) if scheme != "ssh" => format!("{scheme}://{}", &rest[at + 1..]),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    #[test]
    fn credentials_are_taken_out_of_a_remote() {
        let clean = without_credentials;
        assert_eq!(clean("https://me:tok@en@example.org/a@b"), "https://example.org/a@b");
        assert_eq!(clean("https://example.org/a"), "https://example.org/a");
        assert_eq!(clean("ssh://git@example.org/a"), "ssh://git@example.org/a");
        assert_eq!(clean("git@example.org:a/b"), "git@example.org:a/b");
    }

    #[test]
    fn revision_of_minimal() {
        check("revision_of__minimal", &RevisionOf::new("/srv/app"));
    }

    #[test]
    fn revision_of_hostile() {
        check("revision_of__hostile", &RevisionOf::new("/srv/it's\n-a $app"));
    }

    #[test]
    fn revision_of_named() {
        check("revision_of__named", &RevisionOf::new("/srv/app").named("--all $(id)"));
    }

    #[test]
    fn working_tree_minimal() {
        check("working_tree__minimal", &WorkingTree::new("/srv/app"));
    }

    #[test]
    fn working_tree_hostile() {
        check("working_tree__hostile", &WorkingTree::new("/srv/ä b"));
    }

    #[test]
    fn remote_minimal() {
        check("remote__minimal", &Remote::new("/srv/app"));
    }

    #[test]
    fn remote_hostile() {
        check("remote__hostile", &Remote::new("/srv/\"app\""));
    }
}
