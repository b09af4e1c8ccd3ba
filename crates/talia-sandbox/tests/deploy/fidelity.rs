//! What is done is what the plan shows, on both sides of a deploy.

use std::panic::{AssertUnwindSafe, catch_unwind};

use camino::Utf8Path;
use serde_json::Value;
use talia_pipeline::{
    CommandLine, Event,
    protocol::{Outlook, Released, Request},
    templates::Role,
};

use crate::{
    gate::state_of,
    kit::{Project, Ran, Site, Version, Yard},
    same::{assert_same, planned},
    trace::{Started, Trace, under_strace},
};

/// What the client would execute, its own part of the plan alone.
fn of_client(json: &str) -> Vec<CommandLine> {
    let mut plan: Value = serde_json::from_str(json).unwrap();
    assert!(plan.as_object_mut().unwrap().remove("prospect").is_some(), "{json}");
    planned(&one_private(&plan.to_string()))
}

/// Every run has a private folder of its own, `talia-UID/PROCESS-COUNT`.
fn one_private(text: &str) -> String {
    let mut parts = text.split("/talia-0/");
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-');
        whole.push_str(&format!("/talia-0/OWN{rest}"));
    }
    whole
}

fn with_one_private(mut started: Started) -> Started {
    started.args.iter_mut().for_each(|arg| *arg = one_private(arg));
    started.env.values_mut().for_each(|value| *value = one_private(value));
    started
}

/// What the last traced run has started.
fn children(file: &Utf8Path) -> Vec<Started> {
    let mut all: Vec<Started> =
        Trace::read(file).children().into_iter().map(with_one_private).collect();
    // What is asked again until it holds counts once.
    all.dedup_by(|one, before| one.args == before.args && one.directory == before.directory);
    all
}

fn plan_of(project: &Project, deploy: &[&str]) -> Vec<CommandLine> {
    of_client(&project.run(&[deploy, &["--plan=json"]].concat()).ended(0).stdout)
}

/// Deploys, and fails unless the client executes the plan and nothing else; gives how
/// many command lines that are.
pub(crate) fn executes_its_plan(project: &Project, deploy: &[&str], what: &str) -> usize {
    let file = project.target().join("trace");
    let plan = plan_of(project, deploy);
    Ran::of(&mut under_strace(&project.xtask(deploy), &file)).ended(0);
    let count = plan.len();
    assert_same(children(&file), plan, project.root());
    println!("    client, {what}: {count} command lines, planned and run");
    count
}

/// The comparison would see a single command more or less than in the last run, which
/// has the plan that a run has now.
pub(crate) fn would_tell_one_more_or_less(project: &Project, deploy: &[&str]) {
    println!("    the control: two that lack one are told, as follows");
    let file = project.target().join("trace");
    let fails = |started: Vec<Started>, plan: Vec<CommandLine>| {
        let compare = || assert_same(started, plan, project.root());
        catch_unwind(AssertUnwindSafe(compare)).is_err()
    };
    let plan = plan_of(project, deploy);
    let lacks_one = |mut all: Vec<Started>| all.split_off(1);
    assert!(fails(children(&file), plan[1..].to_vec()) && fails(lacks_one(children(&file)), plan));
}

pub(crate) fn a_deploy_executes_its_plan_cold_and_warm(yard: &Yard) {
    let site = yard.site();
    site.empty();
    let project = Project::new(&site);
    let deploy = ["deploy", "backend", "--env", &site.environment];
    let counts = ["cold", "warm"].map(|state| executes_its_plan(&project, &deploy, state));
    assert!(counts[0] > counts[1] && counts[1] > 10, "{counts:?}");
    would_tell_one_more_or_less(&project, &deploy);
    site.empty();
}

/// What an agent does: a command, or a piece of its own work.
#[derive(Debug, Clone)]
struct Deed {
    label: String,
    line: Option<CommandLine>,
    work: Option<String>,
}

impl Deed {
    /// Whether this is what was planned, with its holes filled.
    fn fills(&self, planned: &Self) -> bool {
        // What is compared of a command line is compared of any text.
        let text = |text: &str| CommandLine::new(text);
        let same = |own: &str, planned: &str| text(own).fills(&text(planned));
        same(&self.label, &planned.label)
            && match (&self.line, &planned.line) {
                (Some(own), Some(planned)) => own.fills(planned),
                (None, None) => true,
                _ => false,
            }
            && same(
                self.work.as_deref().unwrap_or_default(),
                planned.work.as_deref().unwrap_or_default(),
            )
    }
}

