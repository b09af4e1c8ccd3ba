//! Releases of the landing page: one record each, with the tree that was published.

use std::{collections::BTreeMap, io};

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use super::{LandingPlace, files, spare::put_by};
use crate::{
    error::{Error, Result},
    files::remove_if_there,
    landing::{ContentHash, Entry, LandingStrategy, Tree, TreePath},
    protocol::{LandingRelease, LandingTaken, ReleaseId, RevisionId, Who},
    server::Fate,
};

/// One release of the landing page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LandingRecord {
    /// Its id, also the name of its tree's folder.
    pub id: ReleaseId,
    /// What it was made from; `None` for what stood there before the first release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<RevisionId>,
    /// The hash of its tree.
    pub tree: ContentHash,
    /// How it was put in place.
    pub strategy: LandingStrategy,
    /// Who had it go live.
    pub by: Who,
    /// When it began, in milliseconds since 1970.
    pub began_ms: u64,
    /// What was live when it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<ReleaseId>,
    /// How many files it has.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What has become of it.
    pub fate: Fate,
}

impl LandingRecord {
    /// Whether it was live and well once.
    pub fn was_good(&self) -> bool {
        matches!(self.fate, Fate::Live { .. })
    }

    /// As a client is told.
    pub fn taken(&self) -> LandingTaken {
        let at_ms = match self.fate {
            Fate::Live { at_ms } => at_ms,
            Fate::Begun | Fate::Undone { .. } => self.began_ms,
        };
        LandingTaken {
            release: self.id.clone(),
            revision: self.revision.clone(),
            tree: self.tree,
            at_ms,
            by: self.by.clone(),
        }
    }

    /// As a client is told where all are listed.
    pub fn listed(&self, live: Option<&ReleaseId>) -> LandingRelease {
        LandingRelease {
            taken: self.taken(),
            before: self.before.clone(),
            files: self.files,
            bytes: self.bytes,
            is_live: live == Some(&self.id),
            undone: match &self.fate {
                Fate::Undone { reason } => Some(reason.clone()),
                Fate::Begun | Fate::Live { .. } => None,
            },
        }
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn write(&self, place: &LandingPlace) -> Result<()> {
        files::write(&place.record(&self.id), self)
    }
}

/// What stands in the folder of a release.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReleaseTree {
    /// What was published.
    pub tree: Tree,
    /// What else there is: hashed assets of older releases, and the release's own
    /// `.talia-version.json`.
    #[serde(default)]
    pub kept: Tree,
}

impl ReleaseTree {
    /// What stands at a place.
    pub fn get(&self, path: &TreePath) -> Option<&Entry> {
        self.tree.get(path).or_else(|| self.kept.get(path))
    }

    /// Reads that of a release.
    ///
    /// # Errors
    /// When it is not there or cannot be read.
    pub fn read(place: &LandingPlace, id: &ReleaseId) -> Result<Self> {
        let path = place.tree(id);
        files::read(&path)?.ok_or_else(|| Error::step(format!("there is no {path}")))
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn write(&self, place: &LandingPlace, id: &ReleaseId) -> Result<()> {
        files::write(&place.tree(id), self)
    }
}

/// All records of the landing page, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LandingRecords {
    /// Those that can be read.
    pub all: Vec<LandingRecord>,
    /// Those that cannot, and what is wrong with each.
    pub broken: Vec<(Utf8PathBuf, String)>,
}

