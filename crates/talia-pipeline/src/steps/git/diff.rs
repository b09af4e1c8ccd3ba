//! Which lines a change adds, and which files there are.

use camino::Utf8PathBuf;

use crate::{
    error::Error,
    parse::unified_diff::{self, ChangedFile},
    step::{Action, Step, Summary},
};

use super::git;

/// How large a diff may be.
const DIFF_BYTES: usize = 256 << 20;

/// `git diff --unified=0 --merge-base … BASE --`: the lines that the working tree
/// adds to what it has in common with `BASE`.
///
/// Accepts exit 0. Changes nothing. Every option switches off a setting that
/// changes what is printed. Needs git 2.30.
///
/// Source: git's manual, *git-diff*.
#[derive(Debug)]
pub struct ChangedLines {
    root: Utf8PathBuf,
    base: String,
}

impl ChangedLines {
    /// Against this base, such as `origin/main`, in the repository at `root`.
    pub fn new(root: impl Into<Utf8PathBuf>, base: impl Into<String>) -> Self {
        Self { root: root.into(), base: base.into() }
    }
}

impl Step for ChangedLines {
    type Output = Vec<ChangedFile>;

    fn label(&self) -> String {
        format!("diff to {}", self.base)
    }

    fn action(&self) -> Action<'_, Self::Output> {
        let line = git(&self.root)
            .args(["-c", "core.quotePath=true", "diff", "--merge-base"])
            .args(["--unified=0", "--inter-hunk-context=0", "--no-color", "--no-ext-diff"])
            .args(["--no-textconv", "--no-relative", "--src-prefix=a/", "--dst-prefix=b/"])
            .args(["--find-renames", "--diff-algorithm=default", "--indent-heuristic"])
            .args(["--ignore-submodules=all", "--end-of-options", &self.base, "--"])
            .capture_bytes(DIFF_BYTES)
            .stdout_is_data()
            .accept([0, 128, 129])
            .purpose("which lines have changed");
        Action::command(line, |answer| {
            if answer.exit() != 0 {
                return Err(Error::usage(format!(
                    "the changes against {} cannot be told: {}",
                    self.base,
                    answer.last_lines(1).concat()
                ))
                .hint(
                    "a shallow clone does not hold it: `git fetch --unshallow`, or \
                     `fetch-depth: 0` for actions/checkout; or name another base",
                ));
            }
            if answer.is_truncated() {
                return Err(Error::step(format!("the diff to {} is too large", self.base)));
            }
            unified_diff::read(answer.stdout_bytes())
        })
    }

    fn assume(&self) -> Self::Output {
        Vec::new()
    }

    fn summary(&self, files: &Self::Output) -> Summary {
        Summary::line(format!("{} files with added lines", files.len()))
    }
}

/// Observation: whether the clone is shallow.
///
/// `git rev-parse --is-shallow-repository`. Accepts exit 0.
#[derive(Debug)]
pub struct IsShallow {
    root: Utf8PathBuf,
}

impl IsShallow {
    /// The clone that holds this folder.
    pub fn new(root: impl Into<Utf8PathBuf>) -> Self {
        Self { root: root.into() }
    }
}

impl Step for IsShallow {
    type Output = bool;

    fn label(&self) -> String {
        "shallow clone".into()
    }

    fn action(&self) -> Action<'_, bool> {
        let line = git(&self.root)
            .args(["rev-parse", "--is-shallow-repository"])
            .purpose("whether history is cut off");
        Action::command(line, |answer| Ok(answer.stdout().trim() == "true"))
    }

    fn assume(&self) -> bool {
        false
    }

    fn summary(&self, shallow: &bool) -> Summary {
        Summary::line(if *shallow { "yes" } else { "no" })
    }
}

/// Observation: the top folder of the repository.
///
/// `git rev-parse --show-toplevel`. Accepts exit 0; fails outside a repository.
#[derive(Debug)]
pub struct RepositoryRoot {
    root: Utf8PathBuf,
}