/// The deeds of a plan, in order; `id` is what the release was called in the end.
fn of_plan(outlook: &Outlook, id: Option<&str>) -> Vec<Deed> {
    let mut json = outlook.steps.to_string().replace('⟨', "\u{FDD0}").replace('⟩', "\u{FDD1}");
    if let Some(id) = id {
        json = named(&json, id);
    }
    let mut deeds = Vec::new();
    collect(&serde_json::from_str(&json).unwrap(), &mut deeds);
    deeds
}

/// Calls a release that was not there yet by the name that it got: it ends with the
/// same letters, and begins with the second in which it was planned.
fn named(json: &str, id: &str) -> String {
    let (second, ending) = id.split_at(16);
    let mut text = String::new();
    for part in json.split_inclusive(ending) {
        match part.strip_suffix(ending).filter(|part| part.ends_with('Z')) {
            Some(before) => {
                text.push_str(&before[..before.len() - second.len()]);
                text.push_str(id);
            }
            None => text.push_str(part),
        }
    }
    text
}

fn collect(value: &Value, deeds: &mut Vec<Deed>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, deeds)),
        Value::Object(fields) => {
            let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
            let kind = text("kind").unwrap_or_default();
            // Its questions were answered before the run that the journal tells of.
            if ["step", "finally"].contains(&kind.as_str()) {
                let line = fields.get("command").cloned().map(serde_json::from_value);
                deeds.push(Deed {
                    label: text("label").unwrap(),
                    line: line.map(Result::unwrap),
                    work: text("work"),
                });
            } else {
                ["nodes", "branches"]
                    .iter()
                    .filter_map(|name| fields.get(*name))
                    .for_each(|nodes| collect(nodes, deeds));
            }
        }
        _ => {}
    }
}

/// The deeds of the last run, as the journal tells them; one that is tried again
/// counts once, and so does a round of questions of whether a release is well.
fn of_journal(site: &Site) -> Vec<Deed> {
    let mut deeds: Vec<(String, Deed)> = Vec::new();
    for event in site.last_run() {
        match event {
            Event::StepStarted { id, label, work } => {
                deeds.push((id, Deed { label, line: None, work }));
            }
            Event::CommandStarted { id, command, .. } => {
                let own = deeds.iter_mut().rev().find(|(step, _)| *step == id);
                own.unwrap().1.line.get_or_insert(*command);
            }
            _ => {}
        }
    }
    let mut deeds: Vec<Deed> = deeds.into_iter().map(|(_, deed)| deed).collect();
    // Where the app takes long to start, the container is looked at in between.
    let asks = |deed: &Deed| deed.label == "wait for health";
    if let (Some(first), Some(last)) = (deeds.iter().position(asks), deeds.iter().rposition(asks)) {
        let is_of_round = |deed: &Deed| asks(deed) || deed.label.contains("container");
        assert!(deeds[first..last].iter().all(is_of_round), "{deeds:?}");
        deeds.drain(first..last);
    }
    deeds
}

/// Where two lists are not the same, in order.
fn difference(planned: &[Deed], done: &[Deed]) -> Option<String> {
    let same = planned.len() == done.len();
    let at = planned.iter().zip(done).position(|(planned, done)| !done.fills(planned));
    match (at, same) {
        (None, true) => None,
        (at, _) => {
            let at = at.unwrap_or(planned.len().min(done.len()));
            let labels = |deeds: &[Deed]| {
                deeds.iter().map(|deed| deed.label.clone()).collect::<Vec<_>>().join("\n  ")
            };
            Some(format!(
                "at {at}: planned {:#?}\ndone {:#?}\nplanned:\n  {}\ndone:\n  {}",
                planned.get(at),
                done.get(at),
                labels(planned),
                labels(done)
            ))
        }
    }
}

fn outlook(site: &Site, version: &Version) -> Outlook {
    let (digest, revision) = (Some(version.digest.clone()), version.revision.clone());
    site.ask(Role::Deploy, &Request::Plan { digest, revision, accept_drift: false }).answer()
}

pub(crate) fn a_release_does_what_its_plan_says(yard: &Yard) {
    let site = yard.site();
    let (a, b) = (site.well("a"), site.well("b"));
    let fresh = site.images.version("planned", crate::kit::Behaviour::Well);
    site.have(&a);
    for (what, version) in
        [("an image that is pulled", &fresh), ("one that is there", &b), ("what is live", &b)]
    {
        released_as_planned(&site, what, version);
    }
    site.is_settled_at(&b);
}

