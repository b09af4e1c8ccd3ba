//! An agent that is killed: what comes next converges from what is left.

use talia_pipeline::protocol::{LandingReleased, LandingRequest, ReleaseId};

use super::{crawler::Crawler, page::Page};
use crate::kit::{Said, Yard};

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
    // What only looks is no boundary: more are tried than there are, and the last ends.
    let killed = |n: usize, ask: &dyn Fn() -> Said| {
        site.faults(&if n == 0 { "die before 1".to_owned() } else { format!("die after {n}") });
        let said = ask();
        site.no_faults();
        assert!(matches!(said.exit, Some(0 | 137)), "{n}: {said:#?}");
        let so_far = crawler.so_far();
        assert_eq!(so_far.failures, [""; 0], "readers have noticed, at {n}; {said:#?}");
        said.exit == Some(137)
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
        let was_killed = killed(n, &|| page.begin(request.clone(), &changes).wait());
        // The same client again.
        let said = page.begin(request, &changes).wait();
        assert_eq!(said.exit, Some(0), "begin, killed after {n}: {said:#?}");
        if !was_killed {
            println!("    begin has {n} boundaries");
            break;
        }
    }
    let aborted =
        page.ask(LandingRequest::Abort(site.status().landing.unwrap().transaction.unwrap().id));
    assert_eq!(aborted.exit, Some(0));

    for n in 0..=commit.len() {
        page.version("two");
        let id = page.opened();
        page.pushed();
        let was_killed = killed(n, &|| page.commit(&id));
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
        back_to_one(&page);
        if !was_killed {
            println!("    commit has {n} boundaries");
            break;
        }
    }

    page.version("two");
    let two: ReleaseId = page.released().live.release;
    let one = page.index(None);
    assert_eq!(one.live.unwrap().release, two);
    for n in 0..=rollback.len() {
        let rollback =
            LandingRequest::Rollback { to: None, from: two.clone(), by: "test".parse().unwrap() };
        let was_killed = killed(n, &|| page.ask(rollback.clone()));
        let again: LandingReleased = page.ask(rollback).answer();
        page.version("one");
        assert_eq!(again.live.tree, page.tree().hash(), "rollback, killed after {n}");
        page.is_settled_at("one");
        if !was_killed {
            println!("    rollback has {n} boundaries");
            break;
        }
        let forth: LandingReleased = page.rollback(Some(two.clone())).answer();
        assert_eq!(forth.live.release, two);
    }
    crawler.missed_nothing();
}
