//! What a command says, and what a tool reports, costs a bounded amount of memory,
//! however much it is.

use std::io::{BufReader, Read};

use talia_pipeline::{
    Pipeline, State, World,
    parse::junit::TestReport,
    report::{Console, GitHub, Plain},
    secret::{Secret, SecretValue},
};

use crate::{
    kit::{Events, Folder, Run},
    scenario::play,
};

/// The most memory that this process has had, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Runs a command that prints 200 MB on one line, with every part that could
/// keep it: log, masker, events, reports.
pub(crate) fn memory(folder: &str) {
    let events = Events::default();
    let secret = Secret::given("TOKEN", SecretValue::new("correct horse battery"));
    let mut pipeline = Pipeline::new("test", "/", World::real().unwrap())
        .state(State::new(folder))
        .secrets([secret])
        .report(Plain::new(Console::buffer(80).0, true))
        .report(GitHub::new(Console::buffer(80).0, None, ""))
        .report(events.clone());
    let before = peak();
    let finished = pipeline.run(|cx| {
        cx.run(Run::sh("floods", "head -c 200000000 /dev/zero | tr '\\0' 'x'; echo; echo end"))
    });
    let kept = finished.result.unwrap();
    let grown = peak() - before;
    assert!(grown < 40 * 1024, "{grown} KiB");
    // The reader has the end of it, the events a short line, the log all of it.
    assert!(kept.ends_with("xxx\nend\n") && kept.len() <= 1 << 20);
    let lines = events.lines();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].len() < 5000 && lines[0].ends_with(" bytes more"), "{}", lines[0].len());
    let log = events.log("floods");
    assert_eq!(std::fs::metadata(log).unwrap().len(), 200_000_000 + 1 + 4);
}

#[test]
fn a_line_of_200_megabytes_is_logged_and_told_in_bounded_memory() {
    let folder = Folder::new();
    play("memory", folder.path().as_str());
}

/// A test report that goes on and on, and then just stops.
struct Endless {
    case: &'static [u8],
    at: usize,
    left: usize,
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = buffer.len().min(self.left).min(self.case.len() - self.at);
        buffer[..count].copy_from_slice(&self.case[self.at..self.at + count]);
        self.at = (self.at + count) % self.case.len();
        self.left -= count;
        Ok(count)
    }
}

/// Reads a report of 64 MB, nothing but failed tests with their details.
pub(crate) fn report() {
    let case = b"<testcase classname='tests.test_a' name='test_c' time='0.25'><failure message='assert 0'>\
        a long explanation of what went wrong\ntests/test_a.py:7: AssertionError</failure></testcase>\n";
    let start = &b"<testsuites><testsuite time='3'>"[..];
    let input = start.chain(Endless { case, at: 0, left: 64_000_000 });
    let before = peak();
    let read = TestReport::read(BufReader::new(input), "junit.xml".into(), "/srv/app".into());
    let grown = peak() - before;
    let error = read.unwrap_err().to_string();
    assert!(error.starts_with("junit.xml:") && error.contains("syntax error"), "{error}");
    assert!(grown < 48 * 1024, "{grown} KiB");
}

#[test]
fn a_report_of_64_megabytes_is_read_in_bounded_memory() {
    play("report", "");
}
