use super::*;

fn xml(encoding: &str) -> String {
    let lines = "<line number=\"1\" hits=\"1\"/>\n".to_owned()
        + "<line number=\"2\" hits=\"0\" branch=\"true\" condition-coverage=\"50% (1/2)\"/>\n";
    format!(
        "<?xml version=\"1.0\" encoding=\"{encoding}\"?>\n{}",
        report("line-rate=\"0.5\"", &class("é.py", &lines))
    )
}

fn utf_16(text: &str, convert: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(convert).collect()
}

fn check(bytes: Vec<u8>) {
    let coverage = read(bytes).unwrap();
    assert_eq!(files(&coverage), [("é.py", vec![2], counts(1, 2), counts(1, 2))]);
}

#[test]
fn utf_8_with_a_byte_order_mark() {
    for encoding in ["utf-8", "UTF8", "UTF-16", "windows-1252"] {
        check(format!("\u{feff}{}", xml(encoding)).into_bytes());
    }
}

#[test]
fn utf_16_as_a_redirect_of_powershell_writes_it() {
    // The declaration is that of the tool, not of the shell.
    for encoding in ["utf-8", "UTF-16"] {
        let text = format!("\u{feff}{}", xml(encoding)).replace('\n', "\r\n");
        check(utf_16(&text, u16::to_le_bytes));
        check(utf_16(&text, u16::to_be_bytes));
        check(utf_16(&text[3..], u16::to_le_bytes));
    }
}

#[test]
fn utf_8_that_claims_to_be_utf_16() {
    check(xml("UTF-16").into_bytes());
}

#[test]
fn latin_1_and_windows_1252() {
    for encoding in ["ISO-8859-1", "iso-8859-1", "windows-1252", "latin1", "ISO-8859-15"] {
        let bytes = xml(encoding).chars().map(|character| character as u8).collect();
        check(bytes);
    }
}

#[test]
fn no_declaration_is_utf_8() {
    let text = xml("utf-8");
    check(text.split_once('\n').unwrap().1.as_bytes().to_vec());
    check(format!("\n  {text}").into_bytes());
}

#[test]
fn line_ends_of_all_systems() {
    for line_end in ["\n", "\r\n", "\r", "\n\n\n", ""] {
        check(xml("utf-8").replace('\n', line_end).into_bytes());
    }
}

#[test]
fn bytes_that_are_not_in_the_encoding() {
    let bytes: Vec<u8> = xml("utf-8").chars().map(|character| character as u8).collect();
    assert!(error(bytes).starts_with("coverage.xml:2:54: byte 0xE9 is not UTF-8"));
    let mut bytes = utf_16(&format!("\u{feff}{}", xml("utf-8")), u16::to_le_bytes);
    bytes.pop();
    assert!(error(bytes).contains("cannot be decoded as UTF-16LE"));
    assert!(error(xml("klingon")).contains("1:1: unknown encoding `klingon`"));
}

#[test]
fn a_character_may_lie_across_any_two_chunks() {
    // 64 KiB is the size of a chunk: an é stands at every offset around it.
    for shift in 0..16 {
        let lines = format!("<!--{}-->", "é".repeat(40_000));
        let text =
            format!("{}{}", " ".repeat(shift), report("line-rate=\"x\"", &class("a", &lines)));
        let whole = Coverage::read(text.as_bytes(), Utf8Path::new("c.xml")).unwrap();
        assert_eq!(whole.files.len(), 1);
    }
}
