//! Masking one output stream, however it is cut into writes.

use std::{fmt, ops::Range, sync::Arc};

use super::{
    automaton::{Automaton, State},
    masker::{Patterns, REPLACEMENT},
    reading::Reading,
};

/// A chunk is worked through in blocks of this size, so that memory stays
/// bounded when a child writes 200 MB at once.
const BLOCK: usize = 32 * 1024;

/// The masker of one stream: one of a child's stdout and stderr.
///
/// What `push` and `finish` append to `out` is the same, however the stream is
/// cut. Held back is only a tail that may be the beginning of a secret, which
/// is at most as long as the longest spelling of the longest secret.
///
/// ```
/// use talia_pipeline::secret::{Masker, SecretValue};
///
/// let masker = Masker::new([&SecretValue::new("correct horse")]);
/// let mut stream = masker.stream();
/// let mut out = Vec::new();
/// stream.push(b"login: corr", &mut out);
/// assert_eq!(out, b"login: ");
/// stream.push(b"ect horse\n", &mut out);
/// stream.finish(&mut out);
/// assert_eq!(out, b"login: ***\n");
/// ```
#[must_use = "a stream that is not finished may hold bytes back"]
pub struct MaskStream(Option<Inner>);

struct Inner {
    scanner: Scanner,
    /// The bytes that are scanned and not written yet.
    held: Vec<u8>,
    writer: Writer,
}

impl Inner {
    fn write(&mut self, upto: u64, out: &mut Vec<u8>) {
        let written = self.writer.write(&self.held, upto, &mut self.scanner.found, out);
        self.held.drain(..written);
    }
}

impl MaskStream {
    pub(super) fn new(patterns: Option<Arc<Patterns>>) -> Self {
        Self(patterns.map(|patterns| Inner {
            scanner: Scanner::new(patterns),
            held: Vec::new(),
            writer: Writer::default(),
        }))
    }

    /// Takes what the child has written, and appends to `out` what may be shown.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let Some(inner) = &mut self.0 else { return out.extend_from_slice(bytes) };
        for block in bytes.chunks(BLOCK) {
            inner.scanner.scan(block);
            inner.held.extend_from_slice(block);
            let upto = inner.scanner.settled();
            inner.write(upto, out);
        }
    }

    /// The child has closed the stream: appends what was held back. The stream
    /// can be used again from its beginning.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let Some(inner) = &mut self.0 else { return };
        inner.scanner.finish();
        let upto = inner.scanner.position;
        inner.write(upto, out);
        *self = Self::new(Some(Arc::clone(&inner.scanner.patterns)));
    }
}

/// Shows nothing: the bytes held back may be half a secret.
impl fmt::Debug for MaskStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MaskStream")
    }
}

/// Finds the secrets in a stream by position, in every reading of it.
pub(super) struct Scanner {
    patterns: Arc<Patterns>,
    state: State,
    position: u64,
    readings: Vec<Reading>,
    any_active: bool,
    pub(super) found: Ranges,
}

impl Scanner {
    pub(super) fn new(patterns: Arc<Patterns>) -> Self {
        let automaton = &patterns.automaton;
        Self {
            state: automaton.start(),
            position: 0,
            readings: patterns
                .escapes
                .iter()
                .map(|&escapes| Reading::new(escapes, automaton))
                .collect(),
            any_active: false,
            found: Ranges::default(),
            patterns,
        }
    }

    pub(super) fn scan(&mut self, bytes: &[u8]) {
        let Self { patterns, readings, found, .. } = self;
        let Patterns { automaton, begins_escape, openings, .. } = &**patterns;
        // Locals, so that the loop over every byte keeps them in registers.
        let (mut state, mut position, mut any_active) =
            (self.state, self.position, self.any_active);
        let mut index = 0;
        while let Some(&byte) = bytes.get(index) {
            if state == automaton.start() && !any_active {
                let skipped = openings.skip(&bytes[index..]);
                if skipped > 0 {
                    index += skipped;
                    position += skipped as u64;
                    continue;
                }
            }
            index += 1;
            let before = state;
            state = automaton.next(state, byte);
            let length = automaton.match_length(state);
            if length > 0 {
                found.cover(position + 1 - length as u64, position + 1);
            }
            if any_active || begins_escape[usize::from(byte)] {
                any_active = false;
                for reading in readings.iter_mut() {
                    if reading.takes(byte) {
                        reading.feed(byte, position, before, automaton, found);
                        any_active |= reading.is_active();
                    }
                }
            }
            position += 1;
        }
        (self.state, self.position, self.any_active) = (state, position, any_active);
    }

    pub(super) fn finish(&mut self) {
        for reading in &mut self.readings {
            reading.finish(&self.patterns.automaton, &mut self.found);
        }
    }

    /// Up to where no byte can become part of a match any more.
    fn settled(&self) -> u64 {
        let automaton: &Automaton = &self.patterns.automaton;
        let plain = self.position - automaton.depth(self.state) as u64;
        let readings = self.readings.iter().filter_map(|reading| reading.needed_from(automaton));
        readings.fold(plain, u64::min)
    }
}

/// What is secret in the stream: ranges in rising order that do not touch.
#[derive(Default)]
pub(super) struct Ranges(Vec<Range<u64>>);

impl Ranges {
    /// Adds one. Ranges that overlap or touch become one, so that the result
    /// does not depend on which secret was found first.
    pub(super) fn cover(&mut self, start: u64, end: u64) {
        let mut range = start..end;
        while let Some(last) = self.0.pop_if(|last| last.end >= range.start) {
            range = last.start.min(range.start)..last.end.max(range.end);
        }
        self.0.push(range);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Writes a stream with its secrets replaced.
#[derive(Default)]
pub(super) struct Writer {
    position: u64,
    /// Whether the last byte was secret: the next secret byte then belongs to
    /// the replacement that is written already.
    masking: bool,
}

impl Writer {
    /// Writes what lies before `upto` of `held`, which begins where the last
    /// call ended. Gives the number of bytes that are done with.
    pub(super) fn write(
        &mut self,
        held: &[u8],
        upto: u64,
        found: &mut Ranges,
        out: &mut Vec<u8>,
    ) -> usize {
        let first = self.position;
        let slice = |from: u64, to: u64| &held[(from - first) as usize..(to - first) as usize];
        let mut done = 0;
        for range in &mut found.0 {
            if range.start >= upto {
                break;
            }
            if range.start > self.position {
                out.extend_from_slice(slice(self.position, range.start));
                self.masking = false;
            }
            if !self.masking {
                out.extend_from_slice(REPLACEMENT);
                self.masking = true;
            }
            self.position = range.end.min(upto);
            if range.end > upto {
                range.start = upto;
                break;
            }
            done += 1;
        }
        if self.position < upto {
            out.extend_from_slice(slice(self.position, upto));
            self.masking = false;
            self.position = upto;
        }
        found.0.drain(..done);
        (upto - first) as usize
    }
}
