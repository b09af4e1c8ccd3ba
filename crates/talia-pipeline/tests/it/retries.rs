//! Attempts: counted, told, and only where another one can help.

use std::{thread, time::Duration};

use talia_pipeline::{Event, hole, process::Cancel};

use crate::kit::{Events, Folder, LOAD, Run, eventually, now, pipeline, run};

/// The attempts that began and those that ended, with the exit of each.
fn attempts(events: &Events) -> (Vec<u32>, Vec<(u32, Option<i32>)>) {
    let (mut began, mut ended) = (Vec::new(), Vec::new());
    for event in events.all() {
        match event {
            Event::CommandStarted { attempt, .. } => began.push(attempt),
            Event::CommandFinished { attempt, exit, .. } => ended.push((attempt, exit)),
            _ => {}
        }
    }
    (began, ended)
}

fn tries(run: Run, times: u32) -> Run {
    run.with(|line| line.attempts(times))
}

#[test]
fn every_attempt_is_told_with_its_number_until_one_succeeds() {
    let folder = Folder::new();
    let script = format!(
        "echo x >> '{0}/tries'; if [ $(wc -l < '{0}/tries') = 2 ]; then echo got it; else exit 7; fi",
        folder.path()
    );
    let (code, result, events) = run(|cx| cx.run(tries(Run::sh("download", &script), 5)));
    assert_eq!((code, result.unwrap().as_str()), (0, "got it\n"));
    assert_eq!(attempts(&events), (vec![1, 2], vec![(1, Some(7)), (2, Some(0))]));
    let note = events.all().into_iter().find_map(|event| match event {
        Event::Note { text } => Some(text),
        _ => None,
    });
    assert!(note.unwrap().starts_with("download: attempt 1 of 5 failed (sh ended with exit 7)"));
    assert_eq!(events.end().passed, 1);
}

#[test]
fn the_last_attempts_failure_is_the_steps() {
    let (code, _, events) = run(|cx| cx.run(tries(Run::sh("download", "exit 7"), 2)));
    assert_eq!(code, 1);
    assert_eq!(attempts(&events).0, [1, 2]);
    assert_eq!(events.end().failed(), ["download"]);
}

#[test]
fn one_attempt_is_all_there_is_unless_more_are_asked_for() {
    let (_, _, events) = run(|cx| cx.run(Run::sh("test", "exit 1")));
    assert_eq!(attempts(&events).0, [1]);
}

#[test]
fn what_cannot_start_is_not_tried_again() {
    let missing_folder = Run::sh("folder", "exit 0").with(|line| line.cwd("/nonexistent"));
    let hole = Run::sh("hole", &format!("echo {}", hole::named("digest")));
    let missing_file = Run::sh("input", "cat")
        .with(|line| line.stdin(talia_pipeline::Stdin::File("/nonexistent".into())));
    for step in [missing_folder, hole, missing_file] {
        let began = now();
        let (code, _, events) = run(|cx| cx.run(tries(step.clone(), 3)));
        assert_ne!(code, 0);
        assert!(attempts(&events).0.len() <= 1, "{:?}", events.end().failures);
        assert!(now() - began < Duration::from_millis(900));
    }
}

#[test]
fn an_interrupt_in_the_pause_ends_it_and_no_attempt_is_begun() {
    let folder = Folder::new();
    let cancel = Cancel::new();
    // The pause behind the fourth attempt takes 8 s; the interrupt comes in the first.
    let script = format!(": > '{}/tried'; exit 1", folder.path());
    let (heard, tried) = (cancel.clone(), folder.join("tried"));
    let interrupter = thread::spawn(move || {
        eventually("it was tried", || tried.exists());
        thread::sleep(Duration::from_millis(300));
        heard.interrupt();
    });
    let (pipeline, events) = pipeline();
    let began = now();
    let finished = pipeline.cancel(cancel).run(|cx| cx.run(tries(Run::sh("download", &script), 5)));
    interrupter.join().unwrap();
    assert_eq!(finished.exit_code.code(), 130);
    assert!(now() - began < LOAD);
    assert_eq!(attempts(&events).0, [1]);
}
