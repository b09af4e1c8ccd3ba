//! A source on this machine, as a tree.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    error::{Error, Result},
    landing::{Entry, Filters, LocalIndex},
    step::{Action, Step, Summary},
};

use super::{
    cache::{self, Cache, Origin},
    hash::{Now, look_at_all},
    walk::walk,
};

/// How large a file of rules may be.
const RULES_BYTES: u64 = 1 << 20;

/// Observation: what a folder would publish, each file with the hash of its content.
///
/// - In this process: walks through the folder without what the filters hide, and reads
///   the files that nothing proves to be as they were when the cache was written. A file
///   is taken from the cache when its size, both times to the nanosecond, inode, device
///   and permissions are the same, and the times were settled when that index began. The
///   same step, or a clone of it, asked again knows what it has read before.
/// - Touches: nothing; [`KeepIndex`](super::KeepIndex) writes the cache.
/// - Answers what cannot be published in [`LocalIndex::problems`], all of it.
/// - Errors: a usage error when the folder is not there, or when a line of its
///   [`Filters::FILE`] is no rule.
///
/// ```
/// use talia_pipeline::{Step, landing::Filters, steps::landing::IndexTree};
///
/// let step = IndexTree::new("/srv/site", Filters::default(), 0);
/// assert_eq!(step.label(), "index of /srv/site");
/// ```
#[derive(Debug, Clone)]
pub struct IndexTree {
    source: Utf8PathBuf,
    filters: Filters,
    now_ms: u64,
    cache: Option<Utf8PathBuf>,
    /// What it has read before and nobody has written yet: a flow asks twice.
    read: Arc<Mutex<Option<Vec<u8>>>>,
}

impl IndexTree {
    /// Of this folder, with these filters and those of its own file behind them.
    ///
    /// `now_ms` is the time in milliseconds since 1970, or an earlier one:
    /// [`World::now_ms`](crate::World::now_ms). Files whose times are not older than that
    /// by two seconds are read again by the next index.
    pub fn new(source: impl Into<Utf8PathBuf>, filters: Filters, now_ms: u64) -> Self {
        Self { source: source.into(), filters, now_ms, cache: None, read: Arc::default() }
    }

    /// Uses what an earlier index has left in this file. One that is not there, is
    /// damaged, or is of another folder is as good as none.
    #[must_use]
    pub fn cache(mut self, file: impl Into<Utf8PathBuf>) -> Self {
        self.cache = Some(file.into());
        self
    }

    fn index(&self) -> Result<LocalIndex> {
        let missing = |cause: io::Error| {
            Error::usage(format!("the landing page's source {} cannot be read", self.source))
                .caused_by(cause)
                .hint("name a folder in `[landing]`, or build the page first")
        };
        let source = self.source.canonicalize_utf8().map_err(missing)?;
        let data = fs::metadata(&source).map_err(missing)?;
        if !data.is_dir() {
            return Err(missing(io::ErrorKind::NotADirectory.into()));
        }
        let filters = with_own_rules(&source, self.filters.clone())?;
        let origin = Origin::new(&source, &data, self.now_ms);
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        // Whatever is wrong with it, the files themselves are still there.
        let file = || self.cache.as_ref().and_then(|file| fs::read(file).ok());
        let kept = read.clone().or_else(file).unwrap_or_default();
        let (cache, mut found) = thread::scope(|scope| {
            let cache = scope.spawn(|| Cache::read(&kept, &origin));
            let found = walk(&source, &filters);
            // What has gone wrong there must not pass for an empty cache.
            (cache.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), found)
        });
        let files = std::mem::take(&mut found.files);
        let seen = look_at_all(&source, &files, &cache);
        let mut known = Vec::with_capacity(files.len());
        for (path, now) in files.into_iter().zip(seen) {
            match now {
                Now::Known(stamp, hash) => known.push((path, stamp, hash)),
                Now::Read(stamp, hash) => {
                    found.counts.read_files += 1;
                    found.counts.read_bytes += stamp.size;
                    known.push((path, stamp, hash));
                }
                Now::Changed => found.problems.changed.add(path),
                Now::Failed(error) => found.cannot_read(path.as_str().as_bytes(), Some(&error)),
            }
        }
        let is_new = found.counts.read_files > 0 || cache.len() != known.len();
        if self.cache.is_some() && is_new {
            let known = known.iter().map(|(path, stamp, hash)| (path.as_str(), stamp, hash));
            *read = Some(cache::write(&origin, known));
        }
        let cache = read.clone();
        let files =
            known.into_iter().map(|(path, stamp, hash)| (path, Entry::file(stamp.size, hash)));
        Ok(LocalIndex {
            tree: found.entries.into_iter().chain(files).collect(),
            source,
            filters,
            problems: found.problems,
            unreadable: found.unreadable,
            counts: found.counts,
            cache,
        })
    }
}

/// The filters, and behind them the rules that the source itself has.
fn with_own_rules(source: &Utf8Path, filters: Filters) -> Result<Filters> {
    let file = source.join(Filters::FILE);
    let cannot = |why: &str| {
        Error::usage(format!("{file} {why}"))
            .hint("it has rules for rsync, one a line; without it everything is published")
    };
    let data = match fs::symlink_metadata(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(filters),
        data => data.map_err(|cause| cannot("cannot be read").caused_by(cause))?,
    };
    if !data.is_file() {
        return Err(cannot("is no regular file"));
    }
    if data.size() > RULES_BYTES {
        return Err(cannot("has more than 1 MiB"));
    }
    let text = fs::read(&file).map_err(|cause| cannot("cannot be read").caused_by(cause))?;
    let text = std::str::from_utf8(&text).map_err(|_| cannot("is not UTF-8"))?;
    filters.with_file(&file, text)
}

impl Step for IndexTree {
    type Output = LocalIndex;

    fn label(&self) -> String {
        format!("index of {}", self.source)
    }

    fn action(&self) -> Action<'_, LocalIndex> {
        let what = match &self.cache {
            Some(cache) => format!("index {}, knowing {cache}", self.source),
            None => format!("index {}", self.source),
        };
        Action::read(what, || self.index())
    }

    fn assume(&self) -> LocalIndex {
        LocalIndex { source: self.source.clone(), ..LocalIndex::default() }
    }

    fn summary(&self, index: &LocalIndex) -> Summary {
        let counts = &index.counts;
        Summary::line(format!(
            "{} files, {} bytes; {} read anew",
            counts.files,
            index.tree.bytes(),
            counts.read_files
        ))
    }
}

#[cfg(test)]
mod tests;
