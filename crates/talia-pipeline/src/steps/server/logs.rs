//! The app's own records, JSON lines in a folder for each slot.

use camino::Utf8PathBuf;

use crate::{
    error::{Error, Result},
    parse::app_log,
    protocol::LogQuery,
    server::LogFolder,
    step::{Action, Step, Summary},
};

/// How many records are told where nothing says since when.
const LAST: usize = 200;
/// No more records are told at once, whatever is asked, and no more bytes of them.
const MOST: usize = 20_000;
const MOST_BYTES: usize = 8 << 20;

/// The app's records.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AppLog {
    /// The records, the oldest first.
    pub records: Vec<String>,
    /// Files that are named like a log and are not read, with the reason; of a file that is
    /// too long, how much.
    pub passed_over: Vec<String>,
    /// How many older records were found as well, and are not told.
    pub left_out: usize,
}

/// In this process: the app's records in these folders, the oldest first.
///
/// The app may put anything there, so only [ordinary files of its own](LogFolder) are
/// read. A line that is no record, such as one of a traceback, stays behind the record
/// before it.
#[derive(Debug)]
pub struct ReadLogs {
    folders: Vec<Utf8PathBuf>,
    owner: u32,
    query: LogQuery,
    now_ms: u64,
}

impl ReadLogs {
    /// Those that the query names, in these folders of this user.
    pub fn new(
        folders: impl IntoIterator<Item = Utf8PathBuf>,
        owner: u32,
        query: &LogQuery,
        now_ms: u64,
    ) -> Self {
        Self { folders: folders.into_iter().collect(), owner, query: query.clone(), now_ms }
    }

    fn read(&self) -> Result<AppLog> {
        let since = self.query.since.as_ref();
        let since = since.map(|since| self.now_ms.saturating_sub(since.seconds() * 1000));
        let id = self.query.request_id.as_ref().map(AsRef::as_ref);
        let mut found = Vec::new();
        let (mut passed_over, mut left_out) = (Vec::new(), 0);
        for folder in &self.folders {
            let cannot = |cause: std::io::Error| {
                Error::step(format!("the logs in {folder} cannot be read")).caused_by(cause)
            };
            let log = LogFolder::open(folder, self.owner).map_err(cannot)?;
            passed_over.extend(log.passed_over);
            for file in log.files {
                // One that was written last before then has nothing since then; its time
                // is cut to a second.
                if since.is_some_and(|since| file.modified_ms + 1000 < since) {
                    continue;
                }
                let unread = file.unread();
                if unread > 0 {
                    passed_over.push(format!("{folder}: the first {unread} bytes of a log file"));
                }
                let mut at = 0;
                for line in file.lines().map_err(cannot)? {
                    let record = app_log::read(&line);
                    at = record.at_ms.unwrap_or(at);
                    if id.is_some_and(|id| record.request_id.as_deref() != Some(id))
                        || since.is_some_and(|since| at < since)
                    {
                        continue;
                    }
                    found.push((at, line));
                }
                left_out += self.cut(&mut found);
            }
        }
        let records = found.into_iter().map(|(_, line)| line).collect();
        Ok(AppLog { records, passed_over, left_out })
    }

    /// Keeps the newest of what was found; how many that was asked for are not among them.
    fn cut(&self, found: &mut Vec<(u64, String)>) -> usize {
        found.sort_by_key(|(at, _)| *at);
        let asked = self.query.since.is_some() || self.query.request_id.is_some();
        let mut bytes = 0;
        let kept = found.iter().rev().take(if asked { MOST } else { LAST });
        let kept = kept.take_while(|(_, line)| {
            bytes += line.len();
            bytes <= MOST_BYTES
        });
        let gone = found.len() - kept.count();
        found.drain(..gone);
        // The last ones alone are what is asked for where nothing says since when.
        if asked { gone } else { 0 }
    }
}

impl Step for ReadLogs {
    type Output = AppLog;

    fn label(&self) -> String {
        "records".into()
    }

    fn action(&self) -> Action<'_, AppLog> {
        let folders: Vec<&str> = self.folders.iter().map(|folder| folder.as_str()).collect();
        Action::read(format!("read the records in {}", folders.join(" and ")), || self.read())
    }

    fn assume(&self) -> AppLog {
        AppLog::default()
    }

    fn summary(&self, found: &AppLog) -> Summary {
        Summary::line(found.records.len().to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::MetadataExt as _};

    use super::*;
    use crate::steps::testing::check;

    fn folders() -> [Utf8PathBuf; 2] {
        ["/var/log/talia/p/blue".into(), "/var/log/talia/p/green".into()]
    }

    #[test]
    fn read_logs_minimal() {
        check("read_logs__minimal", &ReadLogs::new(folders(), 10001, &LogQuery::default(), 0));
    }

    #[test]
    fn records_of_both_slots_are_told_in_their_order() {
        let root = std::env::temp_dir().join(format!("talia-logs-{}", std::process::id()));
        let root = Utf8PathBuf::from_path_buf(root).unwrap();
        let folders = ["blue", "green"].map(|slot| root.join(slot));
        folders.iter().for_each(|folder| fs::create_dir_all(folder).unwrap());
        let line = |second: u32, id: &str| {
            format!(
                "{{\"time\":\"2026-11-24T08:15:0{second}.000+00:00\",\"request_id\":\"{id}\"}}\n"
            )
        };
        fs::write(folders[0].join("api.log.1"), line(1, "a")).unwrap();
        fs::write(folders[0].join("api.log"), line(3, "b") + "a traceback\n").unwrap();
        fs::write(folders[1].join("api.log"), line(2, "a")).unwrap();
        fs::write(folders[1].join("request.log"), line(9, "a")).unwrap();
        let owner = fs::metadata(&root).unwrap().uid();
        let read = |query| {
            ReadLogs::new(folders.clone(), owner, &query, 1_795_508_104_000).read().unwrap().records
        };
        let all = read(LogQuery::default());
        assert_eq!(all.len(), 4, "{all:?}");
        assert!(all[2].contains(":03.") && all[3] == "a traceback", "{all:?}");
        let request = LogQuery { request_id: Some("a".parse().unwrap()), ..LogQuery::default() };
        let of_a = read(request);
        assert!(of_a[0].contains(":01.") && of_a[1].contains(":02.") && of_a.len() == 2);
        let since = LogQuery { since: Some("1s".parse().unwrap()), ..LogQuery::default() };
        let query = LogQuery { since: Some("1h".parse().unwrap()), ..LogQuery::default() };
        fs::write(folders[1].join("api.log"), line(2, "a").repeat(MOST)).unwrap();
        let many = ReadLogs::new(folders.clone(), owner, &query, 1_795_508_104_000).read().unwrap();
        assert_eq!((many.records.len(), many.left_out), (MOST, 3), "what is left out is counted");
        assert!(read(since).iter().all(|line| !line.contains(":01.") && !line.contains(":02.")));
        fs::remove_dir_all(root).unwrap();
    }
}
