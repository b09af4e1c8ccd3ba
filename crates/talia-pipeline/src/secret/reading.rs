//! Reading a stream with its escapes undone.
//!
//! JSON, Python, Rust and shells write a character after a backslash, URLs
//! write it after a percent sign, and each encoder picks other characters. A
//! reading undoes all of them at once, remembers from where in the stream each
//! decoded byte came, and so finds a value in any mixture of spellings.

use super::{
    automaton::{Automaton, State},
    stream::Ranges,
};

/// What introduces an escape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escapes {
    /// `\n \/ \" \u00e4 \ud83d\ude00 \u{e4} \xe4 \303 \U000000e4`, and a backslash
    /// before punctuation as shells write it.
    Backslash,
    /// The same, where `\xe4` is the character U+00E4 and not a byte: Python's
    /// `ascii`, and its stderr where that is not UTF-8.
    BackslashText,
    /// `%C3%A4`, where `+` is a plus.
    Percent,
    /// `%C3%A4`, where `+` is a space.
    Form,
}

impl Escapes {
    /// Whether an escape begins with this byte.
    #[inline(always)]
    pub(super) fn begin_with(self, byte: u8) -> bool {
        match self {
            Self::Backslash | Self::BackslashText => byte == b'\\',
            Self::Percent => byte == b'%',
            Self::Form => byte == b'%' || byte == b'+',
        }
    }

    /// What the collected bytes mean, the first of which begins an escape.
    fn decode(self, bytes: &[u8]) -> Decoded {
        match self {
            Self::Backslash => backslash(bytes, Decoded::byte),
            Self::BackslashText => backslash(bytes, Decoded::char),
            Self::Form if bytes == b"+" => Decoded::Byte(b' '),
            Self::Percent | Self::Form => match bytes {
                [_, digits @ ..] => hex(digits, 2, Decoded::byte),
                [] => Decoded::More,
            },
        }
    }
}

enum Decoded {
    /// The escape is not at its end yet.
    More,
    Byte(u8),
    Char(char),
    /// It is no escape: its first byte stands for itself.
    Nothing,
}

impl Decoded {
    fn byte(code: u32) -> Self {
        u8::try_from(code).map_or(Self::Nothing, Self::Byte)
    }

    fn char(code: u32) -> Self {
        char::from_u32(code).map_or(Self::Nothing, Self::Char)
    }
}

/// Reads exactly `count` hexadecimal digits. A plain loop, since this module
/// is built with little optimisation and stands in the way of every escape.
fn hex(digits: &[u8], count: usize, meaning: impl Fn(u32) -> Decoded) -> Decoded {
    let (mut sum, mut index) = (0, 0);
    while index < count {
        let Some(&digit) = digits.get(index) else { return Decoded::More };
        let Some(value) = char::from(digit).to_digit(16) else { return Decoded::Nothing };
        sum = sum << 4 | value;
        index += 1;
    }
    meaning(sum)
}

/// `two_digits` is the meaning of `\xe4`.
fn backslash(bytes: &[u8], two_digits: fn(u32) -> Decoded) -> Decoded {
    let [_, letter, rest @ ..] = bytes else { return Decoded::More };
    match *letter {
        b'n' => Decoded::Byte(b'\n'),
        b'r' => Decoded::Byte(b'\r'),
        b't' => Decoded::Byte(b'\t'),
        b'b' => Decoded::Byte(0x08),
        b'f' => Decoded::Byte(0x0c),
        b'v' => Decoded::Byte(0x0b),
        b'a' => Decoded::Byte(0x07),
        b'e' => Decoded::Byte(0x1b),
        // Git and bash write bytes in octal.
        b'0'..=b'3' => match rest {
            [b'0'..=b'7', b'0'..=b'7', ..] => {
                Decoded::Byte((*letter - b'0') << 6 | (rest[0] - b'0') << 3 | (rest[1] - b'0'))
            }
            [] | [b'0'..=b'7'] => Decoded::More,
            _ => Decoded::Nothing,
        },
        b'x' => hex(rest, 2, two_digits),
        b'U' => hex(rest, 8, Decoded::char),
        b'u' if rest.first() == Some(&b'{') => braces(&rest[1..]),
        b'u' => hex(rest, 4, |unit| surrogates(unit, rest.get(4..).unwrap_or_default())),
        b' ' => Decoded::Byte(b' '),
        other if other.is_ascii_punctuation() => Decoded::Byte(other),
        _ => Decoded::Nothing,
    }
}

/// `\u{1f600}` of Rust and JavaScript, behind the opening brace.
fn braces(bytes: &[u8]) -> Decoded {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    match bytes.get(digits) {
        _ if digits > 6 => Decoded::Nothing,
        None => Decoded::More,
        Some(b'}') if digits > 0 => hex(bytes, digits, Decoded::char),
        Some(_) => Decoded::Nothing,
    }
}

/// JSON writes characters beyond U+FFFF as two units, one escape each.
fn surrogates(unit: u32, rest: &[u8]) -> Decoded {
    if !(0xd800..0xdc00).contains(&unit) {
        return Decoded::char(unit);
    }
    match rest {
        [] | [b'\\'] => Decoded::More,
        [b'\\', b'u', digits @ ..] => hex(digits, 4, |low| match low {
            0xdc00..0xe000 => Decoded::char(0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00)),
            _ => Decoded::Nothing,
        }),
        _ => Decoded::Nothing,
    }
}

