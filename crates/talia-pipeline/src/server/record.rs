//! Releases: one immutable record each of what was put on the server.

use std::{fs, io};

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use crate::{
    digest::Digest,
    error::{Error, Result},
    files,
    protocol::{ReleaseId, RevisionId, Slot, Taken, Who},
};

use super::Layout;

/// What has become of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It has begun, and nobody has said how it ended: it runs now, or its agent was
    /// killed.
    Begun,
    /// It was healthy behind Nginx.
    Live {
        /// When clients were switched to it, in milliseconds since 1970; where its agent
        /// was killed before it said so, when the next one found it well.
        at_ms: u64,
    },
    /// It was undone.
    Undone {
        /// Why.
        reason: String,
    },
}

/// What was put on the server, by whom, and from what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its id, also the name of its folder.
    pub id: ReleaseId,
    /// What it was built from.
    pub revision: RevisionId,
    /// The image's repository.
    pub image: String,
    /// The image itself.
    pub digest: Digest,
    /// Where it runs.
    pub slot: Slot,
    /// Who asked for it.
    pub by: Who,
    /// When it began, in milliseconds since 1970.
    pub began_ms: u64,
    /// The release whose files it took, where it is a rollback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<ReleaseId>,
    /// What was live when it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<ReleaseId>,
    /// The backup that was made before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<String>,
    /// The database's schema before it, as the hash of a schema-only dump.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema_hash: Option<String>,
    /// What has become of it.
    pub fate: Fate,
}

impl Record {
    /// What a slot adds to the compose file, in a release's folder.
    pub const SLOT_FILE: &str = "slot.yml";

    /// The image by its digest: `ghcr.io/talia/backend@sha256:…`.
    pub fn reference(&self) -> String {
        format!("{}@{}", self.image, self.digest)
    }

    /// Whether it was live and healthy once.
    pub fn was_good(&self) -> bool {
        matches!(self.fate, Fate::Live { .. })
    }

    /// Since when clients get it, where they have got it; else when it began. In
    /// milliseconds since 1970.
    pub fn since_ms(&self) -> u64 {
        match self.fate {
            Fate::Live { at_ms } => at_ms,
            Fate::Begun | Fate::Undone { .. } => self.began_ms,
        }
    }

    /// As a client is told.
    pub fn taken(&self) -> Taken {
        Taken {
            release: self.id.clone(),
            revision: self.revision.clone(),
            digest: self.digest.clone(),
            slot: Some(self.slot),
            at_ms: self.since_ms(),
            by: self.by.clone(),
        }
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn write(&self, layout: &Layout) -> Result<()> {
        let path = layout.release(&self.id).join(NAME);
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        files::write_atomically(&path, format!("{text}\n").as_bytes()).map_err(|cause| {
            Error::step(format!("the record {path} cannot be written")).caused_by(cause)
        })
    }
}

const NAME: &str = "record.json";

/// All records of an environment, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Records {
    /// Those that can be read.
    pub all: Vec<Record>,
    /// Folders without one, such as a kill leaves.
    pub torn: Vec<Utf8PathBuf>,
    /// Folders with one that cannot be read, and what is wrong with each.
    pub broken: Vec<(Utf8PathBuf, String)>,
}

