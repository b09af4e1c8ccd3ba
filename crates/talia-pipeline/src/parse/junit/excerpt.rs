//! Text of any length, of which the beginning and the end are kept.

/// A test's own code stands at the beginning of what pytest says.
const HEAD: usize = 2 * 1024;
/// The assertion that failed and its place stand at the end.
const TAIL: usize = 6 * 1024;

/// Collects a text and keeps at most its first 2 KiB and its last 6 KiB.
#[derive(Default)]
pub(super) struct Excerpt {
    head: String,
    tail: String,
    left_out: usize,
}

impl Excerpt {
    pub(super) fn push(&mut self, text: &str) {
        let mut rest = text;
        if self.tail.is_empty() && self.head.len() < HEAD {
            let (now, later) = rest.split_at(rest.floor_char_boundary(HEAD - self.head.len()));
            self.head.push_str(now);
            rest = later;
        }
        self.tail.push_str(rest);
        if self.tail.len() > 2 * TAIL {
            self.shorten();
        }
    }

    fn shorten(&mut self) {
        let start = self.tail.ceil_char_boundary(self.tail.len().saturating_sub(TAIL));
        self.tail.drain(..start);
        self.left_out += start;
    }

    pub(super) fn finish(mut self) -> String {
        self.shorten();
        if self.left_out > 0 {
            format!("{}\n… {} bytes left out …\n{}", self.head, self.left_out, self.tail)
        } else {
            self.head + &self.tail
        }
    }
}

/// The first line that says something, and not too much of it.
pub(super) fn one_line(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    shortened(line, 300)
}

/// At most so many characters.
pub(super) fn shortened(text: &str, most: usize) -> String {
    // No text has more characters than bytes.
    let end = if text.len() > most { text.char_indices().nth(most) } else { None };
    match end {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_and_the_end_stay() {
        for piece in ["ä", "abc", &"x".repeat(20_000)] {
            let mut excerpt = Excerpt::default();
            let mut all = String::from("begin ");
            excerpt.push("begin ");
            for _ in 0..7000 {
                excerpt.push(piece);
                if all.len() < 100_000 {
                    all.push_str(piece);
                }
            }
            excerpt.push(" end");
            let text = excerpt.finish();
            assert!(text.starts_with(&all[..HEAD - 2]) && text.ends_with(" end"));
            assert!(text.len() < HEAD + TAIL + 64 && text.contains("bytes left out"));
        }
        let mut short = Excerpt::default();
        short.push("a");
        short.push("b");
        assert_eq!(short.finish(), "ab");
    }

    #[test]
    fn one_line_is_short() {
        assert_eq!(one_line("\n  \n first \nsecond"), "first");
        assert_eq!(one_line(&"ä".repeat(400)).chars().count(), 301);
    }
}
