//! Runs the tests one after the other on one sandbox, which a test of Rust's own
//! cannot take down at the end; speaks and listens as `cargo test` is used to.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
    time::Instant,
};

use crate::kit::Yard;

/// A test's name, and what it does.
pub(crate) type Test = (&'static str, fn(&Yard));

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

pub(crate) fn main(tests: &[Test], arguments: impl Iterator<Item = String>) -> ExitCode {
    let asked = Asked::read(arguments);
    let chosen: Vec<&Test> = tests.iter().filter(|(name, _)| asked.wants(name)).collect();
    if asked.list {
        chosen.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let began = Instant::now();
    println!("\nrunning {} tests", chosen.len());
    let mut failed: Vec<&str> = Vec::new();
    if !chosen.is_empty() {
        // Where there is no sandbox, every test has failed.
        let yard = catch_unwind(Yard::up).ok();
        println!("the sandbox is up after {:.1} s", began.elapsed().as_secs_f64());
        for (name, test) in &chosen {
            let began = Instant::now();
            let passed = yard
                .as_ref()
                .is_some_and(|yard| catch_unwind(AssertUnwindSafe(|| test(yard))).is_ok());
            let verdict = if passed { "ok" } else { "FAILED" };
            println!("    after {:.1} s\ntest {name} ... {verdict}", began.elapsed().as_secs_f64());
            if !passed {
                failed.push(name);
            }
        }
    }
    if !failed.is_empty() {
        println!("\nfailures:\n    {}", failed.join("\n    "));
    }
    println!(
        "\ntest result: {}. {} passed; {} failed; 0 ignored; 0 measured; {} filtered out; \
         finished in {:.2}s\n",
        if failed.is_empty() { "ok" } else { "FAILED" },
        chosen.len() - failed.len(),
        failed.len(),
        tests.len() - chosen.len(),
        began.elapsed().as_secs_f64()
    );
    // As Rust's own harness ends.
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(101) }
}
