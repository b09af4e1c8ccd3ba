use std::{fs, os::unix::fs::MetadataExt as _};

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    command_line::CommandLine,
    step::{Action, Step, Summary},
};

use super::Privilege;

/// Makes an empty folder that nobody else can look into.
///
/// - Command: `mkdir --mode=0700 -- FOLDER`.
/// - Exits: 0. A folder that is there already is a failure: somebody else's
///   folder in a place that all may write to must not be used.
/// - Touches: the folder.
/// - Source: mkdir(1).
///
/// ```
/// use talia_pipeline::{Step, steps::install::MakeScratch};
///
/// assert_eq!(MakeScratch::new("/var/tmp/x").label(), "make /var/tmp/x");
/// ```
#[derive(Debug, Clone)]
pub struct MakeScratch {
    folder: Utf8PathBuf,
}

impl MakeScratch {
    /// This folder; the one above must be there.
    pub fn new(folder: impl Into<Utf8PathBuf>) -> Self {
        Self { folder: folder.into() }
    }
}

impl Step for MakeScratch {
    type Output = ();

    fn label(&self) -> String {
        format!("make {}", self.folder)
    }

    fn action(&self) -> Action<'_, ()> {
        let line = CommandLine::new("mkdir")
            .arg("--mode=0700")
            .operand(self.folder.as_str())
            .purpose("make a folder to work in");
        Action::command(line, |_| Ok(()))
    }

    fn assume(&self) {}
}

/// Removes files and whole folders, not following what is mounted below them.
///
/// - Command: `rm --recursive --force --one-file-system -- PATH…`, as root.
/// - Exits: 0, also where they are not there.
/// - Touches: the paths.
/// - Source: rm(1).
///
/// ```
/// use talia_pipeline::{Step, steps::install::{Privilege, RemoveTrees}};
///
/// let remove = RemoveTrees::new(Privilege::Root, ["/var/tmp/x"]);
/// assert_eq!(remove.label(), "remove /var/tmp/x");
/// ```
#[derive(Debug, Clone)]
pub struct RemoveTrees {
    privilege: Privilege,
    paths: Vec<Utf8PathBuf>,
    label: Option<String>,
}

impl RemoveTrees {
    /// These.
    pub fn new<I: IntoIterator<Item = impl Into<Utf8PathBuf>>>(
        privilege: Privilege,
        paths: I,
    ) -> Self {
        Self { privilege, paths: paths.into_iter().map(Into::into).collect(), label: None }
    }

    /// Says in a few words what is removed, where the paths are many.
    #[must_use]
    pub fn named(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }
}

impl Step for RemoveTrees {
    type Output = ();

    fn label(&self) -> String {
        self.label.clone().unwrap_or_else(|| {
            let paths: Vec<&str> = self.paths.iter().map(|path| path.as_str()).collect();
            format!("remove {}", paths.join(" "))
        })
    }

    fn action(&self) -> Action<'_, ()> {
        let line = self
            .privilege
            .line("rm")
            .args(["--recursive", "--force", "--one-file-system"])
            .purpose("remove what is not needed");
        let line = self.paths.iter().fold(line, |line, path| line.operand(path.as_str()));
        Action::command(line, |_| Ok(()))
    }

    fn assume(&self) {}
}

/// Takes away what debootstrap mounts and a killed one leaves mounted.
///
/// - Command: `umount --lazy -- ROOT/proc ROOT/sys`, as root.
/// - Exits: 0; 1, 32 and 64 say that one or both are not mounted or not there.
/// - Touches: the mounts alone.
/// - Source: umount(8).
///
/// ```
/// use talia_pipeline::{Step, steps::install::{Privilege, Unmount}};
///
/// let unmount = Unmount::new(Privilege::Root, "/var/tmp/x/root");
/// assert_eq!(unmount.label(), "unmount what is left below /var/tmp/x/root");
/// ```
#[derive(Debug, Clone)]
pub struct Unmount {
    privilege: Privilege,
    root: Utf8PathBuf,
}

impl Unmount {
    /// Below this tree.
    pub fn new(privilege: Privilege, root: impl Into<Utf8PathBuf>) -> Self {
        Self { privilege, root: root.into() }
    }
}

impl Step for Unmount {
    type Output = ();

    fn label(&self) -> String {
        format!("unmount what is left below {}", self.root)
    }

    fn action(&self) -> Action<'_, ()> {
        let line = self
            .privilege
            .line("umount")
            // Something may still stand in it; the mount goes with that.
            .arg("--lazy")
            .operand(self.root.join("proc").as_str())
            .operand(self.root.join("sys").as_str())
            .accept([0, 1, 32, 64])
            .purpose("leave nothing mounted in the tree that is removed");
        Action::command(line, |_| Ok(()))
    }

    fn assume(&self) {}
}

/// The working folders that killed runs left behind: `PREFIX<process>-…` whose
/// process has ended, and which nobody but the caller could have made.
///
/// - In this process: reads the folder and `/proc`.
/// - Touches: nothing.
///
/// ```
/// use talia_pipeline::{Step, steps::install::LeftBehind};
///
/// assert_eq!(LeftBehind::new("/var/tmp", "x-").label(), "what killed runs left in /var/tmp");
/// ```
#[derive(Debug, Clone)]
pub struct LeftBehind {
    parent: Utf8PathBuf,
    prefix: String,
    proc: Utf8PathBuf,
}

impl LeftBehind {
    /// In this folder, with names that begin so.
    pub fn new(parent: impl Into<Utf8PathBuf>, prefix: impl Into<String>) -> Self {
        Self { parent: parent.into(), prefix: prefix.into(), proc: "/proc".into() }
    }

    fn is_abandoned(&self, folder: &Utf8Path, owner: u32) -> bool {
        let name = folder.file_name().and_then(|name| name.strip_prefix(&self.prefix));
        let process = name.and_then(|rest| rest.split('-').next()).unwrap_or_default();
        // The tree below is removed with root's rights: a folder that another
        // user could have prepared with links is not touched.
        let ours = fs::symlink_metadata(folder)
            .is_ok_and(|data| data.is_dir() && data.uid() == owner && data.mode() & 0o022 == 0);
        !process.is_empty()
            && process.bytes().all(|byte| byte.is_ascii_digit())
            && !self.proc.join(process).exists()
            && ours
    }
}

impl Step for LeftBehind {
    type Output = Vec<Utf8PathBuf>;

    fn label(&self) -> String {
        format!("what killed runs left in {}", self.parent)
    }

    fn action(&self) -> Action<'_, Self::Output> {
        Action::read(format!("look for {}{}*", self.parent.join(""), self.prefix), || {
            // Who this process belongs to stands on its own entry.
            let own = fs::metadata(self.proc.join("self")).map(|data| data.uid());
            let (Ok(owner), Ok(entries)) = (own, self.parent.read_dir_utf8()) else {
                return Ok(Vec::new());
            };
            let mut left: Vec<Utf8PathBuf> = entries
                .filter_map(|entry| Some(entry.ok()?.into_path()))
                .filter(|folder| self.is_abandoned(folder, owner))
                .collect();
            left.sort();
            Ok(left)
        })
    }

    fn assume(&self) -> Self::Output {
        Vec::new()
    }

    fn summary(&self, left: &Self::Output) -> Summary {
        Summary::line(match left.as_slice() {
            [] => "nothing".to_owned(),
            left => left.iter().map(|path| path.as_str()).collect::<Vec<_>>().join(" "),
        })
    }
}

#[cfg(test)]
mod tests;
