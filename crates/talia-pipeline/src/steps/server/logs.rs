//! The app's own records, JSON lines in a folder for each slot.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    time::Duration,
};

use camino::Utf8PathBuf;

use crate::{
    command_line::{CommandLine, Effect},
    error::{Error, Result},
    parse::app_log,
    protocol::LogQuery,
    step::{Action, Step, Summary},
};

/// The file that has everything, and what a rotation makes of it: `api.log.1`, …
const NAME: &str = "api.log";
/// How many records are told where nothing says since when.
const LAST: usize = 200;
/// No more records are told at once, whatever is asked.
const MOST: usize = 20_000;

/// In this process: the app's records in these folders, the oldest first.
#[derive(Debug)]
pub struct ReadLogs {
    folders: Vec<Utf8PathBuf>,
    query: LogQuery,
    now_ms: u64,
}

impl ReadLogs {
    /// Those that the query names.
    pub fn new(
        folders: impl IntoIterator<Item = Utf8PathBuf>,
        query: &LogQuery,
        now_ms: u64,
    ) -> Self {
        Self { folders: folders.into_iter().collect(), query: query.clone(), now_ms }
    }

    fn read(&self) -> Result<Vec<String>> {
        let since = self
            .query
            .since
            .as_ref()
            .map(|since| self.now_ms.saturating_sub(since.seconds() * 1000));
        let mut found = Vec::new();
        for folder in &self.folders {
            let mut files: Vec<Utf8PathBuf> = folder
                .read_dir_utf8()
                .map(|entries| entries.flatten().map(camino::Utf8DirEntry::into_path).collect())
                .unwrap_or_default();
            files.retain(|file| file.file_name().is_some_and(|name| name.starts_with(NAME)));
            for file in files {
                let modified = fs::metadata(&file).and_then(|data| data.modified());
                let modified = modified.ok().and_then(|at| {
                    u64::try_from(at.duration_since(std::time::UNIX_EPOCH).ok()?.as_millis()).ok()
                });
                // A file that was written last before then has nothing since then.
                if since.zip(modified).is_some_and(|(since, modified)| modified < since) {
                    continue;
                }
                let file = File::open(&file).map_err(|cause| {
                    Error::step(format!("the log {file} cannot be read")).caused_by(cause)
                })?;
                for line in BufReader::new(file).split(b'\n').map_while(Result::ok) {
                    let line = String::from_utf8_lossy(&line);
                    let record = app_log::read(&line);
                    let id = self.query.request_id.as_ref().map(AsRef::as_ref);
                    if id.is_some_and(|id| record.request_id.as_deref() != Some(id))
                        || since.is_some_and(|since| record.at_ms.is_some_and(|at| at < since))
                    {
                        continue;
                    }
                    found.push((record.at_ms.unwrap_or(0), line.into_owned()));
                }
            }
        }
        found.sort_by_key(|(at, _)| *at);
        let asked = self.query.since.is_some() || self.query.request_id.is_some();
        let most = if asked { MOST } else { LAST };
        let from = found.len().saturating_sub(most);
        Ok(found.drain(from..).map(|(_, line)| line).collect())
    }
}

impl Step for ReadLogs {
    type Output = Vec<String>;

    fn label(&self) -> String {
        "records".into()
    }

    fn action(&self) -> Action<'_, Vec<String>> {
        let folders: Vec<&str> = self.folders.iter().map(|folder| folder.as_str()).collect();
        Action::read(format!("read the records in {}", folders.join(" and ")), || self.read())
    }

    fn assume(&self) -> Vec<String> {
        Vec::new()
    }

    fn summary(&self, found: &Vec<String>) -> Summary {
        Summary::line(found.len().to_string())
    }
}

/// `tail --follow=name --retry --lines=COUNT -- FILE…`: the app's records as they
/// come, from both slots, whatever is rotated or switched meanwhile.
///
/// It ends when it is interrupted, after a day at the latest.
#[derive(Debug)]
pub struct FollowLogs {
    folders: Vec<Utf8PathBuf>,
    lines: u32,
}

impl FollowLogs {
    /// Those in these folders, beginning with the last `lines` of each.
    pub fn new(folders: impl IntoIterator<Item = Utf8PathBuf>, lines: u32) -> Self {
        Self { folders: folders.into_iter().collect(), lines }
    }
}

impl Step for FollowLogs {
    type Output = ();

    fn label(&self) -> String {
        "follow the records".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let mut line = CommandLine::new("tail")
            .args(["--quiet", "--follow=name", "--retry"])
            .option("--lines", self.lines.to_string());
        for folder in &self.folders {
            line = line.operand(folder.join(NAME).as_str());
        }
        let line = line
            .effect(Effect::Read)
            .timeout(Duration::from_secs(24 * 60 * 60))
            .purpose("the app's records as they come");
        Action::command(line, |_| Ok(()))
    }

    fn assume(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    fn folders() -> [Utf8PathBuf; 2] {
        ["/var/log/talia/p/blue".into(), "/var/log/talia/p/green".into()]
    }

    #[test]
    fn read_logs_minimal() {
        check("read_logs__minimal", &ReadLogs::new(folders(), &LogQuery::default(), 0));
    }

    #[test]
    fn follow_logs_minimal() {
        check("follow_logs__minimal", &FollowLogs::new(folders(), 20));
    }

    #[test]
    fn follow_logs_everything() {
        check("follow_logs__everything", &FollowLogs::new(["/l".into()], 0));
    }

    #[test]
    fn follow_logs_hostile() {
        check("follow_logs__hostile", &FollowLogs::new(["-x; $(id)".into()], 1));
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
        let read =
            |query| ReadLogs::new(folders.clone(), &query, 1_795_508_104_000).read().unwrap();
        let all = read(LogQuery::default());
        assert_eq!(all.len(), 4, "{all:?}");
        let request = LogQuery { request_id: Some("a".parse().unwrap()), ..LogQuery::default() };
        let of_a = read(request);
        assert!(of_a[0].contains(":01.") && of_a[1].contains(":02.") && of_a.len() == 2);
        let since = LogQuery { since: Some("1s".parse().unwrap()), ..LogQuery::default() };
        assert!(read(since).iter().all(|line| !line.contains(":01.") && !line.contains(":02.")));
        fs::remove_dir_all(root).unwrap();
    }
}
