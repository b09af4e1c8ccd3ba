//! The state folder: one run at a time, logs that are pruned, clear errors.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::Stdio,
    time::Duration,
};

use talia_pipeline::{ErrorKind, Pipeline, State, World, state_dir};

use crate::{
    kit::{Events, Folder, Run, Work, eventually, pipeline, run},
    scenario::{Ends, scenario},
};

#[test]
fn a_second_run_is_refused_and_told_who_holds_the_state() {
    let folder = Folder::new();
    let (first, _) = pipeline();
    let path = folder.path().to_owned();
    let finished = first.state(State::new(folder.path())).run(|cx| {
        let path = path.clone();
        cx.run(Work::new("hold", move || {
            let (second, events) = pipeline();
            let finished = second.state(State::new(&path)).run(|cx| cx.run(Run::sh("x", "exit 0")));
            assert_eq!(finished.exit_code.code(), 4);
            let error = finished.result.err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Refused);
            assert!(error.to_string().contains(&format!("process {}", std::process::id())));
            assert!(error.hint_text().is_some());
            assert!(events.began().is_empty());
            assert_eq!(events.end().exit_code, 4);
            Ok(())
        }))
    });
    assert_eq!(finished.exit_code.code(), 0, "{:?}", finished.result);
    // And free again.
    let (third, _) = pipeline();
    let finished = third.state(State::new(folder.path())).run(|_| Ok(()));
    assert_eq!(finished.exit_code.code(), 0);
}

/// Holds the state until it is killed.
pub(crate) fn holder(folder: &str) {
    let mut pipeline =
        Pipeline::new("test", "/", World::real().unwrap()).state(State::new(folder)).report(
            talia_pipeline::report::Plain::new(talia_pipeline::report::Console::stdout(), true),
        );
    drop(pipeline.run(|cx| cx.run(Run::sh("hold", "echo holding; sleep 600; true"))));
}

#[test]
fn the_state_of_a_killed_run_is_free_and_what_it_left_is_ended() {
    let folder = Folder::new();
    let mut command = scenario("holder", folder.path().as_str());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut child = Ends(child);
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().ends_with("| holding")));
    let pid = child.0.id();
    let marked = || {
        let pids = fs::read_dir("/proc").unwrap().flatten();
        let environs = pids.filter_map(|entry| fs::read(entry.path().join("environ")).ok());
        let mark = format!(":{pid}:");
        environs.filter(|bytes| String::from_utf8_lossy(bytes).contains(&mark)).count()
    };
    eventually("the shell and what it sleeps with run", || marked() >= 2);
    let (refused, _) = pipeline();
    let finished = refused.state(State::new(folder.path())).run(|_| Ok(()));
    assert_eq!(finished.exit_code.code(), 4);
    assert!(finished.result.err().unwrap().to_string().contains(&pid.to_string()));
    child.0.kill().unwrap();
    child.0.wait().unwrap();
    let (free, _) = pipeline();
    let finished = free.state(State::new(folder.path())).run(|_| Ok(()));
    assert_eq!(finished.exit_code.code(), 0, "{:?}", finished.result);
    assert_eq!(marked(), 0);
}

#[test]
fn the_logs_of_the_last_ten_runs_are_kept() {
    let folder = Folder::new();
    for run in 0..25 {
        folder.write(&format!("logs/{run:013}-1/1-x.log"), "old");
    }
    let (mut pipeline, events) = {
        let (pipeline, events) = pipeline();
        (pipeline.state(State::new(folder.path())), events)
    };
    assert_eq!(pipeline.run(|cx| cx.run(Run::sh("x", "echo new"))).exit_code.code(), 0);
    let kept: Vec<String> = folder
        .join("logs")
        .read_dir_utf8()
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_owned())
        .collect();
    assert_eq!(kept.len(), 10, "{kept:?}");
    assert!(kept.contains(&"0000000000024-1".to_owned()));
    assert_eq!(fs::read_to_string(events.log("x")).unwrap(), "new\n");
}

#[test]
fn a_state_folder_that_cannot_be_written_is_a_clear_error() {
    let folder = Folder::new();
    let file = folder.write("a file", "");
    // No permission stops root, but a file in the way and the kernel's own do.
    for dir in [file.join("state"), "/proc/talia-state".into()] {
        let (pipeline, events) = pipeline();
        let finished = pipeline.state(State::new(&dir)).run(|cx| cx.run(Run::sh("x", "exit 0")));
        assert_eq!(finished.exit_code.code(), 1);
        let error = finished.result.err().unwrap();
        assert!(error.to_string().contains(dir.as_str()), "{error}");
        assert!(error.hint_text().unwrap().contains("CARGO_TARGET_DIR"));
        assert!(events.began().is_empty());
        // The cause is told as well.
        let message = &events.end().failures[0].message;
        assert!(message.contains("os error"), "{message}");
    }
}

#[test]
fn without_a_home_a_run_works() {
    let folder = Folder::new();
    let events = Events::default();
    let world = World::real().unwrap().without("HOME");
    let mut pipeline = Pipeline::new("test", folder.path(), world)
        .state(State::new(folder.join("state")))
        .report(events.clone());
    let finished = pipeline.run(|cx| cx.run(Run::sh("x", "echo \"${HOME-none}\"")));
    assert_eq!(finished.result.unwrap(), "none\n");
}

#[test]
fn two_projects_never_share_a_state_folder() {
    let target = camino::Utf8Path::new("/t");
    let dirs =
        ["/a/app", "/b/app", "/a/app ", "/a/app\n", "/"].map(|root| state_dir(target, root.into()));
    for (index, dir) in dirs.iter().enumerate() {
        assert!(dirs[index + 1..].iter().all(|other| other != dir), "{dir}");
        assert!(dir.starts_with("/t/talia") && !dir.as_str().contains([' ', '\n']));
    }
}

#[test]
fn a_run_without_a_state_has_no_logs_and_no_lock() {
    let (code, _, events) =
        run(|cx| cx.run(Run::sh("x", "exit 0").with(|line| line.timeout(Duration::from_secs(9)))));
    assert_eq!(code, 0);
    let logs = events.all().into_iter().filter(|event| event.to_json().contains("\"log\""));
    assert_eq!(logs.count(), 0);
}
