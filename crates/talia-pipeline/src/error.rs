//! The one error type: opaque, with a kind, a place, a hint, and every failure
//! that happened side by side.

use std::{error, fmt};

use crate::{diagnostic::Diagnostic, exit_code::ExitCode};

/// The result of everything in this library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What sort of thing went wrong. Decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A step ran and failed.
    Step,
    /// The command line, the settings or an input file is wrong.
    Usage,
    /// Something needed is missing, so the work could not start.
    Preflight,
    /// A guard refused.
    Refused,
    /// Nobody knows whether it happened.
    Unknown,
    /// A signal, or a failed sibling under `--fail-fast`, ended it.
    Interrupted,
}

impl ErrorKind {
    /// The kind of an error that was told with this exit code, by another machine say.
    pub(crate) fn of_exit_code(code: u8) -> Self {
        match code {
            2 => Self::Usage,
            3 => Self::Preflight,
            4 => Self::Refused,
            5 => Self::Unknown,
            130 => Self::Interrupted,
            _ => Self::Step,
        }
    }
}

/// What went wrong, where, and what to do next.
///
/// `Display` is the message alone, in lower case; the cause is [`source`],
/// the next command is [`Error::hint_text`].
///
/// ```
/// use talia_pipeline::{Error, ErrorKind};
///
/// let error = Error::usage("no project below `apps`").hint("name one with `--root DIR`");
/// assert_eq!(error.kind(), ErrorKind::Usage);
/// assert_eq!(error.exit_code().code(), 2);
/// ```
///
/// [`source`]: std::error::Error::source
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    step: Option<String>,
    hint: Option<String>,
    diagnostics: Vec<Diagnostic>,
    tail: Vec<String>,
    source: Option<Box<dyn error::Error + Send + Sync>>,
    failures: Vec<Error>,
}

impl Error {
    /// An error of this kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            step: None,
            hint: None,
            diagnostics: Vec::new(),
            tail: Vec::new(),
            source: None,
            failures: Vec::new(),
        }))
    }

    /// A step failed.
    pub fn step(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Step, message)
    }

    /// The command line, the settings or an input is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, message)
    }

    /// Something needed is missing.
    pub fn preflight(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Preflight, message)
    }

    /// A guard refused.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Refused, message)
    }

    /// The work was cancelled.
    pub fn interrupted(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Interrupted, message)
    }

    /// All failures of branches that ran side by side. One alone stays itself.
    pub fn all(mut failures: Vec<Self>) -> Self {
        if failures.len() == 1 {
            return failures.remove(0);
        }
        let code = failures.iter().map(Self::exit_code).fold(ExitCode::Success, ExitCode::worst);
        let kind = failures
            .iter()
            .find(|failure| failure.exit_code() == code)
            .map_or(ErrorKind::Step, Self::kind);
        let flat: Vec<Self> = failures.into_iter().flat_map(Self::into_failures).collect();
        let mut error = Self::new(kind, format!("{} failures", flat.len()));
        error.0.failures = flat;
        error
    }

    /// Names the exact next command, or what to change.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Says every hint inside in other words.
    #[must_use]
    pub(crate) fn map_hints(mut self, say: &impl Fn(String) -> String) -> Self {
        self.0.hint = self.0.hint.map(say);
        let failures = std::mem::take(&mut self.0.failures);
        self.0.failures = failures.into_iter().map(|failure| failure.map_hints(say)).collect();
        self
    }

    /// Says every text inside in other words; the cause's are its own.
    #[must_use]
    pub(crate) fn map_texts(mut self, say: &impl Fn(String) -> String) -> Self {
        let inner = &mut *self.0;
        let texts = [&mut inner.message].into_iter().chain(&mut inner.hint).chain(&mut inner.tail);
        let findings = inner.diagnostics.iter_mut().map(|found| &mut found.message);
        for text in texts.chain(findings) {
            *text = say(std::mem::take(text));
        }
        let failures = std::mem::take(&mut inner.failures);
        inner.failures = failures.into_iter().map(|failure| failure.map_texts(say)).collect();
        self
    }

    /// Adds the findings that belong to it.
    #[must_use]
    pub fn diagnostics(mut self, diagnostics: Vec<Diagnostic>) -> Self {
        self.0.diagnostics = diagnostics;
        self
    }

    /// Adds the last lines that the failed command said.
    #[must_use]
    pub fn tail(mut self, tail: Vec<String>) -> Self {
        self.0.tail = tail;
        self
    }

    /// Keeps the cause.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Names the step that failed. The first name given stays.
    #[must_use]
    pub fn in_step(mut self, step: &str) -> Self {
        self.0.step.get_or_insert_with(|| step.to_owned());
        self
    }

    /// What sort of thing went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The exit code that this error alone gives.
    pub fn exit_code(&self) -> ExitCode {
        let own = match self.0.kind {
            ErrorKind::Step => ExitCode::StepFailed,
            ErrorKind::Usage => ExitCode::Usage,
            ErrorKind::Preflight => ExitCode::Preflight,
            ErrorKind::Refused => ExitCode::Refused,
            ErrorKind::Unknown => ExitCode::Unknown,
            ErrorKind::Interrupted => ExitCode::Interrupted,
        };
        self.0.failures.iter().map(Self::exit_code).fold(own, ExitCode::worst)
    }

    /// Every single failure inside: itself, or those of its branches.
    pub fn failures(&self) -> &[Self] {
        if self.0.failures.is_empty() { std::slice::from_ref(self) } else { &self.0.failures }
    }

    /// As [`Error::failures`], taking them out.
    pub fn into_failures(self) -> Vec<Self> {
        if self.0.failures.is_empty() { vec![self] } else { self.0.failures }
    }

    /// The step that failed.
    pub fn step_label(&self) -> Option<&str> {
        self.0.step.as_deref()
    }

    /// What to do next.
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The findings that belong to it.
    pub fn findings(&self) -> &[Diagnostic] {
        &self.0.diagnostics
    }

    /// The last lines that the failed command said.
    pub fn last_lines(&self) -> &[String] {
        &self.0.tail
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        for failure in &self.0.failures {
            write!(f, "; {failure}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)?;
        if let Some(source) = &self.0.source {
            write!(f, ": {source}")?;
        }
        Ok(())
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(own) => own,
            Err(other) => Self::step(format!("{other:#}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_keeps_every_failure_flat_and_the_worst_code() {
        let inner = Error::all(vec![Error::step("a"), Error::preflight("b")]);
        let outer = Error::all(vec![inner, Error::refused("c")]);
        assert_eq!(outer.failures().len(), 3);
        assert_eq!(outer.kind(), ErrorKind::Refused);
        assert_eq!(outer.exit_code(), ExitCode::Refused);
    }

    #[test]
    fn a_failed_step_counts_more_than_a_missing_program() {
        let error = Error::all(vec![Error::preflight("a"), Error::step("b")]);
        assert_eq!(error.exit_code(), ExitCode::StepFailed);
    }

    #[test]
    fn anyhow_gives_the_own_error_back() {
        let error: Error = anyhow::Error::from(Error::refused("no")).into();
        assert_eq!(error.kind(), ErrorKind::Refused);
    }
}
