//! SHA-256. The one place that knows the crate.

use std::{
    fs::File,
    io::{self, Read as _},
};

use camino::Utf8Path;
use sha2::Digest as _;

use super::DumpFile;

/// A hash that is being made.
pub(super) struct Sha256(sha2::Sha256);

impl Sha256 {
    pub(super) fn new() -> Self {
        Self(sha2::Sha256::new())
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(super) fn hex(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Size and hash of a file, and the file, still open.
pub(super) fn of_file(path: &Utf8Path) -> io::Result<(DumpFile, File)> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut bytes = 0;
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hash.add(&buffer[..read]);
        bytes += u64::try_from(read).unwrap_or(u64::MAX);
    }
    Ok((DumpFile { bytes, sha256: hash.hex() }, file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_sha_256() {
        let mut hash = Sha256::new();
        hash.add(b"a");
        hash.add(b"bc");
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash.hex(), expected);
    }
}
