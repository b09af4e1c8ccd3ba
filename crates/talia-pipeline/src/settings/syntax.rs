//! Whether a text is TOML at all.

use std::ops::Range;

use toml::de::DeTable;

use super::{findings::Mistake, source::clipped};

/// Reads the document; the first mistake in its syntax alone.
pub(super) fn parse(text: &str) -> Result<DeTable<'_>, Mistake> {
    let cause = match DeTable::parse(text) {
        Ok(document) => return Ok(document.into_inner()),
        Err(cause) => cause,
    };
    // A key of too many parts is the one mistake that comes without its place.
    let span = cause.span().unwrap_or_else(|| longest_key(text));
    let written = text.get(span.clone()).unwrap_or_default();
    let (message, hint) = in_our_words(cause.message(), written);
    Err(Mistake::new(span, format!("not valid TOML: {message}")).hint(hint))
}

/// The parser's message, with a hint for the slips that are made most.
fn in_our_words(message: &str, written: &str) -> (String, Option<String>) {
    if message.contains("recursion") || message.contains("recurse") {
        ("too many levels inside each other".to_owned(), None)
    } else if message.starts_with("duplicate key") {
        (message.to_owned(), Some("keep one of the two".to_owned()))
    } else if message.starts_with("string values must be quoted") {
        // The parser says so of everything that is no value.
        no_value(written)
    } else {
        (message.trim_end_matches(", expected nothing").to_owned(), None)
    }
}

fn no_value(written: &str) -> (String, Option<String>) {
    if written.is_empty() {
        return ("a value is missing".to_owned(), None);
    }
    let message = format!("`{}` is no value", clipped(written));
    let hint = if written.starts_with(|c: char| c.is_ascii_digit()) {
        "write a number alone, anything else in quotes".to_owned()
    } else {
        // Some editors turn quotes into those of printed text.
        let bare = written.trim_matches(['“', '”', '„', '‘', '’', '"']);
        format!("put it in quotes: `\"{}\"`", clipped(bare))
    };
    (message, Some(hint))
}

/// The line with the most dots.
fn longest_key(text: &str) -> Range<usize> {
    let mut longest = (0, 0..0);
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let dots = line.matches('.').count();
        if dots > longest.0 {
            longest = (dots, start..start + line.trim_end().len());
        }
        start += line.len();
    }
    longest.1
}

/// A document without a key.
pub(super) fn empty() -> DeTable<'static> {
    DeTable::new()
}
