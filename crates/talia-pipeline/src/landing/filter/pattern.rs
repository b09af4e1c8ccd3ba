//! A pattern, matched as rsync matches it: byte by byte.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    parse::visible,
};

use super::{class::Class, wild};

/// Which places a rule means, in rsync's words.
///
/// - `a` means this name in any folder, `/a` at the top alone, `a/b` the last two names.
/// - `a/` means folders alone.
/// - `*` stands for any bytes but `/`, `**` for any bytes, `?` for one byte that is no
///   `/`, `[a-z]`, `[!a]` and `[[:digit:]]` for one byte. `\` takes the meaning away.
/// - `a/***` means the folder and all that is in it.
///
/// A character that is no ASCII has several bytes, so `?` is not enough for it.
///
/// Source: rsync's manual, *PATTERN MATCHING RULES*.
///
/// ```
/// use talia_pipeline::landing::Pattern;
///
/// let pattern: Pattern = "*.key".parse()?;
/// assert!(pattern.matches("certs/site.key", false));
/// assert!("[a-".parse::<Pattern>().is_err());
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern {
    /// As it is written.
    text: String,
    body: Body,
    only_folders: bool,
    reach: Reach,
    /// `***` at the end: a folder is matched with a `/` after it.
    is_with_folder: bool,
}

/// Where something is; its name need not be UTF-8.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    path: &'a [u8],
    name: &'a [u8],
    is_folder: bool,
}

impl<'a> Place<'a> {
    pub(super) fn new(path: &'a [u8], is_folder: bool) -> Self {
        Self { path, name: last(path, 1).unwrap_or(path), is_folder }
    }
}

/// What is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Body {
    /// Without anything that stands for something else.
    Literal(String),
    /// With the bytes that it ends with for sure: most names do not, and are done with.
    Wild { parts: Vec<Part>, tail: Vec<u8> },
}

/// One thing of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Byte(u8),
    /// `?`
    One,
    Class(Class),
    /// `*`
    Star,
    /// `**` and more.
    Deep,
}

/// Which part of a path is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// So many names at the end.
    Last(usize),
    /// All of it.
    Whole,
    /// All of it, with a `/` in front.
    Rooted,
    /// All of it, or what is behind any of its `/`.
    Behind,
}

impl Pattern {
    /// How long rsync lets a pattern be; it drops a longer one with a mere message.
    const BYTES: usize = 4095;

    /// Whether it means this place.
    pub fn matches(&self, path: &str, is_folder: bool) -> bool {
        self.matches_place(&Place::new(path.as_bytes(), is_folder))
    }

    pub(super) fn matches_place(&self, place: &Place<'_>) -> bool {
        let Place { path, name, is_folder } = *place;
        if self.only_folders && !is_folder {
            return false;
        }
        let path = match self.reach {
            Reach::Last(1) => name,
            Reach::Last(names) => match last(path, names) {
                Some(names) => names,
                None => return false,
            },
            _ => path,
        };
        let (parts, tail) = match &self.body {
            Body::Literal(literal) => return path == literal.as_bytes(),
            Body::Wild { parts, tail } => (parts, tail),
        };
        let ends_open = self.is_with_folder && is_folder;
        if self.reach != Reach::Rooted && !ends_open {
            return path.ends_with(tail) && self.matches_wild(parts, path);
        }
        let mut longer = Vec::with_capacity(path.len() + 2);
        if self.reach == Reach::Rooted {
            longer.push(b'/');
        }
        longer.extend_from_slice(path);
        if ends_open {
            longer.push(b'/');
        }
        longer.ends_with(tail) && self.matches_wild(parts, &longer)
    }

    fn matches_wild(&self, parts: &[Part], path: &[u8]) -> bool {
        wild::matches(parts, path)
            || self.reach == Reach::Behind
                && (1..=path.len())
                    .any(|at| path[at - 1] == b'/' && wild::matches(parts, &path[at..]))
    }
}

/// So many names at the end of a path; `None` when it has fewer.
fn last(path: &[u8], names: usize) -> Option<&[u8]> {
    let mut left = names;
    let mut at = path.len();
    // A plain loop, because every file of a source comes here.
    while at > 0 {
        if path[at - 1] == b'/' {
            left -= 1;
            if left == 0 {
                return Some(&path[at..]);
            }
        }
        at -= 1;
    }
    (left == 1).then_some(path)
}

impl FromStr for Pattern {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text.trim().is_empty() {
            return Err(wrong(text, "says nothing"));
        }
        if text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace) {
            return Err(wrong(text, "begins or ends with a blank; write `[ ]` where a name does"));
        }
        Self::read(text)
    }
}

fn wrong(text: &str, why: &str) -> Error {
    Error::usage(format!("the pattern `{}` {why}", visible(text)))
}

