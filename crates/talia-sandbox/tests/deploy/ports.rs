//! A service that listens on a port: a switch is a file that Nginx includes, and a reload.

use talia_pipeline::{
    protocol::{Released, Request},
    templates::{Nginx, Role},
};

use crate::{
    fidelity::released_as_planned,
    hosts::webhook_is_answered,
    kit::{Behaviour, Site, Yard, seen},
    load::{Kind, Mix, Told},
};

/// The steps of a switch, as the journal tells them.
const SWITCH: [&str; 8] = [
    "name ",
    "nginx -t",
    "nginx's master",
    "nginx's workers",
    "reload nginx",
    "wait for nginx's new workers",
    "forget the port before",
    "confirm behind nginx",
];

/// Those that change something; what only asks leaves what the one before it has left.
const CHANGES: [&str; 3] = [SWITCH[0], SWITCH[4], SWITCH[6]];

/// What breaks Nginx's configuration, wherever its sites are right.
const BROKEN: &str = "/etc/nginx/conf.d/broken.conf";

/// The environment, whose policy and site say that it listens on a port.
fn site(yard: &Yard) -> Site {
    let site = yard.ports().on_one_line();
    let path = format!("/etc/talia/{}.toml", site.environment);
    let policy = String::from_utf8(site.droplet.read(&path).unwrap()).unwrap();
    if !policy.contains("listen = ") {
        site.droplet
            .write(&path, format!("listen = \"port\"\n{policy}").as_bytes(), 0o644)
            .unwrap();
        // The site that leads to a socket is none for this.
        site.release(&site.well("a"))
            .failed(3, &["as well", "`include /etc/nginx/talia/ports-port.conf;`"]);
        let etc = format!("/etc/talia/{}/tls", site.environment);
        let text = Nginx::new(&site.environment, site.sandbox.host_name(&site.environment))
            .web(format!("/var/www/talia-landing-{}", site.environment))
            .tls(format!("{etc}/cert.pem"), format!("{etc}/key.pem"))
            .on_port()
            .render();
        let said = site.begin(Role::Admin, &Request::SitePush, text.as_bytes()).wait();
        assert_eq!(said.exit, Some(0), "{}", said.failure());
        assert_eq!(site.live(), None);
    }
    site
}

/// A reload may end kept-alive connections in the moment in which a request comes on one.
fn only_kept_alive_ones_failed(told: &Told) {
    let lost = told.lost_only(Kind::KeptAlive);
    let all = told.kinds[&Kind::KeptAlive].requests;
    println!("{told}\n    kept-alive requests that failed: {lost} of {all}; others: 0");
}

pub(crate) fn a_service_on_a_port_is_released(yard: &Yard) {
    let site = site(yard);
    let (a, b) = (site.well("a"), site.well("b"));
    site.have(&a);
    webhook_is_answered(&site, a.revision.as_str());

    // Nothing of this concerns Nginx.
    let (workers, containers) = (site.nginx_workers(), site.containers());
    assert!(site.released(&a).unchanged);
    assert_eq!(site.containers(), containers);
    let fails = site.images.version("health fails", Behaviour::HealthFails);
    {
        let _deadline = site.policy("deadline_seconds", "4");
        site.release(&fails).failed(1, &["not healthy within 4 s", "503"]);
    }
    site.is_settled_at(&a);
    assert_eq!((site.nginx_workers(), site.containers()), (workers, containers));

    let load = site.load(Mix::default());
    let said = site.release(&b);
    let released: Released = said.answer();
    println!("{:.1} s:\n{}", said.took.as_secs_f64(), said.steps());
    assert_eq!(released.before.map(|before| before.revision), Some(a.revision.clone()));
    site.is_settled_at(&b);
    webhook_is_answered(&site, b.revision.as_str());
    let back: Released = site.rollback(None).answer();
    assert_eq!(back.live.revision, a.revision);
    site.is_settled_at(&a);
    let told = load.stop();
    only_kept_alive_ones_failed(&told);
    // Those that a switch finds at work end where they are.
    let switches = 2;
    assert!(told.kinds[&Kind::Websocket].reconnects >= switches, "{told}");
}

