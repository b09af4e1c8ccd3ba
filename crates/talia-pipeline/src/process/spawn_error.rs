//! Why a command could not be started.

use std::{
    error,
    ffi::{OsStr, OsString},
    fmt,
    fs::{self, File},
    io::{self, Read},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use rustix::io::Errno;

/// Why a command could not be started. Nothing of it ran.
#[derive(Debug)]
#[non_exhaustive]
pub enum SpawnError {
    /// The working folder is missing, no folder, or closed to us.
    Folder {
        /// The working folder.
        folder: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// The program's path is relative: it was not resolved.
    NotAbsolute {
        /// The program.
        program: PathBuf,
    },
    /// There is no such program.
    Missing {
        /// The program.
        program: PathBuf,
    },
    /// It is there and cannot be executed: no execute bit, a folder, an
    /// unreadable parent folder, or no format that the kernel knows.
    NotExecutable {
        /// The program.
        program: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// It is there, and what should interpret it is not: the program behind
    /// `#!`, or the dynamic loader.
    Interpreter {
        /// The program.
        program: PathBuf,
        /// The program behind `#!`, if it is a script.
        interpreter: Option<PathBuf>,
    },
    /// Arguments and environment together are longer than the kernel takes.
    TooLong {
        /// The program.
        program: PathBuf,
    },
    /// Something has a NUL byte inside, which no program can receive.
    NulByte {
        /// Which argument or variable.
        what: String,
    },
    /// A variable's name is empty, or has `=` or a NUL byte inside.
    VariableName {
        /// The name.
        name: OsString,
    },
    /// The file for standard input cannot be opened.
    StdinFile {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// Anything else: no memory, no process left.
    Other {
        /// The program.
        program: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

impl SpawnError {
    /// Finds out what the error of a spawn is about. The kernel says "no such
    /// file" for a missing folder, program and interpreter alike; the folder
    /// is looked at first, because it is the one nobody suspects.
    pub(super) fn of(program: &Path, folder: Option<&Path>, source: io::Error) -> Self {
        if let Some(folder) = folder {
            let problem = match fs::metadata(folder) {
                Ok(found) if found.is_dir() => {
                    rustix::fs::access(folder, rustix::fs::Access::EXEC_OK)
                        .err()
                        .map(io::Error::from)
                }
                Ok(_) => Some(io::Error::from(Errno::NOTDIR)),
                Err(error) => Some(error),
            };
            if let Some(source) = problem {
                return Self::Folder { folder: folder.to_owned(), source };
            }
        }
        let program = program.to_owned();
        match Errno::from_io_error(&source) {
            Some(Errno::NOENT | Errno::NOTDIR) if program.exists() => {
                Self::Interpreter { interpreter: interpreter(&program), program }
            }
            Some(Errno::NOENT | Errno::NOTDIR) => Self::Missing { program },
            Some(Errno::ACCESS | Errno::NOEXEC | Errno::ISDIR) => {
                Self::NotExecutable { program, source }
            }
            Some(Errno::TOOBIG) => Self::TooLong { program },
            _ => Self::Other { program, source },
        }
    }
}

/// The program behind `#!`.
fn interpreter(script: &Path) -> Option<PathBuf> {
    let mut head = Vec::new();
    File::open(script).ok()?.take(256).read_to_end(&mut head).ok()?;
    let line = head.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?.trim_ascii_start();
    // A carriage return belongs to the name: that is the very reason why a
    // script with Windows line ends does not start.
    let word = line.split(|byte| matches!(byte, b' ' | b'\t')).next()?;
    (!word.is_empty()).then(|| PathBuf::from(OsStr::from_bytes(word)))
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder { folder, .. } => {
                write!(f, "cannot work in the folder {}", folder.display())
            }
            Self::NotAbsolute { program } => {
                write!(f, "the program {} was not resolved to a path", program.display())
            }
            Self::Missing { program } => write!(f, "there is no program {}", program.display()),
            Self::NotExecutable { program, .. } => {
                write!(f, "cannot execute {}", program.display())
            }
            Self::Interpreter { program, interpreter: Some(interpreter) } => write!(
                f,
                "{} asks to be run by {}, which is not there",
                program.display(),
                interpreter.display().to_string().escape_debug(),
            ),
            Self::Interpreter { program, interpreter: None } => {
                write!(f, "the dynamic loader of {} is not there", program.display())
            }
            Self::TooLong { program } => {
                write!(f, "arguments and environment of {} are too long", program.display())
            }
            Self::NulByte { what } => write!(f, "{what} has a NUL byte inside"),
            Self::VariableName { name } => {
                write!(f, "{:?} cannot name an environment variable", name)
            }
            Self::StdinFile { path, .. } => {
                write!(f, "cannot open {} for standard input", path.display())
            }
            Self::Other { program, .. } => write!(f, "cannot start {}", program.display()),
        }
    }
}

impl error::Error for SpawnError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Folder { source, .. }
            | Self::NotExecutable { source, .. }
            | Self::StdinFile { source, .. }
            | Self::Other { source, .. } => Some(source),
            _ => None,
        }
    }
}
