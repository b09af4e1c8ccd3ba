use std::fmt::Write as _;

use super::{super::report::*, *};
use crate::ErrorKind;

fn read(xml: &[u8]) -> Result<TestReport> {
    TestReport::read(xml, "report.xml".into(), "/project".into())
}

/// Everything a person would want to know, as text.
fn shown(xml: &str) -> String {
    let report = read(xml.as_bytes()).unwrap();
    let TestReport { passed, failed, errors, skipped, xfailed, duration, .. } = &report;
    let mut text = format!(
        "{passed} passed, {failed} failed, {errors} errors, {skipped} skipped, {xfailed} xfailed in {duration:?}\n"
    );
    for case in &report.cases {
        writeln!(text, "{}", case.id).unwrap();
        for finding in &case.findings {
            let TestFinding { kind, message, details, file, line } = finding;
            let place = file.as_ref().map(|file| {
                format!("{file}:{}", line.map_or("?".to_owned(), |line| line.to_string()))
            });
            writeln!(
                text,
                "    {kind:?} at {}: {message} ({} bytes)",
                place.as_deref().unwrap_or("?"),
                details.len()
            )
            .unwrap();
        }
    }
    text
}

#[test]
fn pytest_5_xunit1() {
    insta::assert_snapshot!(shown(include_str!(
        "../../../tests/fixtures/junit/pytest-5.4-xunit1.xml"
    )));
}

#[test]
fn pytest_6_xunit2() {
    insta::assert_snapshot!(shown(include_str!(
        "../../../tests/fixtures/junit/pytest-6.2-xunit2.xml"
    )));
}

#[test]
fn pytest_9_xunit1() {
    insta::assert_snapshot!(shown(include_str!(
        "../../../tests/fixtures/junit/pytest-9.2-xunit1.xml"
    )));
}

#[test]
fn pytest_9_xunit2() {
    insta::assert_snapshot!(shown(include_str!(
        "../../../tests/fixtures/junit/pytest-9.2-xunit2.xml"
    )));
}

#[test]
fn pytest_9_files_that_cannot_be_loaded() {
    insta::assert_snapshot!(shown(include_str!(
        "../../../tests/fixtures/junit/pytest-9.2-collection.xml"
    )));
}

/// pytest's own summary lines of the runs that wrote the fixtures.
#[test]
fn the_counts_are_those_of_the_summary() {
    let counts = |xml: &str| {
        let report = read(xml.as_bytes()).unwrap();
        [report.failed, report.passed, report.skipped, report.xfailed, report.errors]
    };
    // 12 failed, 11 passed, 7 skipped, 4 xfailed, 1 xpassed, 4 errors
    assert_eq!(
        counts(include_str!("../../../tests/fixtures/junit/pytest-5.4-xunit1.xml")),
        [12, 11 + 1, 7, 4, 4]
    );
    // 15 failed, 13 passed, 6 skipped, 4 xfailed, 1 xpassed, 4 errors: two of
    // the 13 had failing subtests.
    assert_eq!(
        counts(include_str!("../../../tests/fixtures/junit/pytest-6.2-xunit2.xml")),
        [15, 13 - 2 + 1, 6, 4, 4]
    );
    // 16 failed, 12 passed, 6 skipped, 4 xfailed, 1 xpassed, 4 errors, 4 subtests passed
    for xml in [
        include_str!("../../../tests/fixtures/junit/pytest-9.2-xunit1.xml"),
        include_str!("../../../tests/fixtures/junit/pytest-9.2-xunit2.xml"),
    ] {
        assert_eq!(counts(xml), [16, 12 - 1 + 1, 6, 4, 4]);
    }
    // 2 errors
    assert_eq!(
        counts(include_str!("../../../tests/fixtures/junit/pytest-9.2-collection.xml")),
        [0, 0, 0, 0, 2]
    );
}