impl RepositoryRoot {
    /// The repository that holds this folder.
    pub fn new(root: impl Into<Utf8PathBuf>) -> Self {
        Self { root: root.into() }
    }
}

impl Step for RepositoryRoot {
    type Output = Utf8PathBuf;

    fn label(&self) -> String {
        "repository".into()
    }

    fn action(&self) -> Action<'_, Utf8PathBuf> {
        let line = git(&self.root)
            .args(["rev-parse", "--show-toplevel"])
            .purpose("where the repository begins");
        Action::command(line, |answer| {
            let said = answer.stdout();
            Ok(Utf8PathBuf::from(said.strip_suffix('\n').unwrap_or(&said)))
        })
    }

    fn assume(&self) -> Utf8PathBuf {
        self.root.clone()
    }

    fn summary(&self, root: &Utf8PathBuf) -> Summary {
        Summary::line(root.as_str())
    }
}

/// `git ls-files -z`: every file that git knows, relative to the top folder.
///
/// Accepts exit 0. Changes nothing. A name that is not UTF-8 is left out.
#[derive(Debug)]
pub struct TrackedFiles {
    root: Utf8PathBuf,
}

impl TrackedFiles {
    /// Of the repository whose top folder this is.
    pub fn new(root: impl Into<Utf8PathBuf>) -> Self {
        Self { root: root.into() }
    }
}

impl Step for TrackedFiles {
    type Output = Vec<Utf8PathBuf>;

    fn label(&self) -> String {
        "tracked files".into()
    }

    fn action(&self) -> Action<'_, Self::Output> {
        let line = git(&self.root)
            .args(["ls-files", "-z"])
            .capture_bytes(DIFF_BYTES)
            .stdout_is_data()
            .purpose("which files the repository has");
        Action::command(line, |answer| {
            let names =
                answer.stdout_bytes().split(|byte| *byte == 0).filter(|name| !name.is_empty());
            Ok(names.filter_map(|name| Some(std::str::from_utf8(name).ok()?.into())).collect())
        })
    }

    fn assume(&self) -> Self::Output {
        Vec::new()
    }

    fn summary(&self, files: &Self::Output) -> Summary {
        Summary::line(format!("{} files", files.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Answer, steps::testing::check};

    #[test]
    fn changed_lines_minimal() {
        check("changed_lines__minimal", &ChangedLines::new("/srv/app", "origin/main"));
    }

    #[test]
    fn changed_lines_hostile() {
        check("changed_lines__hostile", &ChangedLines::new("/srv/it's", "--output=/etc/passwd $x"));
    }

    #[test]
    fn changed_lines_from_a_commit() {
        check("changed_lines__from_a_commit", &ChangedLines::new("/srv/app", "0f1e2d3c"));
    }

    #[test]
    fn is_shallow_hostile() {
        check("is_shallow__hostile", &IsShallow::new("/srv/it's a\n$app"));
    }

    #[test]
    fn repository_root_hostile() {
        check("repository_root__hostile", &RepositoryRoot::new("/srv/it's a\n$app"));
    }

    #[test]
    fn tracked_files_hostile() {
        check("tracked_files__hostile", &TrackedFiles::new("/srv/it's a\n$app"));
    }

    #[test]
    fn is_shallow_minimal() {
        check("is_shallow__minimal", &IsShallow::new("/srv/app"));
    }

    #[test]
    fn repository_root_minimal() {
        check("repository_root__minimal", &RepositoryRoot::new("/srv/app"));
    }

    #[test]
    fn tracked_files_minimal() {
        check("tracked_files__minimal", &TrackedFiles::new("/srv/app"));
    }

    #[test]
    fn a_base_that_is_not_there_tells_what_to_do() {
        let step = ChangedLines::new("/srv/app", "origin/main");
        let Action::Command { read, .. } = step.action() else { unreachable!("it is a command") };
        let error = read(&Answer::new(128, "", "fatal: bad revision 'origin/main'"))
            .expect_err("git has failed");
        assert!(error.to_string().contains("bad revision"), "{error}");
        assert!(error.hint_text().is_some_and(|hint| hint.contains("--unshallow")));
    }
}
