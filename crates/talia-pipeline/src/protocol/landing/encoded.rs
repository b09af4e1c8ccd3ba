//! A place in a tree as one word of printable ASCII.

use crate::{
    error::{Error, Result},
    landing::TreePath,
};

/// What stands for itself; every other byte is `%` and two digits.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte)
}

/// As RFC 3986 encodes a URL's path, digits in upper case.
pub(super) fn encode(path: &TreePath) -> String {
    let bytes = path.as_str().bytes();
    bytes
        .map(|byte| match is_plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

/// What [`encode`] writes, and nothing else.
pub(super) fn decode(text: &str) -> Result<TreePath> {
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
    let path: TreePath = String::from_utf8(bytes).map_err(|_| wrong())?.try_into()?;
    if encode(&path) == text { Ok(path) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_path_is_one_plain_word_and_is_read_back() {
        for path in ["index.html", " a b/ü\n%41", "-rf", "a/b~c_d.e", "\u{202e}x", "'\"$(id)`"] {
            let path: TreePath = path.parse().unwrap();
            let word = encode(&path);
            assert!(word.bytes().all(|byte| byte.is_ascii_graphic()), "{word}");
            assert_eq!(decode(&word).unwrap(), path);
        }
        assert_eq!(encode(&"ä b".parse().unwrap()), "%C3%A4%20b");
    }

    #[test]
    fn one_path_has_one_spelling() {
        for bad in
            ["", "%", "%4", "%41", "%c3%a4", "%FF", "%+1", "%00", "a//b", "../x", "a/%2E%2E", "a b"]
        {
            assert!(decode(bad).is_err(), "{bad}");
        }
    }
}