#[track_caller]
fn refused(xml: impl AsRef<[u8]>, expected: &str) {
    let error = read(xml.as_ref()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert_eq!(error.to_string(), format!("report.xml:{expected}"));
    assert!(error.findings()[0].line.is_some() && error.hint_text().is_some());
}

const START: &str = "<testsuites>\n<testsuite>";

#[test]
fn what_is_not_a_whole_report_is_refused_with_its_place() {
    let none = "the file holds no XML element: pytest was ended before it wrote the report";
    refused("", &format!("1:1: {none}"));
    refused("<?xml version='1.0'?>\n", &format!("2:1: {none}"));
    refused("no xml", "1:1: text outside of the root element: this is not XML");
    refused(START, "2:12: the report ends with 2 elements still open: it was cut off");
    refused(
        format!("{START}<testcase name=\"a"),
        "2:12: syntax error: attribute value not closed: `\"` not found before end of input",
    );
    refused(
        "<coverage/>",
        "1:1: this is a coverage report (Cobertura, Clover or Sonar), not a JUnit report",
    );
    refused("<x/>", "1:1: the root element <x> is not that of a JUnit report");
    refused("<testsuites/>\n<testsuites/>", "2:1: a second root element");
    refused(
        "<testsuites></testsuite>",
        "1:13: ill-formed document: expected `</testsuites>`, but `</testsuite>` was found",
    );
    assert!(read(b"<testsuites/>").unwrap().is_success());
}

#[test]
fn entities_and_document_types_are_refused() {
    let bomb =
        "<!DOCTYPE b [<!ENTITY a \"x\"><!ENTITY c \"&a;&a;&a;\">]>\n<testsuites>&c;</testsuites>";
    refused(bomb, "1:1: a document type is refused: a JUnit report has none");
    refused(
        "<!DOCTYPE b SYSTEM \"file:///etc/passwd\"><testsuites/>",
        "1:1: a document type is refused: a JUnit report has none",
    );
    refused(format!("{START}&lol;"), "2:12: the entity &lol; is not defined");
    refused(
        format!("{START}\n<testcase name='&lol;'/>"),
        "3:1: at 1..4: unrecognized entity `lol`",
    );
    refused(format!("{START}&#1;"), "2:12: the character U+0001 is not allowed in XML");
}

#[test]
fn wrong_bytes_are_refused() {
    refused(format!("{START}\nä\u{1}"), "3:2: the control character U+0001 is not allowed in XML");
    refused(
        format!("{START}<a b='\0'>"),
        "2:18: the control character U+0000 is not allowed in XML (is the file UTF-16? pytest writes UTF-8)",
    );
    let utf16: Vec<u8> =
        "\u{feff}<testsuites/>".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let error = read(&utf16).unwrap_err().to_string();
    assert!(error.contains("UTF-16"), "{error}");
    let mut invalid = START.as_bytes().to_vec();
    invalid.extend(b"<testcase name='\xff'/></testsuite></testsuites>");
    assert!(read(&invalid).unwrap_err().to_string().starts_with("report.xml:2:12: "));
    let latin = "<?xml version='1.0' encoding='ISO-8859-1'?><testsuites/>";
    refused(latin, "1:1: the encoding ISO-8859-1 is not supported: pytest writes UTF-8");
    assert!(
        read("\u{feff}<?xml version='1.0' encoding='utf-8'?>\r\n<testsuite/>".as_bytes()).is_ok()
    );
}

#[test]
fn depth_and_attributes_are_bounded() {
    let deep = "<testsuites>".to_owned() + &"<a>".repeat(1 << 20);
    refused(deep, "1:202: elements are nested more than 64 deep");
    let mut many = String::from("<testsuites><testsuite><testcase name='a' ");
    for index in 0..200_000 {
        write!(many, "a{index}='' ").unwrap();
    }
    many.push_str("name='b'/></testsuite></testsuites>");
    assert_eq!(read(many.as_bytes()).unwrap().cases[0].id, "a");
}

/// An endless file: `start`, then `repeat` for ever, until `end` bytes.
struct Endless {
    start: &'static [u8],
    repeat: Vec<u8>,
    left: usize,
}

impl std::io::Read for Endless {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let source = if self.start.is_empty() { &self.repeat[..] } else { self.start };
        let length = source.len().min(out.len()).min(self.left);
        out[..length].copy_from_slice(&source[..length]);
        if !self.start.is_empty() {
            self.start = &self.start[length..];
        } else if length < self.repeat.len() {
            self.repeat.rotate_left(length);
        }
        self.left -= length;
        Ok(length)
    }
}