/// Releases a version, and does what the plan has told before.
pub(crate) fn released_as_planned(site: &Site, what: &str, version: &Version) {
    let outlook = outlook(site, version);
    assert_eq!(outlook.refused, []);
    let released: Released = site.release(version).answer();
    let planned = of_plan(&outlook, Some(released.live.release.as_str()));
    let done = of_journal(site);
    if let Some(difference) = difference(&planned, &done) {
        panic!("{what}: {difference}");
    }
    let commands = done.iter().filter(|deed| deed.line.is_some()).count();
    println!("    agent, {what}: {} deeds, {commands} of them commands", done.len());
    // The comparison would see a single one more, less, or elsewhere.
    for at in 0..done.len() {
        let mut other = done.clone();
        let taken = other.remove(at);
        assert!(difference(&planned, &other).is_some(), "without {at}");
        other.insert(at, taken.clone());
        other.insert(at, taken);
        assert!(difference(&planned, &other).is_some(), "{at} twice");
    }
}

/// Everything that the engine has told of since then, but for the app's own health check,
/// which the engine runs by itself every few seconds.
fn engine_told(site: &Site, since: &str) -> String {
    let until = site.droplet.said(["date", "+%s.%N"]).unwrap();
    let (since, until) = (format!("--since={since}"), format!("--until={until}"));
    let told = site.droplet.said(["docker", "events", &since, &until]).unwrap();
    told.lines().filter(|line| !is_health_check(line)).map(|line| format!("{line}\n")).collect()
}

/// Whether an event is of a health check. Another command in a container begins with an
/// event that names it.
fn is_health_check(event: &str) -> bool {
    let begins = [" exec_create: ", " exec_start: "];
    let is_ours = event.contains("-m app.healthcheck ");
    begins.iter().any(|begin| event.contains(begin)) && is_ours
        || event.contains(" exec_die ")
        || event.contains(" health_status: ")
}

pub(crate) fn a_plan_changes_nothing(yard: &Yard) {
    let site = yard.site();
    site.empty();
    let project = Project::new(&site);
    let deploy = ["deploy", "backend", "--env", &site.environment];
    project.run(&deploy).ended(0);
    // A tree that differs from what is live, so that there is a release to plan.
    let page = project.root().join("infra/reference/backend/README.md");
    std::fs::write(page, "another\n").unwrap();
    let since = site.droplet.said(["date", "+%s.%N"]).unwrap();
    let before = state_of(&site);
    assert!(before.contains("journal.jsonl") && before.lines().count() > 50, "{before}");
    for format in ["--plan", "--plan=json"] {
        let plan = project.run(&[deploy.as_slice(), &[format]].concat()).ended(0);
        assert!(plan.stdout.contains("switch to"), "{}", plan.stdout);
    }
    outlook(&site, &site.well("b"));
    let back = ["rollback", "backend", "--env", &site.environment];
    let told = project.run(&[back.as_slice(), &["--plan"]].concat()).ended(4);
    assert!(told.stdout.contains("back to    nothing"), "{}", told.stdout);
    let told = project.run(&[back.as_slice(), &["--plan=json"]].concat()).ended(4);
    let told: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!((&told["exit_code"], &told["refused"][0]["exit_code"]), (&4.into(), &4.into()));
    assert!(told["prospect"].is_object() && told["refused"][0]["hint"].is_string(), "{told}");
    assert_eq!(engine_told(&site, &since), "", "the engine was told to do something");
    let after = state_of(&site);
    assert_eq!(after, before, "something on the server is another one");
    println!("    server: {} lines of its state are the same", after.lines().count());
    // Both would have seen the least change.
    site.droplet
        .script(&format!("docker volume create {0} && docker volume rm {0}", "seen"))
        .unwrap();
    assert_eq!(engine_told(&site, &since).lines().count(), 2);
    let live = site.droplet.said(["docker", "ps", "--quiet"]).unwrap();
    site.droplet.said(["docker", "exec", live.lines().next().unwrap(), "true"]).unwrap();
    assert_eq!(engine_told(&site, &since).lines().count(), 4);
    site.droplet.script(&format!("touch {}/docker-compose.yml", site.folder())).unwrap();
    assert_ne!(state_of(&site), before);
    site.empty();
}
