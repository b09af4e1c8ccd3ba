//! Agents, clients and servers that are killed: a rerun converges from what is left.

use std::{process::Command, time::Duration};

use talia_pipeline::{
    protocol::{Cancelled, Request},
    templates::Role,
};

use crate::{
    kit::{Yard, said, until},
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
    site.release(&b).failed(4, &["test works on this server: release, since", &holder.run]);
    let ended: Vec<u32> = site.ask(Role::Admin, &Request::Unlock).answer();
    assert!(ended.contains(&holder.pid), "{ended:?}");
    assert_eq!(asking.wait().exit, Some(137));
    assert_eq!((site.agents(), site.status().lock), (0, None));
    site.released(&b);
    site.is_settled_at(&b);
    load.stop().lost_nothing();
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
    site.release(&b).failed(4, &[&holder.run]);
    let ended: Vec<u32> = site.ask(Role::Admin, &Request::Unlock).answer();
    assert!(!ended.is_empty());
    assert_eq!(site.status().lock, None);
    site.released(&b);
    site.is_settled_at(&b);
    let left = site.droplet.exec(["pgrep", "--full", "^sleep 100"]).unwrap();
    assert_ne!(left.exit, 0, "the migration goes on");
    load.stop().lost_nothing();
}

pub(crate) fn a_client_that_is_killed_ends_nothing(yard: &Yard) {
    let site = yard.site();
    let (_, b) = site.pair();
    let load = site.load(Mix::light());
    let asking = site.begin_release(&b);
    until("the new container runs", SOON, || site.containers().len() == 2);
    assert_eq!(asking.kill().exit, None);
    until("the release is finished without its client", SOON, || {
        let state = site.status();
        state.lock.is_none() && state.live.is_some_and(|live| live.revision == b.revision)
    });
    site.is_settled_at(&b);
    load.stop().lost_nothing();
}

pub(crate) fn a_client_that_reads_nothing_holds_nothing_up(yard: &Yard) {
    let site = yard.site();
    let (_, b) = site.pair();
    let asking = site.stopped("stop after \"write release\"", &b);
    let signal = |signal: &str| {
        said(Command::new("kill").args(["-s", signal, &asking.pid().to_string()]));
    };
    signal("STOP");
    site.go_on();
    until("the release is finished without its reader", SOON, || {
        let state = site.status();
        state.lock.is_none() && state.live.is_some_and(|live| live.revision == b.revision)
    });
    signal("CONT");
    asking.wait();
    site.is_settled_at(&b);
}

pub(crate) fn a_cancelled_release_is_undone(yard: &Yard) {
    let site = yard.site();
    let (a, b) = site.pair();
    let load = site.load(Mix::light());
    let asking = {
        // Time to be cancelled in.
        let _stability = site.policy("stability_seconds", "30");
        let asking = site.begin_release(&b);
        until("the new version answers", SOON, || site.has_started(&b));
        asking
    };
    let cancelled = site.ask(Role::Deploy, &Request::Cancel(None));
    assert_eq!(cancelled.answer::<Cancelled>(), Cancelled::Undone);
    let released = asking.wait();
    println!("cancelled within {:.1} s\n{}", cancelled.took.as_secs_f64(), released.steps());
    assert!(cancelled.took < Duration::from_secs(10), "{:?}", cancelled.took);
    assert_eq!(released.exit, Some(130));
    site.is_settled_at(&a);
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
        // The server does this by itself, by its unit talia-boot.
        until("one version is left", SOON * 3, || {
            site.containers().len() == 1 && site.status().lock.is_none()
        });
        site.is_settled_at(served);
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
    asking.wait().failed(1, &["not healthy within 8 s"]);
    site.is_settled_at(&a);
    // One that is well is released in spite of it.
    let asking = site.stopped("stop after \"wait for health\"", &b);
    site.droplet.restart_engine().unwrap();
    site.go_on();
    assert_eq!(asking.wait().exit, Some(0));
    site.is_settled_at(&b);
    load.stop().lost_nothing();
}
