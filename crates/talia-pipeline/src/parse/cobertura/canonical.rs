//! The one tag that reports are made of, in the shape that tools write it.
//!
//! `<line number="3" hits="1"/>` makes up more than nine tenths of any report.
//! Recognised byte by byte it costs a fraction of the general way, which is
//! taken for everything that is not exactly of this shape. Both give the same
//! line: a test reads every report twice, once in pieces too small for this.
//!
//! Written as plain loops: it is the only hot loop of the crate, and is built
//! with little optimisation.

use super::{lines::Line, report::Counts, values};

const NUMBER: u8 = 1;
const HITS: u8 = 1 << 1;
const BRANCH: u8 = 1 << 2;
const CONDITIONS: u8 = 1 << 3;
const MISSING: u8 = 1 << 4;

/// Up to this many digits are sure to fit.
const DIGITS: usize = 18;

/// The line that `bytes` begin with, after any white space, and how many bytes
/// it takes up.
///
/// `None` unless it is an empty `line` element with nothing but the well-known
/// attributes, each once, in ASCII, without references, that
/// hold what they should.
pub(super) fn line(bytes: &[u8]) -> Option<(usize, Line)> {
    let length = bytes.len();
    let mut at = skip_space(bytes, 0);
    // What follows is indexed freely, so the shortest tag must fit.
    if length - at < 16 || !starts_with(bytes, at, b"<line") || !is_space(bytes[at + 5]) {
        return None;
    }
    at = skip_space(bytes, at + 6);
    let mut seen = 0;
    let (mut number, mut hit, mut denied, mut branches) = (0, false, false, Counts::default());
    loop {
        let start = at;
        while at < length && bytes[at] != b'=' {
            at += 1;
        }
        let name = match at - start {
            6 if starts_with(bytes, start, b"number") => NUMBER,
            4 if starts_with(bytes, start, b"hits") => HITS,
            6 if starts_with(bytes, start, b"branch") => BRANCH,
            18 if starts_with(bytes, start, b"condition-coverage") => CONDITIONS,
            16 if starts_with(bytes, start, b"missing-branches") => MISSING,
            _ => return None,
        };
        if seen & name != 0 || at + 1 >= length {
            return None;
        }
        let quote = bytes[at + 1];
        if quote != b'"' && quote != b'\'' {
            return None;
        }
        seen |= name;
        at += 2;
        let start = at;
        if name == NUMBER || name == HITS {
            let mut value = 0;
            while at < length && bytes[at].is_ascii_digit() {
                // Wraps for too many digits, which are refused below.
                value =
                    u64::wrapping_add(u64::wrapping_mul(value, 10), u64::from(bytes[at] - b'0'));
                at += 1;
            }
            if at == start || at - start > DIGITS {
                return None;
            }
            if name == NUMBER {
                number = value;
            } else {
                hit = value > 0;
            }
        } else {
            while at < length && is_plain(bytes[at]) {
                at += 1;
            }
            let Ok(value) = std::str::from_utf8(&bytes[start..at]) else { return None };
            if name == BRANCH {
                denied = value.trim().eq_ignore_ascii_case("false");
            } else if name == CONDITIONS {
                branches = match values::condition_coverage(value) {
                    Some(counts) if counts.covered <= counts.valid => counts,
                    _ => return None,
                };
            }
        }
        if at + 2 >= length || bytes[at] != quote {
            return None;
        }
        at += 1;
        if is_space(bytes[at]) {
            at = skip_space(bytes, at);
            if at < length && bytes[at] != b'/' {
                continue;
            }
        }
        if !starts_with(bytes, at, b"/>") || seen & (NUMBER | HITS) != NUMBER | HITS {
            return None;
        }
        if denied {
            branches = Counts::default();
        }
        return Some((at + 2, Line::new(number, hit, branches)));
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() && is_space(bytes[at]) {
        at += 1;
    }
    at
}

fn starts_with(bytes: &[u8], at: usize, what: &[u8]) -> bool {
    match bytes.get(at..at + what.len()) {
        Some(there) => there == what,
        None => false,
    }
}

/// Printable ASCII that means itself inside of quotes.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\'' | b'&' | b'<' | b'>')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(usize, u64, bool, u64, u64)> {
        line(text.as_bytes()).map(|(length, line)| {
            (length, line.number, line.hit, line.branches.covered, line.branches.valid)
        })
    }

    #[test]
    fn the_shapes_of_common_tools_are_known() {
        for (text, number, hit, covered, valid) in [
            ("\n\t\t<line number=\"12\" hits=\"3\"/>", 12, true, 0, 0),
            ("<line\n\thits='2'  number='1' />", 1, true, 0, 0),
            ("<line hits='2' number=\"1\"/>", 1, true, 0, 0),
            ("<line hits=\"0\" number=\"12\"/>", 12, false, 0, 0),
            ("<line number=\"0\" hits=\"00\" branch=\"False\" />", 0, false, 0, 0),
            (
                "<line number=\"1\" hits=\"1\" branch=\"true\" condition-coverage=\"50% (1/2)\" \
                 missing-branches=\"7, exit\"/>",
                1,
                true,
                1,
                2,
            ),
        ] {
            let more = format!("{text}<");
            assert_eq!(read(&more), Some((text.len(), number, hit, covered, valid)), "{text}");
        }
    }

    #[test]
    fn everything_else_is_left_to_the_general_way() {
        for text in [
            "<line number='1\" hits='1'/>  ",
            "<line number='1' branch='\"true\"' hits='1'/>  ",
            "<line number=\"1\" hits=\"1\">  ",
            "<line number=\"1\" hits=\"-1\"/>  ",
            "<line number=\"1\" hits=\"1\" hits=\"1\"/>  ",
            "<line number=\"1\" hits=\"1\" xmlns=\"a\"/>  ",
            "<line number=\"1\" x:hits=\"1\"/>  ",
            "<line number=\"1234567890123456789\" hits=\"1\"/>  ",
            "<line number=\"1\" hits=\"1\" condition-coverage=\"&#49;% (1/2)\"/>  ",
            "<line number=\"1\" hits=\"1\" condition-coverage=\"(3/2)\"/>  ",
            "<lines number=\"1\" hits=\"1\"/>  ",
            "<!--<line number=\"1\" hits=\"1\"/>-->",
            "<line number=\"1\"/>              ",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn no_piece_of_a_line_is_taken_for_one() {
        let text =
            "\n  <line number=\"1\" hits=\"1\" branch=\"true\" condition-coverage=\"50% (1/2)\"/>";
        for end in 0..text.len() {
            assert_eq!(read(&text[..end]), None, "{end}");
        }
    }
}
