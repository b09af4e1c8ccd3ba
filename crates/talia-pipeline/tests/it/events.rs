//! Events as JSON lines: complete, read back, and never in the way.

use talia_pipeline::{
    Diagnostic, Error, ErrorKind, Event, Outcome, State, Summary, report::JsonLines,
};

use crate::kit::{Folder, Run, Work, pipeline};

/// A step with everything that an event can carry.
struct Rich;

impl talia_pipeline::Step for Rich {
    type Output = ();
    fn label(&self) -> String {
        "rich \"step\"\n\u{e4}\u{1f600}".into()
    }
    fn action(&self) -> talia_pipeline::Action<'_, ()> {
        talia_pipeline::Action::read("read it", || Ok(()))
    }
    fn assume(&self) {}
    fn summary(&self, (): &()) -> Summary {
        let found = Diagnostic::warning("w").file("a.py").line(1).column(2).rule("R").fixable(true);
        Summary::line("93 %").details("a\ttable\n").diagnostics(vec![found])
    }
}

#[test]
fn every_event_of_a_run_is_one_line_that_is_read_back_as_it_was() {
    let folder = Folder::new();
    let file = folder.write("events.jsonl", "the events of an older run\n");
    let (pipeline, events) = pipeline();
    let mut pipeline =
        pipeline.state(State::new(folder.join("state"))).report(JsonLines::create(&file).unwrap());
    drop(pipeline.run(|cx| {
        cx.note("n\nn");
        cx.skip("s");
        cx.run(Rich)?;
        drop(cx.run(Work::new("swallowed", || {
            Err(Error::step("x").hint("h").tail(vec!["t".into()]))
        })));
        cx.run(Run::sh("says", "printf 'a '; sleep 0.15; printf 'b\\n'; echo e >&2"))?;
        cx.run(Run::sh("fails", "exit 1").with(|line| {
            line.env("A", "b").env_remove("C").attempts(1).accept([0, 5]).requires("sh").cwd("/")
        }))?;
        cx.run(Run::sh("never", "exit 0"))
    }));
    let told = events.all();
    let expected: Vec<Event> =
        told.iter().filter(|event| !matches!(event, Event::Progress { .. })).cloned().collect();
    let read: Vec<Event> = folder.read("events.jsonl").lines().map(Event::parse).collect();
    assert_eq!(read, expected);
    // The live view has more, and it is read back as well.
    assert!(told.len() > expected.len());
    assert!(told.iter().all(|event| Event::parse(&event.to_json()) == *event));
    for line in folder.read("events.jsonl").lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(value["event"].is_string(), "{line}");
    }
}

#[test]
fn the_events_of_a_step_come_in_their_order_between_the_flows_first_and_last() {
    let (mut pipeline, events) = pipeline();
    drop(pipeline.run(|cx| cx.run(Run::sh("says", "echo a; echo b"))));
    let names: Vec<String> = events
        .all()
        .iter()
        .filter_map(|event| {
            let value: serde_json::Value = serde_json::from_str(&event.to_json()).unwrap();
            let name = value["event"].as_str().unwrap().to_owned();
            (name != "progress").then_some(name)
        })
        .collect();
    let expected = [
        "flow_started",
        "step_started",
        "command_started",
        "output",
        "output",
        "command_finished",
        "step_finished",
        "flow_finished",
    ];
    assert_eq!(names, expected);
    let Some(Event::FlowStarted { steps, at_ms, .. }) = events.all().into_iter().next() else {
        panic!("the flow begins first")
    };
    assert!(steps == 1 && at_ms > 1_700_000_000_000);
}

#[test]
fn an_event_of_another_version_is_shown_as_its_text() {
    for line in [r#"{"event":"teleported","to":"mars"}"#, "no json", "", r#"{"event":"output"}"#] {
        assert_eq!(Event::parse(line), Event::Unknown { text: line.to_owned() });
    }
    // A field that a later version adds is no reason to lose the event.
    let note = r#"{"event":"note","text":"a","mood":"good"}"#;
    assert_eq!(Event::parse(note), Event::Note { text: "a".into() });
}

#[test]
fn a_report_that_cannot_be_made_is_wrong_usage() {
    let error = JsonLines::create("/no/such/folder/events.jsonl".into()).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("/no/such/folder/events.jsonl"));
}

#[test]
fn a_full_disk_for_the_report_does_not_end_the_work() {
    let (pipeline, events) = pipeline();
    let mut pipeline = pipeline.report(JsonLines::create("/dev/full".into()).unwrap());
    let finished = pipeline.run(|cx| cx.run(Run::sh("works", "seq 1 20000")));
    assert_eq!(finished.exit_code.code(), 0);
    assert_eq!(events.outcomes()["works"], Outcome::Passed);
    assert_eq!(events.lines().len(), 20000);
}
