//! One door each: processes, the environment, the clocks, the screen.

use super::{holds, source::Source, sources};

/// What opens a door, and the files of the library that may.
const DOORS: &[(&str, &[&str], &[&str])] = &[
    (
        "processes",
        &["process::Command", "Command::new("],
        // xshell's conversion gives a command; it is read and never run.
        &["process/command.rs", "xshell_compat.rs"],
    ),
    ("the environment", &["std::env", "env::var", "env::current_dir", "env::args"], &["world.rs"]),
    ("the calendar", &["SystemTime"], &["world.rs"]),
    // Deadlines of children need a clock of their own.
    ("the clock", &["Instant::now"], &["world.rs", "process/clock.rs"]),
    ("the screen", &["print!(", "println!(", "eprint!(", "eprintln!(", "dbg!("], &[]),
    ("the streams", &["io::stdout", "io::stderr", "io::stdin"], &["report/console.rs"]),
    ("the exit", &["process::exit", "process::abort"], &[]),
];

fn wrong_doors(sources: &[Source], doors: &[(&str, &[&str], &[&str])]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| !source.is_test()) {
        for (door, keys, keepers) in doors {
            let opens = keys.iter().find(|key| opens(&source.code, key));
            if let (Some(key), false) = (opens, keepers.contains(&source.path.as_str())) {
                findings.push(format!("{}: `{key}` opens the door to {door}", source.path));
            }
        }
    }
    findings
}

fn opens(code: &str, key: &str) -> bool {
    code.match_indices(key)
        .any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
}

#[test]
fn the_library_has_one_door_each() {
    let doors: Vec<_> = DOORS.to_vec();
    holds(&wrong_doors(&sources("src"), &doors));
}

#[test]
fn the_binary_has_no_doors_of_its_own() {
    // `clap` calls its own values commands.
    let doors: Vec<_> = DOORS
        .iter()
        .map(|(door, keys, _)| {
            let keys = if *door == "processes" { &["std::process::Command"][..] } else { keys };
            (*door, keys, &[][..])
        })
        .collect();
    holds(&wrong_doors(&sources("../../xtask/src"), &doors));
}

#[test]
fn a_second_door_is_found() {
    let find = |path: &str, text: &str| wrong_doors(&[Source::new(path, text)], DOORS).len();
    for bad in [
        "use std::process::Command;",
        "let x = std::env::var(\"A\");",
        "println!(\"a\");",
        "SystemTime::now()",
        "let t = Instant::now();",
        "std::process::exit(1)",
        "io::stdout().flush()",
    ] {
        assert_eq!(find("steps/a.rs", bad), 1, "{bad}");
    }
    for good in ["// println!()", "CommandLine::new(x)", "my_println!(x)", "\"std::env\""] {
        assert_eq!(find("steps/a.rs", good), 0, "{good}");
    }
    assert_eq!(find("world.rs", "use std::env; SystemTime::now()"), 0);
}
