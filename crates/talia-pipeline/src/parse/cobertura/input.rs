//! The bytes of a report as UTF-8, with the place of everything in them.
//!
//! Knows three things that an XML reader alone does not: which encoding the
//! file is in, on which line and column an event began, and when a single piece
//! of markup grows so long that it must be an attack.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use quick_xml::{encoding::DecodingReader, events::BytesDecl};

use super::{attributes::Attributes, foreign};

/// The longest tag, comment, text or `DOCTYPE`, in bytes. The only thing that
/// is kept in memory whole.
pub(super) const LONGEST_PIECE: u64 = 8 * 1024 * 1024;

const CHUNK: usize = 64 * 1024;
/// How far into the file its encoding must be declared.
const HEAD: usize = 1024;

/// A place in the text after decoding: what an editor shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Bytes of UTF-8 before it.
    offset: u64,
    /// Counted from 1. `\n`, `\r\n` and a lone `\r` each end a line.
    pub(super) line: u64,
    /// Characters since the start of the line, counted from 1.
    pub(super) column: u64,
    after_return: bool,
}

impl Place {
    const START: Self = Self { offset: 0, line: 1, column: 1, after_return: false };

    /// The place behind `bytes`.
    pub(super) fn behind(mut self, bytes: &[u8]) -> Self {
        self.scan(bytes);
        self
    }

    /// Moves over `bytes` and stops before a character that XML forbids.
    ///
    /// Eight bytes at a time: this sees every byte of a report.
    fn scan(&mut self, bytes: &[u8]) -> Option<usize> {
        const ONES: u64 = 0x0101_0101_0101_0101;
        const HIGH: u64 = 0x80 * ONES;
        // Where the bytes of the current line begin. The column is counted
        // when the line ends inside of `bytes`, or at their end.
        let mut line_start = 0;
        let mut forbidden = None;
        let mut at = 0;
        'all: while at < bytes.len() {
            let step;
            let mut controls = match bytes.get(at..at + 8) {
                Some(word) => {
                    step = 8;
                    let word = u64::from_le_bytes(word.try_into().unwrap_or_default());
                    // The high bit of each byte that is at least 0x20, exactly:
                    // seven bits plus 0x60 never carry into the next byte.
                    let printable = ((word & !HIGH) + 0x60 * ONES) | word;
                    !printable & HIGH
                }
                None => {
                    step = 1;
                    if bytes[at] < 0x20 { 0x80 } else { 0 }
                }
            };
            while controls != 0 {
                let index = at + (controls.trailing_zeros() / 8) as usize;
                controls &= controls - 1;
                match bytes[index] {
                    b'\n' => {
                        let joined = match index {
                            0 => self.after_return,
                            _ => bytes[index - 1] == b'\r',
                        };
                        if !joined {
                            self.line += 1;
                        }
                    }
                    b'\r' => self.line += 1,
                    b'\t' => continue,
                    _ => {
                        forbidden = Some(index);
                        break 'all;
                    }
                }
                line_start = index + 1;
                self.column = 1;
            }
            at += step;
        }
        let seen = &bytes[..forbidden.unwrap_or(bytes.len())];
        self.column += characters(&seen[line_start..]);
        self.offset += seen.len() as u64;
        if let Some(last) = seen.last() {
            self.after_return = *last == b'\r';
        }
        forbidden
    }
}

/// How many characters begin in `bytes`: all bytes but those that continue one.
fn characters(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let continuing: u32 = words
        .iter()
        .map(|word| u64::from_le_bytes(*word))
        .map(|word| (word & !(word << 1) & 0x8080_8080_8080_8080).count_ones())
        .sum();
    let continuing_rest = rest.iter().filter(|byte| **byte & 0xc0 == 0x80).count();
    (bytes.len() - continuing_rest) as u64 - u64::from(continuing)
}

/// Why no more bytes come.
#[derive(Debug)]
pub(super) enum Failure {
    /// A character that no XML file may hold.
    Forbidden(u8, Place),
    /// A piece of markup is longer than [`LONGEST_PIECE`]. It began here.
    TooLong(Place),
    /// The bytes are not in the encoding that the file claims. They were up to
    /// here.
    Encoding(&'static str, Place),
    /// The file could not be read.
    Read(io::Error),
}

/// A reader for quick-xml. Two chunks are kept, so that the start of the event
/// at hand is nearly always in one of them; the rare longer event has its start
/// worked out before it goes.
pub(super) struct Input<'a> {
    source: Box<dyn Read + 'a>,
    encoding: &'static str,
    before: Chunk,
    now: Chunk,
    at: usize,
    mark: u64,
    mark_place: Option<Place>,
    forbidden: Option<(u8, Place)>,
    failure: Option<Failure>,
}

struct Chunk {
    bytes: Box<[u8]>,
    length: usize,
    start: Place,
    end: Place,
}

impl Chunk {
    fn new() -> Self {
        let bytes = vec![0; CHUNK].into_boxed_slice();
        Self { bytes, length: 0, start: Place::START, end: Place::START }
    }

