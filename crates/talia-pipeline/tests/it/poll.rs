//! A command that is run again and again, until its answer is the one waited for.

use std::{thread, time::Duration};

use talia_pipeline::{
    Action, Answer, CommandLine, ErrorKind, Event, Fake, Outcome, Pace, Step, Verdict,
    process::Cancel,
};

use crate::kit::{Folder, eventually, pipeline, run};

/// Waits until a file has three lines; every try adds one.
struct ThreeLines {
    script: String,
    deadline: Duration,
}

impl ThreeLines {
    fn new(folder: &Folder) -> Self {
        let file = folder.join("lines");
        let script = format!("echo x >> '{file}'; grep --count x '{file}'");
        Self { script, deadline: Duration::from_secs(20) }
    }
}

impl Step for ThreeLines {
    type Output = u32;
    fn label(&self) -> String {
        "three lines".into()
    }
    fn action(&self) -> Action<'_, u32> {
        let line = CommandLine::new("sh").args(["-c", self.script.as_str()]);
        let pace = Pace { interval: Duration::from_millis(10), deadline: self.deadline };
        let mut tries = 0;
        Action::poll(line, pace, move |one| {
            tries += 1;
            Ok(match one.answer.stdout().trim() {
                "3" => Verdict::Done(tries),
                other => Verdict::Again(format!("{other} lines, exit {}", one.answer.exit())),
            })
        })
    }
    fn assume(&self) -> u32 {
        3
    }
}

#[test]
fn it_is_tried_until_the_answer_is_right() {
    let folder = Folder::new();
    let (code, result, events) = run(|cx| cx.run(ThreeLines::new(&folder)));
    assert_eq!((code, result.unwrap()), (0, 3));
    let started = |event: &Event| matches!(event, Event::CommandStarted { .. });
    assert_eq!(events.all().iter().filter(|event| started(event)).count(), 1, "told once");
    assert_eq!(events.outcomes()["three lines"], Outcome::Passed);
}

#[test]
fn after_the_deadline_it_says_what_it_waited_for() {
    let step = || ThreeLines {
        script: "echo 0; echo why >&2; exit 9".into(),
        deadline: Duration::from_millis(60),
    };
    let (code, result, _) = run(|cx| cx.run(step()));
    let error = result.unwrap_err();
    assert_eq!((code, error.to_string().as_str()), (1, "not within 0.1 s: 0 lines, exit 9"));
    assert_eq!(error.last_lines(), ["why"]);
}

#[test]
fn an_interrupt_ends_the_waiting() {
    let folder = Folder::new();
    let cancel = Cancel::new();
    let step = || ThreeLines {
        script: format!("touch '{}'; echo 0", folder.join("tried")),
        deadline: Duration::from_secs(60),
    };
    let interrupter = {
        let (cancel, tried) = (cancel.clone(), folder.join("tried"));
        thread::spawn(move || {
            eventually("the first try", || tried.exists());
            cancel.interrupt();
        })
    };
    let (pipeline, _) = pipeline();
    let finished = pipeline.cancel(cancel).run(|cx| cx.run(step()));
    interrupter.join().unwrap();
    assert_eq!(finished.result.unwrap_err().kind(), ErrorKind::Interrupted);
}

#[test]
fn a_plan_shows_the_command_and_runs_none() {
    let folder = Folder::new();
    let (pipeline, _) = pipeline();
    let plan = pipeline.plan(|cx| cx.run(ThreeLines::new(&folder))).unwrap();
    assert!(plan.steps()[0].shell.as_deref().unwrap().contains("grep --count"));
    assert!(!folder.join("lines").exists());
    let fake = |said: &'static str| Fake::new(move |_| Answer::new(0, said, ""));
    let (result, _) = pipeline.fake(fake("3"), |cx| cx.run(ThreeLines::new(&folder)));
    assert_eq!(result.unwrap(), 1);
    let (result, _) = pipeline.fake(fake("2"), |cx| cx.run(ThreeLines::new(&folder)));
    assert_eq!(result.unwrap_err().to_string(), "2 lines, exit 0");
}
