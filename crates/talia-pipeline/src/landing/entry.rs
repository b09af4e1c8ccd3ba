//! What stands at a place in a tree.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What a file holds, as BLAKE3 has it: 32 bytes, written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(blake3::hash(bytes).into())
    }

    /// Of all that is read.
    ///
    /// # Errors
    /// Those of the reader.
    pub fn read(from: impl std::io::Read) -> std::io::Result<Self> {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(from)?;
        Ok(Self(hasher.finalize().into()))
    }

    /// One that was kept as bytes.
    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes, to be kept.
    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first twelve digits, for people.
    pub fn short(&self) -> String {
        self.to_string().chars().take(12).collect()
    }
}

fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A tree is hashed and sent as text, and digits are quicker by the dozen.
        let half = |bytes: &[u8]| bytes.try_into().map_or(0, u128::from_be_bytes);
        write!(f, "{:032x}{:032x}", half(&self.0[..16]), half(&self.0[16..]))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ContentHash {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::usage(format!("{text:?} is no content hash: 64 of 0-9 and a-f"));
        if text.len() != 64 {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let (high, low) = value(digits[0]).zip(value(digits[1])).ok_or_else(wrong)?;
            *byte = high << 4 | low;
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for ContentHash {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<ContentHash> for String {
    fn from(hash: ContentHash) -> Self {
        hash.to_string()
    }
}

/// What stands at a place in a tree.
///
/// Owners and times are not part of it: they are never published. Nor are the source's
/// permissions, [`Entry::FILE_MODE`] and [`Entry::FOLDER_MODE`] hold for all; what a
/// server's own file has instead is part of it, so that a plan sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Entry {
    /// A folder.
    Folder {
        /// Its permissions.
        mode: u32,
    },
    /// A regular file.
    File {
        /// How many bytes it has.
        size: u64,
        /// What they are.
        hash: ContentHash,
        /// Its permissions.
        mode: u32,
    },
    /// A symbolic link.
    Link {
        /// What it names, as it is written.
        target: String,
    },
}

impl Entry {
    /// The permissions of every published file: `rw-r--r--`.
    pub const FILE_MODE: u32 = 0o644;
    /// The permissions of every published folder: `rwxr-xr-x`.
    pub const FOLDER_MODE: u32 = 0o755;

    /// A folder, as it is published.
    pub fn folder() -> Self {
        Self::Folder { mode: Self::FOLDER_MODE }
    }

    /// A file, as it is published.
    pub fn file(size: u64, hash: ContentHash) -> Self {
        Self::File { size, hash, mode: Self::FILE_MODE }
    }

    /// A link to this.
    pub fn link(target: impl Into<String>) -> Self {
        Self::Link { target: target.into() }
    }

    /// How many bytes a file has; none for anything else.
    pub fn size(&self) -> u64 {
        match self {
            Self::File { size, .. } => *size,
            Self::Folder { .. } | Self::Link { .. } => 0,
        }
    }

    /// Whether it is a folder.
    pub fn is_folder(&self) -> bool {
        matches!(self, Self::Folder { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_written_and_read_back() {
        // The reference implementation's value for no bytes at all.
        let empty = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
        assert_eq!(ContentHash::of(b"").to_string(), empty);
        assert_eq!(empty.parse::<ContentHash>().unwrap(), ContentHash::of(b""));
        assert_eq!(ContentHash::read(&b"abc"[..]).unwrap(), ContentHash::of(b"abc"));
        for bad in ["", "af", &empty.to_uppercase(), &format!("{}ä", &empty[..62])] {
            assert!(bad.parse::<ContentHash>().is_err(), "{bad}");
        }
    }
}
