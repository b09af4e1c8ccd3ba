use super::*;

/// Marsaglia's xorshift: the same cases on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

fn masker(values: &[&str]) -> Masker {
    let values: Vec<SecretValue> = values.iter().map(SecretValue::new).collect();
    Masker::new(&values)
}

#[track_caller]
fn check(secret: &str, text: &str, expected: &str) {
    assert_eq!(masker(&[secret]).mask(text), expected);
}

const ODD: &str = "pä/ss wörd+\"<😀>&'\\%=~";

#[test]
fn json_as_the_usual_encoders_write_it() {
    let spellings = [
        // Python's json.dumps, with and without ensure_ascii.
        r#"p\u00e4/ss w\u00f6rd+\"<\ud83d\ude00>&'\\%=~"#,
        r#"pä/ss wörd+\"<😀>&'\\%=~"#,
        // PHP, Go, .NET, Jackson.
        r#"p\u00e4\/ss w\u00f6rd+\"<\ud83d\ude00>&'\\%=~"#,
        r#"pä/ss wörd+\"\u003c😀\u003e\u0026'\\%=~"#,
        r#"p\u00E4/ss w\u00F6rd\u002B\u0022\u003C\uD83D\uDE00\u003E\u0026\u0027\\%=~"#,
        // All mixed.
        r#"\u0070\u00E4\/\u0073s\u0020w\u00f6rd\u002b\"\u003C\uD83d\uDe00\u003e&\u0027\u005c\u0025=\u007e"#,
        // Rust's Debug, Python's repr of bytes, printf %q of bash.
        r#"p\u{e4}/ss wörd+\"<\u{1f600}>&\'\\%=~"#,
        r#"p\xc3\xa4/ss w\xc3\xb6rd+"<\xf0\x9f\x98\x80>&\'\\%=~"#,
        r#"p\303\244/ss w\303\266rd+\"<\360\237\230\200>&'\\%=~"#,
        r#"p\xe4/ss w\xf6rd+"<\U0001f600>&\'\\%=~"#,
        r#"pä/ss\ wörd+\"\<😀\>\&\'\\%=\~"#,
    ];
    for text in spellings {
        check(ODD, &format!("{{\"a\":\"{text}\"}}"), "{\"a\":\"***\"}");
    }
}

#[test]
fn percent_encoding_in_any_mixture() {
    let spellings = [
        "p%C3%A4%2Fss%20w%C3%B6rd%2B%22%3C%F0%9F%98%80%3E%26%27%5C%25%3D~",
        "p%c3%a4/ss+w%c3%b6rd%2b%22%3c%f0%9f%98%80%3e%26'%5c%25%3d%7e",
        "p%C3%a4%2fss%20wörd+%22%3C😀%3E&%27%5C%25=~",
    ];
    for text in spellings {
        check(ODD, &format!("https://x/?q={text}&b=1"), "https://x/?q=***&b=1");
    }
    check("a b c d e", "a+b+c+d+e", "***");
    check("a+b+c+d+e", "a+b+c+d+e", "***");
    check("100%/100%/", "100%25%2f100%", "100%25%2f100%");
    check("ä/100%/100%", "%C3%A4/100%/100%", "***");
}

#[test]
fn quoting_of_shells_sql_and_xml() {
    let secret = "it's <b> & \"c\"";
    let spellings = [
        r#"it'\''s <b> & "c""#,
        r#"it'"'"'s <b> & "c""#,
        r#"it''s <b> & "c""#,
        r#"it's &lt;b&gt; &amp; "c""#,
        "it's &lt;b&gt; &amp; &quot;c&quot;",
        "it&#x27;s &lt;b&gt; &amp; &quot;c&quot;",
        "it&#39;s &lt;b&gt; &amp; &quot;c&quot;",
    ];
    for text in spellings {
        check(secret, &format!("[{text}]"), "[***]");
    }
}

