//! `cargo xtask status`.

use clap::{ArgMatches, Command};
use talia_pipeline::{
    ExitCode, Result, World,
    landing::size,
    protocol::{LandingState, Role, ServerState, Taken, to_json},
    report::console,
};

use crate::{
    cli::{self, harmless},
    environment::{Target, env},
    text::{ago, rows},
};

pub(crate) fn command() -> Command {
    Command::new("status")
        .about("Tell what runs on a server now, as the server sees it")
        .arg(env())
        .arg(cli::json())
        .after_help("Examples:\n  cargo xtask status --env production")
}

pub(crate) fn run(matches: &ArgMatches, world: World) -> Result<ExitCode> {
    let target = Target::open(matches, world, Role::Deploy)?;
    let state = target.ask(matches, |cx, remote| remote.status(cx))?;
    if matches.get_flag("json") {
        console::print(&format!("{}\n", to_json(&state)));
    } else {
        console::print(&told(&state));
    }
    Ok(ExitCode::Success)
}

/// The state as people read it.
fn told(state: &ServerState) -> String {
    let now = state.at_ms;
    let mut lines = vec![("environment", state.environment.to_string())];
    match &state.live {
        Some(live) => lines.extend(told_live(live, now)),
        None => lines.push(("live", "nothing".to_owned())),
    }
    lines.push((
        "served",
        match (&state.served, &state.live) {
            (Ok(revision), Some(live)) if *revision == live.revision => {
                format!("{}, as it should", revision.short())
            }
            (Ok(revision), _) => format!("{}, which is not what is live", revision.short()),
            (Err(reason), _) => format!("nothing: {reason}"),
        },
    ));
    for slot in &state.slots {
        let name = slot.slot.map_or("container", |slot| slot.name());
        let revision = slot.revision.as_ref().map_or("nobody's", |revision| revision.short());
        let id: String = slot.container.chars().take(12).collect();
        lines.push((name, format!("{} {revision} ({id})", slot.state)));
    }
    lines.push((
        "lock",
        match &state.lock {
            Some(holder) => format!(
                "{} by {}, {} (process {}, run {})",
                holder.doing,
                holder.by,
                ago(now, holder.since_ms),
                holder.pid,
                holder.run
            ),
            None => "free".to_owned(),
        },
    ));
    // While somebody works there, it is what he is at.
    if let Some(release) = state.unfinished.as_ref().filter(|_| state.lock.is_none()) {
        lines.push(("unfinished", format!("{release}: the next deploy settles it")));
    }
    let drift = if state.drift.is_empty() { "none".to_owned() } else { state.drift.join("; ") };
    lines.push(("drift", drift));
    lines.push((
        "backup",
        match &state.backup {
            Some(backup) => {
                let drilled = match backup.drilled_ms {
                    Some(at) => format!("drilled {}", ago(now, at)),
                    None => "not drilled".to_owned(),
                };
                let (age, bytes) = (ago(now, backup.at_ms), size(backup.bytes));
                format!("{} {age}, {bytes}, {drilled}", backup.id)
            }
            None => "none that counts".to_owned(),
        },
    ));
    lines.push(("free disk", size(state.free_bytes)));
    lines.push(("maintenance", told_maintenance(state)));
    lines.extend(state.landing.iter().flat_map(|landing| told_landing(landing, now)));
    rows(&lines)
}

fn told_maintenance(state: &ServerState) -> String {
    let Some(reason) = state.maintenance_reason.as_deref().filter(|_| state.maintenance) else {
        return if state.maintenance { "on" } else { "off" }.to_owned();
    };
    // Whoever gives a reason takes the page away himself.
    let left = match state.lock {
        Some(_) => "",
        None => ", and who did that has ended: `maintenance off` or the next deploy ends it",
    };
    format!("on: {}{left}", harmless(reason))
}

