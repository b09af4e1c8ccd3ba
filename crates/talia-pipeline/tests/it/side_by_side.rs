//! Branches: all awaited, all reported, none harmed by how fast another one is.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Mutex,
    thread,
    time::Duration,
};

use talia_pipeline::{Context, Error, ErrorKind, Event, Outcome, Result};

use crate::kit::{Events, Folder, LOAD, Run, Work, now, pipeline, run, tag, tagged};

fn fails(label: &str) -> Run {
    Run::sh(label, "exit 3")
}

#[test]
fn every_branch_is_awaited_and_every_failure_reported() {
    let (code, result, events) = run(|cx| {
        cx.join4(
            |cx| cx.run(fails("at once")),
            |cx| cx.run(Run::sh("later", "sleep 0.2; exit 4")),
            |cx| cx.run(Run::sh("good", "sleep 0.3; echo fine")),
            |cx| cx.run(fails("also at once")),
        )
    });
    assert_eq!(code, 1);
    let error = result.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Step);
    assert_eq!(error.failures().len(), 3);
    let end = events.end();
    assert_eq!(end.failed(), ["at once", "later", "also at once"]);
    assert_eq!((end.passed, end.exit_code), (1, 1));
    assert_eq!(events.outcomes()["good"], Outcome::Passed);
    assert!(end.allowed.is_empty() && end.not_run.is_empty());
}

#[test]
fn the_values_of_branches_come_back_in_their_order() {
    let slow = |text: &str, pause: &str| Run::sh(text, &format!("sleep {pause}; printf {text}"));
    let (code, result, _) = run(|cx| {
        let (a, b) = cx.join(|cx| cx.run(slow("a", "0.1")), |cx| cx.run(slow("b", "0")))?;
        let (c, d, e) = cx.join3(
            |cx| cx.run(slow("c", "0.1")),
            |cx| cx.run(slow("d", "0")),
            |cx| cx.run(slow("e", "0.05")),
        )?;
        let all = ["f", "g", "h"].map(|name| move |cx: &Context| cx.run(slow(name, "0")));
        Ok([vec![a, b, c, d, e], cx.join_all(all)?].concat().concat())
    });
    assert_eq!((code, result.unwrap().as_str()), (0, "abcdefgh"));
}

#[test]
fn joining_no_branches_gives_nothing_and_is_no_failure() {
    let none: [fn(&Context) -> Result<u8>; 0] = [];
    let (code, result, _) = run(|cx| cx.join_all(none));
    assert_eq!((code, result.unwrap()), (0, vec![]));
}

#[test]
fn a_swallowed_failure_is_shown_as_allowed() {
    let (code, _, events) = run(|cx| {
        drop(cx.run(fails("optional")));
        cx.run(Run::sh("needed", "exit 0"))
    });
    assert_eq!(code, 0);
    assert_eq!(events.end().allowed, ["optional"]);
    assert!(events.end().failures.is_empty());
}

#[test]
fn of_two_steps_of_one_name_the_swallowed_one_is_shown_as_allowed() {
    let (code, _, events) = run(|cx| {
        drop(cx.run(fails("twin")));
        cx.run(fails("twin"))
    });
    assert_eq!(code, 1);
    assert_eq!(events.end().failed(), ["twin"]);
    assert_eq!(events.end().allowed, ["twin"]);
}

#[test]
fn planned_steps_that_never_ran_are_told() {
    let (_, _, events) = run(|cx| {
        cx.join(
            |cx| {
                cx.run(fails("first"))?;
                cx.run(Run::sh("second", "exit 0"))
            },
            |cx| cx.run(Run::sh("beside", "exit 0")),
        )?;
        cx.run(Run::sh("third", "exit 0"))
    });
    assert_eq!(events.end().not_run, ["second", "third"]);
    assert_eq!(events.outcomes()["beside"], Outcome::Passed);
}

#[test]
fn fail_fast_cancels_the_whole_run_and_a_cancelled_sibling_is_no_failure() {
    let (pipeline, events) = pipeline();
    let tag = tag();
    let began = now();
    let finished = pipeline.fail_fast(true).run(|cx| {
        cx.join(
            |cx| cx.join(|cx| cx.run(Run::sh("bad", "sleep 0.2; exit 1")), |_| Ok(())),
            |cx| {
                cx.run(Run::sh("long", &format!("sleep {tag}; true")))?;
                cx.run(Run::sh("after", "exit 0"))
            },
        )
    });
    assert!(now() - began < LOAD);
    assert_eq!(finished.exit_code.code(), 1);
    let end = events.end();
    assert_eq!(end.failed(), ["bad"]);
    assert_eq!(events.outcomes()["long"], Outcome::Cancelled);
    assert_eq!(end.not_run, ["after"]);
    assert!(tagged(&tag).is_empty());
}

#[test]
fn two_failures_under_fail_fast_leave_the_others_their_grace() {
    let folder = Folder::new();
    let script = format!(
        "trap 'echo tidied > \"{0}/tidied\"; exit 1' INT; : > \"{0}/ready\"; while :; do sleep 0.05; done",
        folder.path()
    );
    let wait = format!("while [ ! -e '{}/ready' ]; do sleep 0.01; done; exit 1", folder.path());
    let (pipeline, _) = pipeline();
    drop(pipeline.grace(LOAD).fail_fast(true).run(|cx| {
        cx.join3(
            |cx| cx.run(Run::sh("one", &wait)),
            |cx| {
                let waited = folder.join("ready");
                cx.run(Work::new("two", move || {
                    while !waited.exists() {
                        thread::sleep(Duration::from_millis(1));
                    }
                    Err(Error::step("no"))
                }))
            },
            |cx| cx.run(Run::sh("tidies", &script)),
        )
    }));
    assert_eq!(folder.read("tidied"), "tidied\n");
}

