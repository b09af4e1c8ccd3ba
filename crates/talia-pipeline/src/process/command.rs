//! What is to be run, and within which limits.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use super::{mark::RUN_MARK, spawn_error::SpawnError};

/// Where a child reads its input from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stdin {
    /// Nothing: the first read says end of file.
    #[default]
    Null,
    /// These bytes. A child that does not read them is no error.
    Bytes(Vec<u8>),
    /// This file.
    File(PathBuf),
    /// The standard input of this process. A child that reads a terminal is
    /// stopped by the kernel, because its group is in the background, and ends
    /// as [`Ended::WantsTerminal`](super::Ended::WantsTerminal).
    Inherit,
}

/// Which processes may still be there when the command has ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Leaves {
    /// None: whatever is left is ended.
    #[default]
    Nothing,
    /// What it leaves is needed by later steps (an ssh master) and is ended by
    /// [`Supervisor::finish`](super::Supervisor::finish).
    UntilFlowEnds,
    /// What it leaves stays (an engine), also after a killed run.
    Running,
}

/// Which of its two streams a child printed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// How long a command may take, and how long it may take to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From its start; `None` is forever.
    pub timeout: Option<Duration>,
    /// From SIGINT to SIGKILL.
    pub grace: Duration,
}

impl Default for Limits {
    /// No timeout, a grace of 5 s.
    fn default() -> Self {
        Self { timeout: None, grace: Duration::from_secs(5) }
    }
}

impl Limits {
    /// No timeout, a grace of 5 s.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the command after this time.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Waits so long between SIGINT and SIGKILL.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }
}

/// One command, complete: the child gets what is said here and nothing else.
///
/// A command that leaves processes running ([`Leaves`]) should send their
/// output elsewhere: the pipes are closed when the command has ended, and a
/// daemon that prints to one afterwards gets SIGPIPE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spawn {
    pub(super) program: PathBuf,
    pub(super) step: String,
    pub(super) arg0: Option<OsString>,
    pub(super) args: Vec<OsString>,
    pub(super) folder: Option<PathBuf>,
    pub(super) environment: Vec<(OsString, OsString)>,
    pub(super) stdin: Stdin,
    pub(super) leaves: Leaves,
}

impl Spawn {
    /// The program by its absolute path, and the name of the step it works
    /// for, which goes into the mark.
    pub fn new(program: impl Into<PathBuf>, step: impl Into<String>) -> Self {
        Self {
            program: program.into(),
            step: step.into(),
            arg0: None,
            args: Vec::new(),
            folder: None,
            environment: Vec::new(),
            stdin: Stdin::Null,
            leaves: Leaves::Nothing,
        }
    }

    /// The name that the program is told it was called by, where that is not
    /// its path.
    #[must_use]
    pub fn arg0(mut self, name: impl Into<OsString>) -> Self {
        self.arg0 = Some(name.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// The folder it works in.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Adds to its environment, which is empty but for the mark. Of one name
    /// given twice the last counts.
    #[must_use]
    pub fn environment<N: Into<OsString>, V: Into<OsString>>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        self.environment
            .extend(variables.into_iter().map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// Where it reads from.
    #[must_use]
    pub fn stdin(mut self, stdin: Stdin) -> Self {
        self.stdin = stdin;
        self
    }

    /// What it may leave behind.
    #[must_use]
    pub fn leaves(mut self, leaves: Leaves) -> Self {
        self.leaves = leaves;
        self
    }

    /// The standard library's command.
    pub(super) fn command(&self, mark: &OsStr) -> Result<Command, SpawnError> {
        self.check()?;
        #[expect(clippy::disallowed_methods, reason = "this is the one door to child processes")]
        let mut command = Command::new(&self.program);
        if let Some(name) = &self.arg0 {
            command.arg0(name);
        }
        command.args(&self.args).env_clear();
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.env(RUN_MARK, mark);
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command.stdin(match &self.stdin {
            Stdin::Null => Stdio::null(),
            Stdin::Bytes(_) => Stdio::piped(),
            Stdin::Inherit => Stdio::inherit(),
            Stdin::File(path) => File::open(path)
                .map(Stdio::from)
                .map_err(|source| SpawnError::StdinFile { path: path.clone(), source })?,
        });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        // A group of its own: a signal reaches the command's children with it,
        // and Ctrl-C on the terminal reaches the runner alone, which decides.
        command.process_group(0);
        Ok(command)
    }

    /// What the kernel would refuse in words that name nothing.
    fn check(&self) -> Result<(), SpawnError> {
        let refuse = |what: String| Err(SpawnError::NulByte { what });
        if !self.program.is_absolute() {
            return Err(SpawnError::NotAbsolute { program: self.program.clone() });
        }
        if has_nul(self.program.as_os_str()) {
            return refuse("the program's path".to_owned());
        }
        if let Some(at) = self.args.iter().position(|arg| has_nul(arg)) {
            return refuse(format!("argument {}", at + 1));
        }
        if self.arg0.as_deref().is_some_and(has_nul) {
            return refuse("argument 0".to_owned());
        }
        if self.folder.as_deref().map(Path::as_os_str).is_some_and(has_nul) {
            return refuse("the working folder".to_owned());
        }
        for (name, value) in &self.environment {
            let bytes = name.as_encoded_bytes();
            if bytes.is_empty() || bytes.contains(&b'=') || bytes.contains(&0) {
                return Err(SpawnError::VariableName { name: name.clone() });
            }
            if has_nul(value) {
                return refuse(format!("the variable {}", name.display()));
            }
        }
        Ok(())
    }

    /// What the kernel's answer means for this command.
    pub(super) fn explain(&self, source: io::Error) -> SpawnError {
        SpawnError::of(&self.program, self.folder.as_deref(), source)
    }
}

/// Becomes another program: the same process, with the streams and the open locks that it
/// has, and this environment alone. Comes back only where that fails.
///
/// For whoever decided who may run something, and has nothing to say after it.
pub fn become_program<N: AsRef<OsStr>, V: AsRef<OsStr>>(
    program: &Path,
    args: &[&OsStr],
    environment: impl IntoIterator<Item = (N, V)>,
) -> io::Error {
    #[expect(clippy::disallowed_methods, reason = "this is the one door to other programs")]
    let mut command = Command::new(program);
    command.args(args).env_clear().envs(environment).current_dir("/");
    command.exec()
}

fn has_nul(text: &OsStr) -> bool {
    text.as_encoded_bytes().contains(&0)
}