impl Records {
    /// Reads them.
    ///
    /// # Errors
    /// When the folder of releases cannot be listed. One that is not there is empty.
    pub fn read(layout: &Layout) -> Result<Self> {
        let folder = layout.releases();
        let mut records = Self::default();
        let entries = match folder.read_dir_utf8() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(records),
            entries => entries.map_err(|cause| {
                Error::step(format!("the releases in {folder} cannot be listed")).caused_by(cause)
            })?,
        };
        let mut paths: Vec<Utf8PathBuf> =
            entries.filter_map(|entry| Some(entry.ok()?.into_path())).collect();
        paths.sort();
        for path in paths {
            let text = fs::read(path.join(NAME));
            if text.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
                // What somebody has put there is no release's.
                if path.file_name().is_some_and(|name| name.parse::<ReleaseId>().is_ok()) {
                    records.torn.push(path);
                }
                continue;
            }
            let read = text
                .map_err(|error| error.to_string())
                .and_then(|text| serde_json::from_slice(&text).map_err(|e| e.to_string()));
            match read {
                Ok(record) => records.all.push(record),
                Err(reason) => records.broken.push((path, reason)),
            }
        }
        Ok(records)
    }

    /// The record of this release.
    pub fn get(&self, id: &ReleaseId) -> Option<&Record> {
        self.all.iter().find(|record| record.id == *id)
    }

    /// The last one that began then or later, and has been live and healthy.
    pub fn live_since(&self, began_ms: u64) -> Option<&Record> {
        self.all.iter().rev().find(|record| record.began_ms >= began_ms && record.was_good())
    }

    /// Where a rollback of `live` leads: to the good release that was live before it. A
    /// rollback of a rollback leads further back, never to what was given up.
    pub fn before(&self, live: Option<&ReleaseId>) -> Option<&Record> {
        let mut good = self.all.iter().rev().filter(|record| record.was_good());
        let Some(live) = live.and_then(|live| self.get(live)) else { return good.next() };
        let origin = live.of.as_ref().unwrap_or(&live.id);
        let was_live = match &live.of {
            Some(of) => self.get(of).and_then(|of| of.before.as_ref()),
            None => live.before.as_ref(),
        };
        was_live
            .and_then(|before| self.get(before).filter(|record| record.was_good()))
            // Where that has gone: the newest one that came from before.
            .or_else(|| good.find(|record| record.of.as_ref().unwrap_or(&record.id) < origin))
    }

    /// Releases that have begun and neither ended nor been undone.
    pub fn unfinished(&self) -> impl Iterator<Item = &Record> {
        self.all.iter().filter(|record| record.fate == Fate::Begun)
    }

    /// Which releases may go: all but the live one, the one that a rollback leads to,
    /// and the newest, up to this many.
    pub fn beyond(&self, keep: usize, live: Option<&ReleaseId>) -> Vec<&Record> {
        let before = self.before(live).map(|record| &record.id);
        let mut kept = 0;
        let mut gone: Vec<&Record> = Vec::new();
        for record in self.all.iter().rev() {
            let needed = Some(&record.id) == live || Some(&record.id) == before;
            // What was undone is of no use for a rollback, so it takes nobody's place.
            if needed || (record.was_good() && kept < keep) {
                kept += 1;
            } else {
                gone.push(record);
            }
        }
        gone.reverse();
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(number: u32, fate: Fate) -> Record {
        let sha = format!("{number:040}");
        let revision: RevisionId = sha.parse().unwrap();
        Record {
            id: ReleaseId::new(u64::from(number) * 1000, &revision),
            revision,
            image: "ghcr.io/talia/backend".into(),
            digest: format!("sha256:{number:064}").parse().unwrap(),
            slot: Slot::Blue,
            by: "ana".parse().unwrap(),
            began_ms: u64::from(number) * 1000,
            of: None,
            before: None,
            backup: None,
            schema_hash: None,
            fate,
        }
    }

    fn records(fates: &str) -> Records {
        let all = fates.chars().enumerate().map(|(at, fate)| {
            let fate = match fate {
                'L' => Fate::Live { at_ms: 1 },
                'U' => Fate::Undone { reason: "unhealthy".into() },
                _ => Fate::Begun,
            };
            record(u32::try_from(at).unwrap() + 1, fate)
        });
        Records { all: all.collect(), ..Records::default() }
    }

    #[test]
    fn failed_releases_never_drive_out_the_good_ones() {
        let records = records("LLUUUUUUUL");
        let live = &records.all[9].id;
        let gone = records.beyond(3, Some(live));
        assert!(gone.iter().all(|record| !record.was_good()), "{gone:?}");
        assert_eq!(records.before(Some(live)).unwrap().id, records.all[1].id);
    }

    #[test]
    fn what_has_become_live_since_a_run_began() {
        let records = records("LLUB");
        let since = |began_ms| records.live_since(began_ms).map(|record| record.began_ms);
        assert_eq!(since(2000), Some(2000));
        // Taken back, or under way.
        assert_eq!(since(2001), None);
        assert_eq!(since(3000), None);
    }

    #[test]
    fn rolling_back_again_leads_further_back() {
        let mut records = records("LLULL");
        let ids: Vec<ReleaseId> = records.all.iter().map(|record| record.id.clone()).collect();
        // The fourth replaced the second; the fifth is the rollback to the second.
        records.all[1].before = Some(ids[0].clone());
        records.all[3].before = Some(ids[1].clone());
        records.all[4].before = Some(ids[3].clone());
        records.all[4].of = Some(ids[1].clone());
        let before = |live: &ReleaseId| records.before(Some(live)).map(|one| one.id.clone());
        assert_eq!(before(&ids[3]), Some(ids[1].clone()));
        assert_eq!(before(&ids[4]), Some(ids[0].clone()), "not the one that was given up");
        assert_eq!(before(&ids[0]), None);
        records.all.remove(1);
        let live = records.all.last().map(|one| one.id.clone());
        assert_eq!(records.before(live.as_ref()).unwrap().id, ids[0], "its own record has gone");
    }

    #[test]
    fn the_live_and_the_last_good_one_stay_however_few_are_kept() {
        let records = records("LLLLLL");
        // A rollback has made the oldest one live again.
        let live = &records.all[0].id;
        let gone = records.beyond(2, Some(live));
        assert!(gone.iter().all(|record| record.id != *live));
        assert!(gone.iter().all(|record| record.id != records.all[5].id), "the newest one");
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let root = std::env::temp_dir().join(format!("talia-record-{}", std::process::id()));
        let root = Utf8PathBuf::from_path_buf(root).unwrap();
        let policy = crate::settings::Policy::default();
        let layout = Layout::new(&"staging".parse().unwrap(), &policy).below(&root);
        let record = record(7, Fate::Live { at_ms: 9 });
        record.write(&layout).unwrap();
        let torn = layout.releases().join("20261124T081500Z-0123456789ab");
        // What an admin has put there is nobody's release.
        for folder in [&torn, &layout.releases().join("keep")] {
            fs::create_dir_all(folder).unwrap();
        }
        let read = Records::read(&layout).unwrap();
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(read.all, [record]);
        assert_eq!((read.torn, read.broken.len()), (vec![torn], 0));
    }
}
