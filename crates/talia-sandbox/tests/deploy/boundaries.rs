//! Agents that are killed at every boundary of what they do: asked the same again, they
//! converge.

use std::{collections::BTreeSet, fmt, thread};

use talia_pipeline::{
    protocol::{Released, Request},
    templates::Role,
};

use crate::{
    kit::{Site, Version, Yard, seen},
    load::{Load, Mix},
};

/// With two slots, where clients notice nothing; and side by side, in another environment,
/// for a service that may not run twice.
pub(crate) fn an_agent_that_is_killed_at_any_step(yard: &Yard) {
    let (site, other) = (yard.site().on_one_line(), yard.staging().on_one_line());
    let (a, b) = (site.well("a"), site.well("b"));
    let _strategy = other.policy("strategy", "\"recreate\"");
    let steps = thread::scope(|scope| {
        let alone = scope.spawn(|| Steps::of(&other, &a, &b));
        [Steps::of(&site, &a, &b), alone.join().unwrap()]
    });
    // Every boundary of an upgrade. What another flow does by the same steps, in the same
    // order, has been killed there already: of that, every other boundary, and each that
    // the upgrade has not.
    let known = boundaries(&steps[0].up);
    let all = |_: &str| true;
    let new = |pair: &str| !known.contains(pair);
    let plans = [
        [Kills::at(&steps[0].up, 0, all), Kills::at(&steps[0].back, 1, new)],
        [Kills::at(&steps[1].up, 1, new), Kills::at(&steps[1].back, 0, new)],
    ];
    thread::scope(|scope| {
        let alone = scope.spawn(|| killed_at_each(&other, None, (&a, &b), &plans[1]));
        let load = site.load(Mix::light());
        let both = killed_at_each(&site, Some(&load), (&a, &b), &plans[0]);
        let told = load.stop();
        println!("{told}");
        let served = told.lost_nothing();
        let alone = alone.join().unwrap();
        let [[up, back], [alone_up, alone_back]] = plans.each_ref().map(|both| {
            both.each_ref().map(|kills| format!("{} of {}", kills.at.len(), kills.steps.len() + 1))
        });
        seen(
            "3",
            &format!(
                "SIGKILL of the agent at {up} boundaries of an upgrade and {back} of a rollback, with \
                 two slots; {alone_up} and {alone_back} with `recreate`"
            ),
            format!(
                "two slots: {both}; `recreate`: {alone}; the lock free and one container after each; {served}"
            ),
        );
    });
}

/// What an upgrade does, and the rollback from it.
struct Steps {
    up: Vec<String>,
    back: Vec<String>,
}

impl Steps {
    fn of(site: &Site, a: &Version, b: &Version) -> Self {
        site.have(a);
        site.released(b);
        let up = site.last_steps();
        site.rollback(None).answer::<Released>();
        let back = site.last_steps();
        for steps in [&up, &back] {
            println!("{}, {} steps: {}", site.environment, steps.len(), steps.join(", "));
            assert!(steps.len() >= 8, "there are more steps: {steps:?}");
        }
        Self { up, back }
    }
}

/// What is between which steps, without what a release's id and its slot make of it.
fn boundaries(steps: &[String]) -> BTreeSet<String> {
    (0..=steps.len()).map(|n| boundary(steps, n)).collect()
}

fn boundary(steps: &[String], n: usize) -> String {
    let step = |at: Option<usize>| at.and_then(|at| steps.get(at)).map_or("", String::as_str);
    let plain = |step: &str| -> String {
        let words = step.split(' ').filter(|word| !word.contains(|c: char| c.is_ascii_digit()));
        words.collect::<Vec<_>>().join(" ").replace("green", "blue")
    };
    format!("{} | {}", plain(step(n.checked_sub(1))), plain(step(Some(n))))
}

/// At which boundaries a flow is killed: after so many of its steps.
struct Kills<'a> {
    steps: &'a [String],
    at: BTreeSet<usize>,
}

