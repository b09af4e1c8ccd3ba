//! What a command may change, leave, read and say.

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

/// What a command may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Effect {
    /// Nothing. Only such a command may answer an observation.
    Read,
    /// Files and programs on this machine.
    Local,
    /// Something on another machine: a registry, a server.
    Remote,
}

/// What a command may leave running when it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Leaves {
    /// Nothing: whatever it started is ended with it.
    #[default]
    Nothing,
    /// A helper that serves later steps, such as an ssh master connection.
    UntilFlowEnds,
    /// A service that is meant to stay, such as an engine.
    Running,
}

/// The value of one variable of a command's environment.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EnvValue {
    /// Set to this text.
    Text(String),
    /// Set to the secret of this name when the process is spawned.
    Secret(String),
    /// Not there, whatever the caller's environment holds.
    Removed,
}

/// What a command reads from its standard input.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stdin {
    /// Nothing.
    #[default]
    Empty,
    /// This text.
    Text(String),
    /// The secret of this name.
    Secret(String),
    /// The content of this file.
    File(Utf8PathBuf),
}

/// For whom a command's standard output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Stdout {
    /// For people: every line is shown.
    #[default]
    Shown,
    /// For the reader alone, such as JSON.
    Data,
    /// For the reader alone, and full of what nobody else may see: it is in no log.
    Private,
    /// [Events](crate::Event), a line each, of a run on another machine.
    Events,
}
