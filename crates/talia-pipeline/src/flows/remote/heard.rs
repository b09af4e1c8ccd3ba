//! What an agent has said, as an answer or as an error of the kind that it had there.

use serde::de::DeserializeOwned;

use crate::{
    error::{Error, ErrorKind, Result},
    event::{Event, Failure},
    step::Answer,
};

/// What its events come to. `changes`: whether the request may have changed something,
/// so that an end without a word leaves it unknown. `label` is the request's.
pub(super) fn heard<T: DeserializeOwned>(answer: &Answer, changes: bool, label: &str) -> Result<T> {
    let (mut answered, mut failures, mut is_agent) = (None, Vec::new(), false);
    for line in answer.stdout().lines() {
        match Event::parse(line) {
            told @ Event::Answered { .. } => answered = Some(told),
            Event::FlowFinished { failures: told, .. } => failures = told,
            Event::Unknown { .. } => continue,
            _ => {}
        }
        is_agent = true;
    }
    // Told once all is done; an agent of another version greets before it refuses.
    if let Some(told) = answered {
        return told.answer().ok_or_else(|| {
            let error = answer.unreadable("an answer of a neighbouring version");
            if changes { unknown(&error.to_string()) } else { error }
        });
    }
    if !failures.is_empty() {
        return Err(Error::all(
            failures.into_iter().map(|failure| error(failure, label)).collect(),
        ));
    }
    let exit = answer.exit();
    if !is_agent {
        return Err(Error::preflight(format!("no agent answers there (exit {exit})"))
            .tail(answer.last_lines(20))
            .hint("root puts it on the server, at /usr/local/lib/talia/talia-agent, with the sshd and sudoers files of infra/"));
    }
    let message = format!("the agent ended with exit {exit} and without an answer");
    let error = if changes { unknown(&message) } else { Error::step(message) };
    // Standard output is events, which are told already.
    let said = if answer.stderr().trim().is_empty() { Vec::new() } else { answer.last_lines(20) };
    Err(error.tail(said))
}

fn unknown(message: &str) -> Error {
    Error::new(ErrorKind::Unknown, message)
}

/// A failure there, as the same error here; the step there stands before the message,
/// because the one that failed here is the request.
fn error(failure: Failure, label: &str) -> Error {
    let kind = match failure.exit_code {
        2 => ErrorKind::Usage,
        3 => ErrorKind::Preflight,
        4 => ErrorKind::Refused,
        5 => ErrorKind::Unknown,
        130 => ErrorKind::Interrupted,
        _ => ErrorKind::Step,
    };
    let message = match failure.step {
        Some(step) => format!("{step}: {}", failure.message),
        None => failure.message,
    };
    let error = Error::new(kind, message)
        .tail(failure.last_lines)
        .diagnostics(failure.diagnostics)
        .in_step(label);
    match failure.hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}
