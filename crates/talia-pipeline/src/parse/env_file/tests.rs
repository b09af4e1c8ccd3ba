use super::*;

fn values(text: &str) -> Vec<(String, String, usize)> {
    let file = read(text.as_bytes()).unwrap();
    file.entries.into_iter().map(|entry| (entry.name, entry.value, entry.line)).collect()
}

fn one(text: &str) -> String {
    let mut values = values(text);
    assert_eq!(values.len(), 1, "{text:?}");
    values.remove(0).1
}

#[test]
fn plain_values_are_literal_to_the_end_of_the_line() {
    for (text, value) in [
        ("A=b", "b"),
        ("A=", ""),
        ("A=  ", ""),
        ("A= # c", ""),
        ("A=#b", "#b"),
        ("A=b#c # d # e", "b#c"),
        ("A=b\t#c", "b"),
        ("A=b # 'c", "b"),
        ("A= b  c \t", "b  c"),
        ("A=$B ${C} \\n `d` \\", "$B ${C} \\n `d` \\"),
        ("A=b=c", "b=c"),
        ("A=it's \"b\"", "it's \"b\""),
        ("A=ü\u{a0}", "ü\u{a0}"),
        ("  export\t A=b", "b"),
        ("exported=b", "b"),
        ("export=b", "b"),
        ("A=b\r\n", "b"),
        ("\u{feff}A=b", "b"),
        ("_a9=b\rc", "b\rc"),
    ] {
        assert_eq!(one(text), value, "{text:?}");
    }
}

#[test]
fn quoted_values_may_span_lines() {
    for (text, value) in [
        ("A='b # $c \\n \"'", "b # $c \\n \""),
        ("A= 'b' # c", "b"),
        ("A=''#c", ""),
        ("A='b\n\n c '\n", "b\n\n c "),
        ("A='b\r\nc'\r\n", "b\nc"),
        ("A=\"b\\n\\r\\t\\\"\\\\\\$\\` $c 'd' # e\nf\"", "b\n\r\t\"\\$` $c 'd' # e\nf"),
    ] {
        assert_eq!(one(text), value, "{text:?}");
    }
}

#[test]
fn lines_are_counted_and_repeated_names_told() {
    let text = "# a\n\nA='x\ny'\n  # b\nB=1\r\nA=2\nB=3";
    let expected = [("A", "x\ny", 3), ("B", "1", 6), ("A", "2", 7), ("B", "3", 8)];
    assert_eq!(values(text), expected.map(|(n, v, l)| (n.to_owned(), v.to_owned(), l)));
    let file = read(text.as_bytes()).unwrap();
    assert_eq!(file.value("A"), Some("2"));
    assert_eq!(file.value("C"), None);
    assert_eq!(file.repeated(), [("A", 7), ("B", 8)]);
    let effective: Vec<&str> = file.effective().iter().map(|entry| entry.value()).collect();
    assert_eq!(effective, ["2", "3"]);
}

#[test]
fn errors_have_a_place_and_never_a_value() {
    for (text, message) in [
        ("A", "line 1, column 2: expected `=` right behind the name"),
        ("\nA =s3cr3t", "line 2, column 2: expected `=` right behind the name"),
        ("9=s3cr3t", "line 1, column 1: expected a name"),
        ("=s3cr3t", "line 1, column 1: expected a name"),
        ("export A", "line 1, column 9: expected `=` right behind the name"),
        ("ä=s3cr3t", "line 1, column 1: expected a name"),
        ("A-B=s3cr3t", "line 1, column 2: expected `=` right behind the name"),
        ("A=1\nB='s3cr3t\n", "line 2, column 3: a quote opens here and is never closed"),
        ("A=\"s3cr3t\\", "line 1, column 3: a quote opens here and is never closed"),
        ("A=\"ü\ns3cr3t\\d\"", "line 2, column 7: unknown escape"),
        ("A='s3cr3t' x", "line 1, column 12: something follows the closing quote"),
        ("A=s3cr3t\0", "line 1: the value of A has a NUL byte"),
    ] {
        let error = read(text.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), message, "{text:?}");
        let all = format!("{error:?} {:?}", error.hint_text());
        assert!(!all.contains("s3cr3t"), "{all}");
    }
    let error = read(b"A=1\nB=\xff").unwrap_err();
    assert_eq!(error.to_string(), "line 2: not UTF-8");
}

#[test]
fn debug_shows_no_value() {
    let file = read(b"TOKEN=s3cr3t-value\n").unwrap();
    assert_eq!(format!("{file:?}"), "EnvFile { entries: [TOKEN=*** (line 1)] }");
}

/// Values of characters that mean something to some reader, from a small generator
/// with a fixed seed.
#[test]
fn every_value_survives_printing_and_reading() {
    const ALPHABET: [char; 24] = [
        ' ',
        '\t',
        '\n',
        '\r',
        '"',
        '\'',
        '`',
        '$',
        '\\',
        '#',
        '=',
        '{',
        '}',
        '(',
        'n',
        'r',
        't',
        'a',
        'ü',
        '\u{1F600}',
        '\u{feff}',
        '\u{1}',
        '\u{2028}',
        '\u{a0}',
    ];
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % u64::try_from(below).unwrap()).unwrap()
    };
    for _ in 0..20_000 {
        let value = |next: &mut dyn FnMut(usize) -> usize| -> String {
            (0..next(12)).map(|_| ALPHABET[next(ALPHABET.len())]).collect()
        };
        let (a, b) = (value(&mut next), value(&mut next));
        let text = format!("# x\n{}{}", quoted("A", &a), quoted("B", &b));
        let file = read(text.as_bytes()).unwrap();
        assert_eq!(file.value("A"), Some(a.as_str()), "{text}");
        assert_eq!(file.value("B"), Some(b.as_str()), "{text}");
        let windows = text.replace('\n', "\r\n");
        assert_eq!(read(windows.as_bytes()).unwrap().value("B"), Some(b.as_str()));
    }
}

#[test]
fn any_bytes_end_in_a_file_or_an_error() {
    let pieces: [&[u8]; 12] =
        [b"A", b"=", b"'", b"\"", b"\\", b"\n", b"\r", b"#", b" ", b"export ", b"\xc3", b"\xbc"];
    let mut state = 1_usize;
    for _ in 0..20_000 {
        let mut text = Vec::new();
        for _ in 0..12 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            text.extend_from_slice(pieces[(state >> 33) % pieces.len()]);
        }
        drop(read(&text));
    }
}
