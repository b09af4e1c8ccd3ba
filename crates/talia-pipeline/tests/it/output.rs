//! What a command says: streamed, made readable, logged whole.

use std::{fs, time::Duration};

use talia_pipeline::{
    CommandLine, Event, Outcome, Pipeline, State, Stdin, Stream, World,
    report::{Console, Plain, Terminal},
};

use crate::kit::{Folder, Run, pipeline, run};

#[test]
fn a_line_is_told_while_the_command_still_runs() {
    let folder = Folder::new();
    // The command ends only when it is seen that its line has arrived.
    let script = format!(
        "echo started; while [ ! -e '{}/heard' ]; do sleep 0.01; done; echo over",
        folder.path()
    );
    struct Hears(camino::Utf8PathBuf);
    impl talia_pipeline::Report for Hears {
        fn event(&mut self, event: &Event) {
            if matches!(event, Event::Output { text, .. } if text == "started") {
                fs::write(&self.0, "").unwrap();
            }
        }
    }
    let (pipeline, events) = pipeline();
    let finished = pipeline
        .step_timeout(Duration::from_secs(20))
        .report(Hears(folder.join("heard")))
        .run(|cx| cx.run(Run::sh("streams", &script)));
    assert_eq!(finished.exit_code.code(), 0);
    assert_eq!(events.lines(), ["started", "over"]);
}

#[test]
fn an_unfinished_line_is_told_as_progress() {
    let (_, _, events) =
        run(|cx| cx.run(Run::sh("progress", "sleep 0.2; printf 'half a '; sleep 0.3; echo line")));
    let all = events.all();
    assert!(
        all.iter().any(|event| matches!(event, Event::Progress { text, .. } if text == "half a "))
    );
    assert_eq!(events.lines(), ["half a line"]);
}

#[test]
fn both_streams_are_told_apart_and_the_reader_gets_its_own() {
    let (_, result, events) = run(|cx| cx.run(Run::sh("both", "echo out; echo err >&2")));
    assert_eq!(result.unwrap(), "out\n");
    let streams = |wanted| {
        let said = events.all().into_iter().filter_map(move |event| match event {
            Event::Output { stream, text, .. } if stream == wanted => Some(text),
            _ => None,
        });
        said.collect::<Vec<_>>()
    };
    assert_eq!(streams(Stream::Stdout), ["out"]);
    assert_eq!(streams(Stream::Stderr), ["err"]);
}

#[test]
fn data_for_the_reader_is_no_text_for_people_and_is_logged() {
    let folder = Folder::new();
    let (pipeline, events) = pipeline();
    let finished = pipeline.state(State::new(folder.path())).run(|cx| {
        cx.run(Run::sh("data", "echo '{}'; echo hint >&2").with(CommandLine::stdout_is_data))
    });
    assert_eq!(finished.result.unwrap(), "{}\n");
    assert_eq!(events.lines(), ["hint"]);
    assert!(fs::read_to_string(events.log("data")).unwrap().contains("{}"));
}

#[test]
fn events_of_another_machine_are_told_as_its_events_and_the_rest_as_text() {
    let there = Event::Note { text: "drained".into() };
    let script = format!("echo '{}'; echo 'motd of the server'", there.to_json());
    let (_, result, events) =
        run(|cx| cx.run(Run::sh("ask", &script).with(CommandLine::stdout_is_events)));
    assert!(result.unwrap().contains("drained"), "the reader has all of it");
    let remote = Event::Remote { id: "1".into(), told: Box::new(there) };
    assert!(events.all().contains(&remote));
    assert_eq!(events.lines(), ["motd of the server"]);
}

/// Bytes that are no text, moves of the cursor, a title, a bell, an override of
/// the writing direction.
const HOSTILE: &str =
    r"printf 'a\377b\033[2J\033[1;1H\033]0;title\007\033[31mred\033[0m\007 \342\200\256c\n'";

#[test]
fn bytes_that_move_the_cursor_are_harmless_in_events_and_reports_and_whole_in_the_log() {
    let folder = Folder::new();
    let (terminal, screen) = Console::buffer(80);
    let (plain, text) = Console::buffer(80);
    let (pipeline, events) = pipeline();
    let world = World::real().unwrap();
    let finished = pipeline
        .state(State::new(folder.path()))
        .report(Terminal::new(terminal, world, true))
        .report(Plain::new(plain, true))
        .run(|cx| cx.run(Run::sh("hostile", &format!("{HOSTILE}; exit 1"))));
    assert_eq!(finished.exit_code.code(), 1);
    assert_eq!(events.lines(), ["a\\xffbred\\x07 \\u{202e}c"]);
    let text = String::from_utf8(text.lock().unwrap().clone()).unwrap();
    let screen = String::from_utf8(screen.lock().unwrap().clone()).unwrap();
    for shown in [&text, &screen] {
        // The command's own text holds backslashes, never the characters.
        assert!(shown.contains("a\\xffbred\\x07 \\u{202e}c"), "{shown}");
        for banned in ["\x1b[2J", "\x1b[1;1H", "\x1b]0;", "\x07", "\u{202e}", "\x1b[31m"] {
            assert!(!shown.contains(banned), "{banned:?} in {shown:?}");
        }
    }
    assert!(!text.contains('\x1b'));
    let log = fs::read(events.log("hostile")).unwrap();
    let whole = b"a\xffb\x1b[2J\x1b[1;1H\x1b]0;title\x07\x1b[31mred\x1b[0m\x07 \xe2\x80\xaec\n";
    assert_eq!(log, whole);
}

