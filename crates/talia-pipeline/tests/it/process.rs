//! Real children that misbehave, and what is left of them.
//!
//! Adopting orphans is a matter of the whole process, and the test harness
//! runs its tests in threads of one. So each scenario runs in a process of its
//! own: this binary again, asked by a variable to play one scenario.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]
#![expect(clippy::print_stdout, reason = "what was measured is worth reading with `--nocapture`")]
#![expect(clippy::disallowed_methods, reason = "tests arrange processes and measure time by hand")]

use std::{
    env, fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use talia_pipeline::process::{
    Cancel, Ended, Fate, Finished, Leaves, Lent, Limits, RunMark, Spawn, SpawnError, Stdin,
    Supervisor, end_marked_leftovers,
};

/// Which scenario this process is to play.
const SCENARIO: &str = "TALIA_TEST_SCENARIO";
/// A scenario's argument.
const ARGUMENT: &str = "TALIA_TEST_ARGUMENT";

const GRACE: Duration = Duration::from_secs(1);
/// The bound on the way back, and what a loaded machine may add to it.
const BACK: Duration = Duration::from_secs(1);
const LOAD: Duration = Duration::from_secs(3);

// ---------------------------------------------------------------- scenarios

/// Plays a scenario when this process was started to; else nothing.
#[test]
fn helper() {
    let Ok(scenario) = env::var(SCENARIO) else { return };
    let argument = env::var(ARGUMENT).unwrap_or_default();
    match scenario.as_str() {
        "misbehaving" => misbehaving(&argument),
        "sibling" => healthy_sibling(),
        "storm of siblings" => storm_of_siblings(),
        "leaves" => leaves(),
        "late orphan" => late_orphan(),
        "zombies" => zombies(),
        "memory" => memory(),
        "terminal" => terminal(),
        "victim" => victim(&argument),
        "group only" => group_only(),
        other => panic!("no scenario {other}"),
    }
}

fn scenario(name: &str, argument: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    let module = module_path!().split_once("::").unwrap().1;
    command.args([&format!("{module}::helper"), "--exact", "--nocapture", "--test-threads=1"]);
    command.env(SCENARIO, name).env(ARGUMENT, argument).stdin(Stdio::null());
    command
}

fn play(name: &str, argument: &str) -> Output {
    let output = scenario(name, argument).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{name} {argument}: {}\n{}{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    for line in text(&output.stdout).lines() {
        if let Some(at) = line.find("measured") {
            println!("{}", &line[at..]);
        }
    }
    output
}

/// A number of seconds that nobody else sleeps, by which processes are found
/// again whatever became of their environment and parents.
fn tag() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("600.{:07}{:04}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The processes that have the tag in their command line.
fn tagged(tag: &str) -> Vec<i32> {
    find(|line| line.contains(tag))
}

/// Those that sleep so long, and are not the shell which is about to.
fn sleeping(tag: &str) -> Vec<i32> {
    find(|line| line.ends_with(&format!("sleep\0{tag}\0")))
}

fn find(wanted: impl Fn(&str) -> bool) -> Vec<i32> {
    let own = std::process::id() as i32;
    let listed = fs::read_dir("/proc").unwrap().flatten();
    let pids = listed.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        *pid != own && wanted(&String::from_utf8_lossy(&line))
    })
    .collect()
}

/// Waits for something that must happen soon.
#[track_caller]
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < until, "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A folder that is gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = env::temp_dir().join(format!("talia-process-{}", tag()));
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}

fn supervisor() -> Supervisor {
    Supervisor::new(RunMark::new("test", Path::new("/nonexistent")))
}

fn adopting() -> Supervisor {
    let supervisor = supervisor();
    supervisor.adopt_orphans().unwrap();
    supervisor
}

fn shell(script: &str) -> Spawn {
    let path = env::var_os("PATH").unwrap();
    Spawn::new("/bin/sh", "test").args(["-c", script]).environment([("PATH", path)])
}

fn run(supervisor: &Supervisor, spawn: Spawn) -> (Finished, String) {
    let mut printed = Vec::new();
    let finished = supervisor
        .run(
            spawn,
            Limits::new().timeout(Duration::from_secs(60)),
            &Cancel::new(),
            &mut |_, bytes| {
                printed.extend_from_slice(bytes);
            },
        )
        .unwrap();
    (finished, String::from_utf8_lossy(&printed).into_owned())
}

