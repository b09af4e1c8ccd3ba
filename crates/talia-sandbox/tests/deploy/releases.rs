//! What happens when nothing goes wrong.

use std::time::Duration;

use talia_pipeline::{
    protocol::{Released, Request},
    server::Record,
    templates::Role,
};

use crate::{
    kit::Yard,
    load::{Kind, Mix},
};

/// Between the first answer of the new version and the last request to the old one.
/// The switch is one rename; a thread may be late to tell when it began.
const AT_ONCE: Duration = Duration::from_millis(200);

pub(crate) fn a_first_release_is_served(yard: &Yard) {
    let site = yard.site();
    assert_eq!(site.live(), None);
    let a = site.well("a");
    let released = site.released(&a);
    assert_eq!((released.before, released.unchanged), (None, false));
    site.is_settled_at(&a);
}

pub(crate) fn an_upgrade_loses_no_request(yard: &Yard) {
    let site = yard.site();
    let (a, b) = site.pair();
    let load = site.load(Mix::default());
    let said = site.release(&b);
    let released: Released = said.answer();
    std::thread::sleep(Duration::from_secs(2));
    let told = load.stop();
    println!("{told}\n{:.1} s:\n{}", said.took.as_secs_f64(), said.steps());
    told.lost_nothing();
    assert_eq!(released.before.map(|before| before.revision), Some(a.revision.clone()));
    let records: Vec<Record> = site.ask(Role::Deploy, &Request::Releases).answer();
    assert_eq!(records[0].id, released.live.release);
    assert!(records[0].began_ms < released.live.at_ms, "it is live from its switch on");
    assert_eq!(told.revisions(), [a.revision.as_str(), b.revision.as_str()]);
    let overlap = told.overlap(a.revision.as_str(), b.revision.as_str());
    assert!(overlap < AT_ONCE, "the old one was still asked after {overlap:?}");
    assert!(told.kinds[&Kind::Websocket].reconnects > 0, "the old slot's sockets are closed");
    site.is_settled_at(&b);
}

pub(crate) fn what_is_live_already_is_left_alone(yard: &Yard) {
    let site = yard.site();
    let (b, a) = site.pair();
    let before = site.containers();
    let released = site.released(&b);
    assert!(released.unchanged);
    assert_eq!(site.containers(), before);
    // Whoever saw another version live is told, and nothing changes.
    let request = site.release_request(&a, Some(site.well("never").revision));
    site.ask(Role::Deploy, &request).failed(4, &["is live", "decided on"]);
    assert_eq!(site.containers(), before);
    site.is_settled_at(&b);
}

pub(crate) fn a_rollback_loses_no_request(yard: &Yard) {
    let site = yard.site();
    let (a, b) = site.pair();
    site.released(&b);
    let load = site.load(Mix::default());
    let back: Released = site.rollback(None).answer();
    assert_eq!(back.live.revision, a.revision);
    let told = load.stop();
    println!("{told}");
    told.lost_nothing();
    assert_eq!(told.revisions(), [b.revision.as_str(), a.revision.as_str()]);
    site.is_settled_at(&a);
}
