//! The grammar, the way back of every name and code, and bytes at random.

use super::*;
use crate::error::ErrorKind;

/// Marsaglia's xorshift: the same text on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }

    fn one<'p>(&mut self, pieces: &[&'p [u8]]) -> &'p [u8] {
        pieces[self.below(pieces.len())]
    }
}

fn parse(text: &[u8]) -> Result<RsyncItemize> {
    RsyncItemize::parse(text, Format::LengthAndName)
}

fn name(bytes: &[u8]) -> Name {
    Name::from(bytes)
}

/// What rsync prints of a name with `--8-bit-output`; `also` says which bytes from
/// 0x80 on it escapes without.
fn escaped(name: &[u8], also: impl Fn(u8) -> bool) -> Vec<u8> {
    let mut printed = Vec::new();
    for (at, &byte) in name.iter().enumerate() {
        let digits = name.get(at + 2..at + 5);
        let like_escape = byte == b'\\'
            && name.get(at + 1) == Some(&b'#')
            && digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_digit));
        if like_escape || (byte < b' ' && byte != b'\t') || (byte >= 0x80 && also(byte)) {
            printed.extend_from_slice(format!("\\#{byte:03o}").as_bytes());
        } else {
            printed.push(byte);
        }
    }
    printed
}

#[test]
fn what_a_deploy_prints() {
    let said = parse(
        b"*deleting   0 old/a b.css\n\
          *deleting   0 old/\n\
          <f+++++++++ 12  leading and trailing \n\
          >fcsT...... 3 index.html\n\
          cd+++++++++ 4096 assets/\n\
          cL+++++++++ 9 ln -> x\n\
          cLc.T...... 1 latest\n\
          .d..t...... 4096 ./\n\
          >f......... 0 forced\n\
          .f          7 same\n\
          >f????????? 7 old peer\n\
          cannot delete non-empty directory: .well-known\n\
          created directory /srv/a\\#012b\n\
          \n",
    )
    .unwrap();
    let lines: Vec<String> = said
        .items()
        .iter()
        .map(|item| match item.event {
            ItemEvent::Deleted { folder } => format!("deleted {folder} [{}]", item.name),
            ItemEvent::Updated(code) => {
                format!("{code} {} [{}]", item.length.unwrap(), item.name)
            }
        })
        .collect();
    assert_eq!(
        lines,
        [
            "deleted false [old/a b.css]",
            "deleted true [old]",
            "<f+++++++++ 12 [ leading and trailing ]",
            ">fcsT...... 3 [index.html]",
            "cd+++++++++ 4096 [assets]",
            "cL+++++++++ 9 [ln -> x]",
            "cLc.T...... 1 [latest]",
            ".d..t...... 4096 [.]",
            ">f......... 0 [forced]",
            ".f          7 [same]",
            ">f????????? 7 [old peer]",
        ]
    );
    assert_eq!(
        said.notices(),
        [
            Notice::NotEmpty(name(b".well-known")),
            Notice::Other(r"created directory /srv/a\\#012b".to_owned()),
        ]
    );
}

#[test]
fn names_that_look_like_something_else_are_names() {
    for hostile in [
        &b"*deleting   x"[..],
        b"a -> b",
        b"c => d",
        b"lit\\#012esc",
        b"back\\slash",
        b"short\\#12",
        b"a\nb",
        b"cr\r",
        b"tab\t",
        b" ",
        b"  two",
        b"12 34",
        b"bad-\xff-byte",
        b"\xc3\xa9",
        b"\x7f\xc2\x9b",
        b"cannot delete non-empty directory: x",
        b">f+++++++++ 1 x",
        b"\\\\#\\#1\\#134",
    ] {
        for also in [false, true] {
            let printed = escaped(hostile, |_| also);
            for (code, slash) in
                [(&b">f+++++++++"[..], ""), (b"cd+++++++++", "/"), (b"*deleting  ", "/")]
            {
                let line = [code, b" 12 ", &printed, slash.as_bytes(), b"\n"].concat();
                let said = parse(&line).unwrap();
                let [item] = said.items() else { panic!("{said:?}") };
                assert_eq!((item.name.as_bytes(), item.length), (hostile, Some(12)));
                assert!(said.notices().is_empty());
            }
        }
    }
    let shown = |bytes: &[u8]| name(bytes).to_string();
    assert_eq!(shown(b"a\xff\n\x1b"), r"a\xff\n\u{1b}");
    assert_eq!((name(b"\xff").as_str(), name(b"a").as_str()), (None, Some("a")));
}

