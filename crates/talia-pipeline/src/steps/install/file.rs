use camino::Utf8PathBuf;

use crate::{
    command_line::{CommandLine, Stdin},
    step::{Action, Step, Summary},
};

use super::Privilege;

/// Writes a text file, readable by all. For a place that others read meanwhile
/// write beside it, under a name that they pass over, and put [`MoveFile`] after.
///
/// - Command: `install --mode=0644 --no-target-directory -- /dev/stdin PATH`, with
///   the text on standard input.
/// - Exits: 0.
/// - Touches: the file. Its folder must be there.
/// - Source: install(1).
///
/// ```
/// use talia_pipeline::{Step, steps::install::PutFile};
///
/// assert_eq!(PutFile::new("/var/tmp/x/list", "deb …\n").label(), "write /var/tmp/x/list");
/// ```
#[derive(Debug, Clone)]
pub struct PutFile {
    privilege: Option<Privilege>,
    path: Utf8PathBuf,
    text: String,
}

impl PutFile {
    /// This text into this file, with the caller's own rights.
    pub fn new(path: impl Into<Utf8PathBuf>, text: impl Into<String>) -> Self {
        Self { privilege: None, path: path.into(), text: text.into() }
    }

    /// With root's rights.
    #[must_use]
    pub fn privilege(mut self, privilege: Privilege) -> Self {
        self.privilege = Some(privilege);
        self
    }
}

impl Step for PutFile {
    type Output = ();

    fn label(&self) -> String {
        format!("write {}", self.path)
    }

    fn action(&self) -> Action<'_, ()> {
        let line = own_or_root(self.privilege, "install")
            .args(["--mode=0644", "--no-target-directory"])
            .operand("/dev/stdin")
            .operand(self.path.as_str())
            .stdin(Stdin::Text(self.text.clone()))
            .purpose("write a file");
        Action::command(line, |_| Ok(()))
    }

    fn assume(&self) {}
}

/// Gives a file its final name, replacing what is there, at once.
///
/// - Command: `mv --force --no-target-directory -- FROM TO`, as root.
/// - Exits: 0.
/// - Touches: both names. It is atomic inside one file system.
/// - Source: mv(1), rename(2).
///
/// ```
/// use talia_pipeline::{Step, steps::install::{MoveFile, Privilege}};
///
/// let step = MoveFile::new(Privilege::Root, "/etc/.x.new", "/etc/x");
/// assert_eq!(step.label(), "put /etc/x in place");
/// ```
#[derive(Debug, Clone)]
pub struct MoveFile {
    privilege: Privilege,
    from: Utf8PathBuf,
    to: Utf8PathBuf,
}

impl MoveFile {
    /// From one name to another.
    pub fn new(
        privilege: Privilege,
        from: impl Into<Utf8PathBuf>,
        to: impl Into<Utf8PathBuf>,
    ) -> Self {
        Self { privilege, from: from.into(), to: to.into() }
    }
}

impl Step for MoveFile {
    type Output = ();

    fn label(&self) -> String {
        format!("put {} in place", self.to)
    }

    fn action(&self) -> Action<'_, ()> {
        let line = self
            .privilege
            .line("mv")
            .args(["--force", "--no-target-directory"])
            .operand(self.from.as_str())
            .operand(self.to.as_str())
            .purpose("put a finished file in place");
        Action::command(line, |_| Ok(()))
    }

    fn assume(&self) {}
}

/// Whether a file is there.
///
/// - In this process: looks at the path.
/// - Touches: nothing.
///
/// ```
/// use talia_pipeline::{Step, steps::install::FileThere};
///
/// assert_eq!(FileThere::new("/etc/hosts").label(), "whether /etc/hosts is there");
/// ```
#[derive(Debug, Clone)]
pub struct FileThere {
    path: Utf8PathBuf,
}

impl FileThere {
    /// At this path.
    pub fn new(path: impl Into<Utf8PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

impl Step for FileThere {
    type Output = bool;

    fn label(&self) -> String {
        format!("whether {} is there", self.path)
    }

    fn action(&self) -> Action<'_, bool> {
        Action::read(format!("look for {}", self.path), || Ok(self.path.is_file()))
    }

    fn assume(&self) -> bool {
        true
    }

    fn summary(&self, there: &bool) -> Summary {
        Summary::line(if *there { "yes" } else { "no" })
    }
}

/// With the caller's own rights, or with root's.
pub(super) fn own_or_root(privilege: Option<Privilege>, program: &str) -> CommandLine {
    match privilege {
        Some(privilege) => privilege.line(program),
        None => CommandLine::new(program),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    #[test]
    fn put_minimal() {
        check("put_file__minimal", &PutFile::new("/var/tmp/x", "a\n"));
    }
    #[test]
    fn put_everything() {
        let text = "Package: *\nPin: release n=trixie\nPin-Priority: 50\n";
        let put = PutFile::new("/etc/apt/preferences.d/.x.new", text);
        check("put_file__everything", &put.privilege(Privilege::Sudo));
    }
    #[test]
    fn put_hostile() {
        check("put_file__hostile", &PutFile::new("-it's \"a\"\nü", "%s $HOME it's\n\n"));
    }
    #[test]
    fn move_minimal() {
        check("move_file__minimal", &MoveFile::new(Privilege::Root, "/etc/.x.new", "/etc/x"));
    }
    #[test]
    fn move_everything() {
        check("move_file__everything", &MoveFile::new(Privilege::Sudo, "/etc/.x.new", "/etc/x"));
    }
    #[test]
    fn move_hostile() {
        check("move_file__hostile", &MoveFile::new(Privilege::Root, "-it's\n", "\"ü\" *"));
    }
    #[test]
    fn there_minimal() {
        check("file_there__minimal", &FileThere::new("/etc/hosts"));
    }
    #[test]
    fn there_long() {
        check("file_there__long", &FileThere::new("/usr/share/keyrings/a-b_c.gpg"));
    }
    #[test]
    fn there_hostile() {
        check("file_there__hostile", &FileThere::new("-it's \"ü\"\n"));
    }
}
