//! What is wrong with a file, gathered and told together.

use std::ops::Range;

use crate::{
    diagnostic::Diagnostic,
    error::{Error, Result},
};

use super::source::Source;

/// How many mistakes are told. Whoever has more begins with these.
const SHOWN: usize = 20;

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mistake {
    /// Where, in bytes.
    pub(super) span: Range<usize>,
    /// What is wrong, and what is expected: one line.
    pub(super) message: String,
    /// What to write.
    pub(super) hint: Option<String>,
}

impl Mistake {
    pub(super) fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), hint: None }
    }

    pub(super) fn hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }
}

/// The mistakes of one file.
#[derive(Debug, Default)]
pub(super) struct Findings {
    mistakes: Vec<Mistake>,
    /// How many more there are that were not looked at closely.
    more: usize,
}

impl Findings {
    pub(super) fn add(&mut self, mistake: Mistake) {
        self.mistakes.push(mistake);
    }

    /// Adds mistakes of one sort; what is beyond those told is only counted.
    pub(super) fn add_some<T>(&mut self, all: &[T], tell: impl Fn(&T) -> Mistake) {
        self.mistakes.extend(all.iter().take(SHOWN).map(tell));
        self.more += all.len().saturating_sub(SHOWN);
    }

    /// The value, if nothing is wrong.
    pub(super) fn into_result<T>(mut self, value: T, source: &Source<'_>) -> Result<T> {
        if self.mistakes.is_empty() {
            return Ok(value);
        }
        self.mistakes.sort_by_key(|mistake| (mistake.span.start, mistake.span.end));
        let more = self.more + self.mistakes.len().saturating_sub(SHOWN);
        self.mistakes.truncate(SHOWN);
        Err(error(&self.mistakes, more, source))
    }
}

/// The error for these mistakes, each with its line and a caret.
///
/// One alone keeps its hint apart, as every error has it. Several are blocks of one
/// message, so that it is complete wherever it is shown.
pub(super) fn error(mistakes: &[Mistake], more: usize, source: &Source<'_>) -> Error {
    let diagnostics: Vec<Diagnostic> = mistakes
        .iter()
        .map(|mistake| {
            let place = source.place(mistake.span.start);
            Diagnostic::error(&mistake.message)
                .file(source.path())
                .line(place.line)
                .column(place.column)
        })
        .collect();
    let mut blocks: Vec<String> = mistakes
        .iter()
        .zip(&diagnostics)
        .map(|(mistake, diagnostic)| format!("{diagnostic}\n{}", source.excerpt(&mistake.span)))
        .collect();
    let alone = mistakes.len() == 1 && more == 0;
    if !alone {
        for (block, mistake) in blocks.iter_mut().zip(mistakes) {
            block.extend(mistake.hint.iter().map(|hint| format!("\n  hint: {hint}")));
        }
    }
    if more > 0 {
        blocks.push(format!("and {more} more mistakes"));
    }
    let error = Error::usage(blocks.join("\n\n")).diagnostics(diagnostics);
    match mistakes {
        [Mistake { hint: Some(hint), .. }] if alone => error.hint(hint),
        _ => error,
    }
}
