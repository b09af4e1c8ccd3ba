//! The agent's own small files.

use std::{fs, io};

use camino::Utf8Path;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    error::{Error, Result},
    files::write_atomically_as,
};

/// Reads JSON; `None` where there is no file.
pub(super) fn read<T: DeserializeOwned>(path: &Utf8Path) -> Result<Option<T>> {
    let bytes = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        bytes => {
            bytes.map_err(|cause| Error::step(format!("{path} cannot be read")).caused_by(cause))?
        }
    };
    let read = serde_json::from_slice(&bytes);
    read.map(Some)
        .map_err(|cause| Error::step(format!("{path} is not what an agent writes: {cause}")))
}

/// Writes JSON, whole or not at all, for root alone.
pub(super) fn write(path: &Utf8Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_vec(value).unwrap_or_default();
    write_atomically_as(path, &text, 0o600)
        .map_err(|cause| Error::step(format!("{path} cannot be written")).caused_by(cause))
}