    fn place(&self, offset: u64) -> Place {
        let inside = usize::try_from(offset - self.start.offset).unwrap_or(self.length);
        self.start.behind(&self.bytes[..inside.min(self.length)])
    }
}

/// Why a file cannot even be begun.
#[derive(Debug)]
pub(super) enum Unreadable {
    Empty,
    UnknownEncoding(String),
    Utf32,
    /// It is something else that has a name.
    Foreign(&'static str),
    Read(io::Error),
}

impl<'a> Input<'a> {
    pub(super) fn open(mut source: impl Read + 'a) -> Result<Self, Unreadable> {
        let mut head = Vec::with_capacity(HEAD);
        source.by_ref().take(HEAD as u64).read_to_end(&mut head).map_err(Unreadable::Read)?;
        if head.is_empty() {
            return Err(Unreadable::Empty);
        }
        if let Some(known) = foreign::by_start(&String::from_utf8_lossy(&head)) {
            return Err(Unreadable::Foreign(known));
        }
        let (label, mark_length) = encoding_of(&head)?;
        let head = Cursor::new(head.split_off(mark_length));
        let source = head.chain(source);
        let (source, encoding): (Box<dyn Read + 'a>, _) = match label {
            None => (Box::new(source), "UTF-8"),
            Some(label) => {
                let encoding = BytesDecl::new("1.0", Some(&label), None)
                    .encoder()
                    .ok_or(Unreadable::UnknownEncoding(label))?;
                let mut source = DecodingReader::new(BufReader::with_capacity(CHUNK, source));
                source.set_encoding(encoding);
                (Box::new(source), encoding.name())
            }
        };
        Ok(Self {
            source,
            encoding,
            before: Chunk::new(),
            now: Chunk::new(),
            at: 0,
            mark: 0,
            mark_place: None,
            forbidden: None,
            failure: None,
        })
    }

    /// Says that the next event begins here.
    #[inline]
    pub(super) fn mark(&mut self) {
        self.mark = self.now.start.offset + self.at as u64;
        self.mark_place = None;
    }

    /// What can be read without asking the source.
    #[inline]
    pub(super) fn ahead(&self) -> &[u8] {
        &self.now.bytes[self.at..self.now.length]
    }

    /// Where the event at hand began.
    pub(super) fn marked(&self) -> Place {
        match self.mark_place {
            Some(place) => place,
            None if self.mark >= self.now.start.offset => self.now.place(self.mark),
            None => self.before.place(self.mark),
        }
    }

    /// Where reading has come to.
    pub(super) fn here(&self) -> Place {
        self.now.place(self.now.start.offset + self.at as u64)
    }

    /// Why reading ended early, once.
    pub(super) fn take_failure(&mut self) -> Option<Failure> {
        self.failure.take()
    }

    fn refill(&mut self) -> Result<(), Failure> {
        if let Some((byte, place)) = self.forbidden {
            return Err(Failure::Forbidden(byte, place));
        }
        if self.now.end.offset - self.mark > LONGEST_PIECE {
            return Err(Failure::TooLong(self.marked()));
        }
        if self.mark_place.is_none() && self.mark < self.now.start.offset {
            self.mark_place = Some(self.before.place(self.mark));
        }
        std::mem::swap(&mut self.before, &mut self.now);
        let now = &mut self.now;
        self.at = 0;
        now.start = self.before.end;
        now.end = now.start;
        now.length = 0;
        now.length = loop {
            match self.source.read(&mut now.bytes) {
                Ok(length) => break length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    return Err(Failure::Encoding(self.encoding, now.start));
                }
                Err(error) => return Err(Failure::Read(error)),
            }
        };
        // What stands before a forbidden character is still handed out, so that
        // the first flaw of a file is the one that is reported.
        if let Some(index) = now.end.scan(&now.bytes[..now.length]) {
            self.forbidden = Some((now.bytes[index], now.end));
            now.length = index;
            if index == 0 {
                return Err(Failure::Forbidden(now.bytes[0], now.end));
            }
        }
        Ok(())
    }
}

impl BufRead for Input<'_> {
    #[inline]
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at >= self.now.length
            && let Err(failure) = self.refill()
        {
            self.failure = Some(failure);
            return Err(io::Error::other("see `take_failure`"));
        }
        Ok(&self.now.bytes[self.at..self.now.length])
    }

    #[inline]
    fn consume(&mut self, length: usize) {
        self.at += length;
    }
}

impl Read for Input<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut available = self.fill_buf()?;
        let length = available.read(into)?;
        self.consume(length);
        Ok(length)
    }
}

