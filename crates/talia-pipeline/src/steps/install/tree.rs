use std::time::Duration;

use camino::Utf8PathBuf;

use crate::{
    error::Result,
    step::{Action, Step},
};

use super::Privilege;

/// Copies what is in a folder into another one that is there, with its modes.
///
/// - Command: `cp --recursive --preserve=mode --no-target-directory -- FROM TO`, as
///   root, who owns the copies.
/// - Exits: 0.
/// - Touches: the second folder.
/// - Source: cp(1).
///
/// ```
/// use talia_pipeline::{Step, steps::install::{CopyTree, Privilege}};
///
/// assert_eq!(CopyTree::new(Privilege::Root, "/a", "/b").label(), "copy /a into /b");
/// ```
#[derive(Debug, Clone)]
pub struct CopyTree {
    privilege: Privilege,
    from: Utf8PathBuf,
    to: Utf8PathBuf,
}

impl CopyTree {
    /// From one folder into another.
    pub fn new(
        privilege: Privilege,
        from: impl Into<Utf8PathBuf>,
        to: impl Into<Utf8PathBuf>,
    ) -> Self {
        Self { privilege, from: from.into(), to: to.into() }
    }
}

impl Step for CopyTree {
    type Output = ();

    fn label(&self) -> String {
        format!("copy {} into {}", self.from, self.to)
    }

    fn action(&self) -> Action<'_, ()> {
        let line = self
            .privilege
            .line("cp")
            .args(["--recursive", "--preserve=mode", "--no-target-directory"])
            .operand(self.from.as_str())
            .operand(self.to.as_str())
            .purpose("copy files into the tree");
        Action::command(line, |_| Ok(()))
    }

    fn assume(&self) {}
}

/// Makes folders that all may read; those that are there stay as they are. Name
/// every level: one that is made on the way gets the mode of the caller's umask.
///
/// - Command: `mkdir --parents --mode=0755 -- FOLDER…`, as root.
/// - Exits: 0.
/// - Touches: the folders.
/// - Source: mkdir(1).
///
/// ```
/// use talia_pipeline::{Step, steps::install::{MakeFolders, Privilege}};
///
/// assert_eq!(MakeFolders::new(Privilege::Root, ["/a"]).label(), "make the folders that apt wants");
/// ```
#[derive(Debug, Clone)]
pub struct MakeFolders {
    privilege: Privilege,
    folders: Vec<Utf8PathBuf>,
}

impl MakeFolders {
    /// These.
    pub fn new<I: IntoIterator<Item = impl Into<Utf8PathBuf>>>(
        privilege: Privilege,
        folders: I,
    ) -> Self {
        Self { privilege, folders: folders.into_iter().map(Into::into).collect() }
    }
}

impl Step for MakeFolders {
    type Output = ();

    fn label(&self) -> String {
        "make the folders that apt wants".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let line = self
            .privilege
            .line("mkdir")
            .args(["--parents", "--mode=0755"])
            .purpose("put back the empty folders that programs expect");
        let line = self.folders.iter().fold(line, |line, folder| line.operand(folder.as_str()));
        Action::command(line, |_| Ok(()))
    }

    fn assume(&self) {}
}

/// Makes a tree trust the certificates below its `/usr/local/share/ca-certificates`.
///
/// - Command: `/usr/sbin/chroot -- ROOT /usr/sbin/update-ca-certificates`, as root.
/// - Exits: 0.
/// - Touches: `/etc/ssl/certs` in the tree.
/// - Source: update-ca-certificates(8), chroot(8).
///
/// ```
/// use talia_pipeline::{Step, steps::install::{Privilege, UpdateCertificates}};
///
/// let update = UpdateCertificates::new(Privilege::Root, "/var/tmp/x");
/// assert_eq!(update.label(), "trust this machine's certificates");
/// ```
#[derive(Debug, Clone)]
pub struct UpdateCertificates {
    privilege: Privilege,
    root: Utf8PathBuf,
}