// ------------------------------------------------- misbehaving (fault 26)

/// Scripts that say `ready` when their mischief is done, and not before: a
/// signal that comes before the trap is set would prove nothing.
fn mischief(name: &str, tag: &str) -> Spawn {
    let storm = "
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
end = time.time() + 30
for hopper in range(3):
    if os.fork() == 0:
        while time.time() < end:
            if os.fork():
                os._exit(0)
            os.setsid()
        os._exit(0)
print('ready', flush=True)
for sleeper in range(400):
    if os.fork() == 0:
        os.setsid()
        time.sleep(30)
        os._exit(0)
    time.sleep(0.004)
time.sleep(30)
";
    let script = match name {
        "stubborn" => format!(
            "trap '' INT TERM; sh -c 'trap \"\" INT TERM; echo ready; sleep {tag}; sleep {tag}' & sleep {tag}; sleep {tag}"
        ),
        "pipe holder" => format!("sleep {tag} & echo ready; wait"),
        "daemon" => format!(
            "setsid sh -c 'trap \"\" INT TERM; echo ready; sleep {tag}; sleep {tag}' & sleep {tag}"
        ),
        "bare daemon" => format!(
            "env -i setsid sh -c 'trap \"\" INT TERM; echo ready; /bin/sleep {tag}; /bin/sleep {tag}' & sleep {tag}"
        ),
        "hidden daemon" => format!(
            "(env -i setsid /bin/sleep {tag} >/dev/null 2>&1 </dev/null &); echo ready; sleep {tag}"
        ),
        "fork storm" => {
            return shell("exec python3 -c \"$0\" \"$1\"").args([storm, tag]);
        }
        other => panic!("no mischief {other}"),
    };
    shell(&script)
}

/// `name, how`: on timeout, on the first interrupt, on the second one, or when
/// the command is killed by somebody else and leaves the rest.
fn misbehaving(argument: &str) {
    let (name, how) = argument.split_once(", ").unwrap();
    let supervisor = if how.contains("unadopted") { supervisor() } else { adopting() };
    let tag = tag();
    let cancel = Cancel::new();
    let mut limits = Limits::new().grace(GRACE);
    if how.starts_with("timeout") {
        limits = limits.timeout(Duration::from_millis(1500));
    }
    if how.starts_with("second") {
        limits = limits.grace(Duration::from_secs(300));
    }
    let mut since = Instant::now() + Duration::from_millis(1500);
    let mut ready = false;
    let finished = supervisor
        .run(mischief(name, &tag), limits, &cancel, &mut |_, bytes| {
            if ready || !bytes.starts_with(b"ready") {
                return;
            }
            ready = true;
            if !how.starts_with("timeout") {
                since = Instant::now();
                cancel.interrupt();
            }
            if how.starts_with("second") {
                cancel.interrupt();
            }
        })
        .unwrap();
    let back = since.elapsed();
    assert!(ready, "{finished:?}");
    println!("measured {argument}: back after {:.3} s", back.as_secs_f64());
    let expected = if how.starts_with("timeout") { Ended::TimedOut } else { Ended::Cancelled };
    assert_eq!(finished.ended, expected);
    assert_eq!(finished.strays, []);
    let grace = if how.starts_with("second") { Duration::ZERO } else { GRACE };
    assert!(back < grace + BACK + LOAD, "back after {back:?}");
    if name == "fork storm" {
        // On a loaded machine some may get past the command's own end; the end of
        // the run finds them.
        supervisor.finish(GRACE);
        assert_eq!(tagged(&tag), Vec::<i32>::new(), "left at the end of the run");
        return;
    }
    assert_eq!(tagged(&tag), Vec::<i32>::new(), "left");
    assert_eq!(supervisor.finish(GRACE), []);
}

#[test]
fn of_a_fork_storm_nothing_survives_the_run() {
    for how in ["timeout", "interrupt", "second interrupt"] {
        play("misbehaving", &format!("fork storm, {how}"));
    }
}

const MISCHIEF: [&str; 5] = ["stubborn", "pipe holder", "daemon", "bare daemon", "hidden daemon"];

#[test]
fn nothing_survives_a_timeout() {
    for name in MISCHIEF {
        play("misbehaving", &format!("{name}, timeout"));
    }
}

#[test]
fn nothing_survives_an_interrupt() {
    for name in MISCHIEF {
        play("misbehaving", &format!("{name}, interrupt"));
    }
}

