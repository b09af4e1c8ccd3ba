//! Agents that are killed at every boundary of what they do: asked the same again, they
//! converge.

use std::thread;

use talia_pipeline::{
    protocol::{Released, Request},
    templates::Role,
};

use crate::{
    kit::{Site, Version, Yard},
    load::{Load, Mix},
};

/// With two slots, where clients notice nothing; and side by side, in another environment,
/// for a service that may not run twice.
pub(crate) fn an_agent_that_is_killed_at_any_step(yard: &Yard) {
    let (site, other) = (yard.site(), yard.staging());
    site.have(&site.well("a"));
    thread::scope(|scope| {
        let alone = scope.spawn(|| {
            let _strategy = other.policy("strategy", "\"recreate\"");
            at_any_step(&other, None);
        });
        let load = site.load(Mix::light());
        at_any_step(&site, Some(&load));
        let told = load.stop();
        println!("{told}");
        told.lost_nothing();
        alone.join().unwrap();
    });
}

/// Kills the agent at every boundary of an upgrade, and at the same one of the rollback
/// that leads back. Without load, where both do the same, at every other one of each.
fn at_any_step(site: &Site, load: Option<&Load>) {
    let (a, b) = (site.well("a"), site.well("b"));
    site.have(&a);
    site.released(&b);
    let up = site.last_steps();
    site.rollback(None).answer::<Released>();
    let back = site.last_steps();
    // Between two kills nothing is waited for.
    let _stability = site.policy("stability_seconds", "0");
    for steps in [&up, &back] {
        println!("{}, {} boundaries: {}", site.environment, steps.len(), steps.join(", "));
        assert!(steps.len() >= 8, "there are more steps: {steps:?}");
    }
    for n in 0..=up.len().max(back.len()) {
        if load.is_some() || n % 2 == 0 {
            let request = site.release_request(&b, Some(a.revision.clone()));
            killed(site, load, (n, &up), &request, &b);
        }
        if load.is_some() || n % 2 == 1 {
            killed(site, load, (n, &back), &site.rollback_request(None), &a);
        }
    }
}

/// Kills the agent after the n-th step; then asks the same again, until which clients have
/// lost nothing.
fn killed(
    site: &Site,
    load: Option<&Load>,
    (n, steps): (usize, &[String]),
    request: &Request,
    to: &Version,
) {
    let fault = if n == 0 { "die before 1".to_owned() } else { format!("die after {n}") };
    let before = load.map(|load| load.so_far().0);
    let dying = {
        let _stability = site.policy("stability_seconds", "1");
        site.faults(&fault);
        let dying = site.ask(Role::Deploy, request);
        site.no_faults();
        dying
    };
    // A round of questions less, and the last number is never reached.
    let ended = n + 2 > steps.len() && dying.exit == Some(0);
    let step = n.checked_sub(1).and_then(|n| steps.get(n)).map_or("nothing", String::as_str);
    let verb = request.to_string();
    let told = format!("{fault} ({step}) of {} {}", site.environment, &verb[..8]);
    assert!(ended || dying.exit == Some(137), "{told}: {:?} {dying:#?}", dying.exit);
    let state = site.status();
    assert!(state.lock.is_none(), "{told}: {state:#?}");
    let served = state.served.map(|revision| revision.short().to_owned());
    println!("{told}: served {served:?}, unfinished {:?}", state.unfinished.is_some());
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
}
