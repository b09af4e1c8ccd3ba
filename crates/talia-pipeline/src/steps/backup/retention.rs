use std::{collections::BTreeSet, fs, io};

use crate::{
    error::{Error, Result},
    files::remove_if_there,
    step::{Action, Step, Summary},
};

use super::{BackupId, BackupPlace, BackupRecord, Backups, backups};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Which backups stay: the newest few, and all that are younger than some days.
/// Only backups that count are counted: read back, of matching checksum, and not
/// found by a drill to be none.
///
/// ```
/// use talia_pipeline::steps::backup::Retention;
///
/// assert_eq!(Retention::default(), Retention::new(7, 14));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    count: usize,
    days: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self::new(7, 14)
    }
}

impl Retention {
    /// The newest `count`, and whatever is younger than `days`. The last one that
    /// counts always stays.
    pub fn new(count: usize, days: u64) -> Self {
        Self { count: count.max(1), days }
    }

    /// What goes, of records newest first: first those that count, then those that
    /// do not, which go by their age alone once there is one that counts.
    fn outdated<'a>(&self, records: &'a [BackupRecord], now_ms: u64) -> Vec<&'a BackupRecord> {
        let limit = self.days.saturating_mul(DAY_MS);
        let is_old = |record: &&BackupRecord| now_ms.saturating_sub(record.at_ms) >= limit;
        let counting = records.iter().filter(|record| record.counts());
        let mut outdated: Vec<&BackupRecord> = counting.skip(self.count).filter(is_old).collect();
        if records.iter().any(BackupRecord::counts) {
            outdated.extend(records.iter().filter(|record| !record.counts()).filter(is_old));
        }
        outdated
    }
}

/// Removes outdated backups. Before anything goes, those that stay are hashed: a
/// backup whose files have changed does not count, so nothing goes in its favour.
///
/// - In this process: reads the records; hashes the backups that stay, if any is to
///   go; makes the record the mark that [`RemovePartials`](super::RemovePartials) reads,
///   then removes the files, the mark last: after a kill the next backup removes the rest.
/// - Touches: files of outdated backups. All else in the folder stays.
///
/// ```
/// use talia_pipeline::{Step, steps::backup::{BackupPlace, Prune, Retention}};
///
/// let step = Prune::new(&BackupPlace::new("/srv/backups"), Retention::default(), 0);
/// assert_eq!(step.label(), "remove outdated backups");
/// ```
#[derive(Debug, Clone)]
pub struct Prune {
    place: BackupPlace,
    retention: Retention,
    now_ms: u64,
    kept: BTreeSet<BackupId>,
}

impl Prune {
    /// In this folder, at this time.
    pub fn new(place: &BackupPlace, retention: Retention, now_ms: u64) -> Self {
        Self { place: place.clone(), retention, now_ms, kept: BTreeSet::new() }
    }

    /// Keeps this one too, such as that of a release that may be rolled back to.
    #[must_use]
    pub fn keeping(mut self, id: &BackupId) -> Self {
        self.kept.insert(id.clone());
        self
    }

    fn prune(&self) -> Result<Vec<String>> {
        let mut records = Backups::new(&self.place).list()?.records;
        if self.retention.outdated(&records, self.now_ms).is_empty() {
            return Ok(Vec::new());
        }
        // The newest first, until enough of them are sound: older ones then go
        // whatever they hold.
        let mut sound = 0;
        for record in records.iter_mut().filter(|record| record.counts()) {
            if sound == self.retention.count {
                break;
            }
            match backups::matches(&self.place, record) {
                Ok(()) => sound += 1,
                // Not in the file: a look at a disk decides nothing for ever.
                Err(_) => record.read_verified = false,
            }
        }
        let mut removed = Vec::new();
        for record in self.retention.outdated(&records, self.now_ms) {
            let id = &record.id;
            if self.kept.contains(id) {
                continue;
            }
            self.remove(id).map_err(|cause| {
                let what = format!("the outdated backup {id} cannot be removed");
                Error::step(what).caused_by(cause)
            })?;
            removed.push(id.to_string());
        }
        Ok(removed)
    }

    fn remove(&self, id: &BackupId) -> io::Result<()> {
        let mark = self.place.mark(id);
        // One step, and no room is needed for it.
        fs::rename(self.place.record(id), &mark)?;
        for path in [self.place.full(id), self.place.schema(id), mark] {
            remove_if_there(&path)?;
        }
        Ok(())
    }
}

impl Step for Prune {
    type Output = Vec<String>;

    fn label(&self) -> String {
        "remove outdated backups".into()
    }

