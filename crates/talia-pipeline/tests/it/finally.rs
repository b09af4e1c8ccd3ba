//! `finally`: what runs at the end of a flow, branch or group, however it ends.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use talia_pipeline::{Context, Error, ErrorKind, Outcome, Result, process::Cancel};

use crate::kit::{LOAD, Run, Work, eventually, now, pipeline, run, tag, tagged};

/// What has happened, in order.
#[derive(Clone, Default)]
struct Diary(Arc<Mutex<Vec<&'static str>>>);

impl Diary {
    fn step(&self, text: &'static str) -> Work {
        let diary = self.clone();
        Work::new(text, move || {
            diary.0.lock().unwrap().push(text);
            Ok(())
        })
    }
    fn read(&self) -> Vec<&'static str> {
        self.0.lock().unwrap().clone()
    }
}

#[test]
fn what_was_put_off_runs_after_success_the_last_one_first() {
    let diary = Diary::default();
    let (code, _, _) = run(|cx| {
        cx.finally(diary.step("put off first"));
        cx.finally(diary.step("put off second"));
        cx.run(diary.step("work"))
    });
    assert_eq!(code, 0);
    assert_eq!(diary.read(), ["work", "put off second", "put off first"]);
}

#[test]
fn what_was_put_off_runs_after_a_failure_and_the_failure_stays() {
    let diary = Diary::default();
    let (code, _, events) = run(|cx| {
        cx.finally(diary.step("clean up"));
        cx.run(Run::sh("fails", "exit 1"))?;
        cx.run(diary.step("never"))
    });
    assert_eq!(code, 1);
    assert_eq!(diary.read(), ["clean up"]);
    assert_eq!(events.end().failed(), ["fails"]);
    assert_eq!(events.end().not_run, ["never"]);
}

#[test]
fn its_place_is_where_it_was_put_off_so_a_failure_moves_no_other_step() {
    let diary = Diary::default();
    let flow = |cx: &Context| {
        cx.run(Run::sh("fails", "exit 1"))?;
        cx.run(diary.step("never"))
    };
    let (_, _, events) = run(|cx| {
        cx.finally(diary.step("clean up"));
        flow(cx)
    });
    assert_eq!(events.outcomes()["clean up"], Outcome::Passed);
    assert_eq!(events.end().not_run, ["never"]);
}

#[test]
fn a_failure_at_the_end_is_reported_beside_the_first_one() {
    let (code, result, events) = run(|cx| {
        cx.finally(Work::new("clean up", || Err(Error::refused("it is locked"))));
        cx.run(Run::sh("fails", "exit 1"))
    });
    assert_eq!(code, 4);
    assert_eq!(result.err().unwrap().failures().len(), 2);
    assert_eq!(events.end().failed(), ["fails", "clean up"]);
}

#[test]
fn a_failure_at_the_end_of_a_cancelled_branch_is_not_lost() {
    let (pipeline, events) = pipeline();
    let finished = pipeline.fail_fast(true).run(|cx| {
        cx.join(
            |cx| cx.run(Run::sh("bad", "sleep 0.1; exit 1")),
            |cx| {
                cx.finally(Work::new("clean up", || Err(Error::step("cannot"))));
                cx.run(Run::sh("long", "sleep 60"))
            },
        )
    });
    assert_eq!(finished.exit_code.code(), 1);
    assert_eq!(events.end().failed(), ["bad", "clean up"]);
}

#[test]
fn what_a_branch_and_a_group_put_off_runs_at_their_end() {
    let diary = Diary::default();
    let (code, _, _) = run(|cx| {
        cx.finally(diary.step("flow's"));
        cx.group("group", |cx| {
            cx.finally(diary.step("group's"));
            cx.run(diary.step("in the group"))
        })?;
        cx.join(
            |cx| {
                cx.finally(diary.step("branch's"));
                cx.run(diary.step("in the branch"))
            },
            |_| Ok(()),
        )?;
        cx.run(diary.step("last"))
    });
    assert_eq!(code, 0);
    let expected = ["in the group", "group's", "in the branch", "branch's", "last", "flow's"];
    assert_eq!(diary.read(), expected);
}

