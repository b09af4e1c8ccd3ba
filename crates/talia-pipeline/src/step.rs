//! The unit of work: one action with a typed answer.

use std::time::Duration;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use crate::{
    command_line::{CommandLine, Effect},
    diagnostic::Diagnostic,
    error::Result,
};

/// A typed unit of work: one command line, or one named piece of in-process work.
///
/// A step is a value. It never spawns, prints, or reads the clock or the
/// environment; it says what would be done and reads the answer. What needs
/// several actions is a flow function.
///
/// ```
/// use talia_pipeline::{Action, CommandLine, Step};
///
/// /// Counts the commits of the current branch.
/// struct CommitCount;
///
/// impl Step for CommitCount {
///     type Output = u64;
///     fn label(&self) -> String {
///         "count commits".into()
///     }
///     fn action(&self) -> Action<'_, u64> {
///         let line = CommandLine::new("git").args(["rev-list", "--count", "HEAD"]);
///         Action::command(line, |answer| {
///             answer.stdout().trim().parse().map_err(|_| answer.unreadable("a number"))
///         })
///     }
///     fn assume(&self) -> u64 {
///         1
///     }
/// }
/// # assert_eq!(CommitCount.assume(), 1);
/// ```
pub trait Step: Send {
    /// What the rest of the flow gets from it.
    type Output: Send;

    /// A short name for people, the same at every run: `ruff check`.
    fn label(&self) -> String;

    /// What is done, and how the answer is read.
    fn action(&self) -> Action<'_, Self::Output>;

    /// The answer that a plan goes on with: the one hoped for. Values that only
    /// a run can know are [holes](crate::hole).
    fn assume(&self) -> Self::Output;

    /// What the answer depends on and what the step writes. `None`: unknown, so
    /// the step is never skipped as unchanged.
    fn touches(&self) -> Option<Touches> {
        None
    }

    /// What people read when it has passed: `8 passed, 2 skipped`.
    fn summary(&self, _output: &Self::Output) -> Summary {
        Summary::default()
    }
}

/// Turns a command's answer into a step's own.
type Read<'a, T> = Box<dyn FnOnce(&Answer) -> Result<T> + Send + 'a>;

/// Judges one answer of a command that is run again and again.
type Judge<'a, T> = Box<dyn FnMut(&Try<'_>) -> Result<Verdict<T>> + Send + 'a>;

/// How often a command is run again, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// From the end of one try to the begin of the next.
    pub interval: Duration,
    /// No try begins later than this after the first one.
    pub deadline: Duration,
}

/// One try of a command that is run again and again.
#[derive(Debug)]
#[non_exhaustive]
pub struct Try<'a> {
    /// What it said, whatever its exit; 124 where it took too long.
    pub answer: &'a Answer,
    /// Whether the deadline has come, so that there is no further try.
    pub is_last: bool,
}

/// What is to be done after one try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict<T> {
    /// Try again; why, for people.
    Again(String),
    /// That was the answer.
    Done(T),
}

/// What a [`Step`] does. `T` is its typed answer.
#[non_exhaustive]
pub enum Action<'a, T> {
    /// Run a command and read its answer.
    Command {
        /// The command.
        line: Box<CommandLine>,
        /// Reads an accepted exit. Any other exit fails the step before this.
        read: Read<'a, T>,
    },
    /// Run a command again and again, until its answer is the one waited for.
    Poll {
        /// The command; every exit is the judge's to see.
        line: Box<CommandLine>,
        /// How often, and for how long.
        pace: Pace,
        /// Judges every answer. Where it still wants another one after the last,
        /// the step fails with what it said.
        judge: Judge<'a, T>,
    },
    /// Do something in this process.
    Work {
        /// What, as a plan shows it: `read coverage.xml`.
        what: String,
        /// What it may change.
        effect: Effect,
        /// Does it.
        work: Box<dyn FnOnce() -> Result<T> + Send + 'a>,
    },
}

impl<'a, T> Action<'a, T> {
    /// Run this command; `read` turns an accepted exit into the typed answer.
    pub fn command(line: CommandLine, read: impl FnOnce(&Answer) -> Result<T> + Send + 'a) -> Self {
        Self::Command { line: Box::new(line), read: Box::new(read) }
    }

    /// Run this command until `judge` has what it waits for.
    pub fn poll(
        line: CommandLine,
        pace: Pace,
        judge: impl FnMut(&Try<'_>) -> Result<Verdict<T>> + Send + 'a,
    ) -> Self {
        Self::Poll { line: Box::new(line), pace, judge: Box::new(judge) }
    }

    /// Do this in the process, changing nothing.
    pub fn read(what: impl Into<String>, work: impl FnOnce() -> Result<T> + Send + 'a) -> Self {
        Self::Work { what: what.into(), effect: Effect::Read, work: Box::new(work) }
    }

    /// Do this in the process, changing files of this machine.
    pub fn work(what: impl Into<String>, work: impl FnOnce() -> Result<T> + Send + 'a) -> Self {
        Self::Work { what: what.into(), effect: Effect::Local, work: Box::new(work) }
    }

    /// What it may change.
    pub fn effect(&self) -> Effect {
        match self {
            Self::Command { line, .. } | Self::Poll { line, .. } => line.effect_kind(),
            Self::Work { effect, .. } => *effect,
        }
    }

    /// The command line, if it is one.
    pub fn command_line(&self) -> Option<&CommandLine> {
        match self {
            Self::Command { line, .. } | Self::Poll { line, .. } => Some(line),
            Self::Work { .. } => None,
        }
    }
}

/// How a command ended, and what it said. Secrets are masked already.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    exit: i32,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    truncated: bool,
    duration: Duration,
}

