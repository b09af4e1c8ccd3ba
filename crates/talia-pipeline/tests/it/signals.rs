//! Signals to a real process that listens for them.

use std::{
    io::{BufRead as _, BufReader},
    os::unix::process::CommandExt as _,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use talia_pipeline::{Pipeline, World, signals};

use crate::{
    kit::{LOAD, Run, eventually, now, tag, tagged},
    scenario::{Ends, scenario},
};

const GRACE: Duration = Duration::from_secs(1);

/// Runs a step that ignores all but SIGKILL beside one that obeys, until a signal
/// comes; ends with the run's exit code. `argument`: the word, and whether the
/// grace is long.
pub(crate) fn interrupted(argument: &str) {
    let (tag, long) = argument.split_once(' ').unwrap();
    let grace = if long == "long" { Duration::from_secs(600) } else { GRACE };
    let stubborn = format!("trap '' INT TERM HUP; echo ready; sleep {tag}; sleep {tag}");
    let obedient = format!("sleep {tag}; true");
    let mut pipeline = Pipeline::new("test", "/", World::real().unwrap())
        .cancel(signals::listen().unwrap())
        .grace(grace)
        .report(talia_pipeline::report::Plain::new(
            talia_pipeline::report::Console::stdout(),
            true,
        ));
    let finished = pipeline.run(|cx| {
        cx.join(
            |cx| cx.run(Run::sh("stubborn", &stubborn)),
            |cx| cx.run(Run::sh("obedient", &obedient)),
        )
    });
    #[expect(clippy::exit, reason = "the exit code is what is looked at")]
    #[expect(clippy::disallowed_methods, reason = "the exit code is what is looked at")]
    std::process::exit(finished.exit_code.code().into());
}

/// The runner, the leader of a group of its own as `setsid` or a shell makes
/// one, once both of its steps run.
fn start(tag: &str, grace: &str) -> Ends {
    let mut command = scenario("interrupted", &format!("{tag} {grace}"));
    command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = Ends(command.spawn().unwrap());
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().ends_with("| ready")), "it is ready");
    thread::spawn(move || lines.for_each(drop));
    // Two shells and what they sleep with.
    eventually("both steps run", || tagged(tag).len() >= 4);
    child
}

fn signal(child: &Ends, signal: Signal) {
    kill_process(Pid::from_child(&child.0), signal).unwrap();
}

/// Waits for the end; gives the exit code and how long it took.
fn wait(mut child: Ends, since: Instant) -> (Option<i32>, Duration) {
    let status = child.0.wait().unwrap();
    (status.code(), now() - since)
}

#[test]
fn sigint_and_sigterm_and_sighup_end_it_within_the_grace_and_nothing_survives() {
    for which in [Signal::INT, Signal::TERM, Signal::HUP] {
        let tag = tag();
        let child = start(&tag, "short");
        let since = now();
        signal(&child, which);
        let (code, took) = wait(child, since);
        assert_eq!(code, Some(130), "{which:?}");
        assert!(took >= GRACE, "{which:?}: {took:?}");
        // Grace and a second, and what a loaded machine may add.
        assert!(took < GRACE * 2 + Duration::from_secs(3), "{which:?}: {took:?}");
        assert!(tagged(&tag).is_empty(), "{which:?}");
    }
}

#[test]
fn a_second_signal_kills_at_once_and_nothing_survives() {
    let tag = tag();
    let child = start(&tag, "long");
    signal(&child, Signal::INT);
    // The obedient step is gone: the first signal was heard.
    eventually("the first signal is heard", || tagged(&tag).len() == 2);
    let since = now();
    signal(&child, Signal::INT);
    let (code, took) = wait(child, since);
    assert_eq!(code, Some(130));
    assert!(took < LOAD, "{took:?}");
    assert!(tagged(&tag).is_empty());
}