#[test]
fn what_no_rsync_prints_is_refused_by_name() {
    for (line, why) in [
        (&b">f+++++++++ 1 x"[..], "ends within a line"),
        (b">f.st....... 1 x\n", "12 columns"),
        (b"cd++++++++++ 1 x/\n", "12 columns"),
        (b">f+++++++ x\n", "9 columns"),
        (b".f..t.... x\n", "9 columns"),
        (b"*deleting x\n", "before 3.0"),
        (b"*deletingx\n", "no item"),
        (b"Transfer starting: 3 files\n", "openrsync"),
        (b">f          1 x\n", "no item"),
        (b">f+++.+++++ 1 x\n", "no item"),
        (b">fT........ 1 x\n", "no item"),
        (b">f+++++++++\t1 x\n", "no item"),
        (b">f\n", "no item"),
        (b"cd\n", "no item"),
        (b">f+++++++++ 1 x\r\n", "control character"),
        (b">f+++++++++ 1 \n", "no name"),
        (b">f+++++++++ 1\n", "no name"),
        (b">f+++++++++ x\n", "no length"),
        (b">f+++++++++ 1,000 x\n", "no name behind"),
        (b">f+++++++++ 99999999999999999999 x\n", "no length"),
        (b"cd+++++++++ 1 x\n", "does not end with"),
        (b"cd+++++++++ 1 /\n", "does not end with"),
        (b">f+++++++++ 1 a\\#777\n", "no byte"),
        (b">f+++++++++ 1 a\\#089\n", "no byte"),
        (b">f+++++++++ 1 a\\#000\n", "NUL"),
    ] {
        let error = parse(&[b".f          1 ok\n", line].concat()).unwrap_err();
        let is_other =
            ["before 3.0", "openrsync", "columns"].iter().any(|other| why.contains(other));
        let kind = if is_other { ErrorKind::Preflight } else { ErrorKind::Step };
        assert_eq!((error.kind(), error.hint_text().is_some()), (kind, is_other), "{error}");
        let error = error.to_string();
        assert!(error.contains(why) && error.contains("line 2"), "{error}");
    }
    let long = [&b">f+++++++++ "[..], &[b'x'; 5000], b"\n"].concat();
    assert!(parse(&long).unwrap_err().to_string().len() < 200);
}

#[test]
fn a_target_is_told_apart_where_the_line_can_tell() {
    let read = |line: &[u8]| -> Vec<(String, String)> {
        let said = RsyncItemize::parse(line, Format::NameAndTarget).unwrap();
        let text = |name: Name| name.as_str().unwrap().to_owned();
        let readings = said.items()[0].readings().into_iter();
        readings.map(|one| (text(one.name), one.target.map(text).unwrap_or_default())).collect()
    };
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(name, to)| ((*name).to_owned(), (*to).to_owned())).collect()
    };
    for (line, readings) in [
        (&b">f+++++++++ a -> b\n"[..], &[("a -> b", "")][..]),
        (b">f+++++++++ c => d\n", &[("c => d", "")]),
        (b"*deleting   a -> b\n", &[("a -> b", "")]),
        (b"cL+++++++++ ln -> to\n", &[("ln", "to")]),
        (b".L          ln -> to\n", &[("ln", "to")]),
        (b"cL+++++++++ a => b -> c\n", &[("a => b", "c")]),
        (
            b"cL+++++++++ ln -> x -> t -> u\n",
            &[("ln", "x -> t -> u"), ("ln -> x", "t -> u"), ("ln -> x -> t", "u")],
        ),
        (b"hf+++++++++ a => b\n", &[("a", "b")]),
        // Is it one name of a file that stays what it is?
        (b"hf          a => b\n", &[("a => b", ""), ("a", "b")]),
        (b"hf          b\n", &[("b", "")]),
        (b"hL+++++++++ l2 => l\n", &[("l2", "l")]),
        (b"hL          l2 -> x\n", &[("l2", "x")]),
        (b"cd+++++++++ d -> e/\n", &[("d -> e", "")]),
    ] {
        assert_eq!(read(line), pairs(readings), "{}", String::from_utf8_lossy(line));
    }
    let said = parse(b"cL+++++++++ 1 a -> b\n").unwrap();
    assert_eq!(said.items()[0].readings().len(), 1, "without a target a name is a name");
}

