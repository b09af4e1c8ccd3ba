//! What comes along with a request.

use std::io::Read as _;

use talia_pipeline::{Error, Result};

/// What a client sends on standard input.
pub(crate) fn brought(most: u64) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    std::io::stdin()
        .take(most + 1)
        .read_to_end(&mut content)
        .map_err(|cause| Error::usage("what is pushed cannot be read").caused_by(cause))?;
    if content.len() as u64 > most {
        return Err(Error::usage(format!("what is pushed is longer than {} MiB", most >> 20)));
    }
    Ok(content)
}
