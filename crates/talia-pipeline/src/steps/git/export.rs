//! The files of one commit in a folder of their own, whatever the tree looks like.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    time::Duration,
};

use camino::Utf8PathBuf;

use crate::{
    command_line::{CommandLine, Effect, Stdin},
    error::Error,
    step::{Action, Step, Summary},
};

use super::git;

/// How long an export may take.
const LIMIT: Duration = Duration::from_secs(300);

/// Makes an empty folder to export into; what an earlier run has left there goes.
///
/// - In this process: removes the folder, makes it anew (0700) with those above it.
/// - Touches: the folder. One that belongs to another user, or a link, is refused.
///
/// ```
/// use talia_pipeline::{Step, steps::git::FreshFolder};
///
/// assert_eq!(FreshFolder::new("/state/export").label(), "make /state/export anew");
/// ```
#[derive(Debug, Clone)]
pub struct FreshFolder {
    folder: Utf8PathBuf,
}

impl FreshFolder {
    /// This folder.
    pub fn new(folder: impl Into<Utf8PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    fn make(&self) -> crate::Result<()> {
        let folder = &self.folder;
        let cannot = |cause: io::Error| {
            Error::step(format!("the folder {folder} cannot be made anew")).caused_by(cause)
        };
        let parent = folder.parent().filter(|parent| !parent.as_str().is_empty());
        if let Some(parent) = parent {
            fs::create_dir_all(parent).map_err(cannot)?;
        }
        match fs::symlink_metadata(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            data => {
                let data = data.map_err(cannot)?;
                let above = parent.and_then(|parent| fs::metadata(parent).ok());
                let ours = above.is_none_or(|above| above.uid() == data.uid());
                if !data.is_dir() || !ours {
                    return Err(Error::refused(format!("{folder} is no folder of ours"))
                        .hint(format!("have it removed: `rm -r -- {folder}`")));
                }
                fs::remove_dir_all(folder).map_err(cannot)?;
            }
        }
        fs::DirBuilder::new().mode(0o700).create(folder).map_err(cannot)
    }
}

impl Step for FreshFolder {
    type Output = ();

    fn label(&self) -> String {
        format!("make {} anew", self.folder)
    }

    fn action(&self) -> Action<'_, ()> {
        Action::work(format!("remove and make {}", self.folder), || self.make())
    }

    fn assume(&self) {}
}

/// Writes the files of a commit into a tar file, the same for the same commit on
/// every machine.
///
/// - Command: `git archive --format=tar --output=FILE REVISION -- PATH…`.
/// - Exits: 0.
/// - Touches: the file. At most 300 seconds. Reads the commit, never the tree: what is
///   not committed is not in it.
/// - Note: files that `.gitattributes` marks `export-ignore` are left out; submodules
///   are empty folders; see [`LeftOut`].
/// - Source: git's manual, *git-archive*, *gitattributes*.
///
/// ```
/// use talia_pipeline::{Step, steps::git::GitArchive};
///
/// let step = GitArchive::new("/srv/app", "12ab", "/state/export.tar").path("backend");
/// assert_eq!(step.label(), "export 12ab");
/// ```
#[derive(Debug, Clone)]
pub struct GitArchive {
    root: Utf8PathBuf,
    revision: String,
    tar: Utf8PathBuf,
    paths: Vec<Utf8PathBuf>,
}

impl GitArchive {
    /// This commit, by its full hash, of the repository whose top folder is `root`,
    /// into `tar`.
    pub fn new(
        root: impl Into<Utf8PathBuf>,
        revision: impl Into<String>,
        tar: impl Into<Utf8PathBuf>,
    ) -> Self {
        Self { root: root.into(), revision: revision.into(), tar: tar.into(), paths: Vec::new() }
    }

    /// Adds a file or folder, from the repository's top; everything unless set.
    #[must_use]
    pub fn path(mut self, path: impl Into<Utf8PathBuf>) -> Self {
        self.paths.push(path.into());
        self
    }
}

impl Step for GitArchive {
    type Output = ();

    fn label(&self) -> String {
        format!("export {}", self.revision)
    }

    fn action(&self) -> Action<'_, ()> {
        let line = git(&self.root)
            // What people set for themselves must not change what is built.
            .args(["-c", "tar.umask=0022", "-c", "core.autocrlf=false", "-c", "core.eol=lf"])
            .args(["-c", "core.attributesFile=/dev/null"])
            .args(["archive", "--format=tar"])
            .option("--output", &self.tar)
            .arg(&self.revision)
            .arg("--")
            .effect(Effect::Local)
            .timeout(LIMIT)
            .purpose("the files of the commit");
        // A path is one path: `:(glob)` and its relatives mean nothing.
        let line = line.env("GIT_LITERAL_PATHSPECS", "1");
        let line = self.paths.iter().fold(line, |line, path| line.operand(path.as_str()));
        Action::command(line, |_| Ok(()))
    }

    fn assume(&self) {}
}

/// Unpacks a tar file into a folder that is there.
///
/// - Command: `tar --extract --preserve-permissions --directory=FOLDER < FILE`.
/// - Exits: 0.
/// - Touches: the folder. At most 300 seconds.
/// - Source: tar(1). The file comes on standard input, because GNU tar takes a colon
///   in a name for a machine's.
///
/// ```
/// use talia_pipeline::{Step, steps::git::Unpack};
///
/// assert_eq!(Unpack::new("/state/export.tar", "/state/export").label(), "unpack the export");
/// ```
#[derive(Debug, Clone)]
pub struct Unpack {
    tar: Utf8PathBuf,
    folder: Utf8PathBuf,
}

