//! The attributes of one tag: a scanner that allocates nothing and whose check
//! for duplicates is not quadratic.

/// One attribute as it stands in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attribute<'a> {
    pub(super) name: &'a str,
    /// The text between the quotes, references not yet replaced.
    pub(super) raw: &'a str,
    /// Where the value starts, in bytes from the start of the scanned text.
    pub(super) at: usize,
}

/// What is wrong with the attributes of a tag, and where in the scanned text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Flaw {
    pub(super) at: usize,
    pub(super) what: String,
}

/// Scans `text`, which is what follows the element's name up to `>` or `/>`.
///
/// Stops at the first flaw: the item is an error and the next is `None`.
pub(super) struct Attributes<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Attributes<'a> {
    #[inline]
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn flaw(&mut self, at: usize, what: impl Into<String>) -> Option<Result<Attribute<'a>, Flaw>> {
        self.at = self.text.len();
        Some(Err(Flaw { at, what: format!("malformed XML: {}", what.into()) }))
    }
}

#[inline]
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<Attribute<'a>, Flaw>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.text.as_bytes();
        let end = bytes.len();
        let mut at = self.at;
        while at < end && is_space(bytes[at]) {
            at += 1;
        }
        if at == end {
            self.at = end;
            return None;
        }
        if at == self.at && at > 0 {
            return self.flaw(at, "no space between two attributes");
        }
        let name_start = at;
        let mut proper = true;
        while at < end && bytes[at] != b'=' && !is_space(bytes[at]) {
            proper &= !matches!(bytes[at], b'"' | b'\'' | b'<' | b'/');
            at += 1;
        }
        let name = &self.text[name_start..at];
        while at < end && is_space(bytes[at]) {
            at += 1;
        }
        if name.is_empty() || !proper {
            return self.flaw(name_start, "an attribute without a proper name");
        }
        if at == end || bytes[at] != b'=' {
            return self.flaw(name_start, format!("attribute `{}` has no value", short(name)));
        }
        at += 1;
        while at < end && is_space(bytes[at]) {
            at += 1;
        }
        let quote = match bytes.get(at) {
            Some(quote @ (b'"' | b'\'')) => *quote,
            _ => {
                let what = format!("the value of attribute `{}` is not in quotes", short(name));
                return self.flaw(at, what);
            }
        };
        at += 1;
        let value_start = at;
        while at < end && bytes[at] != quote {
            at += 1;
        }
        if at == end {
            let what = format!("the value of attribute `{}` has no closing quote", short(name));
            return self.flaw(value_start, what);
        }
        self.at = at + 1;
        Some(Ok(Attribute { name, raw: &self.text[value_start..at], at: value_start }))
    }
}

/// Names in messages, cut: a hostile name may be megabytes long.
pub(super) fn short(name: &str) -> String {
    const LONGEST: usize = 60;
    let mut cut: String = name.chars().take(LONGEST).collect();
    if cut.len() < name.len() {
        cut.push('…');
    }
    crate::parse::visible(&cut)
}

/// Up to this many names are compared each with each. More are sorted, which a
/// tag with a hundred thousand attributes needs.
const FEW: usize = 8;

/// The names seen in one tag, to find one that is written twice.
#[derive(Default)]
pub(super) struct Names<'a> {
    few: [&'a str; FEW],
    count: usize,
    many: Vec<&'a str>,
}

impl<'a> Names<'a> {
    /// Whether `name` is known to be there already. Past the first few this
    /// answers `false`, and [`Names::twice`] tells at the end.
    #[inline]
    pub(super) fn add(&mut self, name: &'a str) -> bool {
        if self.count < FEW {
            let mut index = 0;
            while index < self.count {
                if self.few[index] == name {
                    return true;
                }
                index += 1;
            }
            self.few[self.count] = name;
        } else {
            self.many.push(name);
        }
        self.count += 1;
        false
    }

    /// A name that was added twice.
    #[inline]
    pub(super) fn twice(mut self) -> Option<&'a str> {
        if self.many.is_empty() {
            return None;
        }
        self.many.extend(self.few);
        self.many.sort_unstable();
        self.many.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(text: &str) -> Result<Vec<(&str, &str)>, Flaw> {
        Attributes::new(text).map(|found| found.map(|found| (found.name, found.raw))).collect()
    }

    #[test]
    fn both_quotes_and_any_space() {
        assert_eq!(scan(" a=\"1\"\n\tb = '\"' "), Ok(vec![("a", "1"), ("b", "\"")]));
        assert_eq!(scan(""), Ok(vec![]));
        assert_eq!(scan("  "), Ok(vec![]));
    }

    #[test]
    fn flaws_have_a_place() {
        for (text, at, what) in [
            (" a", 1, "attribute `a` has no value"),
            (" a=1", 3, "the value of attribute `a` is not in quotes"),
            (" a=\"1", 4, "the value of attribute `a` has no closing quote"),
            (" a=\"1\"b=\"2\"", 6, "no space between two attributes"),
            (" =\"1\"", 1, "an attribute without a proper name"),
            (" a\u{1f600}", 1, "attribute `a😀` has no value"),
        ] {
            assert_eq!(
                scan(text),
                Err(Flaw { at, what: format!("malformed XML: {what}") }),
                "{text}"
            );
        }
    }

    #[test]
    fn a_name_written_twice_is_found_at_any_count() {
        for total in [2, 8, 9, 500] {
            let names: Vec<String> = (0..total - 1).map(|number| format!("a{number}")).collect();
            let mut seen = Names::default();
            assert!(!names.iter().any(|name| seen.add(name)));
            let early = seen.add("a0");
            assert!(early || seen.twice() == Some("a0"), "{total}");
        }
    }
}
