//! What tells that a file has changed without reading it.

use std::{fs::Metadata, os::unix::fs::MetadataExt as _, time::Duration};

use filetime::FileTime;

/// A file as the file system describes it. Every change of a file changes it, unless the
/// two are closer than the file system's clock can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) size: u64,
    /// When the content was written; anybody may set it to anything.
    modified: FileTime,
    /// When anything of it was changed; nobody can set it.
    changed: FileTime,
    inode: u64,
    device: u64,
    mode: u32,
}

impl Stamp {
    /// How coarse a file system's clock may be: FAT counts two seconds.
    const GRANULARITY: Duration = Duration::from_secs(2);
    /// How many bytes it has when it is kept.
    pub(super) const BYTES: usize = 52;

    pub(super) fn of(data: &Metadata) -> Self {
        let nanoseconds = u32::try_from(data.ctime_nsec()).unwrap_or_default();
        Self {
            size: data.len(),
            modified: FileTime::from_last_modification_time(data),
            changed: FileTime::from_unix_time(data.ctime(), nanoseconds),
            inode: data.ino(),
            device: data.dev(),
            mode: data.mode(),
        }
    }

    /// All of it as bytes, to be kept and compared.
    pub(super) fn bytes(&self) -> [u8; Self::BYTES] {
        let (modified, changed) = (self.modified, self.changed);
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&self.size.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.inode.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.device.to_le_bytes());
        bytes[24..32].copy_from_slice(&modified.unix_seconds().to_le_bytes());
        bytes[32..40].copy_from_slice(&changed.unix_seconds().to_le_bytes());
        bytes[40..44].copy_from_slice(&modified.nanoseconds().to_le_bytes());
        bytes[44..48].copy_from_slice(&changed.nanoseconds().to_le_bytes());
        bytes[48..].copy_from_slice(&self.mode.to_le_bytes());
        bytes
    }

    /// Whether a change after this moment, in milliseconds since 1970, gives another
    /// stamp for sure: its times are older than the clock is coarse.
    pub(super) fn is_settled_at(&self, moment_ms: u64) -> bool {
        let Some(safe) = moment_ms.checked_sub(Self::GRANULARITY.as_millis() as u64) else {
            return false;
        };
        let (seconds, rest) = (safe / 1000, safe % 1000);
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        let safe = FileTime::from_unix_time(seconds, (rest as u32) * 1_000_000);
        self.modified < safe && self.changed < safe
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_settles_when_its_clock_has_moved_on() {
        let stamp = |modified, changed| Stamp {
            size: 0,
            modified: FileTime::from_unix_time(modified, 500_000_000),
            changed: FileTime::from_unix_time(changed, 500_000_000),
            inode: 1,
            device: 1,
            mode: 0o644,
        };
        assert!(stamp(10, 10).is_settled_at(12_501));
        assert!(!stamp(10, 10).is_settled_at(12_500));
        assert!(!stamp(10, 11).is_settled_at(12_501), "changed later");
        assert!(!stamp(11, 10).is_settled_at(12_501), "written later");
        assert!(!stamp(10, 10).is_settled_at(0), "no clock at all");
        assert!(stamp(-10, -10).is_settled_at(2_000));
    }
}
