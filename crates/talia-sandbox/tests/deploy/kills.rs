//! Agents, clients and servers that are killed: a rerun converges from what is left.

use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

use serde_json::json;
use talia_pipeline::{
    Context, ExitCode,
    flows::Remote,
    process::Cancel,
    protocol::{Cancelled, Released, Request, Whose},
    templates::Role,
};

use crate::{
    kit::{Yard, said, seen, until, within, words},
    load::Mix,
};

/// Long enough for a start under load.
const SOON: Duration = Duration::from_secs(20);

pub(crate) fn a_stopped_agent_holds_the_lock_until_it_is_ended(yard: &Yard) {
    let site = yard.site();
    let (_, b) = site.pair();
    let load = site.load(Mix::light());
    let asking = site.stopped("stop before \"switch to\"", &b);
    let holder = site.status().lock.expect("it holds the lock");
    assert_eq!((holder.doing.as_str(), holder.by.as_str()), ("release", "test"));
    // Who is refused hears who works there, since when, and as which run.
    let refused = site.release(&b);
    refused.failed(4, &["test works on this server: release, since", &holder.run]);
    let ended: Vec<u32> = site.ask(Role::Admin, &Request::Unlock).answer();
    assert!(ended.contains(&holder.pid), "{ended:?}");
    assert_eq!(asking.wait().exit, Some(137));
    assert_eq!((site.agents(), site.status().lock), (0, None));
    let rerun = site.released(&b).live.revision;
    site.is_settled_at(&b);
    let served = load.stop().lost_nothing();
    seen(
        "8",
        "SIGSTOP of the agent before its switch",
        format!(
            "the lock is held, another release: {}; `unlock` ends {} processes; the rerun \
             gets {} live; {served}",
            refused.brief(),
            ended.len(),
            rerun.short(),
        ),
    );
}

pub(crate) fn a_killed_agents_child_holds_the_lock(yard: &Yard) {
    let site = yard.site();
    let (_, b) = site.pair();
    let load = site.load(Mix::light());
    let asking = {
        let _slow = site.policy("migrate", "[\"sleep\", \"100\"]");
        let asking = site.begin_release(&b);
        until("the migration runs", SOON, || {
            site.droplet.exec(["pgrep", "--full", "^sleep 100"]).unwrap().exit == 0
        });
        asking
    };
    site.droplet.kill("talia-agent", "KILL").unwrap();
    assert_eq!(asking.wait().exit, Some(137));
    assert_eq!(site.agents(), 0);
    let holder = site.status().lock.expect("its child holds the lock");
    let refused = site.release(&b);
    refused.failed(4, &[&holder.run]);
    let ended: Vec<u32> = site.ask(Role::Admin, &Request::Unlock).answer();
    assert!(!ended.is_empty());
    assert_eq!(site.status().lock, None);
    let rerun = site.released(&b).live.revision;
    site.is_settled_at(&b);
    let left = site.droplet.exec(["pgrep", "--full", "^sleep 100"]).unwrap();
    assert_ne!(left.exit, 0, "the migration goes on");
    let served = load.stop().lost_nothing();
    seen(
        "8",
        "SIGKILL of the agent while its migration runs",
        format!(
            "0 agents, the lock is held, another release: {}; `unlock` ends {} processes; the rerun \
             gets {} live; {served}",
            refused.brief(),
            ended.len(),
            rerun.short(),
        ),
    );
}

pub(crate) fn a_client_that_is_killed_ends_nothing(yard: &Yard) {
    let site = yard.site();
    let (_, b) = site.pair();
    let load = site.load(Mix::light());
    let asking = site.begin_release(&b);
    until("the new container runs", SOON, || site.containers().len() == 2);
    assert_eq!(asking.kill().exit, None);
    let began = Instant::now();
    until("the release is finished without its client", SOON, || {
        let state = site.status();
        state.lock.is_none() && state.live.is_some_and(|live| live.revision == b.revision)
    });
    let took = began.elapsed().as_secs_f64();
    site.is_settled_at(&b);
    let again: Released = site.ask(Role::Deploy, &site.release_request(&b, site.live())).answer();
    assert!(again.unchanged);
    let served = load.stop().lost_nothing();
    seen(
        "2",
        "SIGKILL of the client once the new container runs",
        format!("released without it within {took:.1} s; rerun: nothing to do; {served}"),
    );
}

