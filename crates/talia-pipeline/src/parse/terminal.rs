//! What a child prints, made safe to be shown on a terminal and in a log.

use std::borrow::Cow;

/// What to do with colours, which are the one escape sequence worth keeping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colours {
    /// They stay, and are switched off at the end of the text.
    Keep,
    /// They are removed.
    Drop,
}

/// Makes output readable and harmless, line by line:
///
/// - colours (`ESC [ … m`) are kept or dropped; every other escape sequence,
///   such as cursor moves, titles and links, is removed;
/// - other control characters, Unicode's line separators and its overrides of
///   the writing direction are shown as `\x07` and `\u{202e}`;
/// - bytes that are not UTF-8 are shown as `\xff`;
/// - of a progress line that overwrites itself with `\r` the last state stays;
/// - a line of more than `width` characters ends with `… +N bytes`.
///
/// What is removed may have parted a secret or a workflow command: mask before
/// and after this, and neutralise last.
///
/// ```
/// use talia_pipeline::parse::terminal::{Colours, terminal_safe};
///
/// assert_eq!(terminal_safe(b"10 %\r100 %\n\x1b[2J\x1b[31mred\x07", Colours::Drop, 80), "100 %\nred\\x07");
/// assert_eq!(terminal_safe("äbcdef".as_bytes(), Colours::Drop, 3), "äbc… +3 bytes");
/// ```
pub fn terminal_safe(text: &[u8], colours: Colours, width: usize) -> Cow<'_, str> {
    if let Some(harmless) = harmless(text, width) {
        return Cow::Borrowed(harmless);
    }
    let mut writer = Writer { out: String::new(), colours, coloured: false };
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        let content = line.strip_suffix(b"\n").unwrap_or(line);
        writer.line(last_state(content), width);
        if content.len() < line.len() {
            writer.out.push('\n');
        }
    }
    if writer.coloured {
        writer.out.push_str("\u{1b}[0m");
    }
    Cow::Owned(writer.out)
}

/// The text itself, if there is nothing to change. Short lines count by bytes,
/// which is never fewer than characters.
fn harmless(text: &[u8], width: usize) -> Option<&str> {
    let text = std::str::from_utf8(text).ok()?;
    let plain = |byte: u8| byte >= b' ' && byte != 0x7f || matches!(byte, b'\n' | b'\t');
    let short = text.split('\n').all(|line| line.len() <= width);
    let fine = short && text.bytes().all(plain) && (text.is_ascii() || !text.contains(is_special));
    fine.then_some(text)
}

/// What a terminal would show last of a line that returns to its beginning.
fn last_state(line: &[u8]) -> &[u8] {
    line.rsplit(|&byte| byte == b'\r').find(|state| !state.is_empty()).unwrap_or_default()
}

