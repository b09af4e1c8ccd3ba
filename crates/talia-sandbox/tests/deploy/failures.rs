//! Versions that are not what was meant: each is undone, and no client notices.

use std::time::Duration;

use crate::{
    kit::{Behaviour, Yard, seen},
    load::Mix,
};

/// The fault, what goes wrong, what the client is told of it, and the longest that it may take.
const CASES: &[(&str, &str, Behaviour, &[&str], u64)] = &[
    ("17", "health fails", Behaviour::HealthFails, &["not healthy within 5 s", "503"], 14),
    // An app that is asked to end waits 8 s for the answers that hang.
    ("17", "health hangs", Behaviour::HealthHangs, &["not healthy within 5 s"], 24),
    ("16", "another revision", Behaviour::SaysAnother, &["000bad"], 14),
    ("14", "exits at once", Behaviour::Exits, &["the container has ended", "it exits at once"], 14),
    ("14", "crashes soon", Behaviour::CrashesAfter(1), &["it crashes"], 14),
    ("15", "crashes when healthy", Behaviour::CrashesAfterHealthy(1), &["it crashes"], 20),
];

pub(crate) fn a_version_that_is_not_right_is_undone(yard: &Yard) {
    let site = yard.site().on_one_line();
    let (a, _) = site.pair();
    // The window in which a crash must not go unseen.
    let _stability = site.policy("stability_seconds", "2");
    let _deadline = site.policy("deadline_seconds", "5");
    let load = site.load(Mix::default());
    for (fault, name, behaviour, reasons, longest) in CASES {
        let version = site.images.version(name, *behaviour);
        let said = site.release(&version);
        println!("{name}: {:.1} s: {}", said.took.as_secs_f64(), said.failure().trim());
        said.failed(1, reasons);
        assert!(said.took < Duration::from_secs(*longest), "{name} took {:?}", said.took);
        site.is_settled_at(&a);
        let (requests, failures) = load.so_far();
        let served = site.status().served.unwrap();
        seen(
            fault,
            name,
            format!(
                "{}; {} served again; {requests} requests so far, {failures} failed",
                said.brief(),
                served.short()
            ),
        );
    }
    let told = load.stop();
    println!("{told}");
    told.lost_nothing();
    assert_eq!(told.revisions(), [a.revision.as_str()]);
}
