//! The bytes of a report as UTF-8, with the place of everything in them.
//!
//! Knows three things that an XML reader alone does not: which encoding the
//! file is in, on which line and column an event began, and when a single piece
//! of markup grows so long that it must be an attack.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use quick_xml::{encoding::DecodingReader, events::BytesDecl};

use super::{encoding::encoding_of, foreign, place::Place};

/// The longest tag, comment, text or `DOCTYPE`, in bytes. The only thing that
/// is kept in memory whole.
pub(super) const LONGEST_PIECE: u64 = 8 * 1024 * 1024;

const CHUNK: usize = 64 * 1024;
/// How far into the file its encoding must be declared.
const HEAD: usize = 1024;

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

#[cfg(test)]
mod tests {
    use super::{super::place::tests::place_of, *};

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
}