    fn action(&self) -> Action<'_, Vec<String>> {
        let Retention { count, days } = self.retention;
        let mut what = format!(
            "remove backups in {} that are older than {days} days, but the newest {count}",
            self.place.folder()
        );
        for id in &self.kept {
            what.push_str(&format!(", and but {id}"));
        }
        Action::work(what, || self.prune())
    }

    fn assume(&self) -> Vec<String> {
        Vec::new()
    }

    fn summary(&self, removed: &Vec<String>) -> Summary {
        Summary::line(if removed.is_empty() { "none".to_owned() } else { removed.join(", ") })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::steps::{
        backup::{Drill, RemovePartials, for_tests::Folder},
        testing::check,
    };

    const NOW: u64 = 100 * DAY_MS;

    #[test]
    fn prune_hostile() {
        let place = BackupPlace::new("/srv/it's $x\n");
        let step = Prune::new(&place, Retention::new(3, 10), NOW);
        check("prune__hostile", &step.keeping(&BackupId::new("7").unwrap()));
    }

    /// A folder with backups that are so many days old, named by that.
    fn folder(ages: &[u64]) -> Folder {
        let folder = Folder::new("prune");
        for age in ages {
            folder.backup(&format!("d{age}"), NOW - age * DAY_MS, |_| {});
        }
        folder
    }

    fn prune(folder: &Folder, count: usize, days: u64) -> Vec<String> {
        Prune::new(&folder.place(), Retention::new(count, days), NOW).prune().unwrap()
    }

    #[test]
    fn many_young_ones_and_few_old_ones_stay() {
        assert_eq!(prune(&folder(&[1, 2, 3, 4]), 2, 14), [""; 0]);
        assert_eq!(prune(&folder(&[20, 30, 40]), 3, 14), [""; 0]);
        let folder = folder(&[1, 14, 20, 30, 40]);
        fs::write(folder.path().join("mine.dump"), "x").unwrap();
        assert_eq!(prune(&folder, 2, 14), ["d20", "d30", "d40"]);
        assert_eq!(
            folder.names(),
            ["d1.dump", "d1.json", "d1.sql", "d14.dump", "d14.json", "d14.sql", "mine.dump"]
        );
    }

    #[test]
    fn the_last_one_that_counts_stays_whatever_is_asked() {
        let folder = folder(&[50]);
        folder.backup("failed", NOW - DAY_MS, |record| {
            record.drill = Some(Drill::Failed { at_ms: NOW, reason: "x".into() });
        });
        folder.backup("unread", NOW, |record| record.read_verified = false);
        assert_eq!(prune(&folder, 0, 0), ["unread", "failed"]);
        assert_eq!(folder.names(), ["d50.dump", "d50.json", "d50.sql"]);
    }

    #[test]
    fn where_none_counts_nothing_goes() {
        let folder = Folder::new("prune");
        folder.backup("unread", 0, |record| record.read_verified = false);
        assert_eq!(prune(&folder, 1, 0), [""; 0]);
    }

    #[test]
    fn nothing_goes_in_favour_of_one_that_has_changed() {
        let folder = folder(&[1, 20, 30]);
        fs::write(folder.path().join("d1.dump"), "fulL d1").unwrap();
        assert_eq!(prune(&folder, 1, 0), ["d30", "d1"]);
        assert_eq!(folder.names(), ["d20.dump", "d20.json", "d20.sql"]);
    }

    #[test]
    fn what_ends_in_between_is_ended_by_the_next_backup() {
        let folder = folder(&[1]);
        // No file, so that its removal fails, of the size that its record says.
        let odd = folder.path().join("d30.sql");
        folder.backup("d30", NOW - 30 * DAY_MS, |record| {
            fs::remove_file(&odd).unwrap();
            fs::create_dir(&odd).unwrap();
            record.schema.bytes = fs::metadata(&odd).unwrap().len();
        });
        let step = Prune::new(&folder.place(), Retention::new(1, 0), NOW);
        let error = step.prune().unwrap_err();
        assert!(error.to_string().contains("d30 cannot be removed"), "{error}");
        assert_eq!(folder.names(), ["d1.dump", "d1.json", "d1.sql", "d30.json.partial", "d30.sql"]);
        fs::remove_dir(&odd).unwrap();
        fs::write(&odd, "").unwrap();
        let rest = RemovePartials::new(&folder.place());
        let Action::Work { work, .. } = rest.action() else { unreachable!("it is") };
        assert_eq!(work().unwrap(), ["d30.json.partial", "d30.sql"]);
        assert_eq!(folder.names(), ["d1.dump", "d1.json", "d1.sql"]);
    }

    #[test]
    fn a_named_one_stays() {
        let folder = folder(&[1, 20, 30]);
        let step = Prune::new(&folder.place(), Retention::new(1, 0), NOW);
        let step = step.keeping(&BackupId::new("d30").unwrap());
        assert_eq!(step.prune().unwrap(), ["d20"]);
    }
}
