//! A finding at a place in a file, whichever tool made it.

use std::fmt;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

/// How bad a [`Diagnostic`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Severity {
    /// The step fails because of it.
    Error,
    /// It is shown and changes nothing.
    Warning,
}

/// One finding of a tool: a lint, a failed test, a coverage gap.
///
/// ```
/// use talia_pipeline::Diagnostic;
///
/// let found = Diagnostic::error("unused import").file("app/main.py").line(3).column(8).rule("F401");
/// assert_eq!(found.to_string(), "app/main.py:3:8: F401 unused import");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, one line or more.
    pub message: String,
    /// The file, relative to the project's root where it lies inside.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub file: Option<Utf8PathBuf>,
    /// The line, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub line: Option<u32>,
    /// The column in characters, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub column: Option<u32>,
    /// The tool's name for the rule, such as `F401`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rule: Option<String>,
    /// Whether the tool can mend it by itself.
    #[serde(default)]
    pub fixable: bool,
}

impl Diagnostic {
    /// A finding that fails the step.
    pub fn error(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            message: message.into(),
            file: None,
            line: None,
            column: None,
            rule: None,
            fixable: false,
        }
    }

    /// A finding that is shown and changes nothing.
    pub fn warning(message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(message) }
    }

    /// Names the file.
    #[must_use]
    pub fn file(mut self, file: impl Into<Utf8PathBuf>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// Names the line, counted from 1.
    #[must_use]
    pub fn line(mut self, line: u32) -> Self {
        self.line = Some(line);
        self
    }

    /// Names the column, counted from 1.
    #[must_use]
    pub fn column(mut self, column: u32) -> Self {
        self.column = Some(column);
        self
    }

    /// Names the rule.
    #[must_use]
    pub fn rule(mut self, rule: impl Into<String>) -> Self {
        self.rule = Some(rule.into());
        self
    }

    /// Says whether the tool can mend it.
    #[must_use]
    pub fn fixable(mut self, fixable: bool) -> Self {
        self.fixable = fixable;
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}:")?;
            if let Some(line) = self.line {
                write!(f, "{line}:")?;
                if let Some(column) = self.column {
                    write!(f, "{column}:")?;
                }
            }
            f.write_str(" ")?;
        }
        if let Some(rule) = &self.rule {
            write!(f, "{rule} ")?;
        }
        f.write_str(&self.message)
    }
}