/// The line is cut, once before the switch and once before what the agent has to take
/// back: it ends by its own rule, and the client says that it cannot know how.
pub(crate) fn a_line_that_is_cut_in_the_middle(yard: &Yard) {
    let site = yard.site();
    let (a, b) = site.pair();
    for (then, ends_at) in [("fail before \"confirm behind nginx\"", &a), ("", &b)] {
        let live = site.status().live.unwrap();
        let idle = live.slot.unwrap().other();
        site.faults(&format!("stop before \"switch to {idle}\"\n{then}"));
        let request = site.release_request(&b, Some(a.revision.clone()));
        let hoped: Released = serde_json::from_value(json!({ "live": live })).unwrap();
        let ask = |cx: &Context, remote: &Remote| remote.run(cx, request.clone(), hoped.clone());
        let (has_ended, finished) = thread::scope(|scope| {
            let client = scope.spawn(|| site.as_client(ask));
            site.agent_has_stopped();
            site.droplet.partition().unwrap();
            site.go_on();
            let has_ended = within(SOON, || site.agents() == 0);
            site.droplet.heal().unwrap();
            (has_ended, client.join().unwrap())
        });
        assert!(has_ended, "the agent waits for the line");
        let error = finished.result.unwrap_err();
        println!("{error}\n{}", error.hint_text().unwrap_or_default());
        assert_eq!(finished.exit_code, ExitCode::Unknown);
        assert!(error.hint_text().unwrap().contains("cargo xtask status --env"), "{error}");
        // What it is told to ask resolves it.
        let state = site.as_client(|cx, remote| remote.status(cx)).result.unwrap();
        let live = state.live.unwrap().revision;
        assert_eq!(live, ends_at.revision);
        site.is_settled_at(ends_at);
        seen(
            "4",
            if ends_at == &b {
                "the line is cut before the switch"
            } else {
                "the line is cut before a switch that has to be taken back"
            },
            format!(
                "the agent ends by itself; client: exit {}, {}; `status`: {} ({})",
                finished.exit_code.code(),
                words(&error.to_string()),
                live.short(),
                if ends_at == &b { "the new one" } else { "the old one" },
            ),
        );
    }
    let rerun = site.release_request(&b, Some(a.revision));
    assert!(site.ask(Role::Deploy, &rerun).answer::<Released>().unchanged);
}

pub(crate) fn a_client_that_reads_nothing_holds_nothing_up(yard: &Yard) {
    let site = yard.site();
    let (_, b) = site.pair();
    let asking = site.stopped("stop after \"write release\"", &b);
    let signal = |signal: &str| {
        said(Command::new("kill").args(["-s", signal, &asking.pid().to_string()]));
    };
    signal("STOP");
    let began = Instant::now();
    site.go_on();
    until("the release is finished without its reader", SOON, || {
        let state = site.status();
        state.lock.is_none() && state.live.is_some_and(|live| live.revision == b.revision)
    });
    let took = began.elapsed().as_secs_f64();
    signal("CONT");
    let said = asking.wait();
    site.is_settled_at(&b);
    seen(
        "4",
        "SIGSTOP of the client, which reads nothing any more",
        format!(
            "released without its reader within {took:.1} s; once it reads again: {}",
            said.brief()
        ),
    );
}