#[test]
fn what_was_put_off_runs_after_a_panic_in_flow_branch_and_group() {
    let boom = |cx: &Context| cx.run(Work::new("boom", || panic!("on purpose")));
    type Flow<'a> = Box<dyn Fn(&Context, Work) -> Result<()> + 'a>;
    let flows: [(&str, Flow<'_>); 3] = [
        (
            "flow",
            Box::new(|cx, clean_up| {
                cx.finally(clean_up);
                boom(cx)
            }),
        ),
        (
            "branch",
            Box::new(|cx, clean_up| {
                let first = |cx: &Context| {
                    cx.finally(clean_up);
                    boom(cx)
                };
                cx.join(first, |_| Ok(())).map(drop)
            }),
        ),
        (
            "group",
            Box::new(|cx, clean_up| {
                cx.group("group", |cx| {
                    cx.finally(clean_up);
                    boom(cx)
                })
            }),
        ),
    ];
    for (name, flow) in flows {
        let diary = Diary::default();
        let (mut pipeline, events) = pipeline();
        let ended =
            catch_unwind(AssertUnwindSafe(|| pipeline.run(|cx| flow(cx, diary.step("clean up")))));
        assert!(ended.is_err(), "{name}");
        assert_eq!(diary.read(), ["clean up"], "{name}");
        assert_eq!(events.outcomes()["clean up"], Outcome::Passed, "{name}");
    }
}

/// Interrupts as soon as a process with this word runs.
fn interrupt_when(cancel: &Cancel, tag: &str) -> thread::JoinHandle<()> {
    let (cancel, tag) = (cancel.clone(), tag.to_owned());
    thread::spawn(move || {
        eventually("the step runs", || !tagged(&tag).is_empty());
        cancel.interrupt();
    })
}

#[test]
fn what_was_put_off_runs_after_an_interrupt() {
    let (cancel, tag) = (Cancel::new(), tag());
    let (pipeline, events) = pipeline();
    let interrupter = interrupt_when(&cancel, &tag);
    let finished = pipeline.cancel(cancel).run(|cx| {
        cx.finally(Run::sh("clean up", "echo cleaned"));
        cx.run(Run::sh("long", &format!("sleep {tag}; true")))
    });
    interrupter.join().unwrap();
    assert_eq!(finished.exit_code.code(), 130);
    assert_eq!(finished.result.err().unwrap().kind(), ErrorKind::Interrupted);
    assert_eq!(events.outcomes()["clean up"], Outcome::Passed);
    assert_eq!(events.lines(), ["cleaned"]);
}

#[test]
fn after_an_interrupt_all_that_was_put_off_shares_one_limit_whatever_it_asks_for() {
    let (cancel, tag) = (Cancel::new(), tag());
    let (pipeline, events) = pipeline();
    let interrupter = interrupt_when(&cancel, &tag);
    let began = now();
    let hangs = |label: &str| {
        Run::sh(label, "trap '' INT TERM; sleep 600")
            .with(|line| line.timeout(Duration::from_secs(300)))
    };
    let finished = pipeline
        .cancel(cancel)
        .grace(Duration::from_millis(200))
        .finally_limit(Duration::from_secs(1))
        .run(|cx| {
            for label in ["four", "three", "two", "one"] {
                cx.finally(hangs(label));
            }
            cx.run(Run::sh("long", &format!("sleep {tag}; true")))
        });
    interrupter.join().unwrap();
    assert_eq!(finished.exit_code.code(), 130);
    assert_ne!(events.outcomes()["one"], Outcome::Passed);
    // One limit, not four, and what a loaded machine may add.
    assert!(now() - began < Duration::from_millis(3500), "{:?}", now() - began);
}

#[test]
fn an_interrupt_while_it_cleans_up_leaves_it_the_limit_and_no_more() {
    let (cancel, tag) = (Cancel::new(), tag());
    let (pipeline, _) = pipeline();
    let interrupter = interrupt_when(&cancel, &tag);
    let began = now();
    let finished = pipeline.cancel(cancel).finally_limit(Duration::from_millis(300)).run(|cx| {
        cx.finally(Run::sh("clean up", &format!("trap '' INT TERM; sleep {tag}; true")));
        Ok(())
    });
    interrupter.join().unwrap();
    assert_eq!(finished.exit_code.code(), 130);
    assert!(now() - began < LOAD);
    assert!(tagged(&tag).is_empty());
}

#[test]
fn a_second_interrupt_ends_what_cleans_up_at_once() {
    let (cancel, first, second) = (Cancel::new(), tag(), tag());
    let (pipeline, _) = pipeline();
    let one = interrupt_when(&cancel, &first);
    let two = interrupt_when(&cancel, &second);
    let began = now();
    let finished = pipeline.cancel(cancel).finally_limit(Duration::from_secs(60)).run(|cx| {
        cx.finally(Run::sh("clean up", &format!("trap '' INT TERM; sleep {second}; true")));
        cx.run(Run::sh("long", &format!("sleep {first}; true")))
    });
    one.join().unwrap();
    two.join().unwrap();
    assert_eq!(finished.exit_code.code(), 130);
    assert!(now() - began < LOAD);
    assert!(tagged(&second).is_empty());
}
