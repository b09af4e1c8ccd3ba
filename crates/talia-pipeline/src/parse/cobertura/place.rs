//! Lines and columns, counted while the bytes go by.

/// A place in the text after decoding: what an editor shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Bytes of UTF-8 before it.
    pub(super) offset: u64,
    /// Counted from 1. `\n`, `\r\n` and a lone `\r` each end a line.
    pub(super) line: u64,
    /// Characters since the start of the line, counted from 1.
    pub(super) column: u64,
    after_return: bool,
}

impl Place {
    pub(super) const START: Self = Self { offset: 0, line: 1, column: 1, after_return: false };

    /// The place behind `bytes`.
    pub(super) fn behind(mut self, bytes: &[u8]) -> Self {
        self.scan(bytes);
        self
    }

    /// Moves over `bytes` and stops before a character that XML forbids.
    ///
    /// Eight bytes at a time: this sees every byte of a report.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> Option<usize> {
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Counts the slow and obvious way.
    pub(in super::super) fn place_of(text: &str) -> (u64, u64) {
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
}
