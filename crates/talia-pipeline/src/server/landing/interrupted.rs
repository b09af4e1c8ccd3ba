//! A release in place that did not end.

use super::{LandingPlace, LandingRecord, VERSION_FILE, files};
use crate::landing::{Entry, LandingStrategy, Tree, TreePath};

/// Where rsync has the files that it puts in place together.
const PARTIAL: &str = ".~tmp~";
/// The random letters of a name that rsync writes a file under.
const RANDOM: usize = 6;

/// What a release in place may have left that did not end: what it began from, and what it
/// was to become. Of each place one of both is there.
#[derive(Debug)]
pub(super) struct Interrupted {
    base: Tree,
    announced: Tree,
}

impl Interrupted {
    /// The last one since this release, if that was in place.
    pub(super) fn read(place: &LandingPlace, live: &LandingRecord) -> Option<Self> {
        if live.strategy != LandingStrategy::InPlace {
            return None;
        }
        // What cannot be read explains nothing.
        let read = |path| files::read(path).ok().flatten();
        Some(Self { base: read(&place.base())?, announced: read(&place.announced())? })
    }

    /// Whether what stands there is what it has left.
    pub(super) fn explains(&self, path: &TreePath, now: Option<&Entry>) -> bool {
        let has = |tree: &Tree| match (tree.get(path), now) {
            // Their modes are made those of published files.
            (Some(Entry::File { hash, .. }), Some(Entry::File { hash: now, .. })) => hash == now,
            (Some(Entry::Folder { .. }), Some(Entry::Folder { .. })) => true,
            (there, now) => there == now,
        };
        let is_version = path.as_str() == VERSION_FILE;
        is_version || has(&self.base) || has(&self.announced) || self.was_written(path)
    }

    /// Whether rsync has begun to write a file under this name: `.a.html.9aZ0bC`.
    fn was_written(&self, path: &TreePath) -> bool {
        let own = |path: &TreePath| {
            let (name, random) = path.name().strip_prefix('.')?.rsplit_once('.')?;
            let is_random =
                random.len() == RANDOM && random.bytes().all(|b| b.is_ascii_alphanumeric());
            let above = path.parent().map(|above| format!("{above}/")).unwrap_or_default();
            is_random.then(|| format!("{above}{name}").parse().ok())?
        };
        own(path).is_some_and(|path| self.announced.get(&path).is_some())
    }
}

/// Whether it is where rsync has files that are not in place yet.
pub(super) fn is_partial(path: &TreePath) -> bool {
    path.as_str().split('/').any(|name| name == PARTIAL)
}