/// Characters beyond ASCII that change how others are shown.
fn is_special(char: char) -> bool {
    matches!(char, '\u{80}'..='\u{9f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

struct Writer {
    out: String,
    colours: Colours,
    /// Whether a colour is on.
    coloured: bool,
}

impl Writer {
    fn line(&mut self, line: &[u8], width: usize) {
        let (mut rest, mut written) = (line, 0);
        while !rest.is_empty() {
            if let Some((length, colour)) = escape_sequence(rest) {
                if colour && self.colours == Colours::Keep {
                    self.colour(&rest[..length]);
                }
                rest = &rest[length..];
                continue;
            }
            if written == width {
                self.out.push_str(&format!("… +{} bytes", rest.len()));
                return;
            }
            let (char, length) = first_char(rest);
            match char {
                Some(char) if char == '\t' || !(char.is_control() || is_special(char)) => {
                    self.out.push(char)
                }
                Some(char) if char.is_ascii() => {
                    self.out.push_str(&format!("\\x{:02x}", u32::from(char)))
                }
                Some(char) => self.out.push_str(&format!("\\u{{{:x}}}", u32::from(char))),
                None => self.out.push_str(&format!("\\x{:02x}", rest[0])),
            }
            rest = &rest[length..];
            written += 1;
        }
    }

    fn colour(&mut self, sequence: &[u8]) {
        let parameters = &sequence[2..sequence.len() - 1];
        self.coloured = !parameters.iter().all(|&byte| byte == b'0' || byte == b';');
        self.out.push_str(&String::from_utf8_lossy(sequence));
    }
}

/// The first character and its length; no character if the byte is not UTF-8.
fn first_char(bytes: &[u8]) -> (Option<char>, usize) {
    // A character has at most four bytes.
    let chunk = bytes[..bytes.len().min(4)].utf8_chunks().next();
    let char = chunk.and_then(|chunk| chunk.valid().chars().next());
    (char, char.map_or(1, char::len_utf8))
}

/// The length of the escape sequence at the front, and whether it is a colour.
/// See ECMA-48, 5.3 to 5.6. One that does not end within its line is none.
fn escape_sequence(bytes: &[u8]) -> Option<(usize, bool)> {
    let (&kind, rest) = bytes.strip_prefix(b"\x1b")?.split_first()?;
    let count = |bytes: &[u8], from: u8, to: u8| {
        bytes.iter().take_while(|byte| (from..=to).contains(byte)).count()
    };
    match kind {
        b'[' => {
            let parameters = count(rest, b'0', b'?');
            let between = count(&rest[parameters..], b' ', b'/');
            let last = *rest.get(parameters + between)?;
            let numbers = rest[..parameters].iter().all(|&byte| byte <= b';');
            (b'@'..=b'~')
                .contains(&last)
                .then_some((3 + parameters + between, last == b'm' && between == 0 && numbers))
        }
        // Strings to the terminal: titles, links, clipboards.
        b']' | b'P' | b'X' | b'^' | b'_' => {
            let end = rest.iter().position(|&byte| byte == 0x07 || byte == 0x1b)?;
            match rest[end..] {
                [0x07, ..] => Some((3 + end, false)),
                [0x1b, b'\\', ..] => Some((4 + end, false)),
                _ => None,
            }
        }
        b' '..=b'/' => {
            let between = count(rest, b' ', b'/');
            let last = *rest.get(between)?;
            (b'0'..=b'~').contains(&last).then_some((3 + between, false))
        }
        b'0'..=b'~' => Some((2, false)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &[u8], expected: &str) {
        assert_eq!(terminal_safe(text, Colours::Drop, 1000), expected);
    }

    #[test]
    fn escape_sequences_go() {
        check(b"a\x1b[2K\x1b[1;1H\x1b[?25lb\x1b[0m", "ab");
        check(b"\x1b]0;title\x07a\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "alink");
        check(b"\x1bc\x1b(B\x1b7a\x1bPq#0\x1b\\b", "ab");
        check(b"\x1b[38;5;1mred\x1b[m\x1b[>4;2m", "red");
        check("a\x1b[31".as_bytes(), "a\\x1b[31");
        check(b"\x1b]0;never closed", "\\x1b]0;never closed");
        check(b"\x1b", "\\x1b");
        check(b"\x1b\x1b[1ma\x1b\xff", "\\x1ba\\x1b\\xff");
    }

    #[test]
    fn colours_stay_and_end() {
        let keep = |text: &[u8]| terminal_safe(text, Colours::Keep, 5).into_owned();
        assert_eq!(keep(b"\x1b[1;31mred\x1b[2J"), "\x1b[1;31mred\x1b[0m");
        assert_eq!(keep(b"\x1b[31mred\x1b[0m."), "\x1b[31mred\x1b[0m.");
        assert_eq!(keep(b"\x1b[31mred\x1b[m"), "\x1b[31mred\x1b[m");
        assert_eq!(keep(b"\x1b[32m123456\x1b[0m"), "\x1b[32m12345… +5 bytes\x1b[0m");
        assert_eq!(keep(b"\x1b[?1m\x1b[1 m"), "");
    }

    #[test]
    fn control_characters_and_overrides_show() {
        check(b"a\x08\x00\x7f\tb", "a\\x08\\x00\\x7f\tb");
        check(
            "a\u{202e}b\u{2066}c\u{9b}31m\u{2028}\u{feff}".as_bytes(),
            "a\\u{202e}b\\u{2066}c\\u{9b}31m\\u{2028}\\u{feff}",
        );
        check("ä😀👩‍💻".as_bytes(), "ä😀👩‍💻");
        check(b"\xc3\xa4\xc3(\xf0\x9f\x98\xff", "ä\\xc3(\\xf0\\x9f\\x98\\xff");
    }

    #[test]
    fn progress_shows_its_last_state() {
        check(b"1\r22\r333\n4\r\n\r\n5\r\r\r", "333\n4\n\n5");
        check(b"a\rb", "b");
    }

    #[test]
    fn long_lines_are_cut_each_for_itself() {
        let cut = |text: &str| terminal_safe(text.as_bytes(), Colours::Drop, 3).into_owned();
        assert_eq!(cut("abc\nabcd\nabcdä\n"), "abc\nabc… +1 bytes\nabc… +3 bytes\n");
        assert_eq!(cut("äöü"), "äöü");
        assert_eq!(cut("ab\x1b[31mc\x1b[0m"), "abc");
        assert_eq!(terminal_safe(b"a\nb", Colours::Drop, 0), "… +1 bytes\n… +1 bytes");
        let long = vec![b'x'; 50 << 20];
        assert_eq!(terminal_safe(&long, Colours::Drop, 2), "xx… +52428798 bytes");
    }

    #[test]
    fn harmless_text_is_borrowed() {
        for text in ["", "plain\n", "tab\tä\n", "日本"] {
            assert!(matches!(terminal_safe(text.as_bytes(), Colours::Keep, 80), Cow::Borrowed(_)));
        }
    }
}
