//! What a deploy begins from and how it has ended, as people read it.

use talia_pipeline::{
    flows::{Deployed, Latest, Prospect},
    landing::size,
    protocol::{
        BackOutlook, EnvironmentName, ImageAt, Outlook, Refusal, Released, RevisionId, ServerState,
        Taken,
    },
};

use crate::{
    cli::harmless,
    text::{ago, rows},
};

/// How many commits are listed.
const COMMITS: usize = 20;

/// What a deploy begins from, and what it would change.
pub(crate) fn prospect(prospect: &Prospect) -> String {
    let mut lines = Vec::new();
    let outlook = prospect.outlook.as_ref();
    match (prospect.live(), outlook) {
        (Some(live), Some(outlook)) => {
            let since = ago(outlook.state.at_ms, live.at_ms);
            lines.push(("live", format!("{} by {}, {since}", live.release, live.by)));
            lines.push(("", format!("{} {}", live.revision, live.digest)));
        }
        (_, Some(_)) => lines.push(("live", "nothing".to_owned())),
        (_, None) => lines.push(("live", "unknown: the server has no agent".to_owned())),
    }
    let digest = match &prospect.there {
        Some(digest) => digest.to_string(),
        None => "⟨image digest⟩, to be built".to_owned(),
    };
    lines.push(("next", format!("{} {digest}", prospect.chosen.revision)));
    lines.extend(commits(prospect));
    if let Some(outlook) = outlook {
        lines.extend(server(prospect, outlook));
    }
    rows(&lines)
}

fn commits(prospect: &Prospect) -> Vec<(&'static str, String)> {
    let Some(commits) = &prospect.commits else { return Vec::new() };
    if commits.is_empty() {
        return vec![("commits", "none".to_owned())];
    }
    let shown = commits.iter().take(COMMITS).map(|commit| {
        let short = commit.hash.get(..12).unwrap_or(&commit.hash);
        ("", format!("{short} {}", harmless(&commit.subject)))
    });
    let mut lines: Vec<_> = shown.collect();
    lines[0].0 = "commits";
    if commits.len() > COMMITS {
        lines.push(("", format!("and {} more", commits.len() - COMMITS)));
    }
    lines
}

fn server(prospect: &Prospect, outlook: &Outlook) -> Vec<(&'static str, String)> {
    let (state, difference) = (&outlook.state, &outlook.difference);
    let signed = |sign: &'static str, names: &[String]| -> Vec<String> {
        names.iter().map(|name| format!("{sign}{}", harmless(name))).collect()
    };
    let names = [
        signed("+", &difference.env_added),
        signed("-", &difference.env_removed),
        signed("~", &difference.env_changed),
    ]
    .concat();
    let no_change = || "no change".to_owned();
    let mut lines = vec![(".env", if names.is_empty() { no_change() } else { names.join(" ") })];
    let diff = difference.compose_diff.trim_end();
    lines.push(("compose", if diff.is_empty() { no_change() } else { "changes".to_owned() }));
    lines.extend(diff.lines().map(|line| ("", harmless(line))));
    lines.push(("containers", containers(prospect)));
    lines.extend(room(state));
    lines.extend(state.drift.iter().map(|file| ("drift", harmless(file))));
    lines.extend(refused(&outlook.refused));
    lines
}

