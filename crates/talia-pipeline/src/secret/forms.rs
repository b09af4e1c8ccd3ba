//! The spellings under which a value may turn up in what a child writes.
//!
//! Two kinds of spelling exist. An encoding that works character by character
//! (JSON, percent) has as many mixtures as the value has characters; those are
//! not listed here but undone while reading, in [`super::reading`]. What is
//! listed here changes the text as a whole: base64, and quoting that replaces
//! one character by a fixed piece.

use std::collections::BTreeSet;

use super::{MINIMUM_LENGTH, SecretValue, looks_secret};

/// A user name alone in a URL is a token from this length on. Shorter ones are
/// names such as `postgres`, and masking them would make output unreadable.
const TOKEN_AS_USER: usize = 16;

/// Every byte string to look for, for all values together.
pub(super) fn patterns<'a>(values: impl Iterator<Item = &'a SecretValue>) -> BTreeSet<Vec<u8>> {
    let mut patterns = BTreeSet::new();
    for part in values.flat_map(parts) {
        patterns.extend(replaced(&part));
        patterns.extend(base64(&part));
        patterns.insert(part);
    }
    patterns
}

/// The value itself and whatever inside it is a secret of its own: each line,
/// and the password of a URL. What is too short to be masked, or is no secret, is left out.
fn parts(secret: &SecretValue) -> BTreeSet<Vec<u8>> {
    let value = secret.expose();
    let mut parts = BTreeSet::from([value.to_vec()]);
    // Without the indentation, because tools indent the lines that they quote.
    parts.extend(value.split(|&byte| byte == b'\n').map(|line| line.trim_ascii().to_vec()));
    if let Ok(text) = std::str::from_utf8(value) {
        for credential in url_credentials(text) {
            parts.insert(percent_decoded(credential));
            parts.insert(credential.as_bytes().to_vec());
        }
    }
    parts.retain(|part| part.len() >= MINIMUM_LENGTH && !secret.is_open(part));
    parts
}