#[test]
fn a_label_a_root_and_a_failure_cannot_move_the_cursor_either() {
    let hostile = "name\x1b[2J\r\nsecond \x1b[1;1H";
    let (terminal, screen) = Console::buffer(80);
    let (plain, text) = Console::buffer(80);
    let root = format!("/srv/{hostile}");
    let mut pipeline = Pipeline::new("test", root, World::real().unwrap())
        .report(Terminal::new(terminal, World::real().unwrap(), false))
        .report(Plain::new(plain, false));
    drop(pipeline.run(|cx| cx.run(Run::sh(hostile, "printf 'x\\033[2J\\n'; exit 1"))));
    for shown in [text, screen] {
        let shown = String::from_utf8(shown.lock().unwrap().clone()).unwrap();
        assert!(shown.contains("name"));
        assert!(!shown.contains("\x1b[2J") && !shown.contains("\x1b[1;1H"), "{shown:?}");
    }
}

#[test]
fn the_log_of_every_attempt_and_stream_is_in_one_file_that_the_failure_names() {
    let folder = Folder::new();
    let (plain, text) = Console::buffer(80);
    let (pipeline, events) = pipeline();
    drop(pipeline.state(State::new(folder.path())).report(Plain::new(plain, false)).run(|cx| {
        cx.run(Run::sh("down/load it", "echo out; echo err >&2; exit 1").with(|l| l.attempts(2)))
    }));
    let log = events.log("down/load it");
    assert!(log.as_str().ends_with("/1-down-load-it.log"), "{log}");
    let said = fs::read_to_string(&log).unwrap();
    assert_eq!((said.matches("out\n").count(), said.matches("err\n").count()), (2, 2));
    let text = String::from_utf8(text.lock().unwrap().clone()).unwrap();
    assert!(text.contains(&format!("full log: {log}")), "{text}");
}

#[test]
fn a_very_long_label_has_a_log_as_well() {
    let folder = Folder::new();
    let (pipeline, events) = pipeline();
    let label = "long ".repeat(100);
    drop(pipeline.state(State::new(folder.path())).run(|cx| cx.run(Run::sh(&label, "echo x"))));
    assert_eq!(fs::read_to_string(events.log(&label)).unwrap(), "x\n");
}

#[test]
fn a_disk_that_is_full_for_the_log_does_not_end_the_step() {
    let folder = Folder::new();
    let (pipeline, events) = pipeline();
    let logs = folder.join("logs");
    let finished = pipeline.state(State::new(folder.path())).run(|cx| {
        cx.run(Run::sh("makes the folder", "exit 0"))?;
        let logs = logs.clone();
        // Every write to this device says that the disk is full.
        cx.run(crate::kit::Work::new("arrange", move || {
            let run = logs.read_dir_utf8().map(|mut runs| runs.next().unwrap().unwrap());
            let run = run.map_or_else(|_| logs.join("none"), |entry| entry.into_path());
            std::os::unix::fs::symlink("/dev/full", run.join("3-full.log"))
                .map_err(|error| talia_pipeline::Error::step(error.to_string()))
        }))?;
        cx.run(Run::sh("full", "echo one; echo two; echo three"))
    });
    assert_eq!(finished.exit_code.code(), 0, "{:?}", finished.result);
    assert_eq!(events.lines(), ["one", "two", "three"]);
    assert_eq!(events.outcomes()["full"], Outcome::Passed);
    let notes = events.all().into_iter().filter(|event| {
        matches!(event, Event::Note { text } if text.contains("cannot be written any further"))
    });
    assert_eq!(notes.count(), 1);
}

#[test]
fn input_is_a_text_or_a_file_and_else_there_is_none() {
    let folder = Folder::new();
    folder.write("input.txt", "from a file\n");
    let cat = |stdin| CommandLine::new("cat").stdin(stdin).cwd(folder.path());
    let big = "0123456789abcdef".repeat(1 << 16);
    let (code, result, _) = run(|cx| {
        Ok([
            cx.run(Run::new("text", cat(Stdin::Text("text\n\0'\"$x".into()))))?,
            cx.run(Run::new("file", cat(Stdin::File("input.txt".into()))))?,
            cx.run(Run::new("none", cat(Stdin::Empty)))?,
            cx.run(Run::new("big", cat(Stdin::Text(big.clone()))))?.len().to_string(),
            // Who does not read its input is not failed for it.
            cx.run(Run::sh("deaf", "exit 0").with(|line| line.stdin(Stdin::Text(big.clone()))))?,
        ])
    });
    assert_eq!(code, 0);
    assert_eq!(result.unwrap(), ["text\n\0'\"$x", "from a file\n", "", "1048576", ""]);
}
