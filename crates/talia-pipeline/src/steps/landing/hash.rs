//! Files, read side by side.

use std::{
    fs::{self, File},
    io::{self, Seek as _},
    os::unix::fs::OpenOptionsExt as _,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use camino::Utf8Path;
use rustix::fs::OFlags;

use crate::landing::{ContentHash, TreePath};

use super::{cache::Cache, stamp::Stamp};

/// More read no faster from one disk.
const THREADS: usize = 8;
/// How many files a thread takes at once.
const PORTION: usize = 32;

/// What a file is now.
pub(super) enum Now {
    /// What the cache says of it.
    Known(Stamp, ContentHash),
    /// What it holds, with the stamp that it had before and after.
    Read(Stamp, ContentHash),
    /// It was written to meanwhile, or is no regular file any more.
    Changed,
    Failed(io::Error),
}

/// Looks at these files of the source, and reads what the cache does not know. The
/// answers have the order of the files.
pub(super) fn look_at_all(source: &Utf8Path, files: &[TreePath], cache: &Cache<'_>) -> Vec<Now> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let from = next.fetch_add(PORTION, Ordering::Relaxed);
            let Some(rest) = files.get(from..).filter(|rest| !rest.is_empty()) else { return done };
            let portion = (from..).zip(rest).take(PORTION);
            let seen = portion
                .map(|(at, file)| look_at(&source.join(file.as_str()), at, file.as_str(), cache));
            done.push((from, seen.collect::<Vec<_>>()));
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.min(THREADS).min(files.len());
    let mut done: Vec<(usize, Vec<Now>)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let joined = threads.into_iter().map(|thread| match thread.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        joined.flatten().collect()
    });
    done.sort_unstable_by_key(|(from, _)| *from);
    done.into_iter().flat_map(|(_, portion)| portion).collect()
}

fn look_at(path: &Utf8Path, at: usize, file: &str, cache: &Cache<'_>) -> Now {
    match fs::symlink_metadata(path) {
        Ok(data) if data.is_file() => {
            let stamp = Stamp::of(&data);
            if let Some(hash) = cache.find(at, file, &stamp) {
                return Now::Known(stamp, hash);
            }
        }
        Ok(_) => return Now::Changed,
        Err(error) => return Now::Failed(error),
    }
    // Twice, because a build may just be ending.
    for _ in 0..2 {
        match read(path) {
            Ok(Some((stamp, hash))) => return Now::Read(stamp, hash),
            Ok(None) => {}
            Err(error) => return Now::Failed(error),
        }
    }
    Now::Changed
}

/// What a file holds; `None` when it changed meanwhile.
fn read(path: &Utf8Path) -> io::Result<Option<(Stamp, ContentHash)>> {
    // What has become a link is not followed, and a pipe is not waited for.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    let opened = File::options().read(true).custom_flags(flags.cast_signed()).open(path);
    let mut file = match opened {
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            return Ok(None);
        }
        file => file?,
    };
    let data = file.metadata()?;
    if !data.is_file() {
        return Ok(None);
    }
    let before = Stamp::of(&data);
    let hash = ContentHash::read(&mut file)?;
    let is_same = Stamp::of(&file.metadata()?) == before && file.stream_position()? == before.size;
    Ok(is_same.then_some((before, hash)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(path: &str) -> Now {
        look_at(path.into(), 0, path, &Cache::default())
    }

    #[test]
    fn what_is_not_what_its_stamp_says_has_changed() {
        // It has more bytes than its size: none.
        assert!(matches!(look("/proc/version"), Now::Changed));
        // A link may lead anywhere.
        assert!(matches!(look("/proc/self/exe"), Now::Changed));
        assert!(matches!(look("/proc"), Now::Changed));
        assert!(matches!(look("/proc/none"), Now::Failed(_)));
    }

    #[test]
    fn a_link_is_not_followed_and_a_folder_not_read() {
        assert!(matches!(read("/proc/self/exe".into()), Ok(None)));
        assert!(matches!(read("/proc".into()), Ok(None)));
    }
}
