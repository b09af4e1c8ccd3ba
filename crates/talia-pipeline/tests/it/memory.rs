//! What a command says costs a bounded amount of memory, however much it is.

use talia_pipeline::{
    Pipeline, State, World,
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