#[test]
fn a_second_interrupt_kills_at_once() {
    for name in MISCHIEF {
        play("misbehaving", &format!("{name}, second interrupt"));
    }
}

#[test]
fn without_adoption_the_mark_finds_what_left_the_group() {
    for name in ["stubborn", "pipe holder", "daemon", "bare daemon"] {
        play("misbehaving", &format!("{name}, timeout, unadopted"));
    }
}

#[test]
fn what_outlives_its_command_is_ended_and_reported() {
    let supervisor = supervisor();
    for script in
        ["sleep TAG & exit 3", "setsid sleep TAG & exit 3", "(sh -c 'sleep TAG' &) ; exit 3"]
    {
        let tag = tag();
        let (finished, _) = run(&supervisor, shell(&script.replace("TAG", &tag)));
        assert_eq!(finished.ended, Ended::Exited(3));
        assert!(!finished.strays.is_empty(), "{script}");
        assert!(finished.strays.iter().all(|stray| stray.fate == Fate::Ended));
        assert!(finished.took < GRACE + BACK + LOAD, "{:?}", finished.took);
        assert_eq!(tagged(&tag), Vec::<i32>::new(), "{script}");
    }
}

#[test]
fn what_is_lent_is_had_by_all_but_what_is_left_until_the_end() {
    let supervisor = supervisor();
    let folder = Folder::new();
    let path = folder.0.join("lock");
    let file = fs::File::create(&path).unwrap();
    let has_it = |leaves: Leaves| {
        let script = "for fd in /proc/self/fd/*; do readlink \"$fd\"; done; exit 0";
        let (finished, output) = run(&supervisor, shell(script).leaves(leaves));
        assert_eq!(finished.ended, Ended::Exited(0));
        output.lines().any(|line| Path::new(line) == path)
    };
    assert!(!has_it(Leaves::Nothing), "it is not lent");
    let lent = Lent::new(&file).unwrap();
    let all = [Leaves::Nothing, Leaves::Running, Leaves::UntilFlowEnds, Leaves::Nothing];
    assert_eq!(all.map(has_it), [true, true, false, true]);
    drop(lent);
    assert!(!has_it(Leaves::Nothing), "it is taken back");
}

// ------------------------------------------------------------------ siblings

/// A healthy command beside one of each kind that is ended, with an orphan of
/// its own that carries no mark.
fn healthy_sibling() {
    let supervisor = adopting();
    let folder = Folder::new();
    let go = folder.0.join("go");
    let (own_tag, healthy) = (tag(), supervisor.clone());
    let script = format!(
        "(env -i setsid /bin/sleep {own_tag} >/dev/null 2>&1 </dev/null &)
         echo ready; {}; echo survived",
        wait_for(&go)
    );
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        let sibling = scope.spawn(move || {
            let mut printed = Vec::new();
            let limits = Limits::new().timeout(Duration::from_secs(120));
            let finished = healthy.run(shell(&script), limits, &Cancel::new(), &mut |_, bytes| {
                printed.extend_from_slice(bytes);
                _ = sender.send(());
            });
            (finished.unwrap(), String::from_utf8(printed).unwrap())
        });
        receiver.recv().unwrap();
        let orphan = || sleeping(&own_tag).len();
        eventually("the sibling's orphan is there", || orphan() == 1);
        for name in MISCHIEF {
            let (tag, cancel) = (tag(), Cancel::new());
            let limits = Limits::new().grace(Duration::from_millis(300));
            let finished = supervisor
                .run(mischief(name, &tag), limits, &cancel, &mut |_, _| cancel.interrupt())
                .unwrap();
            assert_eq!(finished.ended, Ended::Cancelled);
            // The orphan that nothing can be known about waits for the sibling.
            if name != "hidden daemon" && name != "fork storm" {
                assert_eq!(tagged(&tag), Vec::<i32>::new(), "{name}");
            }
            assert_eq!(orphan(), 1, "the sibling's own orphan, after {name}");
        }
        fs::write(&go, "").unwrap();
        let (finished, printed) = sibling.join().unwrap();
        assert_eq!((finished.ended, printed.as_str()), (Ended::Exited(0), "ready\nsurvived\n"));
        assert_eq!(orphan(), 0);
    });
    assert_eq!(supervisor.finish(GRACE), []);
    assert_eq!(own_children(), 0);
}