#[test]
fn base64_at_three_alignments_in_both_alphabets() {
    // base64 of "", "x", "xy" + secret + "", "!" by coreutils; `?>?` gives `/` and `+`.
    let secret = "~~s3cr?t>>?";
    let cases = [
        ("fn5zM2NyP3Q+Pj8=", "***="),
        ("fn5zM2NyP3Q-Pj8", "***"),
        ("fn5zM2NyP3Q+Pj8h", "***h"),
        ("eH5+czNjcj90Pj4/", "eH***"),
        ("eH5+czNjcj90Pj4/IQ==", "eH***IQ=="),
        ("eH5-czNjcj90Pj4_IQ", "eH***IQ"),
        ("eHl+fnMzY3I/dD4+Pw==", "eHl***=="),
        ("eHl+fnMzY3I/dD4+PyE=", "eHl***yE="),
        // As JSON of PHP and within a URL.
        (r"eHl+fnMzY3I\/dD4+Pw==", "eHl***=="),
        ("eHl%2Bfn%4dzY3I%2FdD4%2bPw%3D%3D", "eHl***%3D%3D"),
    ];
    for (text, expected) in cases {
        check(secret, text, expected);
    }
}

#[test]
fn overlapping_nested_and_touching_secrets() {
    let both = masker(&["abcdefghij", "fghijklmno", "cdefghij"]);
    assert_eq!(both.mask("abcdefghijklmno"), "***");
    assert_eq!(both.mask("xcdefghijx"), "x***x");
    assert_eq!(both.mask("abcdefghijfghijklmno"), "***");
    assert_eq!(both.mask("abcdefghij fghijklmno"), "*** ***");
    let prefix = masker(&["password", "password-and-more"]);
    assert_eq!(prefix.mask("password-and-mor password-and-more"), "***-and-mor ***");
    assert_eq!(masker(&["ab***cd***"]).mask("ab***cd*** ***"), "*** ***");
    assert_eq!(masker(&["********"]).mask("******* *********"), "******* ***");
    assert_eq!(masker(&["aaaaaaaa"]).mask("baaaaaaaaaaab"), "b***b");
}

#[test]
fn each_line_of_a_long_value() {
    let key = "-----BEGIN KEY-----\nMIIEvQIBADANBg\n  kqhkiG9w0BAQEFAA\nshort\n-----END KEY-----\n";
    let masker = masker(&[key]);
    assert_eq!(masker.mask("> kqhkiG9w0BAQEFAA\r\nshort"), "> ***\r\nshort");
    assert_eq!(masker.mask(&format!("a{key}b")), "a***b");
    assert_eq!(masker.mask(&format!("{{{key:?}}}")), "{\"***\"}");
    assert_eq!(masker.mask("MIIEvQIBADANB"), "MIIEvQIBADANB");
}

#[test]
fn bytes_that_are_not_utf8() {
    let value = SecretValue::new(b"\x80\xff\xfe12345");
    let masker = Masker::new([&value]);
    assert_eq!(&*masker.mask_bytes(b"\xc3\x80\xff\xfe12345\xff"), b"\xc3***\xff");
    let tail = Masker::new([&SecretValue::new(b"\xa4\x00\x01\x02\x03\x04\x05\x06")]);
    assert_eq!(tail.mask("ä\0\x01\x02\x03\x04\x05\x06"), "\u{fffd}***");
}

#[test]
fn nothing_to_mask_costs_and_changes_nothing() {
    let empty = masker(&["short"]);
    assert!(empty.is_empty());
    assert!(matches!(empty.mask("short"), Cow::Borrowed("short")));
    let some = masker(&["correct horse"]);
    assert!(matches!(some.mask(r"correct hors\u0065x"), Cow::Owned(_)));
    assert!(matches!(some.mask(r"correct hors\u00"), Cow::Borrowed(_)));
    assert_eq!(format!("{some:?} {:?}", some.stream()), "Masker MaskStream");
}

fn streamed(masker: &Masker, text: &[u8], mut cut: impl FnMut() -> usize) -> Vec<u8> {
    let (mut stream, mut out, mut rest) = (masker.stream(), Vec::new(), text);
    while !rest.is_empty() {
        let (now, later) = rest.split_at(cut().min(rest.len()));
        stream.push(now, &mut out);
        rest = later;
    }
    stream.finish(&mut out);
    out
}

