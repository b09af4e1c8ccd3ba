//! The masker: built once from all values, shared by every stream.

use std::{borrow::Cow, collections::BTreeSet, fmt, sync::Arc};

use super::{
    MINIMUM_LENGTH, MaskStream, SecretValue,
    automaton::Automaton,
    forms,
    reading::Escapes,
    stream::{Scanner, Writer},
};

/// What stands in the place of a secret, and of secrets that touch.
pub(super) const REPLACEMENT: &[u8] = b"***";

/// Replaces secrets by `***`, in every spelling that is worth expecting:
///
/// - as it is, and each of its lines of at least 8 bytes;
/// - with backslash escapes as JSON, Python, JavaScript, Go, Rust and shells
///   write them, in any mixture (`\u00e4`, `\u00E4`, `\/`, `\ud83d\ude00`);
/// - percent-encoded in any mixture, with `+` or `%20` for a space;
/// - in base64 of both alphabets, also within a longer text;
/// - with quotes as a shell or SQL doubles them, with XML's entities;
/// - the password of a URL, as it is written there and decoded.
///
/// Base64 that is broken into lines, hexadecimal digits and an encoding of an
/// encoding are not found. Neither is a value that has escape sequences of a
/// terminal between its characters: mask *after* those are removed as well.
///
/// Cloning shares the patterns. Without a value to mask it costs nothing.
///
/// ```
/// use talia_pipeline::secret::{Masker, SecretValue};
///
/// let url = SecretValue::new("postgresql://talia:s%C3%A9cret-word@db/talia");
/// let masker = Masker::new([&url]);
/// assert_eq!(masker.mask("connecting to postgresql://talia:s%C3%A9cret-word@db/talia"), "connecting to ***");
/// assert_eq!(masker.mask(r#"{"password": "s\u00e9cret-word"}"#), r#"{"password": "***"}"#);
/// ```
#[derive(Clone, Default)]
pub struct Masker(Option<Arc<Patterns>>);

/// What all streams share.
pub(super) struct Patterns {
    pub(super) automaton: Automaton,
    /// The readings that can find anything.
    pub(super) escapes: Vec<Escapes>,
    /// By byte: whether an escape begins with it in any of the readings.
    pub(super) begins_escape: [bool; 256],
    pub(super) openings: Openings,
}

/// Which two bytes may open a match: most of ordinary output is skipped by
/// them, several times as fast as the automaton reads.
pub(super) struct Openings(Box<[u64; 1024]>);

impl Openings {
    fn new(patterns: &BTreeSet<Vec<u8>>, begins_escape: &[bool; 256]) -> Self {
        let mut bits = Box::new([0; 1024]);
        let mut set = |first: u8, second: u8| {
            bits[usize::from(first) << 2 | usize::from(second) >> 6] |= 1 << (second & 63);
        };
        for byte in (0..=u8::MAX).filter(|&byte| begins_escape[usize::from(byte)]) {
            (0..=u8::MAX).for_each(|second| set(byte, second));
            // What is written as an escape may be the second byte of a pattern.
            patterns.iter().for_each(|pattern| set(pattern[0], byte));
        }
        patterns.iter().for_each(|pattern| set(pattern[0], pattern[1]));
        Self(bits)
    }

    /// How many bytes at the front open nothing. The last byte is never among
    /// them, since what comes after it is not known.
    pub(super) fn skip(&self, bytes: &[u8]) -> usize {
        let mut index = 0;
        while index + 1 < bytes.len() {
            let (first, second) = (bytes[index], bytes[index + 1]);
            if self.0[usize::from(first) << 2 | usize::from(second) >> 6] >> (second & 63) & 1 == 1
            {
                break;
            }
            index += 1;
        }
        index
    }
}

impl Masker {
    /// A masker for these values. Values shorter than [`MINIMUM_LENGTH`] bytes
    /// are not masked; [`Secret::resolve`](super::Secret::resolve) refuses them.
    pub fn new<'a>(values: impl IntoIterator<Item = &'a SecretValue>) -> Self {
        let values = values.into_iter().filter(|value| value.expose().len() >= MINIMUM_LENGTH);
        let patterns = forms::patterns(values);
        let Some(automaton) = Automaton::new(patterns.iter().map(Vec::as_slice)) else {
            return Self(None);
        };
        let mut escapes = vec![Escapes::Backslash, Escapes::Percent];
        let any_has = |byte: &u8| patterns.iter().any(|pattern| pattern.contains(byte));
        if any_has(&b' ') {
            escapes.push(Escapes::Form);
        }
        // With these bytes begin U+0080 to U+00FF.
        if any_has(&0xc2) || any_has(&0xc3) {
            escapes.push(Escapes::BackslashText);
        }
        let mut begins_escape = [false; 256];
        for (byte, begins) in (0..=u8::MAX).zip(&mut begins_escape) {
            *begins = escapes.iter().any(|escapes| escapes.begin_with(byte));
        }
        let openings = Openings::new(&patterns, &begins_escape);
        Self(Some(Arc::new(Patterns { automaton, escapes, begins_escape, openings })))
    }

    /// Whether there is nothing to mask.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The text without the secrets.
    pub fn mask<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.mask_bytes(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            // A secret that is not UTF-8 may have cut a character in two.
            Cow::Owned(bytes) => Cow::Owned(
                String::from_utf8(bytes)
                    .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
            ),
        }
    }

    /// The bytes without the secrets, whether or not they are UTF-8.
    pub fn mask_bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let Some(patterns) = &self.0 else { return Cow::Borrowed(bytes) };
        let mut scanner = Scanner::new(Arc::clone(patterns));
        scanner.scan(bytes);
        scanner.finish();
        if scanner.found.is_empty() {
            return Cow::Borrowed(bytes);
        }
        let mut out = Vec::with_capacity(bytes.len());
        Writer::default().write(bytes, bytes.len() as u64, &mut scanner.found, &mut out);
        Cow::Owned(out)
    }

    /// A masker for one stream, which may be cut anywhere.
    pub fn stream(&self) -> MaskStream {
        MaskStream::new(self.0.clone())
    }
}

/// Shows nothing: every pattern is a secret.
impl fmt::Debug for Masker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Masker")
    }
}

#[cfg(test)]
#[path = "masker_tests.rs"]
mod tests;
