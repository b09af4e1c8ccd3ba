//! `cargo xtask backups`.

use clap::{ArgMatches, Command};
use talia_pipeline::{
    ExitCode, Result, World,
    landing::size,
    protocol::{BackupKept, BackupList, Role, to_json},
    report::console,
};

use crate::{
    cli::{self, harmless},
    environment::{Target, env},
    text::{ago, columns},
};

pub(crate) fn command() -> Command {
    Command::new("backups")
        .about("List the backups of a server's database, the newest first")
        .arg(env())
        .arg(cli::json())
        .after_help("Examples:\n  cargo xtask backups --env production")
}

pub(crate) fn run(matches: &ArgMatches, world: World) -> Result<ExitCode> {
    let target = Target::open(matches, world, Role::Deploy)?;
    let list = target.ask(matches, |cx, remote| remote.backups(cx))?;
    if matches.get_flag("json") {
        console::print(&format!("{}\n", to_json(&list)));
    } else {
        console::print(&told(&list, target.session.world.now_ms()));
    }
    Ok(ExitCode::Success)
}

/// A line each, then those that are broken.
fn told(list: &BackupList, now_ms: u64) -> String {
    let line = |kept: &BackupKept| {
        let backup = &kept.backup;
        let first = |reason: &str| harmless(reason.lines().next().unwrap_or_default());
        let proof = match (&kept.failed, backup.drilled_ms) {
            (Some(reason), _) => format!("none: {}", first(reason)),
            _ if !kept.read_verified => "not read back".to_owned(),
            (None, Some(at)) => format!("drilled {}", ago(now_ms, at)),
            (None, None) => "read back, not drilled".to_owned(),
        };
        let releases: Vec<&str> = kept.releases.iter().map(AsRef::as_ref).collect();
        let before = match releases.as_slice() {
            [] => String::new(),
            all => format!("before {}", all.join(", ")),
        };
        [harmless(&backup.id), ago(now_ms, backup.at_ms), size(backup.bytes), before, proof]
    };
    let mut text = columns(&list.backups.iter().map(line).collect::<Vec<_>>());
    for broken in &list.broken {
        text.push_str(&format!("broken: {}\n", harmless(broken)));
    }
    if text.is_empty() {
        text.push_str("There is no backup yet.\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_backup_says_what_it_is_worth() {
        let text = r#"{"backups":[
            {"id":"20261124T081500Z-042","at_ms":1795508100000,"bytes":2621440,"database":"a",
             "read_verified":true,"failed":"it does not restore: x\u001b[31m\nmore"},
            {"id":"20261124T061500Z-042","at_ms":1795500900000,"bytes":40,"database":"a",
             "read_verified":true,"drilled_ms":1795500900000,
             "releases":["20261124T051500Z-0123456789ab","20261124T041500Z-0123456789ab"]},
            {"id":"20261124T041500Z-042","at_ms":1795493700000,"bytes":40,"database":"a",
             "read_verified":true},
            {"id":"20261124T031500Z-042","at_ms":1795490100000,"bytes":40,"database":"a",
             "read_verified":false}],
            "broken":["20261124T021500Z-042: its record cannot be read"]}"#;
        let list = serde_json::from_str(text).unwrap();
        let (a, b) = ("20261124T051500Z-0123456789ab", "20261124T041500Z-0123456789ab");
        let blank = " ".repeat(67);
        assert_eq!(
            told(&list, 1_795_508_100_000),
            format!(
                "20261124T081500Z-042  2026-11-24 08:15 UTC, 0 s ago  2.6 MB  {blank}  none: it does not restore: x\n\
                 20261124T061500Z-042  2026-11-24 06:15 UTC, 2 h ago  40 B    before {a}, {b}  drilled 2026-11-24 06:15 UTC, 2 h ago\n\
                 20261124T041500Z-042  2026-11-24 04:15 UTC, 4 h ago  40 B    {blank}  read back, not drilled\n\
                 20261124T031500Z-042  2026-11-24 03:15 UTC, 5 h ago  40 B    {blank}  not read back\n\
                 broken: 20261124T021500Z-042: its record cannot be read\n"
            )
        );
        assert_eq!(told(&BackupList::default(), 0), "There is no backup yet.\n");
    }
}
