//! An agent that is killed: what comes next converges from what is left.

use std::time::Duration;

use talia_pipeline::{
    protocol::{Cancelled, LandingReleased, LandingRequest, ReleaseId, Request, Who},
    templates::Role,
};

use super::{crawler::Crawler, page::Page};
use crate::kit::{Said, Yard, seen, until};

/// The steps of the last run, as the journal tells them.
fn last_steps(page: &Page<'_>) -> Vec<String> {
    let path = format!("{}/journal.jsonl", page.own());
    let journal = String::from_utf8(page.site.droplet.read(&path).unwrap()).unwrap();
    let mut steps = Vec::new();
    for line in journal.lines() {
        match talia_pipeline::Event::parse(line) {
            talia_pipeline::Event::FlowStarted { .. } => steps.clear(),
            talia_pipeline::Event::StepStarted { label, .. } => steps.push(label),
            _ => {}
        }
    }
    steps
}

/// Kills the agent at every boundary of a release in turn: of its begin, of its commit, and
/// of a rollback. After each, readers have lost nothing, the rerun converges, and the next
/// release goes.
pub(crate) fn an_agent_that_is_killed_at_any_step_of_a_landing_release(yard: &Yard) {
    let site = yard.site();
    let page = Page::new(&site);
    page.have("one");
    let own = format!("{}/.well-known/token", page.web());
    page.script(&format!(
        "install -d -o www-data {}/.well-known; echo own > {own}; chown www-data {own}; \
         chmod 640 {own}",
        page.web()
    ));
    page.version("two");
    let id = page.opened();
    let begin = last_steps(&page);
    page.pushed();
    assert_eq!(page.commit(&id).exit, Some(0));
    let commit = last_steps(&page);
    assert_eq!(page.rollback(None).exit, Some(0));
    let rollback = last_steps(&page);
    for (verb, steps) in [("begin", &begin), ("commit", &commit), ("rollback", &rollback)] {
        println!("    {verb}: {} steps: {}", steps.len(), steps.join(", "));
        assert!(steps.len() >= 6, "{verb}");
    }
    let crawler = Crawler::start(site.target());
    let faults = format!("/etc/talia/{}.faults", site.environment);
    let killed = |n: usize, ask: &dyn Fn() -> Said| {
        let fault = if n == 0 { "die before 1".to_owned() } else { format!("die after {n}") };
        page.script(&format!("echo '{fault}' > {faults}"));
        let said = ask();
        page.script(&format!("rm {faults}"));
        assert_eq!(said.exit, Some(137), "{n}: {said:#?}");
        let so_far = crawler.so_far();
        assert_eq!(so_far.failures, [""; 0], "readers have noticed, at {n}; {said:#?}");
    };
    let back_to_one = |page: &Page<'_>| {
        let back: LandingReleased = page.rollback(None).answer();
        page.version("one");
        assert_eq!(back.live.tree, page.tree().hash());
        page.is_settled_at("one");
    };

    let index = page.index(None);
    for n in 0..=begin.len() {
        page.version("two");
        let (request, changes) = page.order(&index, "test");
        killed(n, &|| page.begin(request.clone(), &changes).wait());
        // The same client again.
        let said = page.begin(request, &changes).wait();
        assert_eq!(said.exit, Some(0), "begin, killed after {n}: {said:#?}");
    }
    let aborted =
        page.ask(LandingRequest::Abort(site.status().landing.unwrap().transaction.unwrap().id));
    assert_eq!(aborted.exit, Some(0));

    for n in 0..=commit.len() {
        page.version("two");
        let id = page.opened();
        page.pushed();
        killed(n, &|| page.commit(&id));
        let again = page.commit(&id);
        match again.exit {
            Some(0) => assert_eq!(again.answer::<LandingReleased>().live.release, id),
            // It was taken back, and says so.
            _ => {
                again.failed(4, &["was undone", "ended before the switch"]);
                page.released();
            }
        }
        page.is_settled_at("two");
        let whose = page.script(&format!("stat -c '%U %a' {own} $(dirname {own})"));
        assert_eq!(whose, "www-data 640\nwww-data 755", "commit, killed after {n}");
        back_to_one(&page);
    }

    page.version("two");
    let two: ReleaseId = page.released().live.release;
    let one = page.index(None);
    assert_eq!(one.live.unwrap().release, two);
    for n in 0..=rollback.len() {
        let rollback =
            LandingRequest::Rollback { to: None, from: two.clone(), by: "test".parse().unwrap() };
        killed(n, &|| page.ask(rollback.clone()));
        let again: LandingReleased = page.ask(rollback).answer();
        page.version("one");
        assert_eq!(again.live.tree, page.tree().hash(), "rollback, killed after {n}");
        page.is_settled_at("one");
        let forth: LandingReleased = page.rollback(Some(two.clone())).answer();
        assert_eq!(forth.live.release, two);
    }
    let readers = crawler.missed_nothing();
    let counts = [&begin, &commit, &rollback].map(|steps| steps.len() + 1);
    seen(
        "3",
        &format!(
            "landing page: SIGKILL of the agent at {} boundaries of begin, {} of commit, {} of rollback",
            counts[0], counts[1], counts[2]
        ),
        format!("each rerun converges, the next release goes; {readers}"),
    );
}