/// One reading of the stream. As long as no escape is near, it reads what the
/// stream says, rests, and costs nothing.
pub(super) struct Reading {
    escapes: Escapes,
    active: bool,
    state: State,
    /// Where in the stream each of the last decoded bytes began.
    starts: Vec<u64>,
    /// How many decoded bytes have come since the last escape.
    plain: usize,
    /// The bytes of an escape that is not at its end yet.
    pending: Vec<u8>,
    pending_start: u64,
}

impl Reading {
    pub(super) fn new(escapes: Escapes, automaton: &Automaton) -> Self {
        Self {
            escapes,
            active: false,
            state: automaton.start(),
            starts: Vec::new(),
            plain: 0,
            pending: Vec::new(),
            pending_start: 0,
        }
    }

    /// Whether the reading differs from the stream at present.
    #[inline(always)]
    pub(super) fn is_active(&self) -> bool {
        self.active
    }

    /// Whether the byte concerns it: a resting reading wakes at an escape only.
    #[inline(always)]
    pub(super) fn takes(&self, byte: u8) -> bool {
        self.active || self.escapes.begin_with(byte)
    }

    /// Takes the byte at position `at`. `before` is where the reading of the
    /// stream as it is stood before that byte: a resting reading goes on there.
    pub(super) fn feed(
        &mut self,
        byte: u8,
        at: u64,
        before: State,
        automaton: &Automaton,
        found: &mut Ranges,
    ) {
        if !self.active {
            self.active = true;
            self.state = before;
            self.plain = automaton.depth(before);
            self.starts.clear();
            if self.plain > 0 {
                self.starts.extend(at - self.plain as u64..at);
            }
        }
        self.take(byte, at, automaton, found);
        self.rest_if_plain(automaton);
    }

    /// Reads what is left of an unfinished escape as it stands.
    pub(super) fn finish(&mut self, automaton: &Automaton, found: &mut Ranges) {
        while !self.pending.is_empty() {
            self.give_up(automaton, found);
        }
    }

    /// The first byte of the stream that a later match may still cover.
    pub(super) fn needed_from(&self, automaton: &Automaton) -> Option<u64> {
        let depth = automaton.depth(self.state);
        let partial = self.starts.len().checked_sub(depth).and_then(|index| self.starts.get(index));
        let pending = (!self.pending.is_empty()).then_some(self.pending_start);
        partial.copied().into_iter().chain(pending).min().filter(|_| self.active)
    }

    fn take(&mut self, byte: u8, at: u64, automaton: &Automaton, found: &mut Ranges) {
        if self.pending.is_empty() {
            if !self.escapes.begin_with(byte) {
                return self.literal(byte, at, automaton, found);
            }
            self.pending_start = at;
        }
        self.pending.push(byte);
        let end = at + 1;
        let mut utf8 = [0; 4];
        let decoded = match self.escapes.decode(&self.pending) {
            Decoded::More => return,
            Decoded::Nothing => return self.give_up(automaton, found),
            Decoded::Byte(byte) => {
                utf8[0] = byte;
                &utf8[..1]
            }
            Decoded::Char(char) => char.encode_utf8(&mut utf8).as_bytes(),
        };
        self.pending.clear();
        for &byte in decoded {
            self.step(byte, self.pending_start, end, automaton, found);
        }
        self.plain = 0;
    }

    /// The pending bytes are no escape: the first is itself, and the others
    /// are read again, since an escape may begin among them.
    fn give_up(&mut self, automaton: &Automaton, found: &mut Ranges) {
        let pending = std::mem::take(&mut self.pending);
        let mut bytes = pending.iter().copied().zip(self.pending_start..);
        if let Some((byte, at)) = bytes.next() {
            self.literal(byte, at, automaton, found);
        }
        for (byte, at) in bytes {
            self.take(byte, at, automaton, found);
        }
    }

    fn literal(&mut self, byte: u8, at: u64, automaton: &Automaton, found: &mut Ranges) {
        self.step(byte, at, at + 1, automaton, found);
        self.plain += 1;
    }

    fn step(&mut self, byte: u8, start: u64, end: u64, automaton: &Automaton, found: &mut Ranges) {
        self.state = automaton.next(self.state, byte);
        self.starts.push(start);
        let length = automaton.match_length(self.state);
        if length > 0 {
            found.cover(self.starts[self.starts.len() - length], end);
        }
        // Only what a match can reach back to is kept.
        if self.starts.len() > 2 * automaton.longest() + 64 {
            self.starts.drain(..self.starts.len() - automaton.longest());
        }
    }

    /// Rests once all that may still become a match lies behind the last
    /// escape: from there on it would only repeat the plain reading.
    fn rest_if_plain(&mut self, automaton: &Automaton) {
        if self.pending.is_empty() && automaton.depth(self.state) <= self.plain {
            self.active = false;
            self.starts.clear();
        }
    }
}
