//! What files hold, several at a time.

use std::{
    io,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use camino::Utf8Path;

use super::beneath::Folder;
use crate::landing::{ContentHash, TreePath};

/// A server has other things to do as well.
const READERS: usize = 4;

/// The content of each of these files below a folder, in their order.
///
/// # Errors
/// The first that cannot be read, with its path.
pub(super) fn hash_files(root: &Utf8Path, paths: &[&TreePath]) -> io::Result<Vec<ContentHash>> {
    let readers = thread::available_parallelism().map_or(1, usize::from).min(READERS);
    let next = AtomicUsize::new(0);
    let read = || {
        let folder = Folder::open(root)?;
        let mut hashes = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(path) = paths.get(at) else { break };
            hashes.push((at, hash(&folder, path)?));
        }
        io::Result::Ok(hashes)
    };
    let mut all: Vec<(usize, ContentHash)> = thread::scope(|scope| {
        let readers: Vec<_> = (0..readers.min(paths.len())).map(|_| scope.spawn(read)).collect();
        let mut all = Vec::with_capacity(paths.len());
        for reader in readers {
            let hashes = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            all.extend(hashes?);
        }
        io::Result::Ok(all)
    })?;
    all.sort_unstable_by_key(|(at, _)| *at);
    Ok(all.into_iter().map(|(_, hash)| hash).collect())
}

fn hash(folder: &Folder, path: &TreePath) -> io::Result<ContentHash> {
    let read = || ContentHash::read(folder.parent_of(path)?.read(path.name())?);
    read().map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))
}