fn own_children() -> usize {
    fs::read_dir("/proc/self/task")
        .unwrap()
        .flatten()
        .map(|task| fs::read_to_string(task.path().join("children")).unwrap_or_default())
        .map(|children| children.split_ascii_whitespace().count())
        .sum()
}

#[test]
fn a_healthy_sibling_is_not_harmed() {
    play("sibling", "");
}

/// Many short commands at once, some of which leave orphans: none is taken
/// for an orphan of another.
fn storm_of_siblings() {
    let supervisor = adopting();
    thread::scope(|scope| {
        for worker in 0..4 {
            let supervisor = &supervisor;
            scope.spawn(move || {
                for turn in 0..40 {
                    let script = match (worker + turn) % 4 {
                        0 => "exit 0",
                        1 => "(env -i setsid /bin/sleep 0.05 >/dev/null 2>&1 &); exit 0",
                        2 => "(setsid sleep 0.05 &); sleep 0.01; exit 0",
                        _ => "sh -c 'sleep 0.03; exit 0'",
                    };
                    let (finished, _) = run(supervisor, shell(script));
                    assert_eq!(finished.ended, Ended::Exited(0), "{script}");
                }
            });
        }
    });
    supervisor.finish(GRACE);
    assert_eq!(own_children(), 0);
}

#[test]
fn a_newborn_sibling_is_no_orphan() {
    play("storm of siblings", "");
}

/// An orphan that a sibling could have started is ended when that one is over.
fn late_orphan() {
    let supervisor = adopting();
    let folder = Folder::new();
    let (go, up, tag) = (folder.0.join("go"), folder.0.join("up"), tag());
    // It is unmarked and has no parent before its command ends.
    let orphan = format!(
        "(env -i setsid /bin/sh -c ': >{}; exec /bin/sleep {tag}' >/dev/null 2>&1 </dev/null &); {}",
        up.display(),
        wait_for(&up)
    );
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        let healthy = supervisor.clone();
        let script = format!("echo ready; {}", wait_for(&go));
        let sibling = scope.spawn(move || {
            healthy
                .run(shell(&script), Limits::new(), &Cancel::new(), &mut |_, _| _ = sender.send(()))
                .unwrap()
        });
        receiver.recv().unwrap();
        let (first, _) = run(&supervisor, shell(&orphan));
        fs::write(&go, "").unwrap();
        let second = sibling.join().unwrap();
        assert_eq!((first.ended, second.ended), (Ended::Exited(0), Ended::Exited(0)));
        // On a slow machine a look may have seen it while its parent lived:
        // then it is known whose it is, and ended at once.
        assert_eq!(first.strays.len() + second.strays.len(), 1, "{first:?} {second:?}");
        assert!(second.strays.iter().all(|stray| stray.name == "sleep"));
    });
    assert_eq!(tagged(&tag), Vec::<i32>::new());
}

/// Shell that waits for a file, but not for ever, so that a failed assertion
/// beside it does not hang.
fn wait_for(file: &Path) -> String {
    format!(
        "i=0; while [ ! -e {} ] && [ $i -lt 3000 ]; do sleep 0.02; i=$((i+1)); done",
        file.display()
    )
}

#[test]
fn an_unknown_orphan_waits_for_the_last_who_could_have_started_it() {
    play("late orphan", "");
}

// ------------------------------------------------------------- what may stay

