//! Runs the tests of a lane one after the other on one sandbox, which a test of Rust's
//! own cannot take down at the end, and the lanes beside each other; speaks and listens
//! as `cargo test` is used to.

use std::{
    env,
    io::{BufRead as _, BufReader, pipe},
    panic::{AssertUnwindSafe, catch_unwind},
    process::{Command, ExitCode},
    thread,
    time::Instant,
};

use crate::kit::Yard;

/// A test's name, and what it does.
pub(crate) type Test = (&'static str, fn(&Yard));

/// What is run on one sandbox, in this order.
pub(crate) type Lane = &'static [Test];

/// What is asked of the harness; the options of Rust's own that change nothing here
/// are passed over.
struct Asked {
    names: Vec<String>,
    skipped: Vec<String>,
    exact: bool,
    list: bool,
}

impl Asked {
    fn read(mut arguments: impl Iterator<Item = String>) -> Self {
        let mut asked = Self { names: Vec::new(), skipped: Vec::new(), exact: false, list: false };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--exact" => asked.exact = true,
                "--list" => asked.list = true,
                "--skip" => asked.skipped.extend(arguments.next()),
                "--test-threads" | "--format" | "--color" | "--logfile" | "-Z" => {
                    drop(arguments.next());
                }
                option if option.starts_with('-') => {}
                _ => asked.names.push(argument),
            }
        }
        asked
    }

    fn wants(&self, name: &str) -> bool {
        let is = |asked: &String| if self.exact { name == asked } else { name.contains(asked) };
        (self.names.is_empty() || self.names.iter().any(is)) && !self.skipped.iter().any(is)
    }
}

pub(crate) fn main(lanes: &[Lane], arguments: impl Iterator<Item = String>) -> ExitCode {
    let asked = Asked::read(arguments);
    let chosen = |lane: &Lane| lane.iter().filter(|(name, _)| asked.wants(name)).collect();
    let lanes_chosen: Vec<Vec<&Test>> = lanes.iter().map(chosen).collect();
    let all: Vec<&str> = lanes_chosen.iter().flatten().map(|(name, _)| *name).collect();
    if asked.list {
        all.iter().for_each(|name| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let began = Instant::now();
    println!("\nrunning {} tests", all.len());
    let busy: Vec<&Vec<&Test>> = lanes_chosen.iter().filter(|lane| !lane.is_empty()).collect();
    let passed: Vec<String> = match busy.as_slice() {
        [lane] => here(lane),
        lanes => thread::scope(|scope| {
            let lanes: Vec<_> = lanes.iter().map(|lane| scope.spawn(|| apart(lane))).collect();
            lanes.into_iter().flat_map(|lane| lane.join().unwrap_or_default()).collect()
        }),
    };
    let failed: Vec<&str> =
        all.iter().copied().filter(|name| !passed.iter().any(|passed| passed == name)).collect();
    if !failed.is_empty() {
        println!("\nfailures:\n    {}", failed.join("\n    "));
    }
    println!(
        "\ntest result: {}. {} passed; {} failed; 0 ignored; 0 measured; {} filtered out; \
         finished in {:.2}s\n",
        if failed.is_empty() { "ok" } else { "FAILED" },
        all.len() - failed.len(),
        failed.len(),
        lanes.iter().map(|lane| lane.len()).sum::<usize>() - all.len(),
        began.elapsed().as_secs_f64()
    );
    // As Rust's own harness ends.
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(101) }
}

/// Runs a lane in this process; gives what has passed.
fn here(lane: &[&Test]) -> Vec<String> {
    let began = Instant::now();
    // Where there is no sandbox, every test has failed.
    let yard = catch_unwind(Yard::up).ok();
    println!("the sandbox is up after {:.1} s", began.elapsed().as_secs_f64());
    let mut all = Vec::new();
    for (name, test) in lane {
        let began = Instant::now();
        let passed =
            yard.as_ref().is_some_and(|yard| catch_unwind(AssertUnwindSafe(|| test(yard))).is_ok());
        println!("    after {:.1} s\n{}", began.elapsed().as_secs_f64(), verdict(name, passed));
        if passed {
            all.push((*name).to_owned());
        }
    }
    all
}

fn verdict(name: &str, passed: bool) -> String {
    format!("test {name} ... {}", if passed { "ok" } else { "FAILED" })
}

/// Runs a lane in a process of its own, and prints what each test has said at its end;
/// gives what has passed.
fn apart(lane: &[&Test]) -> Vec<String> {
    let (reader, writer) = pipe().unwrap();
    let mut command = Command::new(env::current_exe().unwrap());
    command.arg("--exact").args(lane.iter().map(|(name, _)| name));
    command.stdout(writer.try_clone().unwrap()).stderr(writer);
    let mut child = command.spawn().unwrap();
    // Ours is closed with it: the lines end when the child's are.
    drop(command);
    let (mut said, mut passed) = (String::new(), Vec::new());
    for line in BufReader::new(reader).split(b'\n') {
        let line = String::from_utf8_lossy(&line.unwrap()).into_owned();
        said = said + &line + "\n";
        let ended = |is_ok| lane.iter().find(|(name, _)| line == verdict(name, is_ok));
        if let Some((name, _)) = ended(true) {
            passed.push((*name).to_owned());
        } else if ended(false).is_none() {
            continue;
        }
        print!("{}", std::mem::take(&mut said));
    }
    child.wait().unwrap();
    passed
}
