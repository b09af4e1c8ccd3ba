//! Interrupts and time limits: asked first, killed later, and said which step it was.

use std::{thread, time::Duration};

use talia_pipeline::{ErrorKind, Outcome, process::Cancel};

use crate::kit::{Folder, LOAD, Run, eventually, now, pipeline, run, tag, tagged};

const GRACE: Duration = Duration::from_millis(700);

/// Prints the word `ready`, and says in a file which signals came.
fn script(folder: &Folder, tag: &str, on_interrupt: &str) -> String {
    let folder = folder.path();
    format!(
        "trap 'echo INT >> \"{folder}/signals\"; {on_interrupt}' INT; : > \"{folder}/ready\"; \
         while :; do sleep 0.02; done; : {tag}"
    )
}

/// Interrupts `times` times once the file `ready` is there.
fn interrupter(folder: &Folder, cancel: &Cancel, times: u32) -> thread::JoinHandle<()> {
    let (ready, cancel) = (folder.join("ready"), cancel.clone());
    thread::spawn(move || {
        eventually("the step is ready", || ready.exists());
        for _ in 0..times {
            cancel.interrupt();
            thread::sleep(Duration::from_millis(50));
        }
    })
}

#[test]
fn the_first_interrupt_asks_and_who_obeys_is_not_killed() {
    let (folder, tag, cancel) = (Folder::new(), tag(), Cancel::new());
    let script = script(&folder, &tag, "echo tidied; exit 0");
    let interrupter = interrupter(&folder, &cancel, 1);
    let (pipeline, events) = pipeline();
    let finished = pipeline.grace(LOAD).cancel(cancel).run(|cx| cx.run(Run::sh("long", &script)));
    interrupter.join().unwrap();
    assert_eq!(finished.exit_code.code(), 130);
    assert_eq!(folder.read("signals"), "INT\n");
    assert_eq!(events.lines(), ["tidied"]);
    assert_eq!(events.outcomes()["long"], Outcome::Cancelled);
    assert!(tagged(&tag).is_empty());
}

#[test]
fn who_ignores_the_interrupt_is_killed_after_the_grace() {
    let (folder, tag, cancel) = (Folder::new(), tag(), Cancel::new());
    let script = script(&folder, &tag, ":");
    let interrupter = interrupter(&folder, &cancel, 1);
    let (pipeline, _) = pipeline();
    let began = now();
    let finished = pipeline.grace(GRACE).cancel(cancel).run(|cx| cx.run(Run::sh("long", &script)));
    interrupter.join().unwrap();
    assert_eq!(finished.exit_code.code(), 130);
    assert_eq!(folder.read("signals"), "INT\n");
    assert!(now() - began >= GRACE && now() - began < GRACE + LOAD);
    assert!(tagged(&tag).is_empty());
}

#[test]
fn the_second_interrupt_kills_at_once() {
    let (folder, tag, cancel) = (Folder::new(), tag(), Cancel::new());
    let script = script(&folder, &tag, ":");
    let interrupter = interrupter(&folder, &cancel, 2);
    let (pipeline, _) = pipeline();
    let began = now();
    let finished = pipeline
        .grace(Duration::from_secs(600))
        .cancel(cancel)
        .run(|cx| cx.run(Run::sh("long", &script)));
    interrupter.join().unwrap();
    assert_eq!(finished.exit_code.code(), 130);
    assert!(now() - began < LOAD);
    assert!(tagged(&tag).is_empty());
}

#[test]
fn sheltered_steps_run_on_after_an_interrupt_until_the_second_one() {
    let cancel = Cancel::new();
    let (pipeline, events) = pipeline();
    // The flow runs for the plan first, which interrupts nobody.
    let planned = std::sync::atomic::AtomicBool::new(false);
    let finished = pipeline.cancel(cancel.clone()).run(|cx| {
        if !planned.swap(true, std::sync::atomic::Ordering::Relaxed) {
            return Ok((false, String::new(), false));
        }
        cancel.interrupt();
        let stopped = cx.run(Run::sh("before", "true")).is_err();
        let inside = cx.sheltered(|cx| cx.run(Run::sh("mends", "echo whole")));
        cancel.interrupt();
        let late = cx.sheltered(|cx| cx.run(Run::sh("late", "sleep 60"))).is_err();
        Ok((stopped, inside?, late))
    });
    assert_eq!(finished.result.unwrap(), (true, "whole\n".to_owned(), true));
    assert_eq!(finished.exit_code.code(), 130);
    assert_eq!(events.lines(), ["whole"]);
}