impl UpdateCertificates {
    /// In this tree.
    pub fn new(privilege: Privilege, root: impl Into<Utf8PathBuf>) -> Self {
        Self { privilege, root: root.into() }
    }
}

impl Step for UpdateCertificates {
    type Output = ();

    fn label(&self) -> String {
        "trust this machine's certificates".into()
    }

    fn action(&self) -> Action<'_, ()> {
        chroot(self.privilege, &self.root, &["/usr/sbin/update-ca-certificates"])
    }

    fn assume(&self) {}
}

/// Removes the packages that apt has downloaded into a tree.
///
/// - Command: `/usr/sbin/chroot -- ROOT /usr/bin/apt-get clean`, as root.
/// - Exits: 0.
/// - Touches: `/var/cache/apt` in the tree.
/// - Source: apt-get(8), chroot(8).
///
/// ```
/// use talia_pipeline::{Step, steps::install::{AptClean, Privilege}};
///
/// assert_eq!(AptClean::new(Privilege::Root, "/var/tmp/x").label(), "drop downloaded packages");
/// ```
#[derive(Debug, Clone)]
pub struct AptClean {
    privilege: Privilege,
    root: Utf8PathBuf,
}

impl AptClean {
    /// In this tree.
    pub fn new(privilege: Privilege, root: impl Into<Utf8PathBuf>) -> Self {
        Self { privilege, root: root.into() }
    }
}

impl Step for AptClean {
    type Output = ();

    fn label(&self) -> String {
        "drop downloaded packages".into()
    }

    fn action(&self) -> Action<'_, ()> {
        chroot(self.privilege, &self.root, &["/usr/bin/apt-get", "clean"])
    }

    fn assume(&self) {}
}

fn chroot<'a>(privilege: Privilege, root: &Utf8PathBuf, command: &[&str]) -> Action<'a, ()> {
    let line = privilege
        .system_line("/usr/sbin/chroot", &[])
        .operand(root.as_str())
        .args(command.iter().copied())
        .timeout(Duration::from_secs(120))
        .purpose("run a program of the tree in the tree");
    Action::command(line, |_| -> Result<()> { Ok(()) })
}

/// Packs a tree into a tar file, the same for the same tree.
///
/// - Command: `tar --create --numeric-owner --sort=name --directory=ROOT --file=TAR
///   -- .`, as root.
/// - Exits: 0.
/// - Touches: the tar file. At most 300 seconds.
/// - Errors: a full disk.
/// - Source: tar(1).
///
/// ```
/// use talia_pipeline::{Step, steps::install::{Pack, Privilege}};
///
/// assert_eq!(Pack::new(Privilege::Root, "/x/root", "/x/image.tar").label(), "pack the tree");
/// ```
#[derive(Debug, Clone)]
pub struct Pack {
    privilege: Privilege,
    root: Utf8PathBuf,
    tar: Utf8PathBuf,
}

impl Pack {
    /// This tree into this file.
    pub fn new(
        privilege: Privilege,
        root: impl Into<Utf8PathBuf>,
        tar: impl Into<Utf8PathBuf>,
    ) -> Self {
        Self { privilege, root: root.into(), tar: tar.into() }
    }
}

impl Step for Pack {
    type Output = ();

    fn label(&self) -> String {
        "pack the tree".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let line = self
            .privilege
            .line("tar")
            // Numbers: the names of this machine's users say nothing in the image.
            .args(["--create", "--numeric-owner", "--sort=name"])
            .option("--directory", &self.root)
            // A colon in a name would else be a machine's.
            .arg("--force-local")
            .option("--file", &self.tar)
            .operand(".")
            .timeout(Duration::from_secs(300))
            .purpose("pack the tree for the engine");
        Action::command(line, |_| Ok(()))
    }

    fn assume(&self) {}
}

#[cfg(test)]
mod tests;