#[test]
fn every_name_comes_back() {
    let pieces: [&[u8]; 24] = [
        b"\\",
        b"#",
        b"\\#",
        b"0",
        b"12",
        b"134",
        b"9",
        b" ",
        b"\t",
        b"\n",
        b"\r",
        b"\x1b",
        b"\x7f",
        b"\xc3\xa9",
        b"\xff",
        b"\xc3",
        b" -> ",
        b" => ",
        b"*deleting   ",
        b"a",
        b".",
        b"e\xcc\x81",
        b"\x01",
        b"'\"$`",
    ];
    let mut random = Random(0x7a11_a5ee_d000_0003);
    for round in 0..20_000 {
        let mut wanted = Vec::new();
        for _ in 0..=random.below(8) {
            wanted.extend_from_slice(random.one(&pieces));
        }
        // In a locale without UTF-8, and in one with, where some bytes are no text.
        let every = random.below(2) == 0;
        let printed = escaped(&wanted, |byte| every || byte == 0xff);
        let line = [b">f+++++++++ 1 ", &printed[..], b"\n"].concat();
        let said = parse(&line).unwrap_or_else(|error| panic!("round {round}: {error}"));
        assert_eq!(said.items()[0].name.as_bytes(), wanted, "round {round}");
    }
}

#[test]
fn every_code_comes_back_and_no_other_is_read() {
    let columns: [&[u8]; 11] = [
        b"<>ch.*", b"fdLDSx", b".c+? ", b".s+? ", b".tT+? ", b".p+? ", b".o+? ", b".g+? ",
        b".unb+? ", b".a+? ", b".x+? ",
    ];
    let mut random = Random(0x7a11_a5ee_d000_0004);
    let mut read = 0;
    for _ in 0..200_000 {
        let uniform = (random.below(4) == 0).then(|| b"+? ."[random.below(4)]);
        let code: [u8; 11] = std::array::from_fn(|at| match uniform {
            Some(byte) if at > 1 => byte,
            _ if at > 1 && random.below(20) > 0 => columns[at][random.below(columns[at].len() - 3)],
            _ => columns[at][random.below(columns[at].len())],
        });
        let slash = if code[1] == b'd' { "/" } else { "" };
        let line = [&code[..], b" 1 x", slash.as_bytes(), b"\n"].concat();
        let said = parse(&line);
        match Code::read(code) {
            Some(known) => {
                assert_eq!(known.to_string().as_bytes(), code);
                assert_eq!(said.unwrap().items()[0].event, ItemEvent::Updated(known));
                read += 1;
            }
            None => {
                // A message, or refused: never an item.
                assert!(said.map_or(true, |said| said.items().is_empty()));
            }
        }
    }
    assert!(read > 50_000, "{read}");
}

#[test]
fn bytes_at_random_never_panic() {
    let pieces: [&[u8]; 20] = [
        b">f+++++++++ ",
        b"cd+++++++++ ",
        b"*deleting   ",
        b"*deleting",
        b".f          ",
        b"hf",
        b"cL",
        b" -> ",
        b" => ",
        b"/",
        b"\\#",
        b"\\#012",
        b"777",
        b"12 ",
        b"\n",
        b"\n",
        b"\r",
        b"\xff",
        b"cannot delete non-empty directory: ",
        b"x",
    ];
    let mut random = Random(0x7a11_a5ee_d000_0005);
    let (mut fine, mut refused) = (0, 0);
    for _ in 0..100_000 {
        let mut text = Vec::new();
        for _ in 0..random.below(12) {
            match random.below(8) {
                0 => text.push(random.below(256) as u8),
                _ => text.extend_from_slice(random.one(&pieces)),
            }
        }
        for format in [Format::LengthAndName, Format::NameAndTarget] {
            match RsyncItemize::parse(&text, format) {
                Ok(said) => {
                    fine += 1;
                    said.items().iter().for_each(|item| assert!(!item.readings().is_empty()));
                }
                Err(error) => {
                    refused += 1;
                    assert!(!error.to_string().contains(char::is_control));
                }
            }
        }
    }
    assert!(fine > 1000 && refused > 1000, "{fine} {refused}");
}