fn leaves() {
    let supervisor = adopting();
    let (running, flow) = (tag(), tag());
    let daemon = |tag: &str, options: &str| {
        shell(&format!("{options} setsid /bin/sleep {tag} >/dev/null 2>&1 & echo started"))
    };
    let (finished, _) = run(&supervisor, daemon(&flow, "").leaves(Leaves::UntilFlowEnds));
    assert_eq!((finished.ended, finished.strays), (Ended::Exited(0), vec![]));
    let (finished, _) = run(&supervisor, daemon(&running, "").leaves(Leaves::Running));
    assert_eq!((finished.ended, finished.strays), (Ended::Exited(0), vec![]));
    // One that keeps the pipe must not hold us up.
    let holder = tag();
    let spawn = shell(&format!("sleep {holder} & echo started")).leaves(Leaves::Running);
    let (finished, printed) = run(&supervisor, spawn);
    assert_eq!((finished.ended, printed.as_str()), (Ended::Exited(0), "started\n"));
    println!("measured pipe held by what stays: {:.3} s", finished.took.as_secs_f64());
    assert!(finished.took < BACK + LOAD);
    // On an interrupt the command goes, and what left its group stays.
    let (group, cancel) = (tag(), Cancel::new());
    let spawn = shell(&format!(
        "setsid /bin/sleep {running} >/dev/null 2>&1 & sleep {group} & echo ready; wait"
    ));
    let finished = supervisor
        .run(spawn.leaves(Leaves::Running), Limits::new(), &cancel, &mut |_, _| {
            // In a session of its own, so that it has left the group.
            eventually("the daemon is there", || sleeping(&running).len() == 2);
            cancel.interrupt();
        })
        .unwrap();
    assert_eq!((finished.ended, tagged(&group)), (Ended::Cancelled, vec![]));
    // Neither do later commands end them.
    run(&supervisor, shell("true"));
    let alive = |tag: &str| tagged(tag).len();
    eventually("all are there", || (alive(&running), alive(&flow), alive(&holder)) == (2, 1, 1));

    let strays = supervisor.finish(GRACE);
    assert_eq!(strays.len(), 1, "{strays:?}");
    assert_eq!((alive(&running), alive(&flow), alive(&holder)), (2, 0, 1));
    for pid in tagged(&running).into_iter().chain(tagged(&holder)) {
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    }
}

#[test]
fn what_was_declared_to_stay_stays() {
    play("leaves", "");
}

// --------------------------------------------------------- leftovers (27)

/// Starts what a killed runner leaves, says so, and waits to be killed.
fn victim(argument: &str) {
    let (folder, tags) = argument.split_once(' ').unwrap();
    let (ends, stays) = tags.split_once(' ').unwrap();
    let supervisor = Supervisor::new(RunMark::new("victim", Path::new(folder)));
    supervisor.adopt_orphans().unwrap();
    let stay = format!("setsid sleep {stays} >/dev/null 2>&1 &");
    run(&supervisor, shell(&stay).leaves(Leaves::Running));
    let script = format!(
        "setsid sh -c 'trap \"\" INT TERM; sleep {ends}; sleep {ends}' & env -i /bin/sleep {ends} & echo ready; wait"
    );
    _ = supervisor.run(shell(&script), Limits::new(), &Cancel::new(), &mut |_, _| {
        println!("\nready");
    });
}

#[test]
fn the_children_of_a_killed_runner_are_found_and_ended() {
    let folder = Folder::new();
    let start = |ends: &str, stays: &str| {
        let argument = format!("{} {ends} {stays}", folder.0.display());
        let mut runner = scenario("victim", &argument).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(runner.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == "ready"));
        eventually("its children are there", || {
            tagged(ends).len() >= 4 && tagged(stays).len() == 1
        });
        runner
    };
    let (dead, dead_stays, live, live_stays) = (tag(), tag(), tag(), tag());
    let mut killed = start(&dead, &dead_stays);
    let mut lives = start(&live, &live_stays);
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(!tagged(&dead).is_empty());

    // Another state folder's runs are not ours to judge.
    let elsewhere = Folder::new();
    let other = RunMark::new("other", &elsewhere.0);
    assert_eq!(end_marked_leftovers(&other, Duration::ZERO), []);
    let (before, live_before) = (tagged(&dead), tagged(&live));
    let mark = RunMark::new("next", &folder.0);
    let since = Instant::now();
    let strays = end_marked_leftovers(&mark, Duration::from_millis(200));
    println!("measured leftovers: {:.3} s for {strays:?}", since.elapsed().as_secs_f64());
    assert!(
        strays.len() >= before.len() - 1 && strays.iter().all(|stray| stray.fate == Fate::Ended)
    );
    assert_eq!(tagged(&dead), Vec::<i32>::new());
    assert_eq!(tagged(&live), live_before, "a live run's");
    assert_eq!(tagged(&dead_stays).len(), 1);

    lives.kill().unwrap();
    lives.wait().unwrap();
    end_marked_leftovers(&mark, Duration::ZERO);
    assert_eq!(tagged(&live), Vec::<i32>::new());
    assert_eq!(end_marked_leftovers(&mark, Duration::ZERO), []);
    for pid in tagged(&dead_stays).into_iter().chain(tagged(&live_stays)) {
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    }
}

// ---------------------------------------------------------- output and input