fn told_landing(landing: &LandingState, now: u64) -> Vec<(&'static str, String)> {
    let mut lines = vec![(
        "landing",
        match &landing.live {
            Some(live) => format!("{} {} by {}", live.release, ago(now, live.at_ms), live.by),
            None => "no release".to_owned(),
        },
    )];
    if let Some(open) = &landing.transaction {
        let works = if open.works { ", its rsync works" } else { "" };
        lines.push(("", format!("{} is open, by {}{works}", open.id, open.by)));
    }
    if let Some(release) = landing.unfinished.as_ref().filter(|_| landing.transaction.is_none()) {
        lines.push(("", format!("{release} is unfinished: the next deploy settles it")));
    }
    lines
}

fn told_live(live: &Taken, now: u64) -> [(&'static str, String); 4] {
    let slot = live.slot.map_or(String::new(), |slot| format!(" in {slot}"));
    [
        ("live", format!("{}{slot}", live.release)),
        ("revision", live.revision.to_string()),
        ("image", live.digest.to_string()),
        ("since", format!("{} by {}", ago(now, live.at_ms), live.by)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_known_is_told() {
        let text = r#"{"environment":"staging","at_ms":1795508100000,
            "live":{"release":"20261124T051500Z-0123456789ab",
              "revision":"0123456789abcdef0123456789abcdef01234567",
              "digest":"sha256:1111111111111111111111111111111111111111111111111111111111111111",
              "slot":"blue","at_ms":1795497300000,"by":"ana@laptop"},
            "served":{"Ok":"0123456789abcdef0123456789abcdef01234567"},
            "slots":[{"slot":"blue","container":"aaaaaaaaaaaabbbb","state":"running",
              "release":null,"revision":"0123456789abcdef0123456789abcdef01234567"}],
            "lock":{"pid":7,"doing":"backup","by":"root","run":"r1","since_ms":1795508099000},
            "drift":[".env is edited"],"maintenance":true,
            "backup":{"id":"20261124T000000Z-x","at_ms":1795421700000,"bytes":2621440},
            "free_bytes":12884901888,"later":1}"#;
        let state = serde_json::from_str(text).unwrap();
        assert_eq!(
            told(&state),
            "environment  staging\n\
             live         20261124T051500Z-0123456789ab in blue\n\
             revision     0123456789abcdef0123456789abcdef01234567\n\
             image        sha256:1111111111111111111111111111111111111111111111111111111111111111\n\
             since        2026-11-24 05:15 UTC, 3 h ago by ana@laptop\n\
             served       0123456789ab, as it should\n\
             blue         running 0123456789ab (aaaaaaaaaaaa)\n\
             lock         backup by root, 2026-11-24 08:14 UTC, 1 s ago (process 7, run r1)\n\
             drift        .env is edited\n\
             backup       20261124T000000Z-x 2026-11-23 08:15 UTC, 24 h ago, 2.6 MB, not drilled\n\
             free disk    12.9 GB\n\
             maintenance  on\n"
        );
    }

    #[test]
    fn why_there_is_a_maintenance_page_is_told_and_whether_it_was_left() {
        let told = |more: &str| {
            let text = format!(
                r#"{{"environment":"staging","at_ms":1,"live":null,"served":{{"Err":"x"}},
                "slots":[],"maintenance":true{more}}}"#
            );
            let told = told(&serde_json::from_str(&text).unwrap());
            told.lines().last().unwrap().to_owned()
        };
        assert_eq!(told(""), "maintenance  on");
        let why = r#","maintenance_reason":"a backup is restored""#;
        let left = "who did that has ended: `maintenance off` or the next deploy ends it";
        assert_eq!(told(why), format!("maintenance  on: a backup is restored, and {left}"));
        let lock = r#","lock":{"pid":7,"doing":"restore","by":"a","run":"r","since_ms":1}"#;
        assert_eq!(told(&format!("{why}{lock}")), "maintenance  on: a backup is restored");
    }
}