impl<'a> Kills<'a> {
    /// Every other one from `first`, and each that has to be.
    fn at(steps: &'a [String], first: usize, must: impl Fn(&str) -> bool) -> Self {
        let all = 0..=steps.len();
        let at = all.filter(|n| n % 2 == first || must(&boundary(steps, *n)));
        Self { steps, at: at.collect() }
    }
}

/// What was counted.
#[derive(Default)]
struct Counts {
    kills: usize,
    half_done: usize,
    reruns: usize,
    rollbacks: usize,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kills, half_done, reruns, rollbacks } = self;
        write!(
            f,
            "{kills} kills, {half_done} of them left something half done; {reruns} reruns have \
             converged, and {rollbacks} rollbacks behind them"
        )
    }
}

/// Kills the agent at these boundaries of an upgrade, and of the rollback that leads back
/// from it: one that is not killed has to do the same.
fn killed_at_each(
    site: &Site,
    load: Option<&Load>,
    (a, b): (&Version, &Version),
    [up, back]: &[Kills<'_>; 2],
) -> Counts {
    let mut counts = Counts::default();
    // Between two kills nothing is waited for.
    let _stability = site.policy("stability_seconds", "0");
    let mut ask = |n: usize, kills: &Kills<'_>, request: &Request, to: &Version| {
        if kills.at.contains(&n) {
            counts.half_done += usize::from(killed(site, load, (n, kills.steps), request, to));
            counts.kills += 1;
            counts.reruns += 1;
        } else {
            site.ask(Role::Deploy, request).answer::<Released>();
        }
        counts.rollbacks += usize::from(to == a);
    };
    for n in 0..=up.steps.len().max(back.steps.len()) {
        if !up.at.contains(&n) && !back.at.contains(&n) {
            continue;
        }
        ask(n, up, &site.release_request(b, Some(a.revision.clone())), b);
        ask(n, back, &site.rollback_request(None), a);
    }
    site.is_settled_at(a);
    counts
}

/// Kills the agent after the n-th step; then asks the same again, until which clients have
/// lost nothing. Gives whether something was left half done.
fn killed(
    site: &Site,
    load: Option<&Load>,
    (n, steps): (usize, &[String]),
    request: &Request,
    to: &Version,
) -> bool {
    let fault = if n == 0 { "die before 1".to_owned() } else { format!("die after {n}") };
    let before = load.map(|load| load.so_far().0);
    site.faults_within(1, &fault);
    let dying = site.ask(Role::Deploy, request);
    site.faults_within(0, "");
    // A round of questions less, and the last number is never reached.
    let ended = n + 2 > steps.len() && dying.exit == Some(0);
    let step = n.checked_sub(1).and_then(|n| steps.get(n)).map_or("nothing", String::as_str);
    let verb = request.to_string();
    let told = format!("{fault} ({step}) of {} {}", site.environment, &verb[..8]);
    assert!(ended || dying.exit == Some(137), "{told}: {:?} {dying:#?}", dying.exit);
    let state = site.status();
    assert!(state.lock.is_none(), "{told}: {state:#?}");
    let served = state.served.map(|revision| revision.short().to_owned());
    let is_half_done = state.unfinished.is_some();
    println!("{told}: served {served:?}, unfinished {is_half_done:?}");
    if let Some(load) = load {
        let (requests, failures) = load.so_far();
        assert_eq!(failures, 0, "{told}: clients have noticed");
        assert!(Some(requests) > before, "{told}: the load goes on");
    } else {
        let runs = state.slots.iter().filter(|slot| slot.state == "running");
        assert!(runs.count() < 2, "{told}: it runs twice");
    }
    let rerun: Released = site.ask(Role::Deploy, request).answer();
    assert_eq!(rerun.live.revision, to.revision, "{told}");
    site.is_settled_at(to);
    is_half_done
}