/// 200 MB on one line (fault 33).
fn memory() {
    let peak = || {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
        line.split_ascii_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let supervisor = adopting();
    run(&supervisor, shell("true"));
    let before = peak();
    let (mut bytes, mut largest) = (0, 0);
    let finished = supervisor
        .run(
            shell("head -c 200000000 /dev/zero | tr '\\0' x"),
            Limits::new(),
            &Cancel::new(),
            &mut |_, piece| {
                bytes += piece.len();
                largest = largest.max(piece.len());
            },
        )
        .unwrap();
    assert_eq!((finished.ended, bytes), (Ended::Exited(0), 200_000_000));
    assert!(largest <= 64 * 1024);
    let (after, took) = (peak(), finished.took.as_secs_f64());
    println!("measured 200 MB line: peak {before} kB before, {after} kB after, {took:.3} s");
    assert!(after - before < 16 * 1024);
}

#[test]
fn a_line_of_200_megabytes_needs_one_chunk() {
    play("memory", "");
}

#[test]
fn both_streams_arrive_whole_however_they_are_mixed() {
    let (mut out, mut err) = (0, 0);
    let script = "i=0; while [ $i -lt 2000 ]; do echo aaaa; echo bbb >&2; i=$((i+1)); done";
    supervisor()
        .run(shell(script), Limits::new(), &Cancel::new(), &mut |stream, bytes| match stream {
            talia_pipeline::process::Stream::Stdout => out += bytes.len(),
            talia_pipeline::process::Stream::Stderr => err += bytes.len(),
        })
        .unwrap();
    assert_eq!((out, err), (10_000, 8_000));
}

#[test]
fn input_reaches_who_reads_it_and_nobody_else_hangs() {
    let supervisor = supervisor();
    let large = Stdin::Bytes(vec![b'x'; 20_000_000]);
    let (finished, printed) = run(&supervisor, shell("wc -c").stdin(large.clone()));
    assert_eq!((finished.ended, printed.trim()), (Ended::Exited(0), "20000000"));
    for script in ["true", "exec <&-; sleep 0.05", "head -c 3 >/dev/null", "sleep 0.05"] {
        let (finished, _) = run(&supervisor, shell(script).stdin(large.clone()));
        assert_eq!(finished.ended, Ended::Exited(0), "{script}");
    }
    let (_, printed) = run(&supervisor, shell("cat; echo end"));
    assert_eq!(printed, "end\n");
    let (_, printed) = run(&supervisor, shell("cat; echo end").stdin(Stdin::Bytes(Vec::new())));
    assert_eq!(printed, "end\n");
    let folder = Folder::new();
    let file = folder.0.join("input");
    fs::write(&file, "from a file\n").unwrap();
    let (_, printed) = run(&supervisor, shell("cat").stdin(Stdin::File(file)));
    assert_eq!(printed, "from a file\n");
}

#[test]
fn a_child_gets_what_was_said_and_nothing_else() {
    let spawn = Spawn::new("/usr/bin/env", "env").environment([("B", "2"), ("A", "1"), ("B", "3")]);
    let (_, printed) = run(&supervisor(), spawn);
    let names: Vec<&str> =
        printed.lines().filter(|line| !line.starts_with("TALIA_RUN_MARK=1:")).collect();
    assert_eq!(names, ["A=1", "B=3"]);
    let spawn = shell("echo \"$0\"").arg0("not-sh").folder("/");
    assert_eq!(run(&supervisor(), spawn).1, "not-sh\n");
}

#[test]
fn the_end_says_code_signal_and_processor_time() {
    let supervisor = supervisor();
    assert_eq!(run(&supervisor, shell("exit 7")).0.ended, Ended::Exited(7));
    assert_eq!(run(&supervisor, shell("kill -TERM $$")).0.ended, Ended::Signalled(15));
    let (finished, _) =
        run(&supervisor, shell("i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"));
    assert!(finished.processor_time > Duration::ZERO, "{finished:?}");
}

#[test]
fn a_cancelled_flag_starts_nothing() {
    let cancel = Cancel::new();
    cancel.interrupt();
    let run = supervisor().run(shell("echo no"), Limits::new(), &cancel, &mut |_, _| panic!("ran"));
    assert_eq!(run.unwrap().ended, Ended::Cancelled);
}

#[test]
fn a_panic_while_output_is_read_kills_the_child() {
    let tag = tag();
    let script = format!("trap '' INT TERM; setsid sleep {tag} & echo ready; sleep {tag}");
    let caught = thread::spawn(move || {
        supervisor()
            .run(shell(&script), Limits::new(), &Cancel::new(), &mut |_, _| panic!("on purpose"))
    })
    .join();
    assert!(caught.is_err());
    assert_eq!(tagged(&tag), Vec::<i32>::new());
}

// ------------------------------------------------------------------- zombies

fn zombies() {
    let supervisor = adopting();
    // Orphans that end while a command runs on are reaped meanwhile...
    let script = "i=0; while [ $i -lt 20 ]; do (true &); i=$((i+1)); done; echo ready; sleep 1.5";
    let mut orphans = Vec::new();
    supervisor
        .run(shell(script), Limits::new(), &Cancel::new(), &mut |_, _| {
            eventually("the orphans have ended", || own_children() > 1);
            orphans.push(own_children());
        })
        .unwrap();
    assert!(orphans[0] > 1);
    assert_eq!(own_children(), 0);
    // ...and what the caller started by other means is not touched.
    let mut own = Command::new("/bin/sh").args(["-c", "sleep 0.1; exit 9"]).spawn().unwrap();
    run(&supervisor, shell("(true &); sleep 0.5"));
    assert_eq!(own.wait().unwrap().code(), Some(9));
    let mut own = Command::new("/bin/sh").args(["-c", "sleep 0.3; exit 9"]).spawn().unwrap();
    run(&supervisor, shell("(true &)"));
    assert_eq!(supervisor.finish(GRACE), []);
    assert_eq!(own.wait().unwrap().code(), Some(9));
    assert_eq!(own_children(), 0);
}

#[test]
fn adopted_corpses_are_reaped_and_the_callers_own_are_not() {
    play("zombies", "");
}

// ------------------------------------------------------------------ terminal

fn terminal() {
    let supervisor = adopting();
    for script in
        ["read line </dev/tty", "stty -echo </dev/tty", "sh -c 'read line </dev/tty'; true"]
    {
        let (finished, _) = run(&supervisor, shell(script));
        assert_eq!(finished.ended, Ended::WantsTerminal, "{script}");
        println!("measured terminal: ended after {:.3} s", finished.took.as_secs_f64());
        assert_eq!(own_children(), 0);
    }
    let (finished, _) = run(&supervisor, shell("read line").stdin(Stdin::Inherit));
    assert_eq!(finished.ended, Ended::WantsTerminal);
    // A stop that is somebody's wish is none of our business.
    let (finished, _) = run(&supervisor, shell("(sleep 1.2; kill -CONT $$) & kill -STOP $$; wait"));
    assert_eq!(finished.ended, Ended::Exited(0));
}

#[test]
fn a_child_that_reads_the_terminal_is_ended_and_said() {
    use rustix::{
        fs::{CWD, Mode, OFlags, openat},
        pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    };
    let controller =
        openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&controller).unwrap();
    unlockpt(&controller).unwrap();
    let name = ptsname(&controller, Vec::new()).unwrap();
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let terminal = openat(CWD, name, flags, Mode::empty()).unwrap();
    // `setsid --ctty` makes its standard input the controlling terminal.
    let inner = scenario("terminal", "");
    let mut command = Command::new("setsid");
    command.args(["--ctty", "--wait"]).arg(inner.get_program()).args(inner.get_args());
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.stdin(terminal).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    println!("{text}");
}

