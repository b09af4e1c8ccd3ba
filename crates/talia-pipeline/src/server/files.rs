//! The files that a service runs with, and what was edited by hand since they were
//! pushed.

use std::{fs, io};

use camino::{Utf8Path, Utf8PathBuf};

use crate::error::{Error, Result};

use super::Layout;

/// A file that is put on the server on purpose, and kept a copy of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PushedFile {
    /// `docker-compose.yml`.
    Compose,
    /// `compose.override.yml`, which need not be there.
    Override,
    /// `.env`.
    Env,
    /// The Nginx site.
    Site,
}

impl PushedFile {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Compose, Self::Override, Self::Env, Self::Site];

    /// Where it lies.
    pub fn path(self, layout: &Layout) -> Utf8PathBuf {
        match self {
            Self::Compose => layout.compose_file(),
            Self::Override => layout.compose_override(),
            Self::Env => layout.env_file(),
            Self::Site => layout.nginx_site(),
        }
    }

    /// Where the copy of what was pushed lies.
    pub fn pushed(self, layout: &Layout) -> Utf8PathBuf {
        layout.pushed().join(self.name())
    }

    /// Its name in the folder of a release that runs with it. There, `.env` is what
    /// Compose is given, see [`compose_env`](super::compose_env).
    pub fn name_in_release(self) -> &'static str {
        if self == Self::Env { "env.original" } else { self.name() }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Compose => "docker-compose.yml",
            Self::Override => "compose.override.yml",
            Self::Env => ".env",
            Self::Site => "site.conf",
        }
    }

    /// What pushes another one, from a client. What is added to the compose file comes
    /// with the host and has no such command.
    pub fn push_command(self) -> Option<&'static str> {
        match self {
            Self::Compose => Some("cargo xtask server compose push"),
            Self::Override => None,
            Self::Env => Some("cargo xtask server env push"),
            Self::Site => Some("cargo xtask server site push"),
        }
    }

    /// Who may read it: what holds secrets, root alone.
    pub fn mode(self) -> u32 {
        if self == Self::Env { 0o600 } else { 0o644 }
    }
}

/// A file that is not as it was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// Which one.
    pub file: PushedFile,
    /// Where it lies.
    pub path: Utf8PathBuf,
    /// Whether it is gone, rather than edited.
    pub is_gone: bool,
}

impl Drift {
    /// For people: `/opt/talia-backend/.env was edited on the server`.
    pub fn told(&self) -> String {
        let what =
            if self.is_gone { "was removed from the server" } else { "was edited on the server" };
        format!("{} {what}", self.path)
    }
}

/// The files as they are now. Never shown: `.env` holds secrets.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ServerFiles {
    /// The compose file.
    pub compose: Vec<u8>,
    /// What is added to it.
    pub extra: Option<Vec<u8>>,
    /// The service's environment.
    pub env: Vec<u8>,
    /// Where that was read.
    pub env_path: Utf8PathBuf,
    /// What is not as it was pushed.
    pub drift: Vec<Drift>,
}

impl std::fmt::Debug for ServerFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerFiles").field("drift", &self.drift).finish_non_exhaustive()
    }
}

impl ServerFiles {
    /// Reads them, with what was pushed last.
    ///
    /// # Errors
    /// When one that has to be there is not.
    pub fn read(layout: &Layout) -> Result<Self> {
        let needed = |file: PushedFile| {
            let path = file.path(layout);
            read(&path)?.ok_or_else(|| {
                let missing = Error::preflight(format!("there is no {path} on the server"));
                match file.push_command() {
                    Some(command) => missing.hint(format!("push one: `{command} FILE`")),
                    None => missing,
                }
            })
        };
        Ok(Self {
            compose: needed(PushedFile::Compose)?,
            extra: read(&PushedFile::Override.path(layout))?,
            env: needed(PushedFile::Env)?,
            env_path: layout.env_file(),
            drift: drift(layout)?,
        })
    }

    /// Reads the files that a release has run with.
    ///
    /// # Errors
    /// When the release's folder is not whole.
    pub fn of_release(folder: &Utf8Path) -> Result<Self> {
        let needed = |file: PushedFile| {
            let path = folder.join(file.name_in_release());
            read(&path)?.ok_or_else(|| Error::step(format!("the release lacks its {path}")))
        };
        Ok(Self {
            compose: needed(PushedFile::Compose)?,
            extra: read(&folder.join(PushedFile::Override.name_in_release()))?,
            env: needed(PushedFile::Env)?,
            env_path: folder.join(PushedFile::Env.name_in_release()),
            drift: Vec::new(),
        })
    }
}

/// What differs from what was pushed. Without a copy of any, a file is as it should be.
///
/// # Errors
/// When a file cannot be read.
pub fn drift(layout: &Layout) -> Result<Vec<Drift>> {
    let mut found = Vec::new();
    let was_pushed = PushedFile::Compose.pushed(layout).exists();
    let is_tried = layout.tried_site().exists();
    // A site that nobody has judged yet is no edit by hand, and does not stay by itself.
    for file in PushedFile::ALL.into_iter().filter(|file| *file != PushedFile::Site || !is_tried) {
        let path = file.path(layout);
        let (now, pushed) = (read(&path)?, read(&file.pushed(layout))?);
        match (&now, &pushed) {
            // One that need not be there was not there when the others were pushed.
            (Some(_), None) if file == PushedFile::Override && was_pushed => {
                found.push(Drift { file, path, is_gone: false });
            }
            (_, None) => {}
            (None, Some(_)) => found.push(Drift { file, path, is_gone: true }),
            (Some(now), Some(pushed)) if now != pushed => {
                found.push(Drift { file, path, is_gone: false });
            }
            _ => {}
        }
    }
    Ok(found)
}

fn read(path: &Utf8Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(Error::step(format!("{path} cannot be read")).caused_by(cause)),
    }
}