/// The passwords in `scheme://user:password@host/path?key=value`, as written.
fn url_credentials(text: &str) -> Vec<&str> {
    let Some((_, rest)) = text.trim().split_once("://") else { return Vec::new() };
    let mut found = Vec::new();
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    // RFC 3986 ends the authority at the first slash. SQLAlchemy reads up to
    // the first `@` instead, so that it takes a password with a bare slash.
    let strict = authority.rsplit_once('@').map(|(user, _)| user);
    let lenient = rest.split_once('@').map(|(user, _)| user);
    for user in [strict, lenient].into_iter().flatten() {
        match user.split_once(':') {
            Some((_, password)) => found.push(password),
            None if user.len() >= TOKEN_AS_USER && !user.contains('/') => found.push(user),
            None => {}
        }
    }
    if let Some((_, query)) = rest.split_once('?') {
        let query = query.split('#').next().unwrap_or_default();
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        found.extend(pairs.filter(|(name, _)| looks_secret(name)).map(|(_, value)| value));
    }
    found
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().iter();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(&byte) = bytes.next() {
        let pair = bytes.as_slice().get(..2).filter(|_| byte == b'%');
        let value =
            pair.and_then(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
        decoded.push(value.unwrap_or(byte));
        if value.is_some() {
            bytes.nth(1);
        }
    }
    decoded
}

/// Quoting that puts a fixed piece in the place of one character: a shell's
/// and SQL's apostrophe, and the entities of XML and HTML.
fn replaced(part: &[u8]) -> Vec<Vec<u8>> {
    const APOSTROPHE: [&str; 3] = [r"'\''", r#"'"'"'"#, "''"];
    const ENTITIES: [(&str, &str); 5] = [
        ("\"", "'"),
        ("&quot;", "'"),
        ("&quot;", "&#39;"),
        ("&quot;", "&#x27;"),
        ("&quot;", "&apos;"),
    ];
    let mut forms = Vec::new();
    if part.contains(&b'\'') {
        let with = |piece: &str| substitute(part, |byte| (byte == b'\'').then(|| piece.to_owned()));
        forms.extend(APOSTROPHE.map(with));
    }
    if part.iter().any(|byte| b"&<>\"'".contains(byte)) {
        forms.extend(ENTITIES.map(|(quote, apostrophe)| {
            substitute(part, |byte| match byte {
                b'&' => Some("&amp;".to_owned()),
                b'<' => Some("&lt;".to_owned()),
                b'>' => Some("&gt;".to_owned()),
                b'"' => Some(quote.to_owned()),
                b'\'' => Some(apostrophe.to_owned()),
                _ => None,
            })
        }));
    }
    forms
}

fn substitute(part: &[u8], piece: impl Fn(u8) -> Option<String>) -> Vec<u8> {
    part.iter()
        .flat_map(|&byte| piece(byte).map_or_else(|| vec![byte], String::into_bytes))
        .collect()
}

/// The part in base64, in both alphabets, at the three places that it can have
/// within a longer text (`user:password`). Characters at the edges that also
/// hold bits of the neighbours differ from text to text and are left out: at
/// most four bits of the first and the last byte stay readable. Where the part
/// ends the text, the last character is certain and belongs to it.
fn base64(part: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for alphabet in [STANDARD, URL_SAFE] {
        for offset in 0..3 {
            let mut bytes = vec![0; offset];
            bytes.extend_from_slice(part);
            let text = encode(&bytes, alphabet);
            let first = (offset * 8).div_ceil(6);
            let whole = bytes.len() * 8 / 6;
            forms.push(text[first..whole].to_vec());
            forms.push(text[first..].to_vec());
        }
    }
    forms
}

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Base64 of RFC 4648 without the padding.
fn encode(bytes: &[u8], alphabet: &[u8; 64]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0_u32, |bits, &byte| bits << 8 | u32::from(byte))
            << (8 * (3 - group.len()));
        text.extend(
            (0..=group.len()).map(|index| alphabet[(bits >> (18 - 6 * index) & 63) as usize]),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts_of(value: &[u8]) -> BTreeSet<Vec<u8>> {
        parts(&SecretValue::new(value))
    }

    #[test]
    fn base64_is_that_of_the_rfc() {
        let cases = [
            ("", ""),
            ("f", "Zg"),
            ("fo", "Zm8"),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
            ("\u{ff}?>", "w78/Pg"),
        ];
        for (text, expected) in cases {
            assert_eq!(encode(text.as_bytes(), STANDARD), expected.as_bytes());
        }
        assert_eq!(encode("\u{ff}?>".as_bytes(), URL_SAFE), b"w78_Pg");
    }

    #[test]
    fn the_password_of_a_url_is_a_part() {
        let part = |text: &str, expected: &str| {
            assert!(parts_of(text.as_bytes()).contains(expected.as_bytes()), "{text} {expected}");
        };
        part("postgresql://talia:p%40ss%2Fword@db:5432/talia", "p@ss/word");
        part("postgresql://talia:p%40ss%2Fword@db:5432/talia", "p%40ss%2Fword");
        part("postgresql+asyncpg://talia:pa/ssword@db/talia", "pa/ssword");
        part("redis://:pass@word1@cache/0", "pass@word1");
        part("https://0123456789abcdef@sentry.example/1", "0123456789abcdef");
        part("jdbc:postgresql://db/talia?user=me&password=longenough#x", "longenough");
        assert_eq!(parts_of(b"postgresql://postgres@db/talia").len(), 1);
        assert_eq!(parts_of(b"postgresql://me:short@db/talia").len(), 1);
        assert_eq!(parts_of(b"://").len() + parts_of(b"%%%%%%%%://%:%@").len(), 1);
    }

    #[test]
    fn lines_are_parts_without_their_indentation() {
        let parts = parts_of(b"{\n  \"key\": 12345\r\n}\n");
        assert!(parts.contains(&b"\"key\": 12345"[..]));
        assert_eq!(parts.len(), 2);
    }
}