/// What a change needs of a server: space, a backup, and nobody else at work.
fn room(state: &ServerState) -> [(&'static str, String); 3] {
    let backup = match &state.backup {
        Some(backup) => {
            let drilled = if backup.drilled_ms.is_some() { ", drilled" } else { "" };
            format!("{} {}{drilled}", backup.id, ago(state.at_ms, backup.at_ms))
        }
        None => "none that counts".to_owned(),
    };
    let lock = match &state.lock {
        Some(lock) => {
            let since = ago(state.at_ms, lock.since_ms);
            format!("{} by {}, {since}", harmless(&lock.doing), lock.by)
        }
        None => "free".to_owned(),
    };
    [("free disk", size(state.free_bytes)), ("backup", backup), ("lock", lock)]
}

fn refused(reasons: &[Refusal]) -> impl Iterator<Item = (&'static str, String)> {
    reasons.iter().map(|reason| ("refused", harmless(&reason.message)))
}

/// What a rollback begins from, and where it leads to.
pub(crate) fn back_outlook(outlook: &BackOutlook) -> String {
    let now = outlook.state.at_ms;
    let release = |name, release: &Taken| {
        let since = ago(now, release.at_ms);
        [
            (name, format!("{} by {}, {since}", release.release, release.by)),
            ("", format!("{} {}", release.revision, release.digest)),
        ]
    };
    let mut lines = Vec::new();
    match &outlook.state.live {
        Some(live) => lines.extend(release("live", live)),
        None => lines.push(("live", "nothing".to_owned())),
    }
    match &outlook.to {
        Some(to) => {
            lines.extend(release("back to", &to.release));
            let image = match &to.image {
                ImageAt::Server => "on the server".to_owned(),
                ImageAt::Registry => "in the registry, to be pulled".to_owned(),
                ImageAt::Gone(reason) => format!("gone: {}", harmless(reason)),
            };
            lines.push(("image", image));
            let database = match to.schema_changed {
                Some(true) => "its schema has changed since; a rollback changes no data",
                Some(false) => "its schema is as it was then",
                None => "no backup tells whether its schema has changed since",
            };
            lines.push(("database", database.to_owned()));
        }
        None => lines.push(("back to", "nothing".to_owned())),
    }
    lines.extend(room(&outlook.state));
    lines.extend(refused(&outlook.refused));
    rows(&lines)
}

/// Which containers are started and ended.
fn containers(prospect: &Prospect) -> String {
    let Some(live) = prospect.live() else { return "one is started".to_owned() };
    if live.revision == prospect.chosen.revision && prospect.there.as_ref() == Some(&live.digest) {
        return "none, where the live one is well and runs with these files".to_owned();
    }
    let has_gap = prospect.outlook.as_ref().is_some_and(|outlook| outlook.has_gap);
    match live.slot {
        Some(slot) if has_gap => {
            format!("that in {slot} is ended, then one is started in {}: a gap", slot.other())
        }
        Some(slot) => format!("one is started in {}, then that in {slot} is ended", slot.other()),
        None => "the live one is replaced".to_owned(),
    }
}

/// How a deploy has ended.
pub(crate) fn deployed(deployed: &Deployed, name: &EnvironmentName, seconds: f64) -> String {
    let short = short(&deployed.revision);
    let Some(released) = &deployed.released else {
        return format!(
            "\nthe server of {name} was told to run {short}, {seconds:.1} s; nobody has looked \
             whether it is well\n{}",
            rows(&image(deployed))
        );
    };
    if released.unchanged {
        let latest = match deployed.latest {
            Latest::Moved => "; `latest` names it now",
            _ => "",
        };
        let live = &released.live.release;
        return format!(
            "\n{short} was live on {name} already, as {live}: nothing to do{latest}, {seconds:.1} s\n"
        );
    }
    let mut lines = before(released);
    lines.extend(image(deployed));
    format!("\n{short} is live on {name}, {seconds:.1} s\n{}", rows(&lines))
}

/// How a rollback has ended.
pub(crate) fn rolled_back(released: &Released, name: &EnvironmentName, seconds: f64) -> String {
    let mut lines = before(released);
    lines.push(("  image", released.live.digest.to_string()));
    let short = short(&released.live.revision);
    format!("\n{short} is live on {name} again, {seconds:.1} s\n{}", rows(&lines))
}

fn before(released: &Released) -> Vec<(&'static str, String)> {
    let before = match &released.before {
        Some(before) => format!("{}, image {}", before.release, before.digest.short()),
        None => "nothing".to_owned(),
    };
    vec![("  release", released.live.release.to_string()), ("  before", before)]
}

fn image(deployed: &Deployed) -> Vec<(&'static str, String)> {
    let from = if deployed.built { "built and pushed" } else { "as the registry had it" };
    let mut lines = vec![("  image", format!("{} ({from})", deployed.digest))];
    match &deployed.latest {
        Latest::Already => lines.push(("  latest", "named it already".to_owned())),
        Latest::Moved => lines.push(("  latest", "names it now".to_owned())),
        Latest::Stays(reason) => lines.push(("  latest", format!("stays: {reason}"))),
        _ => {}
    }
    lines
}

fn short(revision: &RevisionId) -> String {
    let mark = if revision.is_dirty() { "-dirty" } else { "" };
    format!("{}{mark}", revision.short())
}

#[cfg(test)]
mod tests {
    use talia_pipeline::{
        digest::Digest,
        flows::{Chosen, publish::Registry},
        steps::image::Builder,
    };

    use super::*;

    const NEXT: &str = "0123456789abcdef0123456789abcdef01234567";
    const LIVE: &str = "89abcdef0123456789abcdef0123456789abcdef";

    fn digest(digit: &str) -> Digest {
        format!("sha256:{}", digit.repeat(64)).parse().unwrap()
    }

    fn taken(revision: &str, digest: &Digest) -> String {
        let short = &revision[..12];
        format!(
            r#"{{"release":"20261124T051500Z-{short}","revision":"{revision}","digest":"{digest}",
                "slot":"blue","at_ms":1795497300000,"by":"ana@laptop"}}"#
        )
    }

    fn begun() -> Prospect {
        let live = taken(LIVE, &digest("c"));
        let outlook = format!(
            r#"{{"state":{{"environment":"staging","at_ms":1795508100000,"live":{live},
                  "served":{{"Ok":"{LIVE}"}},"slots":[],"free_bytes":12884901888,
                  "drift":[".env is edited"]}},
                "difference":{{"env_added":["NEW"],"env_removed":["OLD"],"env_changed":["KEY"],
                  "compose_diff":"-a\n+b\u001b[2J\n"}},
                "steps":null,"text":"","refused":[{{"message":"the disk is full","exit_code":3}}]}}"#
        );
        Prospect {
            chosen: Chosen { revision: NEXT.parse().unwrap(), committed_at: String::new() },
            registry: Registry {
                repository: "r.example/a".into(),
                client: Builder::Buildx,
                config: None,
                credential: None,
            },
            there: None,
            outlook: Some(serde_json::from_str(&outlook).unwrap()),
            commits: Some(Vec::new()),
        }
    }

    #[test]
    fn what_a_deploy_would_change_is_told() {
        assert_eq!(
            prospect(&begun()),
            format!(
                "live        20261124T051500Z-89abcdef0123 by ana@laptop, 2026-11-24 05:15 UTC, 3 h ago\n            \
                 {LIVE} {}\n\
                 next        {NEXT} ⟨image digest⟩, to be built\n\
                 commits     none\n\
                 .env        +NEW -OLD ~KEY\n\
                 compose     changes\n            -a\n            +b\n\
                 containers  one is started in green, then that in blue is ended\n\
                 free disk   12.9 GB\n\
                 backup      none that counts\n\
                 lock        free\n\
                 drift       .env is edited\n\
                 refused     the disk is full\n",
                digest("c")
            )
        );
    }

    #[test]
    fn what_is_live_already_changes_no_container() {
        let mut same = begun();
        same.chosen.revision = LIVE.parse().unwrap();
        same.there = Some(digest("c"));
        assert!(prospect(&same).contains("containers  none, where the live one is well"));
        same.there = Some(digest("d"));
        assert!(prospect(&same).contains("containers  one is started in green"));
    }

    #[test]
    fn where_a_rollback_leads_to_is_told() {
        let outlook = |image: &str| {
            let text = format!(
                r#"{{"state":{{"environment":"staging","at_ms":1795508100000,"live":{},
                      "served":{{"Ok":"{NEXT}"}},"slots":[],"free_bytes":1048576}},
                    "to":{{"release":{},"image":{image},"schema_changed":true}},"steps":null,
                    "text":"","refused":[{{"message":"it has moved on","exit_code":4}}]}}"#,
                taken(NEXT, &digest("a")),
                taken(LIVE, &digest("c")),
            );
            back_outlook(&serde_json::from_str(&text).unwrap())
        };
        assert_eq!(
            outlook("\"registry\""),
            format!(
                "live       20261124T051500Z-0123456789ab by ana@laptop, 2026-11-24 05:15 UTC, 3 h ago\n           \
                 {NEXT} {}\n\
                 back to    20261124T051500Z-89abcdef0123 by ana@laptop, 2026-11-24 05:15 UTC, 3 h ago\n           \
                 {LIVE} {}\n\
                 image      in the registry, to be pulled\n\
                 database   its schema has changed since; a rollback changes no data\n\
                 free disk  1.0 MB\n\
                 backup     none that counts\n\
                 lock       free\n\
                 refused    it has moved on\n",
                digest("a"),
                digest("c")
            )
        );
        assert!(outlook("\"server\"").contains("image      on the server\n"));
        let gone = outlook(r#"{"gone":"deleted\u001b[2J"}"#);
        assert!(gone.contains("image      gone: deleted\n"), "{gone}");
    }

    #[test]
    fn how_a_deploy_has_ended_is_told() {
        let released = format!(
            r#"{{"live":{},"before":{},"waits_for_latest":true}}"#,
            taken(NEXT, &digest("a")),
            taken(LIVE, &digest("c"))
        );
        let mut ended = Deployed {
            revision: format!("{NEXT}-dirty").parse().unwrap(),
            digest: digest("a"),
            built: true,
            released: Some(serde_json::from_str(&released).unwrap()),
            latest: Latest::Moved,
        };
        let name = "staging".parse().unwrap();
        assert_eq!(
            deployed(&ended, &name, 23.42),
            format!(
                "\n0123456789ab-dirty is live on staging, 23.4 s\n  \
                 release  20261124T051500Z-0123456789ab\n  \
                 before   20261124T051500Z-89abcdef0123, image cccccccccccc\n  \
                 image    {} (built and pushed)\n  \
                 latest   names it now\n",
                digest("a")
            )
        );
        if let Some(released) = &mut ended.released {
            released.unchanged = true;
        }
        assert_eq!(
            deployed(&ended, &name, 1.0),
            "\n0123456789ab-dirty was live on staging already, as 20261124T051500Z-0123456789ab: \
             nothing to do; `latest` names it now, 1.0 s\n"
        );
        ended.released = None;
        assert!(deployed(&ended, &name, 1.0).contains("nobody has looked whether it is well"));
    }
}
