//! What happens during a run, as one enum: reports consume it, JSON lines carry it.

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{command_line::CommandLine, diagnostic::Diagnostic, error::Error};

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// It did what it should.
    Passed,
    /// It failed.
    Failed,
    /// A signal, a time limit of the run or a failed sibling ended it.
    Cancelled,
    /// Something that it needs is missing, so it never started.
    Blocked,
}

/// Which stream of a command a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A failure as people and other programs read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The step, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// What went wrong.
    pub message: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The last lines that the command said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub last_lines: Vec<String>,
    /// Where it is wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<Diagnostic>,
    /// The exit code that it gives the run.
    pub exit_code: u8,
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let mut message = error.to_string();
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            message.push_str(&format!(": {cause}"));
            source = cause.source();
        }
        Self {
            step: error.step_label().map(str::to_owned),
            message,
            hint: error.hint_text().map(str::to_owned),
            last_lines: error.last_lines().to_vec(),
            diagnostics: error.findings().to_vec(),
            exit_code: error.exit_code().code(),
        }
    }
}

/// One thing that happened. Serialised as one JSON line with a field `event`.
///
/// A reader that does not know an event shows it as text; see [`Event::parse`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// A flow begins.
    FlowStarted {
        /// Its name: `ci`.
        flow: String,
        /// The run's id, also the name of its log folder.
        run: String,
        /// The project's root.
        root: Utf8PathBuf,
        /// How many steps the plan has.
        steps: usize,
        /// When, in milliseconds since 1970.
        at_ms: u64,
    },
    /// A step begins.
    StepStarted {
        /// Its place in the flow: `2.1.3`.
        id: String,
        /// Its name.
        label: String,
        /// What it does in the process, where it runs no command.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        work: Option<String>,
    },
    /// A command begins.
    CommandStarted {
        /// The step's id.
        id: String,
        /// Which attempt, counted from 1.
        attempt: u32,
        /// The command, without any secret's value.
        command: Box<CommandLine>,
    },
    /// A line of a command's output.
    Output {
        /// The step's id.
        id: String,
        /// Which stream.
        stream: Stream,
        /// The line, masked, shortened where it is very long.
        text: String,
    },
    /// The unfinished last line of a command's output, now and then.
    Progress {
        /// The step's id.
        id: String,
        /// The line so far.
        text: String,
    },
    /// A command has ended.
    CommandFinished {
        /// The step's id.
        id: String,
        /// Which attempt, counted from 1.
        attempt: u32,
        /// The exit code, if it exited.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        exit: Option<i32>,
        /// How it ended, in words.
        ended: String,
        /// How long it ran, in milliseconds.
        duration_ms: u64,
    },
    /// Something worth saying: an assumption, a choice, a thing brought in.
    Note {
        /// What.
        text: String,
    },
    /// A step has ended.
    StepFinished {
        /// Its place in the flow.
        id: String,
        /// Its name.
        label: String,
        /// How it ended.
        outcome: Outcome,
        /// How long it took, in milliseconds.
        duration_ms: u64,
        /// One line for people.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        summary: String,
        /// More for people, such as a table.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        details: Option<String>,
        /// Findings that did not fail it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        diagnostics: Vec<Diagnostic>,
        /// Why it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<Box<Failure>>,
        /// Its full log.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        log: Option<Utf8PathBuf>,
    },
    /// A part of the flow was left out.
    Skipped {
        /// Why.
        reason: String,
    },
    /// The flow has ended.
    FlowFinished {
        /// Its name.
        flow: String,
        /// The exit code of the run.
        exit_code: u8,
        /// How long it took, in milliseconds.
        duration_ms: u64,
        /// How many steps passed.
        passed: usize,
        /// Every failure.
        failures: Vec<Failure>,
        /// Steps that failed while the flow went on regardless.
        allowed: Vec<String>,
        /// Planned steps that never ran.
        not_run: Vec<String>,
    },
    /// What a server's request was answered with, as the protocol has it.
    Answered {
        /// The answer.
        answer: serde_json::Value,
    },
    /// Something that happened on another machine while a step ran.
    Remote {
        /// The step's id, here.
        id: String,
        /// What happened there.
        told: Box<Event>,
    },
    /// An event of another version, as its text.
    Unknown {
        /// The line as it came.
        text: String,
    },
}

impl Event {
    /// As one JSON line, without the newline.
    pub fn to_json(&self) -> String {
        // Serialising strings, numbers and lists of them cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a JSON line. What is no known event becomes [`Event::Unknown`].
    ///
    /// ```
    /// use talia_pipeline::Event;
    ///
    /// let note = Event::Note { text: "ruff is brought in".into() };
    /// assert_eq!(Event::parse(&note.to_json()), note);
    /// let later = r#"{"event":"teleported"}"#;
    /// assert_eq!(Event::parse(later), Event::Unknown { text: later.into() });
    /// ```
    pub fn parse(line: &str) -> Self {
        serde_json::from_str(line).unwrap_or_else(|_| Self::Unknown { text: line.to_owned() })
    }

    /// What an agent has answered, where the line says that and it is such an answer.
    pub fn answer<T: DeserializeOwned>(self) -> Option<T> {
        match self {
            Self::Answered { answer } => serde_json::from_value(answer).ok(),
            _ => None,
        }
    }
}