/// The label of the encoding, `None` for UTF-8, and the length of the byte order
/// mark. A byte order mark is stronger than a declaration: a shell that redirects
/// a report re-encodes it and leaves the declaration as it was.
fn encoding_of(head: &[u8]) -> Result<(Option<String>, usize), Unreadable> {
    let utf_16 = |label: &str, length| Ok((Some(label.to_owned()), length));
    match head {
        [0xff, 0xfe, 0, 0, ..]
        | [0, 0, 0xfe, 0xff, ..]
        | [b'<', 0, 0, 0, ..]
        | [0, 0, 0, b'<', ..] => Err(Unreadable::Utf32),
        [0xef, 0xbb, 0xbf, ..] => Ok((None, 3)),
        [0xff, 0xfe, ..] => utf_16("utf-16le", 2),
        [0xfe, 0xff, ..] => utf_16("utf-16be", 2),
        [b'<', 0, ..] => utf_16("utf-16le", 0),
        [0, b'<', ..] => utf_16("utf-16be", 0),
        _ => Ok((declared_encoding(head), 0)),
    }
}

/// What `<?xml … encoding="…"?>` says, unless it is UTF-8, or UTF-16: a
/// declaration that could be read byte by byte is not in UTF-16.
fn declared_encoding(head: &[u8]) -> Option<String> {
    let ascii = head.iter().take_while(|byte| byte.is_ascii()).count();
    let head = std::str::from_utf8(&head[..ascii]).ok()?.trim_ascii_start();
    let (declaration, _) = head.strip_prefix("<?xml")?.split_once("?>")?;
    let label = Attributes::new(declaration)
        .map_while(Result::ok)
        .find(|attribute| attribute.name == "encoding")?
        .raw
        .trim();
    let plain = ["utf-8", "utf8", "us-ascii", "ascii", ""];
    let skip = plain.iter().any(|known| label.eq_ignore_ascii_case(known))
        || label.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("utf-16"));
    (!skip).then(|| label.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts the slow and obvious way.
    fn place_of(text: &str) -> (u64, u64) {
        let (mut line, mut column, mut before) = (1, 1, ' ');
        for character in text.chars() {
            match character {
                '\n' if before == '\r' => {}
                '\n' | '\r' => (line, column) = (line + 1, 1),
                _ => column += 1,
            }
            before = character;
        }
        (line, column)
    }

    #[test]
    fn places_are_counted_alike_in_one_piece_and_in_many() {
        let text =
            "a\r\nb\rc\n\n\r\r\nüöä\t\u{1f600}x\n0123456789abcdef\nlast line, longer than a word";
        for end in (0..=text.len()).filter(|end| text.is_char_boundary(*end)) {
            let whole = Place::START.behind(&text.as_bytes()[..end]);
            assert_eq!((whole.line, whole.column), place_of(&text[..end]), "{end}");
            for split in 0..=end {
                let (first, second) = text.as_bytes()[..end].split_at(split);
                assert_eq!(Place::START.behind(first).behind(second), whole, "{split} of {end}");
            }
        }
    }

    #[test]
    fn forbidden_characters_are_found_at_every_offset() {
        for before in 0..20 {
            let text = format!("{}\u{1}ab", "é".repeat(before));
            let mut place = Place::START;
            assert_eq!(place.scan(text.as_bytes()), Some(before * 2));
            assert_eq!(place.column, before as u64 + 1);
        }
        let mut place = Place::START;
        assert_eq!(place.scan("\u{7f}\u{80}\t\r\n é".as_bytes()), None);
    }

    #[test]
    fn the_start_of_an_event_is_known_across_chunks() {
        for length in [0, 10, CHUNK - 30, CHUNK, CHUNK * 2, CHUNK * 5 + 7] {
            let text = format!("\n\n  <a>{}</a>", "é\n".repeat(length / 3));
            let mut input = Input::open(text.as_bytes()).unwrap();
            let mut first = [0; 4];
            input.read_exact(&mut first).unwrap();
            input.mark();
            io::copy(&mut input, &mut io::sink()).unwrap();
            assert_eq!((input.marked().line, input.marked().column), (3, 3));
            assert_eq!((input.here().line, input.here().column), place_of(&text));
        }
    }

    #[test]
    fn an_encoding_is_found_by_mark_by_shape_and_by_declaration() {
        let label = |head: &[u8]| encoding_of(head).map(|(label, _)| label.unwrap_or_default());
        assert_eq!(label(b"\xef\xbb\xbf<?xml encoding='latin1'?>").unwrap(), "");
        assert_eq!(label(b"\xff\xfe<\0").unwrap(), "utf-16le");
        assert_eq!(label(b"\xfe\xff\0<").unwrap(), "utf-16be");
        assert_eq!(label(b"<\0?\0").unwrap(), "utf-16le");
        assert_eq!(label(b"\0<\0?").unwrap(), "utf-16be");
        assert_eq!(label(b"<?xml version='1.0' encoding='ISO-8859-1'?>").unwrap(), "ISO-8859-1");
        assert_eq!(label(b"<?xml version='1.0' encoding='UTF-16'?>").unwrap(), "");
        assert_eq!(label(b"<?xml version='1.0'?><a encoding='x'/>").unwrap(), "");
        assert!(label(b"\xff\xfe\0\0").is_err());
    }
}