impl Unpack {
    /// This file into this folder.
    pub fn new(tar: impl Into<Utf8PathBuf>, folder: impl Into<Utf8PathBuf>) -> Self {
        Self { tar: tar.into(), folder: folder.into() }
    }
}

impl Step for Unpack {
    type Output = ();

    fn label(&self) -> String {
        "unpack the export".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let line = CommandLine::new("tar")
            // Git's modes, not those of the caller's umask.
            .args(["--extract", "--preserve-permissions", "--file=-"])
            .option("--directory", &self.folder)
            .stdin(Stdin::File(self.tar.clone()))
            .timeout(LIMIT)
            .purpose("unpack the files of the commit");
        Action::command(line, |_| Ok(()))
    }

    fn assume(&self) {}
}

/// What an export of a commit does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Gaps {
    /// Whether it has submodules, which are exported as empty folders.
    pub submodules: bool,
    /// Whether it has files in LFS, which are exported as pointers unless the clone
    /// has the LFS filter.
    pub lfs: bool,
}

/// Observation: whether a commit has submodules or files in LFS.
///
/// `git grep -l -z -e ^\[submodule -e filter=lfs REVISION -- .gitmodules
/// .gitattributes **/.gitattributes`. Accepts exit 0, and 1 when there are none.
///
/// Source: git's manual, *git-grep*.
///
/// ```
/// use talia_pipeline::{Step, steps::git::LeftOut};
///
/// assert_eq!(LeftOut::new("/srv/app", "12ab").label(), "what an export leaves out");
/// ```
#[derive(Debug, Clone)]
pub struct LeftOut {
    root: Utf8PathBuf,
    revision: String,
}

impl LeftOut {
    /// Of this commit, by its full hash, of the repository whose top folder is `root`.
    pub fn new(root: impl Into<Utf8PathBuf>, revision: impl Into<String>) -> Self {
        Self { root: root.into(), revision: revision.into() }
    }
}

impl Step for LeftOut {
    type Output = Gaps;

    fn label(&self) -> String {
        "what an export leaves out".into()
    }

    fn action(&self) -> Action<'_, Gaps> {
        let line = git(&self.root)
            .args(["grep", "--files-with-matches", "--null", "--basic-regexp"])
            .args(["-e", "^\\[submodule", "-e", "filter=lfs", "--end-of-options"])
            .arg(&self.revision)
            .args(["--", ".gitmodules", ".gitattributes", ":(glob)**/.gitattributes"])
            .accept([0, 1])
            .stdout_is_data()
            .purpose("whether files lie outside the repository");
        Action::command(line, |answer| {
            let said = answer.stdout();
            let files = || said.split('\0').filter_map(|name| name.rsplit([':', '/']).next());
            Ok(Gaps {
                submodules: files().any(|name| name == ".gitmodules"),
                lfs: files().any(|name| name == ".gitattributes"),
            })
        })
    }

    fn assume(&self) -> Gaps {
        Gaps::default()
    }

    fn summary(&self, gaps: &Gaps) -> Summary {
        Summary::line(match (gaps.submodules, gaps.lfs) {
            (false, false) => "nothing",
            (true, false) => "submodules",
            (false, true) => "files in LFS",
            (true, true) => "submodules and files in LFS",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Answer, steps::testing::check};

    #[test]
    fn fresh_folder_minimal() {
        check("fresh_folder__minimal", &FreshFolder::new("/state/it's new"));
    }

    #[test]
    fn git_archive_minimal() {
        check("git_archive__minimal", &GitArchive::new("/srv/app", "12ab", "/state/export.tar"));
    }

    #[test]
    fn git_archive_everything() {
        let step = GitArchive::new("/srv/app", "12ab", "/state/export.tar");
        check("git_archive__everything", &step.path("backend").path("infra/a b"));
    }

    #[test]
    fn git_archive_hostile() {
        let step = GitArchive::new("/it's\n", "12ab", "-o $(id)").path(":(exclude)x").path("-x ä");
        check("git_archive__hostile", &step);
    }

    #[test]
    fn unpack_minimal() {
        check("unpack__minimal", &Unpack::new("/state/export.tar", "/state/export"));
    }

    #[test]
    fn unpack_long() {
        check("unpack__long", &Unpack::new("/state/a:b.tar", "/state/ex port"));
    }

    #[test]
    fn unpack_hostile() {
        check("unpack__hostile", &Unpack::new("-x $(id)\n", "--it's \"ä\""));
    }

    #[test]
    fn left_out_minimal() {
        check("left_out__minimal", &LeftOut::new("/srv/app", "12ab"));
    }

    #[test]
    fn left_out_hole() {
        check("left_out__hole", &LeftOut::new("/srv/app", crate::hole::named("revision")));
    }

    #[test]
    fn left_out_hostile() {
        check("left_out__hostile", &LeftOut::new("/it's\n", "--open-files-in-pager=x ä"));
    }

    #[test]
    fn gaps_are_told_by_the_files_names() {
        let step = LeftOut::new("/srv/app", "12ab");
        let gaps = |exit, text: &str| {
            let Action::Command { read, .. } = step.action() else {
                unreachable!("it is a command")
            };
            read(&Answer::new(exit, text, "")).map(|gaps| (gaps.submodules, gaps.lfs)).ok()
        };
        assert_eq!(gaps(1, ""), Some((false, false)));
        assert_eq!(gaps(0, "12ab:.gitmodules\0"), Some((true, false)));
        assert_eq!(gaps(0, "12ab:a/.gitattributes\0"), Some((false, true)));
    }
}
