//! Names as rsync prints them.

use std::{fmt, str};

use crate::parse::visible;

/// A name that rsync has told: bytes, for a file system asks for no encoding.
///
/// It is displayed with everything escaped that would move a terminal's cursor or
/// hide, and with bytes that are not UTF-8 as `\xff`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Vec<u8>);

impl Name {
    /// The bytes that the file system has.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The name, if it is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        str::from_utf8(&self.0).ok()
    }

    /// From what rsync prints: each `\#` with three octal digits is one byte.
    ///
    /// rsync escapes a real name that looks like an escape, so that this is exact.
    pub(super) fn unescaped(printed: &[u8]) -> Result<Self, &'static str> {
        let mut name = Vec::with_capacity(printed.len());
        let mut rest = printed;
        while let Some((&first, behind)) = rest.split_first() {
            if let Some(digits) = escape(rest) {
                name.push(byte(digits).ok_or("an escape that is no byte")?);
                rest = &rest[5..];
                continue;
            }
            // A tab is the one control character that rsync prints as it is.
            if first < b' ' && first != b'\t' {
                return Err("a control character that rsync would have escaped");
            }
            name.push(first);
            rest = behind;
        }
        match () {
            () if name.is_empty() => Err("no name"),
            () if name.contains(&0) => Err("a name with a NUL"),
            () => Ok(Self(name)),
        }
    }

    /// Takes the `/` away that a folder's name ends with; says whether there was one.
    pub(super) fn without_slash(mut self) -> (Self, bool) {
        let is_folder = self.0.len() > 1 && self.0.ends_with(b"/");
        if is_folder {
            self.0.pop();
        }
        (self, is_folder)
    }
}

/// The three digits of an escape at the front.
fn escape(text: &[u8]) -> Option<[u8; 3]> {
    let digits = text.strip_prefix(br"\#")?.first_chunk::<3>()?;
    digits.iter().all(u8::is_ascii_digit).then_some(*digits)
}

fn byte(digits: [u8; 3]) -> Option<u8> {
    u8::from_str_radix(str::from_utf8(&digits).ok()?, 8).ok()
}

/// The bytes as text that is safe to print.
pub(super) fn shown(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(&visible(chunk.valid()));
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    text
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.0))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl From<&[u8]> for Name {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_owned())
    }
}

impl From<&str> for Name {
    fn from(name: &str) -> Self {
        Self::from(name.as_bytes())
    }
}
