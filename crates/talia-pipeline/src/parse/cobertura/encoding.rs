//! Which encoding a report is in.

use super::{attributes::Attributes, input::Unreadable};

/// The label of the encoding, `None` for UTF-8, and the length of the byte order
/// mark. A byte order mark is stronger than a declaration: a shell that redirects
/// a report re-encodes it and leaves the declaration as it was.
pub(super) fn encoding_of(head: &[u8]) -> Result<(Option<String>, usize), Unreadable> {
    let utf_16 = |label: &str, length| Ok((Some(label.to_owned()), length));
    match head {
        [0xff, 0xfe, 0, 0, ..]
        | [0, 0, 0xfe, 0xff, ..]
        | [b'<', 0, 0, 0, ..]
        | [0, 0, 0, b'<', ..] => Err(Unreadable::Utf32),
        [0xef, 0xbb, 0xbf, ..] => Ok((None, 3)),
        [0xff, 0xfe, ..] => utf_16("utf-16le", 2),
        [0xfe, 0xff, ..] => utf_16("utf-16be", 2),
        [b'<', 0, ..] => utf_16("utf-16le", 0),
        [0, b'<', ..] => utf_16("utf-16be", 0),
        _ => Ok((declared_encoding(head), 0)),
    }
}

/// What `<?xml … encoding="…"?>` says, unless it is UTF-8, or UTF-16: a
/// declaration that could be read byte by byte is not in UTF-16.
fn declared_encoding(head: &[u8]) -> Option<String> {
    let ascii = head.iter().take_while(|byte| byte.is_ascii()).count();
    let head = std::str::from_utf8(&head[..ascii]).ok()?.trim_ascii_start();
    let (declaration, _) = head.strip_prefix("<?xml")?.split_once("?>")?;
    let label = Attributes::new(declaration)
        .map_while(Result::ok)
        .find(|attribute| attribute.name == "encoding")?
        .raw
        .trim();
    let plain = ["utf-8", "utf8", "us-ascii", "ascii", ""];
    let skip = plain.iter().any(|known| label.eq_ignore_ascii_case(known))
        || label.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("utf-16"));
    (!skip).then(|| label.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoding_is_found_by_mark_by_shape_and_by_declaration() {
        let label = |head: &[u8]| encoding_of(head).map(|(label, _)| label.unwrap_or_default());
        assert_eq!(label(b"\xef\xbb\xbf<?xml encoding='latin1'?>").unwrap(), "");
        assert_eq!(label(b"\xff\xfe<\0").unwrap(), "utf-16le");
        assert_eq!(label(b"\xfe\xff\0<").unwrap(), "utf-16be");
        assert_eq!(label(b"<\0?\0").unwrap(), "utf-16le");
        assert_eq!(label(b"\0<\0?").unwrap(), "utf-16be");
        assert_eq!(label(b"<?xml version='1.0' encoding='ISO-8859-1'?>").unwrap(), "ISO-8859-1");
        assert_eq!(label(b"<?xml version='1.0' encoding='UTF-16'?>").unwrap(), "");
        assert_eq!(label(b"<?xml version='1.0'?><a encoding='x'/>").unwrap(), "");
        assert!(label(b"\xff\xfe\0\0").is_err());
    }
}