impl Pattern {
    /// Reads one that nobody has written by hand, so that blanks are meant.
    pub(super) fn read(text: &str) -> Result<Self> {
        let wrong = |why| Err(wrong(text, why));
        if text.len() > Self::BYTES {
            return Err(Error::usage(format!("a pattern has more than {} bytes", Self::BYTES)));
        }
        if text.contains('\0') {
            return wrong("holds a NUL, which no name does");
        }
        let core = match text.strip_suffix('/') {
            Some(core) if !core.is_empty() => core,
            _ => text,
        };
        let inner = core.strip_prefix('/').unwrap_or(core);
        if inner.split('/').any(|name| matches!(name, "" | "." | "..")) {
            return wrong("has a name that is empty, `.` or `..`, so it means nothing at all");
        }
        let is_anchored = inner.len() < core.len();
        let reach = if is_anchored {
            Reach::Whole
        } else if core.starts_with("**") {
            Reach::Rooted
        } else if core.contains("**") {
            Reach::Behind
        } else {
            Reach::Last(core.matches('/').count() + 1)
        };
        let body = if core.contains(['*', '?', '[']) {
            match wild::read(inner) {
                Ok(parts) => {
                    let literal = |part: &Part| match part {
                        Part::Byte(byte) => Some(*byte),
                        _ => None,
                    };
                    let mut tail: Vec<u8> = parts.iter().rev().map_while(literal).collect();
                    tail.reverse();
                    Body::Wild { parts, tail }
                }
                Err(why) => return wrong(why),
            }
        } else {
            Body::Literal(inner.to_owned())
        };
        Ok(Self {
            body,
            only_folders: core.len() < text.len(),
            reach,
            is_with_folder: core.ends_with("***"),
            text: text.to_owned(),
        })
    }
}

impl TryFrom<String> for Pattern {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.text
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, matches: &[&str], others: &[&str]) {
        let pattern: Pattern = pattern.parse().unwrap();
        let is = |path: &str| match path.strip_suffix('/') {
            Some(folder) => pattern.matches(folder, true),
            None => pattern.matches(path, false),
        };
        for path in matches {
            assert!(is(path), "{pattern} means {path}");
        }
        for path in others {
            assert!(!is(path), "{pattern} does not mean {path}");
        }
    }

    #[test]
    fn a_name_is_meant_in_every_folder() {
        check("foo", &["foo", "a/foo", "foo/"], &["foo/a", "afoo", "a/foob"]);
        check("foo/", &["foo/", "a/foo/"], &["foo", "a/foo"]);
        check("*.o", &["a.o", "x/.o"], &["a.o/b", "a.oo"]);
        check("[a-c]?", &["ab", "x/c-"], &["a", "a/b", "db"]);
        check("é?", &["éa"], &["é", "éé"]);
        check("a\\b", &["a\\b"], &["ab"]);
        check("a\\b*", &["abc"], &["a\\b"]);
        check("\\*[*]", &["**"], &["a*"]);
    }

    #[test]
    fn slashes_count_names_from_the_end_or_from_the_top() {
        check("/foo", &["foo", "foo/"], &["a/foo"]);
        check("a/b", &["a/b", "x/a/b"], &["b", "xa/b", "a/b/c"]);
        check("a/*/b", &["a/x/b", "y/a/x/b"], &["a/b", "a/x/y/b"]);
        check("/a/*", &["a/b"], &["a", "a/b/c", "x/a/b"]);
    }

    #[test]
    fn two_stars_pass_slashes() {
        check("/a/**/b", &["a/x/b", "a/x/y/b"], &["a/b", "x/a/y/b"]);
        check("a/**", &["a/x", "a/x/y", "z/a/x"], &["a", "a/", "za/x"]);
        check("**/b", &["b", "x/b", "x/y/b"], &["xb", "x/yb"]);
        check("/a/***", &["a/", "a/x", "a/x/y"], &["a", "ab/"]);
        check("a/***", &["a/", "x/a/", "x/a/y"], &["x/a"]);
        check("a**z", &["abz", "a/z", "x/a/b/z"], &["xabz"]);
        check("**", &["a", "a/b", "a/"], &[]);
    }

    #[test]
    fn a_pattern_that_cannot_mean_anything_is_refused() {
        let wrong = |text: &str| text.parse::<Pattern>().unwrap_err().to_string();
        let said = [
            "",
            "  ",
            " a",
            "a\t",
            "/",
            "./a",
            "a//b",
            "a/../b",
            "a/.//",
            "[ab",
            "[[:word:]]",
            "*\\",
            "a\0b",
        ]
        .map(wrong);
        insta::assert_snapshot!(said.join("\n"), @r"
        the pattern `` says nothing
        the pattern `  ` says nothing
        the pattern ` a` begins or ends with a blank; write `[ ]` where a name does
        the pattern `a\t` begins or ends with a blank; write `[ ]` where a name does
        the pattern `/` has a name that is empty, `.` or `..`, so it means nothing at all
        the pattern `./a` has a name that is empty, `.` or `..`, so it means nothing at all
        the pattern `a//b` has a name that is empty, `.` or `..`, so it means nothing at all
        the pattern `a/../b` has a name that is empty, `.` or `..`, so it means nothing at all
        the pattern `a/.//` has a name that is empty, `.` or `..`, so it means nothing at all
        the pattern `[ab` has a `[` without its `]`; write `\[` where a name has one
        the pattern `[[:word:]]` has a class that rsync does not know; it knows `[[:alpha:]]`, `[[:digit:]]`, `[[:alnum:]]`, `[[:upper:]]`, `[[:lower:]]`, `[[:space:]]`, `[[:blank:]]`, `[[:punct:]]`, `[[:print:]]`, `[[:graph:]]`, `[[:cntrl:]]` and `[[:xdigit:]]`
        the pattern `*\\` ends with a backslash
        the pattern `a\u{0}b` holds a NUL, which no name does
        ");
        assert!("a".repeat(4096).parse::<Pattern>().is_err());
        assert!("[ ]a".parse::<Pattern>().is_ok());
    }

    #[test]
    fn many_stars_cost_little() {
        let pattern: Pattern = format!("{}b", "*a".repeat(40)).parse().unwrap();
        assert!(!pattern.matches(&"a".repeat(4000), false));
        let pattern: Pattern = format!("{}b", "**a".repeat(40)).parse().unwrap();
        assert!(!pattern.matches(&"a/".repeat(1000), false));
    }
}