// -------------------------------------------------------- no /proc, old kernel

fn group_only() {
    assert!(fs::read("/proc/self/stat").is_err());
    let supervisor = adopting();
    let (finished, printed) = run(&supervisor, shell("echo hello; exit 4"));
    assert_eq!((finished.ended, printed.as_str()), (Ended::Exited(4), "hello\n"));
    let folder = Folder::new();
    let alive = folder.0.join("alive");
    fs::create_dir(&alive).unwrap();
    // Whoever lives makes the folder again.
    let beat =
        format!("trap '' INT TERM; while :; do mkdir -p {}; sleep 0.01; done", alive.display());
    for script in [format!("({beat}) & exit 0"), format!("({beat}) & {beat}")] {
        let limits =
            Limits::new().timeout(Duration::from_millis(500)).grace(Duration::from_millis(300));
        let finished =
            supervisor.run(shell(&script), limits, &Cancel::new(), &mut |_, _| {}).unwrap();
        assert!(matches!(finished.ended, Ended::Exited(0) | Ended::TimedOut), "{finished:?}");
        assert!(finished.took < Duration::from_millis(800) + BACK + LOAD);
        fs::remove_dir(&alive).unwrap();
        thread::sleep(Duration::from_millis(200));
        assert!(!alive.exists(), "something lives: {script}");
    }
    assert_eq!(supervisor.finish(GRACE), []);
}

