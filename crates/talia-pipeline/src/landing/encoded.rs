//! A place in a tree as one word of printable ASCII, such as in a URL.

use super::TreePath;
use crate::error::{Error, Result};

/// What stands for itself; every other byte is `%` and two digits.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte)
}

impl TreePath {
    /// As RFC 3986 encodes the path of a URL, digits in upper case.
    ///
    /// ```
    /// use talia_pipeline::landing::TreePath;
    ///
    /// let path: TreePath = "ä b/index.html".parse()?;
    /// assert_eq!(path.encoded(), "%C3%A4%20b/index.html");
    /// assert_eq!(TreePath::decoded(&path.encoded())?, path);
    /// # Ok::<(), talia_pipeline::Error>(())
    /// ```
    pub fn encoded(&self) -> String {
        let bytes = self.as_str().bytes();
        bytes
            .map(|byte| match is_plain(byte) {
                true => char::from(byte).to_string(),
                false => format!("%{byte:02X}"),
            })
            .collect()
    }

    /// What [`TreePath::encoded`] gives, and nothing else.
    ///
    /// # Errors
    /// A usage error for any other text.
    pub fn decoded(text: &str) -> Result<Self> {
        let wrong = || Error::usage("expected a file's path, percent-encoded");
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text.bytes();
        while let Some(byte) = rest.next() {
            if byte != b'%' {
                bytes.push(byte);
                continue;
            }
            let digits = [rest.next().ok_or_else(wrong)?, rest.next().ok_or_else(wrong)?];
            let digits = std::str::from_utf8(&digits).map_err(|_| wrong())?;
            bytes.push(u8::from_str_radix(digits, 16).map_err(|_| wrong())?);
        }
        let path: Self = String::from_utf8(bytes).map_err(|_| wrong())?.try_into()?;
        if path.encoded() == text { Ok(path) } else { Err(wrong()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_path_is_one_plain_word_and_is_read_back() {
        for path in ["index.html", " a b/ü\n%41", "-rf", "a/b~c_d.e", "\u{202e}x", "'\"$(id)`"] {
            let path: TreePath = path.parse().unwrap();
            let word = path.encoded();
            assert!(word.bytes().all(|byte| byte.is_ascii_graphic()), "{word}");
            assert_eq!(TreePath::decoded(&word).unwrap(), path);
        }
        assert_eq!("ä b".parse::<TreePath>().unwrap().encoded(), "%C3%A4%20b");
    }

    #[test]
    fn one_path_has_one_spelling() {
        for bad in
            ["", "%", "%4", "%41", "%c3%a4", "%FF", "%+1", "%00", "a//b", "../x", "a/%2E%2E", "a b"]
        {
            assert!(TreePath::decoded(bad).is_err(), "{bad}");
        }
    }
}