fn endless(start: &'static str, repeat: &str, left: usize) -> Result<TestReport> {
    let input = Endless { start: start.as_bytes(), repeat: repeat.as_bytes().to_vec(), left };
    TestReport::read(std::io::BufReader::new(input), "report.xml".into(), "/project".into())
}

#[test]
fn one_endless_text_or_tag_is_refused() {
    for start in [
        "<testsuites>",
        "<testsuites a='",
        "<testsuites><![CDATA[",
        "<testsuites><!--",
        "<testsuites><?x ",
        "<",
    ] {
        let error = endless(
            start,
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            200 << 20,
        )
        .unwrap_err();
        assert!(error.to_string().contains("longer than 64 MiB"), "{start} {error}");
    }
}

/// Everything is counted, and what is kept is bounded.
#[test]
fn an_endless_number_of_failures_is_counted() {
    let case = "<testcase classname='tests.test_a.TestB' name='test_c' time='0.25'><failure message='assert 0'>a\n&gt; b\ntests/test_a.py:7: AssertionError</failure></testcase>";
    let count = 60_000;
    let xml =
        format!("<testsuites><testsuite time='3'>{}</testsuite></testsuites>", case.repeat(count));
    let report = read(xml.as_bytes()).unwrap();
    assert_eq!(report.failed, count as u64);
    assert_eq!(
        (report.cases.len(), report.cases_left_out),
        (MOST_CASES, (count - MOST_CASES) as u64)
    );
    assert_eq!(report.slowest(3).len(), 3);
    let with_details = report
        .cases
        .iter()
        .flat_map(|case| &case.findings)
        .filter(|finding| !finding.details.is_empty());
    assert_eq!(with_details.count(), MOST_DETAILS);
    assert_eq!(
        report.diagnostics()[0].to_string(),
        "tests/test_a.py:7: tests/test_a.py::TestB::test_c: assert 0"
    );
}

#[test]
fn reasons_and_slow_tests() {
    let xml = "<testsuite time='1.5'>
        <testcase classname='a' name='x' time='0.1'><skipped type='pytest.skip' message='no db'/></testcase>
        <testcase classname='a' name='y' time='NaN'><skipped type='pytest.skip' message='no db'/></testcase>
        <testcase classname='a' name='z' time='-1'><skipped message='collection skipped'>('/project/t.py', 2, 'Skipped: later')</skipped></testcase>
        <testcase classname='a' name='w' time='1e300'/>
        <testcase classname='a' name='v' time='0.4'/>
        </testsuite>";
    let report = read(xml.as_bytes()).unwrap();
    assert_eq!(report.skip_reasons(), [("no db", 2), ("later", 1)]);
    let slow: Vec<&str> = report.slowest(2).iter().map(|slow| slow.id.as_str()).collect();
    assert_eq!(slow, ["a.v", "a.x"]);
    assert_eq!(
        (report.passed, report.total(), report.duration),
        (2, 5, std::time::Duration::from_millis(1500))
    );
}

/// Nothing panics, whatever is cut out of or put into a real report.
#[test]
fn damaged_reports_do_not_panic() {
    let xml = include_bytes!("../../../tests/fixtures/junit/pytest-9.2-xunit1.xml");
    let mut random = 0x9e37_79b9_u64;
    let mut below = |end: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % end as u64) as usize
    };
    for _ in 0..500 {
        let mut damaged = xml[..below(xml.len())].to_vec();
        for _ in 0..below(5) {
            let index = below(damaged.len() + 1);
            damaged.splice(index..index, [b"<>&;'\"/!?[]\xff\n"[below(13)]]);
        }
        let _ = read(&damaged);
    }
}
