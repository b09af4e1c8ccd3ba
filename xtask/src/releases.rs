//! `cargo xtask releases`.

use clap::{ArgMatches, Command};
use talia_pipeline::{
    ExitCode, Result, World,
    protocol::{ReleaseId, Role, to_json},
    report::console,
    server::{Fate, Record},
};

use crate::{
    cli::{self, harmless},
    environment::{Target, env},
    text::{ago, columns},
};

pub(crate) fn command() -> Command {
    Command::new("releases")
        .about("List the releases that a server keeps, the newest first")
        .arg(env())
        .arg(cli::json())
        .after_help("Examples:\n  cargo xtask releases --env production")
}

pub(crate) fn run(matches: &ArgMatches, world: World) -> Result<ExitCode> {
    let target = Target::open(matches, world, Role::Deploy)?;
    let (records, state) =
        target.ask(matches, |cx, remote| Ok((remote.releases(cx)?, remote.status(cx)?)))?;
    if matches.get_flag("json") {
        console::print(&format!("{}\n", to_json(&records)));
    } else if records.is_empty() {
        console::print("Nothing was released there yet.\n");
    } else {
        let live = state.live.map(|live| live.release);
        console::print(&told(&records, live.as_ref(), target.session.world.now_ms()));
    }
    Ok(ExitCode::Success)
}

/// A line each. Which one is live, only its server knows: one that was good may have been
/// given up since.
fn told(records: &[Record], live: Option<&ReleaseId>, now_ms: u64) -> String {
    let line = |record: &Record| {
        let fate = match &record.fate {
            _ if Some(&record.id) == live => "live".to_owned(),
            Fate::Begun => "begun, and not ended yet".to_owned(),
            Fate::Live { .. } => "was live".to_owned(),
            Fate::Undone { reason } => {
                format!("undone: {}", harmless(reason.lines().next().unwrap_or_default()))
            }
        };
        let fate = match &record.of {
            Some(of) => format!("{fate}, a rollback to {of}"),
            None => fate,
        };
        let since = ago(now_ms, record.since_ms());
        [record.id.to_string(), since, record.by.to_string(), record.slot.to_string(), fate]
    };
    columns(&records.iter().map(line).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_says_is_live_is_the_live_one() {
        let record = |id: &str, of: &str, fate: &str| -> Record {
            let text = format!(
                r#"{{"id":"{id}","revision":"0123456789abcdef0123456789abcdef01234567",
                "image":"r.example/x","digest":"sha256:{}","slot":"blue","by":"ana",
                "began_ms":1795497300000{of},"fate":{fate}}}"#,
                "1".repeat(64)
            );
            serde_json::from_str(&text).unwrap()
        };
        let (a, b, c) = (
            "20261124T051500Z-0123456789ab",
            "20261124T041500Z-0123456789ab",
            "20261124T031500Z-0123456789ab",
        );
        let of = format!(r#","of":"{c}""#);
        let records = [
            record(a, "", r#"{"undone":{"reason":"not healthy\nfor long"}}"#),
            record(b, &of, r#"{"live":{"at_ms":1795500900000}}"#),
            record(c, "", r#"{"live":{"at_ms":1795500900000}}"#),
        ];
        // It was live an hour after it had begun; what never was counts from its begin.
        let (began, since) = ("2026-11-24 05:15 UTC, 3 h ago", "2026-11-24 06:15 UTC, 2 h ago");
        assert_eq!(
            told(&records, Some(&c.parse().unwrap()), 1_795_508_100_000),
            format!(
                "{a}  {began}  ana  blue  undone: not healthy\n\
                 {b}  {since}  ana  blue  was live, a rollback to {c}\n\
                 {c}  {since}  ana  blue  live\n"
            )
        );
    }
}
