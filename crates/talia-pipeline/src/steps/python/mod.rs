//! A project's Python environment: interpreter, virtual environment, packages.

mod export;
mod install;
mod stamp;
mod sync;
mod venv;
mod version;

pub use export::PoetryExport;
pub use install::PipInstall;
pub use stamp::{ReadStamp, WriteStamp};
pub use sync::{PoetryInstall, UvSync};
pub use venv::Venv;
pub use version::ToolVersion;

use camino::Utf8PathBuf;

use crate::command_line::CommandLine;

/// A virtual environment and the folder that caches go to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Environment {
    dir: Utf8PathBuf,
    cache: Utf8PathBuf,
}

impl Environment {
    /// The environment in `dir`; byte code and tools' caches go to `cache`.
    pub fn new(dir: impl Into<Utf8PathBuf>, cache: impl Into<Utf8PathBuf>) -> Self {
        Self { dir: dir.into(), cache: cache.into() }
    }

    /// Its folder.
    pub fn dir(&self) -> &camino::Utf8Path {
        &self.dir
    }

    /// Where byte code and tools' caches go.
    pub fn cache(&self) -> &camino::Utf8Path {
        &self.cache
    }

    /// A program of the environment.
    pub fn program(&self, name: &str) -> Utf8PathBuf {
        self.dir.join("bin").join(name)
    }

    /// A command that runs a program of the environment and nothing of the
    /// user's site, and keeps byte code out of the project.
    pub fn command(&self, program: &str) -> CommandLine {
        isolated(CommandLine::new(self.program(program)), &self.cache)
    }
}

/// Keeps a Python program from the user's site packages, from an environment
/// that happens to be active, and from writing byte code beside the code.
pub(crate) fn isolated(line: CommandLine, cache: &camino::Utf8Path) -> CommandLine {
    line.env("PYTHONNOUSERSITE", "1")
        .env("PYTHONPYCACHEPREFIX", cache.join("pycache"))
        // Some machines forbid byte code altogether, which makes every start slow.
        .env_remove("PYTHONDONTWRITEBYTECODE")
        .env_remove("PYTHONHOME")
        .env_remove("VIRTUAL_ENV")
}