#[test]
fn without_proc_the_group_is_ended() {
    let inner = scenario("group only", "");
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c"]);
    command.arg("mount -t tmpfs none /proc && exec \"$0\" \"$@\"");
    command.arg(inner.get_program()).args(inner.get_args());
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    if error.contains("unshare failed") || error.contains("mount:") {
        println!("skipped: no mount namespace here: {error}");
        return;
    }
    assert!(output.status.success(), "{}{error}", String::from_utf8_lossy(&output.stdout));
}

// -------------------------------------------------------------- spawn errors

#[test]
fn a_failed_start_says_what_is_wrong() {
    let folder = Folder::new();
    let file = |name: &str, text: &str, mode: u32| {
        let path = folder.0.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    let fails = |spawn: Spawn| {
        supervisor().run(spawn, Limits::new(), &Cancel::new(), &mut |_, _| {}).unwrap_err()
    };
    let new = |program: &Path| Spawn::new(program, "fails");
    let sh = Path::new("/bin/sh");

    let missing = folder.0.join("missing");
    assert!(matches!(fails(new(&missing)), SpawnError::Missing { .. }));
    // Both are missing: the folder is named.
    assert!(matches!(fails(new(&missing).folder(&missing)), SpawnError::Folder { .. }));
    let plain = file("plain", "text", 0o644);
    assert!(matches!(fails(new(sh).folder(&plain)), SpawnError::Folder { .. }));
    assert!(matches!(fails(new(&plain)), SpawnError::NotExecutable { .. }));
    assert!(matches!(fails(new(&folder.0)), SpawnError::NotExecutable { .. }));
    assert!(matches!(fails(new(&plain.join("x"))), SpawnError::Missing { .. }));
    let noise = file("noise", "no format", 0o755);
    assert!(matches!(fails(new(&noise)), SpawnError::NotExecutable { .. }));
    let script = file("script", "#! /no/such/sh -e\necho\n", 0o755);
    let error = fails(new(&script));
    assert!(
        matches!(&error, SpawnError::Interpreter { interpreter: Some(path), .. } if path == Path::new("/no/such/sh")),
        "{error:?}"
    );
    let windows = file("windows", "#!/bin/sh\r\necho\r\n", 0o755);
    assert!(fails(new(&windows)).to_string().contains("/bin/sh\\r,"), "{}", fails(new(&windows)));
    let long = "x".repeat(100_000);
    assert!(matches!(fails(new(sh).args(vec![long; 100])), SpawnError::TooLong { .. }));
    let error = fails(new(sh).args(["a", "b\0c"]));
    assert_eq!(error.to_string(), "argument 2 has a NUL byte inside");
    assert!(matches!(fails(new(sh).environment([("A", "\0")])), SpawnError::NulByte { .. }));
    for name in ["", "A=B", "\0"] {
        let error = fails(new(sh).environment([(name, "x")]));
        assert!(matches!(error, SpawnError::VariableName { .. }), "{name:?}");
    }
    assert!(matches!(fails(Spawn::new("sh", "relative")), SpawnError::NotAbsolute { .. }));
    let error = fails(new(sh).stdin(Stdin::File(missing)));
    assert!(matches!(error, SpawnError::StdinFile { .. }));
}

#[test]
fn a_program_that_was_just_written_is_started_when_it_is_closed() {
    let folder = Folder::new();
    let program = folder.0.join("busy");
    fs::copy("/bin/true", &program).unwrap();
    let writer = fs::OpenOptions::new().append(true).open(&program).unwrap();
    let closer = thread::spawn(move || {
        thread::sleep(Duration::from_millis(60));
        drop(writer);
    });
    let (finished, _) = run(&supervisor(), Spawn::new(&program, "busy"));
    assert_eq!(finished.ended, Ended::Exited(0));
    closer.join().unwrap();
}

// ---------------------------------------------------------------------- cost
