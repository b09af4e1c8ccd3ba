//! Where in the file: line, column, and the line itself with a caret.

use std::ops::Range;

use camino::{Utf8Path, Utf8PathBuf};

/// The widest part of a line that is shown. A longer line is cut around the caret.
const WIDTH: usize = 100;
/// How much of a cut line stands before the caret.
const BEFORE: usize = 40;
/// What a tab is shown as, so that the caret stands right in every terminal.
const TAB: usize = 4;

/// The text of a file, and the path that people know it by.
pub(super) struct Source<'t> {
    path: Utf8PathBuf,
    text: &'t str,
}

/// A place in a file, counted from 1; the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: u32,
    pub(super) column: u32,
}

impl<'t> Source<'t> {
    pub(super) fn new(path: &Utf8Path, text: &'t str) -> Self {
        Self { path: path.to_owned(), text }
    }

    pub(super) fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// The line of this byte: where it begins, and its text without its end.
    fn line_at(&self, at: usize) -> (usize, &'t str) {
        let start = self.text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let line = self.text[start..].split('\n').next().unwrap_or_default();
        (start, line.strip_suffix('\r').unwrap_or(line))
    }

    /// Line and column of a byte.
    pub(super) fn place(&self, at: usize) -> Place {
        let at = self.text.floor_char_boundary(at);
        let (start, _) = self.line_at(at);
        let counted = |count: usize| u32::try_from(count + 1).unwrap_or(u32::MAX);
        Place {
            line: counted(self.text[..start].matches('\n').count()),
            column: counted(self.text[start..at].chars().count()),
        }
    }

    /// The line of a span's beginning, and carets under what of the span it holds.
    pub(super) fn excerpt(&self, span: &Range<usize>) -> String {
        let at = self.text.floor_char_boundary(span.start);
        let (start, line) = self.line_at(at);
        let from = line.floor_char_boundary(at - start);
        let to = line.floor_char_boundary(span.end.saturating_sub(start)).max(from);
        let column = line[..from].chars().count();
        let end = column + line[from..to].chars().count();

        let length = line.chars().count();
        let first = if length > WIDTH { column.saturating_sub(BEFORE) } else { 0 };
        let last = length.min(first + WIDTH);
        let cells = |from: usize, to: usize| {
            line.chars().skip(from).take(to.saturating_sub(from)).map(shown).collect::<String>()
        };
        let (before, after) =
            (if first > 0 { "…" } else { "" }, if last < length { "…" } else { "" });
        let pad = before.chars().count() + width(line, first, column);
        // An empty span, such as the file's end, still gets its caret.
        let carets = width(line, column, end.min(last)).max(1);
        let number = self.place(at).line;
        let text = format!("{number:>5} | {before}{}{after}", cells(first, last));
        format!("{}\n{:>5} | {}{}", text.trim_end(), "", " ".repeat(pad), "^".repeat(carets))
    }
}

/// How many columns of a terminal these characters of a line take.
fn width(line: &str, from: usize, to: usize) -> usize {
    let part = line.chars().skip(from).take(to.saturating_sub(from));
    part.map(|c| if c == '\t' { TAB } else { columns(c) }).sum()
}

/// A character as it is shown: nothing that moves the cursor or turns text around.
fn shown(c: char) -> String {
    match c {
        '\t' => " ".repeat(TAB),
        // Unicode has a picture of every control character.
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}').to_string(),
        '\x7f' => '\u{2421}'.to_string(),
        c if c.is_control() || turns_text(c) => '\u{fffd}'.to_string(),
        c => c.to_string(),
    }
}

/// Marks that make a terminal show characters in another order.
fn turns_text(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// How many columns a terminal gives a character: Unicode's wide and combining
/// blocks, as far as people write in them.
fn columns(c: char) -> usize {
    match u32::from(c) {
        0x0300..=0x036f | 0x200b..=0x200d | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1faff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// Text inside a message: on one line, harmless, and not too long.
pub(super) fn clipped(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut clipped: String =
        text.chars().take(LONGEST).flat_map(|c| shown(c).chars().collect::<Vec<_>>()).collect();
    if text.chars().nth(LONGEST).is_some() {
        clipped.push('…');
    }
    clipped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excerpt(text: &str, part: &str) -> String {
        let at = text.find(part).unwrap();
        Source::new("f".into(), text).excerpt(&(at..at + part.len()))
    }

    #[test]
    fn the_caret_stands_under_tabs_and_wide_characters() {
        assert_eq!(excerpt("\tä = 1", "1"), "    1 |     ä = 1\n      |         ^");
        assert_eq!(excerpt("名 = 1", "1"), "    1 | 名 = 1\n      |      ^");
        assert_eq!(excerpt("e\u{301} = 1", "1"), "    1 | e\u{301} = 1\n      |     ^");
    }

    #[test]
    fn columns_are_characters() {
        let text = "a = 1\r\n\tä = 名";
        let place = |part: &str| Source::new("f".into(), text).place(text.find(part).unwrap());
        assert_eq!(place("名"), Place { line: 2, column: 6 });
    }

    #[test]
    fn the_end_of_the_file_is_a_place() {
        let source = Source::new("f".into(), "a =\n");
        assert_eq!(source.place(4), Place { line: 2, column: 1 });
        assert_eq!(source.place(400), Place { line: 2, column: 1 });
        assert_eq!(source.excerpt(&(4..4)), "    2 |\n      | ^");
    }

    #[test]
    fn a_span_of_several_lines_is_marked_in_its_first() {
        assert_eq!(excerpt("a = [\r\n1\r\n]", "[\r\n1"), "    1 | a = [\n      |     ^");
    }

    #[test]
    fn a_long_line_is_cut_around_the_caret() {
        let text = format!("{}X{}", "a".repeat(500), "b".repeat(500));
        let block = excerpt(&text, "X");
        let lines: Vec<&str> = block.lines().collect();
        assert_eq!(lines[0].chars().count(), "    1 | ".len() + WIDTH + 2);
        let at = |line: &str, mark| line.chars().position(|c| c == mark);
        assert_eq!(at(lines[0], 'X'), at(lines[1], '^'));
    }

    #[test]
    fn what_moves_a_cursor_is_shown_as_a_picture() {
        assert_eq!(
            excerpt("\x1b[2J\u{202e} = 1", "1"),
            "    1 | ␛[2J\u{fffd} = 1\n      |         ^"
        );
    }
}
