//! Deterministic mutations: nothing that a file may hold makes the parser panic
//! or disagree with itself.

use super::*;

struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below as u64) as usize
    }
}

const SEEDS: [&str; 4] = [
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<!DOCTYPE coverage SYSTEM 'x' [<!ENTITY a \"b&#99;\">]>\n\
     <coverage line-rate=\"0.5\" lines-valid=\"2\"><sources><source>/srv &a; x</source></sources>\
     <packages><package name=\"p\"><classes><class name=\"c\" filename=\"&a;.py\"><methods><method>\
     <lines><line number=\"1\" hits=\"1\"/></lines></method></methods><lines>\
     <line number=\"1\" hits=\"1\"/><line number=\"2\" hits=\"0\" branch=\"true\" \
     condition-coverage=\"50% (1/2)\"/></lines></class></classes></package></packages></coverage>",
    "<c:coverage xmlns:c='urn:c'><c:packages><c:class filename='ü.cs'><c:lines>\
     <c:line number='3' hits='1e3'><c:conditions><c:condition/></c:conditions></c:line><!-- é -->\
     <![CDATA[<line/>]]><v:x xmlns:v='v'/></c:lines></c:class></c:packages></c:coverage>",
    "<coverage><packages><class filename='a'><lines><line number='18446744073709551615' hits='-1'/>\
     <line number='0' hits='NaN'/>\r\n<line\thits='1'\rnumber='7'/></lines></class></packages></coverage>",
    "\u{feff}<coverage branch-rate='1,0'><packages/><?pi x?></coverage>\n",
];

const PIECES: [&str; 24] = [
    "<",
    ">",
    "/>",
    "</",
    "\"",
    "'",
    "&",
    ";",
    "&#0;",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<?",
    "?>",
    "<!DOCTYPE x [",
    "=",
    " ",
    "\n",
    "\u{1}",
    "é",
    "<line number=\"5\" hits=\"1\"/>",
    "xmlns=\"q\"",
    "18446744073709551616",
];

fn mutate(random: &mut Random, seed: &[u8]) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=random.next(3) {
        let at = random.next(bytes.len().max(1));
        match random.next(6) {
            0 if !bytes.is_empty() => bytes[at] = random.next(256) as u8,
            1 => bytes.truncate(at),
            2 => {
                let piece = PIECES[random.next(PIECES.len())];
                bytes.splice(at..at, piece.bytes());
            }
            3 => {
                let end = (at + random.next(40)).min(bytes.len());
                bytes.drain(at..end);
            }
            4 => {
                let end = (at + random.next(60)).min(bytes.len());
                let copied = bytes[at..end].to_vec();
                let to = random.next(bytes.len() + 1);
                bytes.splice(to..to, copied);
            }
            _ if !bytes.is_empty() => bytes[at] ^= 1 << random.next(8),
            _ => {}
        }
    }
    bytes
}

#[test]
fn twenty_thousand_mutations_neither_panic_nor_disagree() {
    let mut random = Random(0x5851_f42d_4c95_7f2d);
    let (mut accepted, mut refused) = (0, 0);
    for round in 0..20_000 {
        let seed = SEEDS[round % SEEDS.len()];
        let mut bytes = mutate(&mut random, seed.as_bytes());
        if round % 10 == 0 {
            // The same as UTF-16, cut anywhere.
            let text = String::from_utf8_lossy(&bytes).into_owned();
            bytes = [0xff, 0xfe]
                .into_iter()
                .chain(text.encode_utf16().flat_map(u16::to_le_bytes))
                .collect();
            bytes.truncate(bytes.len() - random.next(3).min(bytes.len()));
        }
        match read(&bytes) {
            Ok(coverage) => {
                accepted += 1;
                check(&coverage);
            }
            Err(error) => {
                refused += 1;
                assert!(error.to_string().starts_with("coverage.xml:"), "{error}");
                assert!(!error.to_string().contains('\n'), "{error}");
            }
        }
    }
    assert!(accepted > 1000 && refused > 10_000, "{accepted} accepted, {refused} refused");
}

/// What holds for every report.
fn check(coverage: &Coverage) {
    let (mut lines, mut branches) = (Counts::default(), Counts::default());
    for file in &coverage.files {
        let measured: Vec<_> = file.measured().collect();
        assert!(measured.windows(2).all(|pair| pair[0].number < pair[1].number));
        assert_eq!(measured.len() as u64, file.lines.valid);
        assert_eq!(file.missed().count() as u64, file.lines.missed());
        lines.add(file.lines);
        branches.add(file.branches);
    }
    assert_eq!((lines, branches), (coverage.lines, coverage.branches));
    assert!(branches.covered <= branches.valid);
    assert!(coverage.files.windows(2).all(|pair| pair[0].path.as_str() < pair[1].path.as_str()));
}
