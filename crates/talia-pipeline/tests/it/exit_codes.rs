//! The exit code of a run: one meaning each, the worst one counts.

use talia_pipeline::{Error, ErrorKind, Result, process::Cancel};

use crate::kit::{Work, pipeline, run};

/// From the one that counts most to the one that counts least.
const ORDER: [(ErrorKind, u8); 5] = [
    (ErrorKind::Unknown, 5),
    (ErrorKind::Refused, 4),
    (ErrorKind::Usage, 2),
    (ErrorKind::Step, 1),
    (ErrorKind::Preflight, 3),
];

fn fails(kind: ErrorKind) -> Work {
    Work::new(&format!("{kind:?}"), move || Err(Error::new(kind, "on purpose")))
}

#[test]
fn a_flow_that_succeeds_gives_0() {
    let (code, _, events) = run(|_| Ok(()));
    assert_eq!((code, events.end().exit_code), (0, 0));
}

#[test]
fn of_two_failures_side_by_side_the_worse_one_counts() {
    for (index, (worse, code)) in ORDER.into_iter().enumerate() {
        for (better, _) in &ORDER[index..] {
            for pair in [[worse, *better], [*better, worse]] {
                let (given, _, _) = run(|cx| {
                    let branches =
                        pair.map(|kind| move |cx: &talia_pipeline::Context| cx.run(fails(kind)));
                    cx.join_all(branches)
                });
                assert_eq!(given, code, "{pair:?}");
            }
        }
    }
}

#[test]
fn an_interrupt_counts_more_than_all_but_an_unknown_state() {
    for (kind, alone) in ORDER {
        let cancel = Cancel::new();
        let heard = cancel.clone();
        let (pipeline, events) = pipeline();
        let finished = pipeline.cancel(cancel).run(|cx| {
            let heard = heard.clone();
            cx.run(Work::new("interrupted", move || {
                heard.interrupt();
                Err(Error::new(kind, "on purpose"))
            }))
        });
        let expected = if alone == 5 { 5 } else { 130 };
        assert_eq!(finished.exit_code.code(), expected, "{kind:?}");
        assert_eq!(events.end().exit_code, expected, "{kind:?}");
    }
}

#[test]
fn an_interrupted_run_gives_130_even_when_its_flow_hides_it() {
    let cancel = Cancel::new();
    let heard = cancel.clone();
    let (pipeline, _) = pipeline();
    let finished = pipeline.cancel(cancel).run(|cx| -> Result<()> {
        let heard = heard.clone();
        drop(cx.run(Work::new("interrupted", move || {
            heard.interrupt();
            Ok(())
        })));
        Ok(())
    });
    assert_eq!(finished.exit_code.code(), 130);
}

#[test]
fn a_flow_that_fails_while_its_plan_is_made_runs_nothing_and_tells_so() {
    let (code, result, events) = run(|cx| -> Result<()> {
        cx.run(fails(ErrorKind::Step))?;
        Err(Error::usage("no project is here"))
    });
    assert_eq!(code, 2);
    assert_eq!(result.err().unwrap().to_string(), "no project is here");
    assert!(events.began().is_empty());
    assert_eq!(events.end().failures[0].message, "no project is here");
}