/// Runs a flow that must panic; gives what the panic said and what was told.
fn panics(flow: impl Fn(&Context) -> Result<()>) -> (String, Events) {
    let (pipeline, events) = pipeline();
    let ended = catch_unwind(AssertUnwindSafe(|| pipeline.grace(LOAD).run(flow)));
    let payload = ended.err().unwrap();
    let said = payload.downcast_ref::<&str>().map(|said| (*said).to_owned());
    (said.unwrap_or_default(), events)
}

/// Panics in a run, not while the plan is made.
fn panic_later(cx: &Context, text: &'static str) -> Result<()> {
    cx.run(Work::new("panics", move || {
        thread::sleep(Duration::from_millis(200));
        std::panic::panic_any(text)
    }))
}

#[test]
fn a_panic_cancels_the_other_branches_waits_for_them_and_goes_on() {
    let tag = tag();
    let (said, events) = panics(|cx| {
        cx.join(
            |cx| panic_later(cx, "on purpose"),
            |cx| cx.run(Run::sh("long", &format!("sleep {tag}; true"))),
        )?;
        Ok(())
    });
    assert_eq!(said, "on purpose");
    assert_eq!(events.outcomes()["long"], Outcome::Cancelled);
    assert!(tagged(&tag).is_empty());
}

#[test]
fn a_panic_deep_inside_leaves_the_others_their_grace() {
    let folder = Folder::new();
    let script = format!(
        "trap 'echo tidied > \"{}/tidied\"; exit 1' INT; while :; do sleep 0.05; done",
        folder.path()
    );
    let (said, _) = panics(|cx| {
        cx.join(
            |cx| {
                cx.join(
                    |cx| cx.join(|cx| panic_later(cx, "deep"), |_| Ok(())).map(drop),
                    |_| Ok(()),
                )
            },
            |cx| cx.run(Run::sh("tidies", &script)),
        )?;
        Ok(())
    });
    assert_eq!(said, "deep");
    assert_eq!(folder.read("tidied"), "tidied\n");
}

#[test]
fn one_job_never_runs_two_at_once_and_no_depth_is_a_deadlock() {
    fn tree(cx: &Context, script: &str, depth: u32) -> Result<()> {
        cx.run(Run::sh("node", script))?;
        if depth > 0 {
            let below = |cx: &Context| tree(cx, script, depth - 1);
            cx.join_all([below, below])?;
            cx.finally(Run::sh("node", script));
        }
        Ok(())
    }
    let folder = Folder::new();
    let lock = folder.join("lock");
    let script = format!("mkdir '{lock}' || exit 9; sleep 0.005; rmdir '{lock}'");
    for jobs in [0, 1] {
        let (pipeline, events) = pipeline();
        let finished = pipeline.jobs(jobs).run(|cx| tree(cx, &script, 4));
        assert_eq!(finished.exit_code.code(), 0, "{:?}", finished.result);
        assert_eq!(events.end().passed, 31 + 15);
    }
}

#[test]
fn step_ids_are_those_of_the_plan_however_fast_the_branches_are() {
    let flow = |delays: [u64; 3]| {
        move |cx: &Context| {
            let step = move |name: &str, slot: usize| {
                let delay = Duration::from_millis(delays[slot]);
                Work::new(name, move || {
                    thread::sleep(delay);
                    Ok(())
                })
            };
            cx.run(step("a", 0))?;
            cx.group("group", |cx| {
                cx.join3(
                    |cx| cx.run(step("b", 0)).and_then(|()| cx.run(step("c", 0))),
                    |cx| cx.join(|cx| cx.run(step("d", 1)), |cx| cx.run(step("e", 2))),
                    |cx| cx.run(step("f", 2)),
                )
            })?;
            cx.finally(step("z", 0));
            cx.run(step("g", 1))
        }
    };
    let (plain, _) = pipeline();
    let plan = plain.plan(flow([0, 0, 0])).unwrap();
    let planned: BTreeMap<String, String> =
        plan.steps().iter().map(|step| (step.label.clone(), step.id.clone())).collect();
    assert_eq!(planned["e"], "2.1.2.1.2.1");
    for delays in [[0, 20, 40], [40, 20, 0], [20, 0, 40]] {
        let (_, _, events) = run(flow(delays));
        let ran: BTreeMap<String, String> = events
            .all()
            .into_iter()
            .filter_map(|event| match event {
                Event::StepStarted { id, label, .. } => Some((label, id)),
                _ => None,
            })
            .collect();
        assert_eq!(ran, planned, "{delays:?}");
    }
}

#[test]
fn the_recorder_takes_the_branches_in_order_on_one_thread() {
    let seen = Mutex::new(Vec::new());
    let see = |name: u32| seen.lock().unwrap().push((name, thread::current().id()));
    let (pipeline, _) = pipeline();
    let plan = pipeline.plan(|cx| {
        cx.join_all((0..20).map(|name| {
            move |_: &Context| {
                see(name);
                Ok(())
            }
        }))
    });
    assert!(plan.is_ok());
    let own = thread::current().id();
    let expected: Vec<_> = (0..20).map(|name| (name, own)).collect();
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[test]
fn what_is_left_out_and_what_is_noted_is_told_in_plan_and_run() {
    let flow = |cx: &Context| {
        cx.skip("no tests here");
        cx.note("the manager is uv");
        Ok(())
    };
    let (_, _, events) = run(flow);
    let told = events.all();
    assert!(told.contains(&Event::Skipped { reason: "no tests here".into() }));
    assert!(told.contains(&Event::Note { text: "the manager is uv".into() }));
    let text = pipeline().0.plan(flow).unwrap().to_string();
    assert!(text.contains("left out: no tests here") && text.contains("note: the manager is uv"));
}
