//! What an index keeps for the next one: the stamp and the hash of every file.

use std::{collections::HashMap, fs::Metadata, os::unix::fs::MetadataExt as _, sync::OnceLock};

use crate::landing::ContentHash;
use camino::Utf8Path;

use super::stamp::Stamp;

/// Names the layout: a file of another one is not read.
const HEAD: &[u8] = b"talia landing index 1\n";
/// What follows it all: the hash of everything before.
const SEAL: usize = 32;

/// Which index it is of, and when that began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin<'a> {
    /// The source's own path.
    pub(super) source: &'a Utf8Path,
    /// The folder itself: another one may stand at the same path.
    pub(super) device: u64,
    pub(super) inode: u64,
    /// Before any file was looked at, in milliseconds since 1970.
    pub(super) began_ms: u64,
}

impl<'a> Origin<'a> {
    pub(super) fn new(source: &'a Utf8Path, data: &Metadata, began_ms: u64) -> Self {
        Self { source, device: data.dev(), inode: data.ino(), began_ms }
    }
}

/// What an earlier index knew, in the order in which it came to the files.
#[derive(Debug, Default)]
pub(super) struct Cache<'a> {
    files: Vec<Kept<'a>>,
    by_path: OnceLock<HashMap<&'a str, usize>>,
    began_ms: u64,
}

#[derive(Debug)]
struct Kept<'a> {
    path: &'a str,
    stamp: &'a [u8],
    hash: ContentHash,
}

impl<'a> Cache<'a> {
    /// Reads what was kept. What is damaged, of another layout or of another folder, or
    /// was written when the clock was ahead of now, gives an empty one.
    pub(super) fn read(bytes: &'a [u8], now: &Origin<'_>) -> Self {
        Self::read_sealed(bytes, now).unwrap_or_default()
    }

    fn read_sealed(bytes: &'a [u8], now: &Origin<'_>) -> Option<Self> {
        let (content, seal) = bytes.split_at_checked(bytes.len().checked_sub(SEAL)?)?;
        if ContentHash::of(content).as_bytes() != seal {
            return None;
        }
        let mut rest = Rest(content.strip_prefix(HEAD)?);
        let origin = Origin {
            began_ms: rest.u64()?,
            device: rest.u64()?,
            inode: rest.u64()?,
            source: rest.text()?.into(),
        };
        if (Origin { began_ms: now.began_ms, ..origin }) != *now || origin.began_ms > now.began_ms {
            return None;
        }
        let count = usize::try_from(rest.u64()?).ok()?;
        let mut files = Vec::with_capacity(count.min(content.len() / Stamp::BYTES));
        for _ in 0..count {
            let (path, stamp) = (rest.text()?, rest.take(Stamp::BYTES)?);
            files.push(Kept { path, stamp, hash: ContentHash::from_bytes(rest.array()?) });
        }
        Some(Self { files, began_ms: origin.began_ms, ..Self::default() })
    }

    /// What a file holds, if its stamp proves that it is what it was. `at` is where the
    /// file stands among all: at the same place as before, where none came or went.
    pub(super) fn find(&self, at: usize, path: &str, stamp: &Stamp) -> Option<ContentHash> {
        let kept = match self.files.get(at) {
            Some(kept) if kept.path == path => kept,
            _ => self.files.get(*self.by_path.get_or_init(|| self.all_by_path()).get(path)?)?,
        };
        (*kept.stamp == stamp.bytes() && stamp.is_settled_at(self.began_ms)).then_some(kept.hash)
    }

    fn all_by_path(&self) -> HashMap<&'a str, usize> {
        self.files.iter().enumerate().map(|(at, kept)| (kept.path, at)).collect()
    }

    /// How many files it knows.
    pub(super) fn len(&self) -> usize {
        self.files.len()
    }
}

/// What is read from the front.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = self.u32()?;
        std::str::from_utf8(self.take(usize::try_from(length).ok()?)?).ok()
    }
}

/// What is kept of these files.
pub(super) fn write<'a>(
    origin: &Origin<'_>,
    files: impl ExactSizeIterator<Item = (&'a str, &'a Stamp, &'a ContentHash)>,
) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256 + files.len() * 160);
    let text = |bytes: &mut Vec<u8>, text: &str| {
        bytes.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
    };
    bytes.extend_from_slice(HEAD);
    for number in [origin.began_ms, origin.device, origin.inode] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    text(&mut bytes, origin.source.as_str());
    bytes.extend_from_slice(&(files.len() as u64).to_le_bytes());
    for (path, stamp, hash) in files {
        text(&mut bytes, path);
        bytes.extend_from_slice(&stamp.bytes());
        bytes.extend_from_slice(hash.as_bytes());
    }
    let seal = ContentHash::of(&bytes);
    bytes.extend_from_slice(seal.as_bytes());
    bytes
}