/// The first release puts a link in the place of a folder that somebody has made: whatever
/// it is killed at, one of both is served, and the folder is kept in the end.
pub(crate) fn a_first_landing_release_that_is_killed_keeps_the_folder(yard: &Yard) {
    let site = yard.site();
    let page = Page::new(&site);
    page.version("one");
    let mut served = Vec::new();
    for fault in [
        "die after \"take the tree back\"",
        "die before \"switch to\"",
        "die after \"switch to\"",
        "die before \"keep the folder\"",
        "die after \"keep the folder\"",
        "die after \"fetch from\"",
    ] {
        page.by_hand("echo by hand > index.html; chown www-data index.html");
        let id = page.opened();
        page.pushed();
        site.faults(fault);
        assert_eq!(page.commit(&id).exit, Some(137), "{fault}");
        site.no_faults();
        let (status, text) = page.served("/");
        println!("    {fault}: {status} {}", text.lines().last().unwrap_or_default());
        served.push(if text.contains("by hand") { "the folder" } else { "the release" });
        assert!(status == 200 && (text.contains("by hand") || text.contains("<p>one</p>")));
        if fault.contains("fetch") {
            // As a server does by itself when it starts.
            let boot = page.request(Role::Admin, &Request::Boot);
            assert_eq!(boot.exit, Some(0), "{boot:#?}");
            page.is_settled_at("one");
        }
        let again = page.commit(&id);
        if again.exit != Some(0) {
            again.failed(4, &["was undone"]);
            assert_eq!(page.served("/"), (200, "by hand\n".into()));
            page.released();
        }
        page.is_settled_at("one");
        let back: LandingReleased = page.rollback(None).answer();
        assert_eq!((back.live.revision, page.served("/").1.as_str()), (None, "by hand\n"));
        let count = page.script(&format!("ls {}/releases | wc -l", page.trees()));
        assert_eq!(count, "2", "{fault}");
    }
    seen(
        "3",
        &format!("landing page: SIGKILL at {} boundaries of the first release", served.len()),
        format!("served then: {}; each rerun converges, the folder is kept", served.join(", ")),
    );
}

/// A release that is cancelled before it has switched is taken back, and one that was
/// switched to stays.
pub(crate) fn a_cancelled_landing_release_is_undone(yard: &Yard) {
    let site = yard.site();
    let page = Page::new(&site);
    for (fault, is_live) in
        [("stop before \"keep the tree\"", false), ("stop after \"switch to\"", true)]
    {
        page.have("one");
        page.version("two");
        let id = page.opened();
        page.pushed();
        site.faults(fault);
        let committing = page.begin(LandingRequest::Commit(id.clone()), &[]);
        let stopped = ["pgrep", "--runstates", "T", "--exact", "talia-agent"];
        until("the agent has stopped itself", Duration::from_secs(20), || {
            site.droplet.exec(stopped).unwrap().exit == 0
        });
        site.no_faults();
        let held = site.status().landing.unwrap();
        assert_eq!(held.lock.unwrap().doing, "landing commit");
        // Nobody else gets in meanwhile.
        page.open().failed(4, &["landing commit"]);
        let request =
            Request::Cancel { area: None, whose: Some("test".parse::<Who>().unwrap().into()) };
        let cancelling = page.begin_request(Role::Deploy, &request);
        // It is told to end by the time it goes on.
        until("the agent is asked to end", Duration::from_secs(20), || {
            page.script(
                "grep --no-filename ShdPnd /proc/$(pgrep --oldest --exact talia-agent)/status",
            )
            .contains('2')
        });
        site.droplet.kill("talia-agent", "CONT").unwrap();
        let cancelled: Cancelled = cancelling.wait().answer();
        let committed = committing.wait();
        seen(
            "1",
            &format!("landing page: `cancel` of a commit, {fault}"),
            format!("the canceller hears {cancelled:?}; its client: {}", committed.brief()),
        );
        if is_live {
            assert_eq!(cancelled, Cancelled::Live(id));
            assert_eq!(committed.exit, Some(0));
            page.is_settled_at("two");
        } else {
            assert_eq!((cancelled, committed.exit), (Cancelled::Undone, Some(130)));
            page.version("one");
            page.is_settled_at("one");
        }
    }
}