#[test]
fn an_interrupt_before_the_run_starts_nothing() {
    let cancel = Cancel::new();
    cancel.interrupt();
    let (pipeline, events) = pipeline();
    let finished = pipeline.cancel(cancel).run(|cx| cx.run(Run::sh("never", "exit 0")));
    assert_eq!(finished.exit_code.code(), 130);
    assert!(events.began().is_empty());
    assert_eq!(events.end().not_run, ["never"]);
}

#[test]
fn cancelled_steps_are_not_counted_as_failures_of_an_interrupted_run() {
    let (folder, tag, cancel) = (Folder::new(), tag(), Cancel::new());
    let script = script(&folder, &tag, "exit 0");
    let interrupter = interrupter(&folder, &cancel, 1);
    let (pipeline, events) = pipeline();
    let finished = pipeline
        .cancel(cancel)
        .run(|cx| cx.join(|cx| cx.run(Run::sh("a", &script)), |cx| cx.run(Run::sh("b", &script))));
    interrupter.join().unwrap();
    assert_eq!(finished.exit_code.code(), 130);
    let end = events.end();
    assert!(end.failures.iter().all(|failure| failure.exit_code == 130));
    assert!(end.allowed.is_empty());
}

/// Prints what a test runner prints: a finished line, then the name of the test
/// that hangs, without a newline, right behind it.
fn hanging_tests(tag: &str) -> String {
    format!("printf 'test_one '; sleep 0.02; printf 'PASSED\\ntest_two '; sleep {tag}; true")
}

#[test]
fn a_step_over_its_time_names_itself_and_the_test_that_ran() {
    let tag = tag();
    let (pipeline, events) = pipeline();
    let began = now();
    let finished = pipeline
        .step_timeout(Duration::from_secs(1))
        .run(|cx| cx.run(Run::sh("tests", &hanging_tests(&tag))));
    assert_eq!(finished.exit_code.code(), 1);
    assert!(now() - began < Duration::from_secs(1) + GRACE + LOAD);
    let failure = &events.end().failures[0];
    assert_eq!(failure.step.as_deref(), Some("tests"));
    assert!(failure.message.contains("longer than 1 s"), "{}", failure.message);
    assert!(failure.message.ends_with("the last it said: test_two"), "{}", failure.message);
    assert!(failure.hint.is_some());
    assert_eq!(events.outcomes()["tests"], Outcome::Failed);
    assert!(tagged(&tag).is_empty());
}

#[test]
fn a_commands_own_limit_counts_more_than_the_settings() {
    let (code, _, events) = run(|cx| {
        let long = Run::sh("long", "sleep 600");
        cx.run(long.with(|line| line.timeout(Duration::from_secs(1))))
    });
    assert_eq!(code, 1);
    assert!(events.end().failures[0].message.contains("longer than 1 s"));
}

#[test]
fn a_run_over_its_time_names_the_step_and_the_test_that_ran() {
    let tag = tag();
    let (pipeline, events) = pipeline();
    let finished = pipeline.timeout(Duration::from_secs(1)).run(|cx| {
        cx.run(Run::sh("quick", "exit 0"))?;
        cx.run(Run::sh("tests", &hanging_tests(&tag)))?;
        cx.run(Run::sh("later", "exit 0"))
    });
    assert_eq!(finished.exit_code.code(), 1);
    let error = finished.result.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Step);
    assert!(error.to_string().contains("running then: tests"), "{error}");
    assert!(error.to_string().contains("test_two"), "{error}");
    let end = events.end();
    assert_eq!(events.outcomes()["tests"], Outcome::Cancelled);
    assert_eq!(end.not_run, ["later"]);
    assert!(tagged(&tag).is_empty());
}

#[test]
fn what_failed_before_the_runs_time_was_over_is_still_reported() {
    let (pipeline, events) = pipeline();
    let finished = pipeline.timeout(Duration::from_secs(1)).run(|cx| {
        cx.join(
            |cx| cx.run(Run::sh("bad", "exit 1")),
            |cx| cx.run(Run::sh("long", "sleep 600; true")),
        )
    });
    assert_eq!(finished.exit_code.code(), 1);
    let end = events.end();
    assert!(end.failed().contains(&"bad"), "{:?}", end.failed());
    assert!(end.failures.iter().any(|failure| failure.message.contains("longer than 1 s")));
    assert!(end.allowed.is_empty(), "{:?}", end.allowed);
}