/// Two clients of one person: an interrupt of the one that has lost ends nothing; that of
/// the other one has its own release taken back.
pub(crate) fn a_cancelled_release_is_undone(yard: &Yard) {
    let site = yard.site();
    let (a, b) = site.pair();
    let load = site.load(Mix::light());
    let hoped: Released = serde_json::from_value(json!({ "live": site.status().live })).unwrap();
    let cancel = Cancel::new();
    let (finished, took) = thread::scope(|scope| {
        // Time to be cancelled in.
        let _stability = site.policy("stability_seconds", "30");
        let client = scope.spawn(|| {
            site.interruptible(&cancel, |cx, remote| {
                let mut request = site.release_request(&b, Some(a.revision.clone()));
                if let Request::Release { run, .. } = &mut request {
                    *run = cx.run_id().and_then(|run| run.parse().ok());
                }
                remote.run(cx, request, hoped.clone())
            })
        });
        until("the new version answers", SOON, || site.has_started(&b));
        let holder = site.status().lock.unwrap();
        let lost = Whose { by: holder.by.clone(), run: Some("1795508100042-1".parse().unwrap()) };
        let said = site.ask(Role::Deploy, &Request::Cancel { area: None, whose: Some(lost) });
        let now = site.status().lock;
        let began = Instant::now();
        cancel.interrupt();
        let finished = client.join().unwrap();
        let took = began.elapsed();
        assert!(took < Duration::from_secs(10), "{took:?}");
        assert_eq!(said.answer::<Cancelled>(), Cancelled::NothingRan);
        assert_eq!(now, Some(holder), "it ended what was another one's");
        (finished, took)
    });
    let error = finished.result.unwrap_err();
    assert_eq!(error.to_string(), "interrupted; the server took it back");
    assert_eq!(finished.exit_code, ExitCode::Interrupted);
    site.is_settled_at(&a);
    let (requests, failures) = load.so_far();
    seen(
        "1",
        "an interrupt of the client while stability is waited for",
        format!(
            "exit {} within {:.1} s, {}; the lock free; the old one served: {requests} requests, \
             {failures} failed",
            finished.exit_code.code(),
            took.as_secs_f64(),
            words(&error.to_string()),
        ),
    );

    // One that clients have already is finished, and that is what is told.
    let late = {
        let _drain = site.policy("drain_seconds", "4");
        let asking = site.begin_release(&b);
        until("the new version is live", SOON, || site.live().as_ref() == Some(&b.revision));
        let late = site.ask(Role::Deploy, &Request::Cancel { area: None, whose: None });
        assert_eq!(asking.wait().exit, Some(0));
        late
    };
    let live = site.status().live.unwrap().release;
    assert_eq!(late.answer::<Cancelled>(), Cancelled::Live(live));
    site.is_settled_at(&b);
    load.stop().lost_nothing();
}

/// Cuts the power just before and just after the switch. Both times one version is
/// served when the host is up again, and `boot` leaves nothing else.
pub(crate) fn a_host_that_reboots_in_the_middle(yard: &Yard) {
    let site = yard.site();
    let (a, b) = (site.well("a"), site.well("b"));
    for (fault, served) in [("stop before \"switch to\"", &a), ("stop after \"switch to\"", &b)] {
        site.have(&a);
        let asking = site.stopped(fault, &b);
        site.droplet.power_cut().unwrap();
        drop(asking);
        site.droplet.start().unwrap();
        until("a version is served after the boot", SOON, || site.status().served.is_ok());
        assert_eq!(site.status().served, Ok(served.revision.clone()), "{fault}");
        let booted = Instant::now();
        // The server does this by itself, by its unit talia-boot.
        until("one version is left", SOON * 3, || {
            site.containers().len() == 1 && site.status().lock.is_none()
        });
        site.is_settled_at(served);
        seen(
            "5",
            &format!("the power is cut: {fault}"),
            format!(
                "after the boot {} is served, and {:.1} s later alone: {} container",
                if served == &a { "the old one" } else { "the new one" },
                booted.elapsed().as_secs_f64(),
                site.containers().len(),
            ),
        );
    }
    // And as an administrator does it, with nothing under way.
    site.droplet.reboot().unwrap();
    until("it is served after the boot", SOON, || site.status().served.is_ok());
    site.is_settled_at(&b);
}

pub(crate) fn an_engine_that_restarts_while_health_is_waited_for(yard: &Yard) {
    let site = yard.site();
    let (a, b) = site.pair();
    let load = site.load(Mix::light());
    let fails = site.images.version("health fails", crate::kit::Behaviour::HealthFails);
    let asking = site.begin_release(&fails);
    until("the new version answers", SOON, || site.has_started(&fails));
    site.droplet.restart_engine().unwrap();
    let undone = asking.wait();
    undone.failed(1, &["not healthy within 12 s"]);
    site.is_settled_at(&a);
    // One that is well is released in spite of it.
    let asking = site.stopped("stop after \"wait for health\"", &b);
    site.droplet.restart_engine().unwrap();
    site.go_on();
    let released = asking.wait();
    assert_eq!(released.exit, Some(0));
    site.is_settled_at(&b);
    let served = load.stop().lost_nothing();
    seen(
        "6",
        "the engine restarts during the health wait",
        format!("an ill one: {}; a well one: {}; {served}", undone.brief(), released.brief()),
    );
}
