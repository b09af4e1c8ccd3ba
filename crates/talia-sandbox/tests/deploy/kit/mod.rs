//! What the tests stand on: an agent that obeys faults, images that misbehave, and a
//! server that is asked as clients ask it.

pub(crate) mod agent;
mod asking;
mod held;
mod images;
mod line;
mod project;
mod registry;
mod site;
mod there;
mod yard;

pub(crate) use asking::{Asking, Said};
pub(crate) use held::{At, Held};
pub(crate) use images::{Behaviour, Images, Version};
pub(crate) use project::{Project, Ran};
pub(crate) use registry::Registry;
pub(crate) use site::{Before, Site};
pub(crate) use yard::Yard;

use std::{
    fmt::Display,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

/// Runs a program; whatever its end.
pub(crate) fn output(command: &mut Command) -> Output {
    let name = command.get_program().to_string_lossy().into_owned();
    command.output().unwrap_or_else(|error| {
        panic!("{name} cannot be started ({error}): `cargo xtask selftest --install` brings it in")
    })
}

/// Runs a program that has to succeed; gives what it says.
#[track_caller]
pub(crate) fn said(command: &mut Command) -> String {
    let output = output(command.stdin(Stdio::null()));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{stdout}\n{stderr}", output.status);
    stdout
}

/// Asks again and again until it holds.
#[track_caller]
pub(crate) fn until(what: &str, within: Duration, holds: impl FnMut() -> bool) {
    assert!(self::within(within, holds), "not within {within:?}: {what}");
}

/// Asks again and again until it holds, for so long at most; whether it does.
pub(crate) fn within(at_most: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    while !holds() {
        if began.elapsed() > at_most {
            return false;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    true
}

/// One line of the table of faults, which is every line that begins with `seen`: what was
/// injected, and what this test has measured of it.
pub(crate) fn seen(fault: &str, injected: &str, seen: impl Display) {
    let seen = seen.to_string();
    let line =
        |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
    println!("seen | {fault} | {} | {}", line(injected), line(&seen));
}

/// The first words of a message, for a line of the table.
pub(crate) fn words(text: &str) -> String {
    let text = text.trim().lines().next().unwrap_or_default();
    match text.char_indices().nth(90) {
        Some((at, _)) => format!("\"{}…\"", &text[..at]),
        None => format!("\"{text}\""),
    }
}
