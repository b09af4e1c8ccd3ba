//! A reader that knows where it is, and what it will not read.

use std::io::{self, BufRead, Read};

/// No tag and no single text may be longer. The longest that pytest writes is
/// a test's captured output.
const LONGEST_PIECE: u64 = 64 << 20;

/// Counts lines, and refuses what would take too much memory or is no XML.
pub(super) struct Source<R> {
    inner: R,
    at: Position,
}

struct Position {
    line: u64,
    column: u64,
    /// The length of the tag or text so far.
    piece: u64,
    problem: Option<Problem>,
}

/// Why reading stopped, with the place.
pub(super) struct Problem {
    pub(super) line: u64,
    pub(super) column: u64,
    pub(super) what: String,
}

impl<R: BufRead> Source<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, at: Position { line: 1, column: 1, piece: 0, problem: None } }
    }

    /// Another tag or text begins here: gives the place.
    pub(super) fn begin_piece(&mut self) -> (u64, u64) {
        self.at.piece = 0;
        (self.at.line, self.at.column)
    }

    pub(super) fn take_problem(&mut self) -> Option<Problem> {
        self.at.problem.take()
    }
}

impl Position {
    fn stop(&mut self, what: String) {
        let (line, column) = (self.line, self.column);
        self.problem.get_or_insert(Problem { line, column, what });
    }

    fn pass(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            match byte {
                b'\n' => {
                    self.line += 1;
                    self.column = 1;
                }
                b'\t' | b'\r' => self.column += 1,
                0..b' ' => {
                    let hint =
                        if byte == 0 { " (is the file UTF-16? pytest writes UTF-8)" } else { "" };
                    self.stop(format!(
                        "the control character U+{byte:04X} is not allowed in XML{hint}"
                    ));
                }
                // The later bytes of a character do not move the column.
                0x80..0xc0 => {}
                _ => self.column += 1,
            }
        }
        self.piece += bytes.len() as u64;
        if self.piece > LONGEST_PIECE {
            self.stop(format!("a single tag or text is longer than {} MiB", LONGEST_PIECE >> 20));
        }
    }
}

impl<R: BufRead> Read for Source<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let length = available.len().min(out.len());
        out[..length].copy_from_slice(&available[..length]);
        self.consume(length);
        Ok(length)
    }
}

impl<R: BufRead> BufRead for Source<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at.problem.is_some() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.inner.fill_buf()
    }

    fn consume(&mut self, length: usize) {
        // Filled already, so this gives the same bytes again without reading.
        if let Ok(bytes) = self.inner.fill_buf() {
            self.at.pass(&bytes[..length]);
        }
        self.inner.consume(length);
    }
}