/// FAULT 21.
pub(crate) fn a_switch_that_nginx_refuses_is_undone(yard: &Yard) {
    let site = site(yard);
    let (a, b) = site.pair();
    let load = site.load(Mix::light());
    // As a hand may have left it.
    let by_hand = String::from_utf8(site.droplet.read(&site.port_file()).unwrap()).unwrap();
    let by_hand = by_hand.replace(';', " ;\r\n#\u{e4}\n").into_bytes();
    site.droplet.write(&site.port_file(), &by_hand, 0o644).unwrap();
    let workers = site.nginx_workers();
    let asking = site.stopped("stop before \"nginx -t\"", &b);
    site.droplet.write(BROKEN, b"no_such_directive on;\n", 0o644).unwrap();
    site.go_on();
    let said = asking.wait();
    let now = site.droplet.read(&site.port_file()).unwrap();
    site.droplet.said(["rm", "--", BROKEN]).unwrap();
    said.failed(1, &["Nginx refuses its configuration", "no_such_directive"]);
    assert_eq!(now, by_hand, "it is not restored");
    assert_eq!(site.nginx_workers(), workers, "Nginx was reloaded");
    assert_eq!(site.status().served, Ok(a.revision.clone()));
    assert_eq!(site.containers().len(), 1);
    let served = load.stop().lost_nothing();
    seen(
        "21",
        "`nginx -t` fails at a switch of ports",
        format!(
            "{}; the {} bytes before are back, Nginx's workers the same, {} container; {served}",
            said.brief(),
            now.len(),
            site.containers().len(),
        ),
    );
}

/// At the boundaries of the switch, and once on the way back from one: wherever it ends,
/// the rerun converges.
pub(crate) fn an_agent_that_is_killed_around_a_switch(yard: &Yard) {
    let site = site(yard);
    let (mut from, mut to) = site.pair();
    let _stability = site.policy("stability_seconds", "0");
    let _answers = site.policy("answers", "1");
    let load = site.load(Mix::light().without(Kind::Post).without(Kind::Websocket));
    site.released(&to);
    (from, to) = (to, from);
    let steps = site.last_steps();
    let begin = steps.iter().position(|step| step.starts_with(SWITCH[0])).unwrap();
    for (step, known) in steps[begin..].iter().zip(SWITCH) {
        assert!(step.starts_with(known), "{steps:?}");
    }
    let mut faults = vec![format!("die before {:?}", SWITCH[0])];
    faults.extend(CHANGES.map(|step| format!("die after {step:?}")));
    faults.push(format!("fail before {:?}\ndie after \"name LIVE\"", SWITCH[7]));
    let count = faults.len();
    for fault in faults {
        let live = &site.containers()[0].slot;
        let request = site.release_request(&to, Some(from.revision.clone()));
        site.faults(&fault.replace("LIVE", live));
        let dying = site.ask(Role::Deploy, &request);
        site.no_faults();
        assert_eq!(dying.exit, Some(137), "{fault}: {dying:#?}");
        let served = site.target().get("/api/health").unwrap().revision;
        let rerun: Released = site.ask(Role::Deploy, &request).answer();
        assert_eq!(rerun.live.revision, to.revision, "{fault}");
        site.is_settled_at(&to);
        println!(
            "{fault:?}: served the {} version, then {}; {} failures",
            if served.as_deref() == Some(to.revision.as_str()) { "new" } else { "old" },
            if rerun.unchanged { "it was live" } else { "it was released anew" },
            load.so_far().1,
        );
        (from, to) = (to, from);
    }
    let told = load.stop();
    only_kept_alive_ones_failed(&told);
    seen(
        "3",
        &format!("SIGKILL of the agent at {count} boundaries around a switch of ports"),
        format!("each rerun converges; {}, all on kept-alive connections", told.brief()),
    );
}

pub(crate) fn a_service_on_a_port_that_may_not_run_twice(yard: &Yard) {
    let site = site(yard);
    let (_, b) = site.pair();
    let _strategy = site.policy("strategy", "\"recreate\"");
    released_as_planned(&site, "with a port, in place", &b);
    site.is_settled_at(&b);
}
