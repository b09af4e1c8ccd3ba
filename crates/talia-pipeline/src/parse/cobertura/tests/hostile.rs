//! Files made to hurt: each must be over soon, in little memory.

use super::*;

/// Repeats a piece without holding it in memory.
struct Endless {
    start: Vec<u8>,
    piece: Vec<u8>,
    left: u64,
}

impl Endless {
    fn read(start: &str, piece: &str, bytes: u64) -> Result<Coverage, Error> {
        let piece = piece.repeat(64 * 1024 / piece.len() + 1).into_bytes();
        let input = Self { start: start.as_bytes().to_vec(), piece, left: bytes };
        Coverage::read(input, Utf8Path::new("coverage.xml"))
    }
}

impl Read for Endless {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let from = if self.start.is_empty() { &self.piece } else { &self.start };
        let length =
            from.len().min(into.len()).min(usize::try_from(self.left).unwrap_or(usize::MAX));
        into[..length].copy_from_slice(&from[..length]);
        if self.start.is_empty() {
            self.piece.rotate_left(length);
        } else {
            self.start.drain(..length);
        }
        self.left -= length as u64;
        Ok(length)
    }
}

const GIGABYTE: u64 = 1 << 30;

#[test]
fn a_gigabyte_in_one_piece_is_refused_early() {
    for (start, piece, place) in [
        ("<coverage a=\"", "x", "1:1"),
        ("<coverage><!-- ", "x ", "1:11"),
        ("<coverage>\n<![CDATA[", "x", "2:1"),
        ("<coverage>", "text ", "1:11"),
        ("<!DOCTYPE coverage [", "<!ENTITY a 'b'>", "1:1"),
        ("<", "coverage", "1:1"),
        ("<coverage><packages>&", "amp", "1:21"),
        ("<coverage><?x ", "y", "1:11"),
        ("  ", " ", "1:1"),
        ("<coverage ", "a='1' ", "1:1"),
    ] {
        let error = Endless::read(start, piece, GIGABYTE).unwrap_err().to_string();
        let wanted = format!("coverage.xml:{place}: a single piece of markup is longer than 8 MiB");
        assert_eq!(error, wanted, "{start}");
    }
}

#[test]
fn depth_is_bounded() {
    let error = Endless::read("<coverage><packages>", "<package>", GIGABYTE).unwrap_err();
    assert!(error.to_string().contains("elements stand more than 256 levels deep"));
    let error = Endless::read("<coverage><packages>", "<x>", GIGABYTE).unwrap_err();
    assert!(error.to_string().contains("elements stand more than 256 levels deep"));
}

#[test]
fn a_hundred_thousand_attributes_are_checked_at_once() {
    let many: String = (0..100_000).map(|number| format!(" a{number}=\"1\"")).collect();
    let xml = format!("<coverage line-rate=\"1\"{many}><packages/></coverage>");
    let coverage = Coverage::read(xml.as_bytes(), Utf8Path::new("c.xml")).unwrap();
    assert_eq!(coverage.header.iter().count(), 100_001);
    let xml = format!("<coverage line-rate=\"1\"{many} a7=\"2\"><packages/></coverage>");
    let error = Coverage::read(xml.as_bytes(), Utf8Path::new("c.xml")).unwrap_err();
    assert!(error.to_string().contains("attribute `a7` twice"));
}

#[test]
fn namespaces_in_scope_are_bounded() {
    let many: String = (0..1000).map(|number| format!(" xmlns:a{number}=\"1\"")).collect();
    assert!(error(format!("<coverage{many}/>")).contains("more than 256 namespaces"));
}

#[test]
fn entity_bombs_are_refused() {
    let mut doctype = "<!DOCTYPE coverage [<!ENTITY a0 \"boom, boom, boom\">".to_owned();
    for level in 1..10 {
        let inner = format!("&a{};", level - 1).repeat(30);
        doctype.push_str(&format!("<!ENTITY a{level} \"{inner}\">"));
    }
    let bomb = |name: &str| format!("{doctype}]>{}", report("", &class(name, "")));
    assert!(error(bomb("&a7;")).contains("entity"));
    assert!(error(bomb("&a9;")).contains("entity"));
    let text = bomb("a").replace("<lines>", "<lines>&a9;");
    assert!(error(text).contains("entity"));
    let source =
        format!("{doctype}]><coverage><sources><source>&a7;</source></sources></coverage>");
    assert!(error(source).contains("entity"));
}

#[test]
fn one_huge_number_costs_nothing() {
    let lines = "<line number=\"1\" hits=\"0\"/><line number=\"9999999999999999999\" hits=\"0\"/>";
    let coverage = read(report("line-rate=\"0\"", &class("a", lines))).unwrap();
    assert_eq!(coverage.files[0].missed_ranges().collect::<Vec<_>>(), [(1, 9999999999999999999)]);
}

#[test]
fn one_file_in_a_hundred_thousand_classes_is_not_quadratic() {
    let mut classes = String::new();
    for number in (0..100_000u64).rev() {
        classes.push_str(&class("a.py", &format!("<line number=\"{number}\" hits=\"1\"/>")));
    }
    let xml = report("line-rate=\"1\"", &classes);
    let coverage = Coverage::read(xml.as_bytes(), Utf8Path::new("c.xml")).unwrap();
    assert_eq!(coverage.lines, counts(100_000, 100_000));
}

#[test]
fn a_long_file_name_is_refused() {
    let long = "a".repeat(10_000);
    assert!(error(report("", &class(&long, ""))).contains("a file name longer than 8192 bytes"));
}

#[test]
fn counts_do_not_overflow() {
    let max = u64::MAX;
    let lines = format!(
        "<line number=\"1\" hits=\"1\" condition-coverage=\"({max}/{max})\"/>\
         <line number=\"2\" hits=\"1\" condition-coverage=\"({max}/{max})\"/>"
    );
    let coverage = read(report("line-rate=\"1\"", &class("a", &lines))).unwrap();
    assert_eq!(coverage.branches, counts(max, max));
}