impl Answer {
    /// An answer, for a fake runner or a cache.
    pub fn new(exit: i32, stdout: impl Into<Vec<u8>>, stderr: impl Into<Vec<u8>>) -> Self {
        Self { exit, stdout: stdout.into(), stderr: stderr.into(), ..Self::default() }
    }

    /// Says how long it took.
    #[must_use]
    pub fn lasted(mut self, duration: Duration) -> Self {
        self.duration = duration;
        self
    }

    /// Says that more was said than was kept.
    #[must_use]
    pub fn truncated(mut self, truncated: bool) -> Self {
        self.truncated = truncated;
        self
    }

    /// The exit code, one of those that the command line accepts.
    pub fn exit(&self) -> i32 {
        self.exit
    }
    /// Standard output; bytes that are no UTF-8 are replaced.
    pub fn stdout(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.stdout)
    }
    /// Standard error; bytes that are no UTF-8 are replaced.
    pub fn stderr(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.stderr)
    }
    /// Standard output as it came.
    pub fn stdout_bytes(&self) -> &[u8] {
        &self.stdout
    }
    /// How long the command ran.
    pub fn duration(&self) -> Duration {
        self.duration
    }
    /// Whether the beginning of a stream was dropped; see
    /// [`CommandLine::capture_bytes`].
    pub fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// The last lines of standard error, or of standard output where that is empty.
    pub fn last_lines(&self, count: usize) -> Vec<String> {
        let stderr = self.stderr();
        let text = if stderr.trim().is_empty() { self.stdout() } else { stderr };
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        lines[lines.len().saturating_sub(count)..].iter().map(|&line| line.to_owned()).collect()
    }

    /// The error for an answer that is not what the reader hoped for.
    pub fn unreadable(&self, expected: &str) -> crate::Error {
        crate::Error::step(format!("expected {expected}, the command said something else"))
            .tail(self.last_lines(10))
    }
}

impl<'a> Try<'a> {
    /// One try, for a fake runner.
    pub fn new(answer: &'a Answer, is_last: bool) -> Self {
        Self { answer, is_last }
    }
}

/// What a step's answer depends on, and what it writes.
///
/// ```
/// use talia_pipeline::Touches;
///
/// let touches = Touches::new("/srv/app").reads(["**/*.py", "pyproject.toml"]).tools(["ruff"]);
/// assert_eq!(touches.input_globs().len(), 2);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touches {
    root: Utf8PathBuf,
    reads: Vec<String>,
    environment: Vec<String>,
    tools: Vec<String>,
    writes: Vec<Utf8PathBuf>,
}

impl Touches {
    /// Nothing yet, below this folder.
    pub fn new(root: impl Into<Utf8PathBuf>) -> Self {
        Self {
            root: root.into(),
            reads: Vec::new(),
            environment: Vec::new(),
            tools: Vec::new(),
            writes: Vec::new(),
        }
    }

    /// Adds files that it reads, as globs below the root; `!` excludes.
    #[must_use]
    pub fn reads<I: IntoIterator<Item = impl Into<String>>>(mut self, globs: I) -> Self {
        self.reads.extend(globs.into_iter().map(Into::into));
        self
    }

    /// Adds variables of the caller's environment that change its answer.
    #[must_use]
    pub fn environment<I: IntoIterator<Item = impl Into<String>>>(mut self, names: I) -> Self {
        self.environment.extend(names.into_iter().map(Into::into));
        self
    }

    /// Adds programs whose version changes its answer.
    #[must_use]
    pub fn tools<I: IntoIterator<Item = impl Into<String>>>(mut self, names: I) -> Self {
        self.tools.extend(names.into_iter().map(Into::into));
        self
    }

    /// Adds a file or folder that it writes.
    #[must_use]
    pub fn writes(mut self, path: impl Into<Utf8PathBuf>) -> Self {
        self.writes.push(path.into());
        self
    }

    /// The folder that the globs are below.
    pub fn root(&self) -> &camino::Utf8Path {
        &self.root
    }
    /// The globs of the files that it reads.
    pub fn input_globs(&self) -> &[String] {
        &self.reads
    }
    /// The variables that change its answer.
    pub fn variables(&self) -> &[String] {
        &self.environment
    }
    /// The programs whose version changes its answer.
    pub fn tool_names(&self) -> &[String] {
        &self.tools
    }
    /// What it writes.
    pub fn outputs(&self) -> &[Utf8PathBuf] {
        &self.writes
    }
}

/// What people read of a step that has passed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// One line: `93.1 % lines`.
    pub line: String,
    /// More, such as a table; shown after the run.
    pub details: Option<String>,
    /// Findings that did not fail it.
    pub diagnostics: Vec<Diagnostic>,
}

impl Summary {
    /// One line alone.
    pub fn line(line: impl Into<String>) -> Self {
        Self { line: line.into(), ..Self::default() }
    }

    /// Adds more text.
    #[must_use]
    pub fn details(mut self, details: impl Into<String>) -> Self {
        self.details = Some(details.into());
        self
    }

    /// Adds findings that did not fail the step.
    #[must_use]
    pub fn diagnostics(mut self, diagnostics: Vec<Diagnostic>) -> Self {
        self.diagnostics = diagnostics;
        self
    }
}