impl LandingRecords {
    /// Reads them.
    ///
    /// # Errors
    /// When their folder cannot be listed. One that is not there is empty.
    pub fn read(place: &LandingPlace) -> Result<Self> {
        let folder = place.records();
        let mut records = Self::default();
        let entries = match folder.read_dir_utf8() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(records),
            entries => entries.map_err(|cause| {
                Error::step(format!("the records in {folder} cannot be listed")).caused_by(cause)
            })?,
        };
        let mut paths: Vec<Utf8PathBuf> =
            entries.filter_map(|entry| Some(entry.ok()?.into_path())).collect();
        paths.sort();
        for path in paths {
            let id = path.file_name().and_then(|name| name.strip_suffix(".json"));
            if id.and_then(|id| id.parse::<ReleaseId>().ok()).is_none() {
                continue;
            }
            match files::read(&path) {
                Ok(Some(record)) => records.all.push(record),
                Ok(None) => {}
                Err(error) => records.broken.push((path, error.to_string())),
            }
        }
        Ok(records)
    }

    /// The record of this release.
    pub fn get(&self, id: &ReleaseId) -> Option<&LandingRecord> {
        self.all.iter().find(|record| record.id == *id)
    }

    /// Whether there is a record of this release that cannot be read.
    pub fn is_broken(&self, id: &ReleaseId) -> bool {
        self.broken.iter().any(|(path, _)| path.file_stem() == Some(id.as_str()))
    }

    /// Where a rollback of `live` leads: to the good release that was live before it
    /// first went live.
    pub fn before(&self, live: &ReleaseId) -> Option<&LandingRecord> {
        let good = |record: &&LandingRecord| record.was_good();
        let before = self.get(live)?.before.as_ref();
        before
            .and_then(|before| self.get(before).filter(good))
            // Where that has gone: the newest one that came from before.
            .or_else(|| self.all.iter().rev().filter(good).find(|record| record.id < *live))
    }

    /// Those that have begun and neither ended nor been undone.
    pub fn unfinished(&self) -> impl Iterator<Item = &LandingRecord> {
        self.all.iter().filter(|record| record.fate == Fate::Begun)
    }

    /// Which may go: all but the live one, the one that a rollback leads to, and the
    /// newest good ones, up to this many.
    pub fn beyond(&self, keep: usize, live: Option<&ReleaseId>) -> Vec<&LandingRecord> {
        let before = live.and_then(|live| self.before(live)).map(|record| &record.id);
        let mut kept = 0;
        let mut gone = Vec::new();
        for record in self.all.iter().rev() {
            let needed = Some(&record.id) == live || Some(&record.id) == before;
            if needed || (record.was_good() && kept < keep) {
                kept += 1;
            } else {
                gone.push(record);
            }
        }
        gone.reverse();
        gone
    }

    /// Forgets a release: its record first, so that a tree that is only half removed is
    /// nobody's. Whether files have lost names.
    ///
    /// # Errors
    /// When the file system does not let it go.
    pub fn forget(place: &LandingPlace, id: &ReleaseId) -> Result<bool> {
        let removed = [place.record(id), place.tree(id), place.stamps(id)]
            .iter()
            .try_for_each(|path| remove_if_there(path))
            .and_then(|()| put_by(place, id));
        removed.map_err(|cause| {
            Error::step(format!("the release {id} cannot be removed")).caused_by(cause)
        })
    }
}

/// The hashed assets that `newer` lost against the releases before it, the newest of them
/// first: those that an open page may still ask for. Where two have a place, the newer
/// counts.
pub fn assets_to_keep(
    newer: &Tree,
    older: &[(ReleaseId, Tree)],
) -> BTreeMap<TreePath, (ReleaseId, Entry)> {
    let mut kept: BTreeMap<TreePath, (ReleaseId, Entry)> = BTreeMap::new();
    for (id, tree) in older {
        for (path, entry) in tree.iter() {
            let is_asset = matches!(entry, Entry::File { .. }) && path.is_hashed();
            if is_asset && !kept.contains_key(path) && has_room(newer, path) {
                kept.insert(path.clone(), (id.clone(), entry.clone()));
            }
        }
    }
    kept
}

/// Whether nothing stands there, and folders alone above it.
fn has_room(tree: &Tree, path: &TreePath) -> bool {
    let mut above = path.parent();
    while let Some(folder) = above {
        if tree.get(&folder).is_some_and(|entry| !entry.is_folder()) {
            return false;
        }
        above = folder.parent();
    }
    tree.get(path).is_none()
}
