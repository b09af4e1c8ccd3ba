//! The report for GitHub Actions: no child commands the workflow, annotations are
//! exact, the job summary is never too large.

use std::sync::{Arc, Mutex};

use talia_pipeline::{
    Diagnostic, Error, Event, Failure, Outcome, Pipeline, Report as _, State, World,
    report::{Console, GitHub},
};

use crate::kit::{Folder, Run, Work};

/// Lines that a child may say to command the workflow.
const COMMANDS: [&str; 8] = [
    "::set-output name=x::y",
    "::add-mask::z",
    "  ::stop-commands::t",
    "##[group]hidden",
    "text ##[error]hidden",
    "\u{feff}::error::x",
    ":\u{200b}:error::x",
    "::endgroup::",
];

/// The lines that the runner would act on.
fn acted_on(text: &str) -> Vec<&str> {
    let seen = |line: &str| -> String {
        let zero_width = ['\u{feff}', '\u{200b}', '\u{1b}'];
        line.chars().filter(|char| !zero_width.contains(char)).collect()
    };
    let acts =
        |line: &&str| seen(line).trim_start().starts_with("::") || seen(line).contains("##[");
    text.split(['\n', '\r']).filter(acts).collect()
}

fn printed(buffer: &Arc<Mutex<Vec<u8>>>) -> String {
    String::from_utf8(buffer.lock().unwrap().clone()).unwrap()
}

#[test]
fn nothing_that_is_not_ours_commands_the_workflow() {
    let folder = Folder::new();
    let (console, buffer) = Console::buffer(100);
    let all = COMMANDS.join("\n");
    let root = format!("/srv/app\n{all}");
    let mut pipeline = Pipeline::new("test", root, World::real().unwrap())
        .state(State::new(folder.path().join(format!("state\n{all}"))))
        .report(GitHub::new(console, None, ""));
    let script = format!("cat <<'END'\n{all}\nEND\ncat <<'END' >&2\n{all}\nEND\nexit 1");
    drop(pipeline.run(|cx| {
        cx.skip(&all);
        cx.note(&all);
        let error = all.clone();
        drop(cx.run(Work::new(&format!("label\n{all}"), move || {
            Err(Error::step(&error).hint(&error).tail(error.lines().map(str::to_owned).collect()))
        })));
        cx.run(Run::sh("says", &script))
    }));
    let text = printed(&buffer);
    assert!(text.contains(": :set-output name=x::y"), "it is still readable: {text}");
    for line in acted_on(&text) {
        let ours = ["::group::", "::endgroup::", "::error::", "::error "];
        assert!(ours.iter().any(|ours| line.starts_with(ours)), "{line:?}");
    }
    // Two steps: two groups, each closed once, and an annotation for each.
    let count = |what| text.lines().filter(|line| line.starts_with(what)).count();
    assert_eq!((count("::group::"), count("::endgroup::"), count("::error")), (2, 2, 2));
}

fn finished(label: &str, failure: Option<Failure>) -> Event {
    Event::StepFinished {
        id: "1".into(),
        label: label.into(),
        outcome: if failure.is_some() { Outcome::Failed } else { Outcome::Passed },
        duration_ms: 1,
        summary: String::new(),
        details: None,
        diagnostics: Vec::new(),
        failure: failure.map(Box::new),
        log: None,
    }
}

fn end(failures: Vec<Failure>) -> Event {
    Event::FlowFinished {
        flow: "test".into(),
        exit_code: 1,
        duration_ms: 1,
        passed: 0,
        failures,
        allowed: Vec::new(),
        not_run: Vec::new(),
    }
}

#[test]
fn annotations_are_escaped_and_stand_in_the_projects_folder() {
    let (console, buffer) = Console::buffer(100);
    let mut report = GitHub::new(console, None, "apps/backend/");
    let found =
        Diagnostic::error("100 %\nwrong: a,b").file("a,b:c.py").line(3).column(8).rule("F:1");
    let error = Error::step("2 findings").diagnostics(vec![found]);
    report.event(&finished("lint", Some(Failure::from(&error))));
    let expected =
        "::error file=apps/backend/a%2Cb%3Ac.py,line=3,col=8,title=F%3A1::100 %25%0Awrong: a,b\n";
    assert!(printed(&buffer).contains(expected), "{}", printed(&buffer));
}

#[test]
fn ten_annotations_of_a_step_are_all_that_github_shows() {
    let (console, buffer) = Console::buffer(100);
    let mut report = GitHub::new(console, None, "");
    let many = (0..50).map(|number| Diagnostic::error(format!("finding {number}"))).collect();
    let error = Error::step("50 findings").diagnostics(many);
    report.event(&finished("lint", Some(Failure::from(&error))));
    assert_eq!(printed(&buffer).matches("::error::finding").count(), 10);
}

#[test]
fn the_job_summary_of_a_huge_failure_stays_below_one_mebibyte() {
    let folder = Folder::new();
    let path = folder.join("summary.md");
    let mut report = GitHub::new(Console::buffer(100).0, Some(path.clone()), "");
    // Characters of several bytes, so that a cut can fall into one.
    let huge = "\u{e4}\u{1f600} line\n".repeat(200_000);
    let error = Error::step(&huge).tail(huge.lines().map(str::to_owned).collect()).hint(&huge);
    let failure = Failure::from(&error);
    for number in 0..2000 {
        report.event(&finished(&format!("step {number} {}", "\u{e4}".repeat(900)), None));
    }
    report.event(&finished("huge", Some(failure.clone())));
    report.event(&end(vec![failure]));
    let bytes = std::fs::read(path).unwrap();
    assert!(bytes.len() > 500_000 && bytes.len() < 1 << 20, "{}", bytes.len());
    assert!(String::from_utf8(bytes).is_ok());
}

#[test]
fn a_failure_cannot_leave_its_place_in_the_job_summary() {
    let folder = Folder::new();
    let path = folder.join("summary.md");
    let mut report = GitHub::new(Console::buffer(100).0, Some(path.clone()), "");
    let fences = (1..40).map(|length| format!("{}\n# out\n", "~".repeat(length)));
    let error =
        Error::step("x").tail(fences.collect::<String>().lines().map(str::to_owned).collect());
    let message = Error::step((1..40).map(|length| "~".repeat(length) + "\n").collect::<String>());
    let failures = vec![Failure::from(&error), Failure::from(&message)];
    report.event(&finished("a | b \\| c", Some(failures[0].clone())));
    report.event(&end(failures));
    let page = std::fs::read_to_string(path).unwrap();
    let closes = |line: &&str| {
        let line = line.trim();
        line.len() >= 8 && line.chars().all(|char| char == '~')
    };
    let fence = page.lines().filter(closes).count();
    assert_eq!(fence, 1, "only our own closes it: {page}");
}
