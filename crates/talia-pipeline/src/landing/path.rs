//! A place in a tree.

use std::{borrow::Borrow, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    parse::visible,
};

/// Where something is in a tree: names with `/` between them, none at either end.
///
/// Any name that a Unix file system takes, as long as it is UTF-8. It is displayed with
/// everything escaped that would move a terminal's cursor or hide: control characters,
/// blanks at the ends of names, accents that are characters of their own.
///
/// ```
/// use talia_pipeline::landing::TreePath;
///
/// let path: TreePath = "assets/a\nb.css".parse()?;
/// assert_eq!(path.to_string(), r"assets/a\nb.css");
/// assert_eq!((path.name(), path.parent()), ("a\nb.css", Some("assets".parse()?)));
/// assert!("../etc/passwd".parse::<TreePath>().is_err());
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TreePath(String);

impl TreePath {
    /// All of it, as the file system has it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its last name.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The folder that it is in; `None` at the top.
    pub fn parent(&self) -> Option<Self> {
        self.folder().map(|folder| Self(folder.to_owned()))
    }

    /// The folder that it is in, as the file system has it; `None` at the top.
    pub(super) fn folder(&self) -> Option<&str> {
        self.0.rsplit_once('/').map(|(folder, _)| folder)
    }

    /// Whether it is in this folder, however deep.
    pub fn is_below(&self, folder: &Self) -> bool {
        self.0.strip_prefix(&folder.0).is_some_and(|rest| rest.starts_with('/'))
    }
}

/// Ordered and hashed as its text is.
impl Borrow<str> for TreePath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for TreePath {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for TreePath {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        let is_name = |name: &str| !matches!(name, "" | "." | "..") && !name.contains('\0');
        if text.split('/').all(is_name) {
            return Ok(Self(text));
        }
        Err(Error::usage(format!("`{}` is no place in a tree", visible(&text))))
    }
}

impl From<TreePath> for String {
    fn from(path: TreePath) -> Self {
        path.0
    }
}

impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, name) in self.0.split('/').enumerate() {
            f.write_str(if at > 0 { "/" } else { "" })?;
            f.write_str(&shown(name))?;
        }
        Ok(())
    }
}

/// A name, or what a link names, so that nothing in it hides: besides what
/// [`visible`] escapes, these are blanks at the ends, blanks that are no space, and
/// accents that are characters of their own: with them two names can look the same.
pub(super) fn shown(name: &str) -> String {
    let text = visible(name);
    let inner = text.trim();
    let misleads = |c: char| {
        matches!(c, '\u{300}'..='\u{36f}' | '\u{20d0}'..='\u{20ff}')
            || (c != ' ' && c.is_whitespace())
    };
    if inner.len() == text.len() && !text.contains(misleads) {
        return text;
    }
    let start = text.len() - text.trim_start().len();
    let mut shown = String::with_capacity(text.len() + 8);
    for (at, character) in text.char_indices() {
        let at_an_end = at < start || at >= start + inner.len();
        if at_an_end || misleads(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_in_its_tree() {
        for bad in ["", "/", "/a", "a/", "a//b", ".", "a/./b", "..", "a/../b", "a\0b"] {
            assert!(bad.parse::<TreePath>().is_err(), "{bad:?}");
        }
        for good in ["a", " a ", "-rf", "...", "a/..b", ".well-known/x", "ü/\n", "a -> b"] {
            assert_eq!(good.parse::<TreePath>().unwrap().as_str(), good);
        }
    }

    #[test]
    fn nothing_in_a_name_hides() {
        for (path, display) in [
            (" a / b", r"\u{20}a\u{20}/\u{20}b"),
            ("  ", r"\u{20}\u{20}"),
            ("a b/\u{a0}c\u{3000}d", r"a b/\u{a0}c\u{3000}d"),
            ("é", "é"),
            ("e\u{301}", r"e\u{301}"),
            ("a\t", r"a\t"),
            (r"\u{20}", r"\\u{20}"),
            ("\u{202e}gpj.exe", r"\u{202e}gpj.exe"),
        ] {
            assert_eq!(path.parse::<TreePath>().unwrap().to_string(), display);
        }
    }

    #[test]
    fn below_is_by_whole_names() {
        let path = |text: &str| text.parse::<TreePath>().unwrap();
        assert!(path("a/b/c").is_below(&path("a")));
        assert!(!path("ab/c").is_below(&path("a")));
        assert!(!path("a").is_below(&path("a")));
    }
}
