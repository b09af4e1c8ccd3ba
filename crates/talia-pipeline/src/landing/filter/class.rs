//! A class of bytes in square brackets.

/// What `[…]` stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Class {
    /// Whether all the others are meant: `[!…]`, `[^…]`.
    is_negated: bool,
    ranges: Vec<(u8, u8)>,
}

const OPEN: &str = "has a `[` without its `]`; write `\\[` where a name has one";

impl Class {
    /// Whether it stands for this byte.
    pub(super) fn has(&self, byte: u8) -> bool {
        let is_in = self.ranges.iter().any(|(from, to)| (*from..=*to).contains(&byte));
        is_in != self.is_negated
    }

    /// Reads one from behind its `[`; gives what follows its `]` as well.
    pub(super) fn read(mut rest: &[u8]) -> Result<(Self, &[u8]), &'static str> {
        let is_negated = matches!(rest, [b'!' | b'^', ..]);
        rest = &rest[usize::from(is_negated)..];
        let mut ranges = Vec::new();
        // What a range would begin with; a class and a range end none.
        let mut before = None;
        // A `]` that comes first is an ordinary byte.
        let mut is_first = true;
        loop {
            let (&byte, behind) = rest.split_first().ok_or(OPEN)?;
            rest = behind;
            match (byte, before, rest) {
                (b']', ..) if !is_first => break,
                (b'-', Some(from), [next, ..]) if *next != b']' => {
                    ranges.push((from, literal(&mut rest)?));
                    before = None;
                }
                (b'[', _, [b':', name @ ..]) => {
                    let end = name.iter().position(|byte| *byte == b']').ok_or(OPEN)?;
                    if let Some(name) = name[..end].strip_suffix(b":") {
                        ranges.extend(by_name(name).ok_or(
                            "has a class that rsync does not know; it knows `[[:alpha:]]`, \
                             `[[:digit:]]`, `[[:alnum:]]`, `[[:upper:]]`, `[[:lower:]]`, \
                             `[[:space:]]`, `[[:blank:]]`, `[[:punct:]]`, `[[:print:]]`, \
                             `[[:graph:]]`, `[[:cntrl:]]` and `[[:xdigit:]]`",
                        )?);
                        rest = &rest[end + 2..];
                        before = None;
                    } else {
                        ranges.push((b'[', b'['));
                        before = Some(b'[');
                    }
                }
                (b'\\', ..) => {
                    let byte = *rest.first().ok_or(OPEN)?;
                    rest = &rest[1..];
                    ranges.push((byte, byte));
                    before = Some(byte);
                }
                _ => {
                    ranges.push((byte, byte));
                    before = Some(byte);
                }
            }
            is_first = false;
        }
        Ok((Self { is_negated, ranges }, rest))
    }
}

/// The next byte, with its backslash taken away.
fn literal(rest: &mut &[u8]) -> Result<u8, &'static str> {
    if let [b'\\', behind @ ..] = rest {
        *rest = behind;
    }
    let (&byte, behind) = rest.split_first().ok_or(OPEN)?;
    *rest = behind;
    Ok(byte)
}

/// Of ASCII, as every locale with UTF-8 has it.
fn by_name(name: &[u8]) -> Option<&'static [(u8, u8)]> {
    Some(match name {
        b"alnum" => &[(b'0', b'9'), (b'A', b'Z'), (b'a', b'z')],
        b"alpha" => &[(b'A', b'Z'), (b'a', b'z')],
        b"blank" => &[(b'\t', b'\t'), (b' ', b' ')],
        b"cntrl" => &[(0, 31), (127, 127)],
        b"digit" => &[(b'0', b'9')],
        b"graph" => &[(b'!', b'~')],
        b"lower" => &[(b'a', b'z')],
        b"print" => &[(b' ', b'~')],
        b"punct" => &[(b'!', b'/'), (b':', b'@'), (b'[', b'`'), (b'{', b'~')],
        b"space" => &[(b'\t', b'\r'), (b' ', b' ')],
        b"upper" => &[(b'A', b'Z')],
        b"xdigit" => &[(b'0', b'9'), (b'A', b'F'), (b'a', b'f')],
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ASCII characters that it stands for, and how much it has read.
    fn of(text: &str) -> (String, usize) {
        let (class, rest) = Class::read(text.as_bytes()).unwrap();
        let has = (b' '..=b'~').filter(|byte| class.has(*byte)).map(char::from).collect();
        (has, text.len() - rest.len())
    }

    #[test]
    fn brackets_ranges_and_names() {
        assert_eq!(of("abc]x"), ("abc".into(), 4));
        assert_eq!(of("]a]"), ("]a".into(), 3));
        assert_eq!(of("a-c-e]"), ("-abce".into(), 6));
        assert_eq!(of("a-]"), ("-a".into(), 3));
        assert_eq!(of("\\]-_]"), ("]^_".into(), 5));
        assert_eq!(of("[:digit:]x-z]"), ("0123456789xyz".into(), 13));
        assert_eq!(of("[:digit:]-z]"), ("-0123456789z".into(), 12));
        assert_eq!(of("[:ab]"), (":[ab".into(), 5));
        assert_eq!(of("[:]"), (":[".into(), 3));
        assert_eq!(of("!!-}]"), (" ~".into(), 5));
        assert_eq!(of("^b-~]").0.len(), 95 - 29);
        for open in ["", "ab", "]", "!]", "a\\", "[:digit:]", "[:di"] {
            assert!(Class::read(open.as_bytes()).is_err(), "{open}");
        }
    }
}