#[test]
fn a_stream_is_equal_however_it_is_cut() {
    let secrets = [
        ODD,
        "correct horse",
        "horse battery",
        "a\\nb\\\\u00e4\"",
        "%41%42%%%",
        "line one is long\nline two is long\n",
    ];
    let masker = masker(&secrets);
    let mut pieces: Vec<String> = secrets.map(str::to_owned).to_vec();
    pieces.extend(secrets.map(|secret| format!("{secret:?}")));
    pieces
        .extend(secrets.map(|secret| secret.bytes().map(|byte| format!("%{byte:02x}")).collect()));
    pieces.extend(secrets.map(|secret| {
        secret.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect::<String>()
    }));
    pieces.extend(secrets.map(|secret| secret.chars().take(7).collect()));
    pieces.extend(secrets.map(|secret| secret.chars().skip(5).collect()));
    let noise = [
        "\\",
        "%",
        "+",
        "\\u",
        "\\u00",
        "\\ud83d",
        "\\u{",
        "%4",
        "\n",
        " ",
        "x",
        "c",
        "Y29ycmVjdCBob3JzZQ",
    ];
    pieces.extend(noise.map(str::to_owned));
    let mut random = Random(0x5eed);
    for _ in 0..400 {
        let mut text: Vec<u8> = Vec::new();
        for _ in 0..random.below(20) {
            text.extend_from_slice(pieces[random.below(pieces.len())].as_bytes());
            if random.below(4) == 0 {
                text.push(random.below(256) as u8);
            }
            if random.below(9) == 0 {
                let upto = random.below(text.len() + 1);
                text.truncate(upto);
            }
        }
        let whole = masker.mask_bytes(&text).into_owned();
        assert_eq!(streamed(&masker, &text, || usize::MAX), whole);
        assert_eq!(streamed(&masker, &text, || 1), whole);
        for _ in 0..4 {
            let most = 1 + random.below(40);
            let cut = streamed(&masker, &text, || 1 + random.below(most));
            assert_eq!(String::from_utf8_lossy(&cut), String::from_utf8_lossy(&whole));
        }
        for secret in secrets {
            assert!(!whole.windows(secret.len()).any(|window| window == secret.as_bytes()));
        }
    }
}

/// Every character in a spelling of its own, from all that an encoder may choose.
#[test]
fn no_mixture_of_spellings_gets_through() {
    let secrets = [ODD, "correct horse", "sk_live_0123456789", "ünïcödé\tand\nnewline"];
    let mut random = Random(77);
    for round in 0..2000 {
        let secret = secrets[round % secrets.len()];
        let backslash = round % 2 == 0;
        let spelled: String = secret
            .chars()
            .map(|char| match (backslash, random.below(4)) {
                (true, 0) => char
                    .encode_utf16(&mut [0; 2])
                    .iter()
                    .map(|unit| format!("\\u{unit:04x}"))
                    .collect(),
                (true, 1) => char
                    .encode_utf16(&mut [0; 2])
                    .iter()
                    .map(|unit| format!("\\u{unit:04X}"))
                    .collect(),
                (true, 2) => format!("\\u{{{:x}}}", u32::from(char)),
                (true, _) => match char {
                    '\\' => "\\\\".to_owned(),
                    '\n' => "\\n".to_owned(),
                    '/' => "\\/".to_owned(),
                    '"' => "\\\"".to_owned(),
                    other => other.to_string(),
                },
                (false, 0) => char.to_string().bytes().map(|byte| format!("%{byte:02x}")).collect(),
                (false, 1) => char.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect(),
                (false, _) if char == '%' => "%25".to_owned(),
                (false, _) if char == '+' => "%2b".to_owned(),
                (false, _) if char == ' ' => "+".to_owned(),
                (false, _) => char.to_string(),
            })
            .collect();
        let text = format!("before={spelled}, after");
        assert_eq!(masker(&[secret]).mask(&text), "before=***, after", "{text}");
    }
}

#[test]
fn ordinary_output_is_not_held_back() {
    let masker = masker(&[ODD, "correct horse", "-----BEGIN\nKEY-----"]);
    let mut stream = masker.stream();
    let mut out = Vec::new();
    for line in ["running 3 tests\n", "Password: ", "{\"a\": \"b\\n\"}\r\n", "100% done\n", "a\\"] {
        stream.push(line.as_bytes(), &mut out);
    }
    assert_eq!(
        String::from_utf8_lossy(&out),
        "running 3 tests\nPassword: {\"a\": \"b\\n\"}\r\n100% done\na"
    );
    out.clear();
    stream.push(b"x corr", &mut out);
    assert_eq!(String::from_utf8_lossy(&out), "\\x ");
    stream.finish(&mut out);
    assert_eq!(String::from_utf8_lossy(&out), "\\x corr");
}
