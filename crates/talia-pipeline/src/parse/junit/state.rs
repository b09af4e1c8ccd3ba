//! The events of the XML reader, counted as pytest counts.

use std::{collections::HashSet, hash::BuildHasher, time::Duration};

use camino::{Utf8Path, Utf8PathBuf};
use quick_xml::events::{BytesRef, BytesStart, Event};

use super::{
    excerpt::{Excerpt, one_line, shortened},
    place::{Places, file_of, inside},
    report::{
        FindingKind, MOST_CASES, MOST_DETAILS, MOST_FINDINGS, TestCase, TestFinding, TestReport,
    },
    xml::{allowed, attributes, check_root, seconds},
};

/// pytest nests four elements deep.
const DEEPEST: usize = 64;
/// How many failed tests are remembered to recognise their teardown errors.
const MOST_FAILED: usize = 100_000;

/// What is being read. Errors are plain text here; the caller knows the place.
pub(super) struct State<'a> {
    root: &'a Utf8Path,
    report: TestReport,
    depth: usize,
    /// The depth of the outermost suite that is open: its time counts.
    suite: Option<usize>,
    case: Option<(usize, Case)>,
    finding: Option<(usize, Finding<'a>)>,
    rooted: bool,
    findings_kept: usize,
    details_kept: usize,
    /// Hashes of the tests that failed, to recognise what belongs to them.
    failed: HashSet<u64>,
}

struct Case {
    id: String,
    own: Option<Utf8PathBuf>,
    line: Option<u32>,
    duration: Duration,
    findings: Vec<TestFinding>,
    failed: bool,
    skipped: bool,
    errors: u64,
    teardown_errors: u64,
}

struct Finding<'a> {
    tag: Tag,
    message: String,
    expected: bool,
    excerpt: Excerpt,
    places: Places<'a>,
}

#[derive(Clone, Copy, PartialEq)]
enum Tag {
    Failure,
    Error,
    Skipped,
}

impl<'a> State<'a> {
    pub(super) fn new(root: &'a Utf8Path) -> Self {
        Self {
            root,
            report: TestReport::default(),
            depth: 0,
            suite: None,
            case: None,
            finding: None,
            rooted: false,
            findings_kept: 0,
            details_kept: 0,
            failed: HashSet::new(),
        }
    }

    pub(super) fn event(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::Start(tag) => self.start(&tag),
            Event::End(_) => {
                self.end();
                Ok(())
            }
            Event::Text(text) if self.wants_text() => self.text(&text.xml10_content()),
            Event::CData(text) if self.wants_text() => self.text(&text.xml10_content()),
            Event::GeneralRef(reference) => self.reference(&reference),
            Event::Decl(declaration) => match declaration.encoding() {
                Some(Ok(name))
                    if !["utf-8", "utf8", "us-ascii"].contains(&&*name.to_ascii_lowercase()) =>
                {
                    Err(format!("the encoding {name} is not supported: pytest writes UTF-8"))
                }
                _ => Ok(()),
            },
            Event::DocType(_) => {
                Err("a document type is refused: a JUnit report has none".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn start(&mut self, tag: &BytesStart<'_>) -> Result<(), String> {
        let name = tag.name().0;
        if self.depth == 0 {
            if self.rooted {
                return Err("a second root element".to_owned());
            }
            check_root(name)?;
            self.rooted = true;
        }
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("elements are nested more than {DEEPEST} deep"));
        }
        match name {
            "testsuite" if self.case.is_none() && self.suite.is_none() => {
                self.suite = Some(self.depth);
                let time = attributes(tag, ["time"])?;
                let [time] = time;
                self.report.duration += seconds(&time.unwrap_or_default());
            }
            "testcase" if self.case.is_none() => {
                self.case = Some((self.depth, self.start_case(tag)?))
            }
            "failure" => self.start_finding(tag, Tag::Failure)?,
            "error" => self.start_finding(tag, Tag::Error)?,
            "skipped" => self.start_finding(tag, Tag::Skipped)?,
            _ => {}
        }
        Ok(())
    }

    fn start_case(&self, tag: &BytesStart<'_>) -> Result<Case, String> {
        let [class, name, file, line, time] =
            attributes(tag, ["classname", "name", "file", "line", "time"])?;
        let (class, name) = (class.unwrap_or_default(), name.unwrap_or_default());
        // A file that could not be loaded has its own name and no class.
        let module = if class.is_empty() { &name } else { &class };
        let guessed = file_of(module);
        let file = file.and_then(|file| inside(&file, self.root));
        let id = match (&file, &guessed) {
            _ if class.is_empty() => file.as_ref().map_or(name.clone(), ToString::to_string),
            (Some(file), Some((_, classes))) => node_id(file, classes, &name),
            (None, Some((file, classes))) => node_id(file, classes, &name),
            _ => format!("{class}.{name}"),
        };
        Ok(Case {
            id: shortened(&id, 500),
            own: file.or_else(|| guessed.map(|(file, _)| file)),
            // pytest counts this line from 0.
            line: line
                .and_then(|line| line.parse::<u32>().ok())
                .and_then(|line| line.checked_add(1)),
            duration: seconds(&time.unwrap_or_default()),
            findings: Vec::new(),
            failed: false,
            skipped: false,
            errors: 0,
            teardown_errors: 0,
        })
    }

    fn start_finding(&mut self, start: &BytesStart<'_>, tag: Tag) -> Result<(), String> {
        let Some((_, case)) = self.case.as_ref().filter(|_| self.finding.is_none()) else {
            return Ok(());
        };
        let [message, kind] = attributes(start, ["message", "type"])?;
        let finding = Finding {
            tag,
            message: message.unwrap_or_default(),
            expected: kind.as_deref() == Some("pytest.xfail"),
            excerpt: Excerpt::default(),
            places: Places::new(self.root, case.own.clone()),
        };
        self.finding = Some((self.depth, finding));
        Ok(())
    }

    /// Outside of the root element text is an error; inside only that of a
    /// finding counts, as long as findings are kept.
    fn wants_text(&self) -> bool {
        self.depth == 0 || self.finding.is_some() && self.findings_kept < MOST_FINDINGS
    }

    fn text(&mut self, text: &str) -> Result<(), String> {
        if let Some((_, finding)) =
            self.finding.as_mut().filter(|_| self.findings_kept < MOST_FINDINGS)
        {
            finding.excerpt.push(text);
            finding.places.push(text);
        } else if self.depth == 0
            && !text.trim_matches(['\u{feff}', ' ', '\t', '\r', '\n']).is_empty()
        {
            return Err("text outside of the root element: this is not XML".to_owned());
        }
        Ok(())
    }

    fn reference(&mut self, reference: &BytesRef<'_>) -> Result<(), String> {
        if let Some(char) = reference.resolve_char_ref().map_err(|error| error.to_string())? {
            if !allowed(char) {
                return Err(format!(
                    "the character U+{:04X} is not allowed in XML",
                    u32::from(char)
                ));
            }
            return self.text(char.encode_utf8(&mut [0; 4]));
        }
        match quick_xml::escape::resolve_xml_entity(reference) {
            Some(text) => self.text(text),
            None => Err(format!("the entity &{}; is not defined", &**reference)),
        }
    }

    fn end(&mut self) {
        if let Some((_, finding)) = self.finding.take_if(|(depth, _)| *depth == self.depth) {
            self.end_finding(finding);
        }
        if let Some((_, case)) = self.case.take_if(|(depth, _)| *depth == self.depth) {
            self.end_case(case);
        }
        self.suite.take_if(|depth| *depth == self.depth);
        self.depth -= 1;
    }

    fn end_finding(&mut self, mut finding: Finding<'_>) {
        let Some((_, case)) = &mut self.case else { return };
        let place = finding.places.finish();
        let kind = finding.kind(!case.id.contains("::"));
        match kind {
            FindingKind::Failure => {
                self.report.failed += 1;
                case.failed = true;
            }
            FindingKind::Skip | FindingKind::ExpectedFailure => {
                let expected = kind == FindingKind::ExpectedFailure;
                *(if expected { &mut self.report.xfailed } else { &mut self.report.skipped }) += 1;
                case.skipped = true;
            }
            _ => {
                self.report.errors += 1;
                case.errors += 1;
                case.teardown_errors += u64::from(kind == FindingKind::TeardownError);
            }
        }
        if self.findings_kept == MOST_FINDINGS {
            return;
        }
        self.findings_kept += 1;
        let text = finding.excerpt.finish();
        let message = match (kind, finding.message.as_str()) {
            (FindingKind::Skip, "collection skipped") => skip_reason(&text),
            // What older versions say names the moment and not the reason.
            (
                _,
                message @ ("collection failure"
                | "test setup failure"
                | "test teardown failure"
                | ""),
            ) if !finding.places.explanation.is_empty() => {
                format!("{message}: {}", finding.places.explanation)
                    .trim_start_matches(": ")
                    .to_owned()
            }
            (_, message) => message.to_owned(),
        };
        let keep_details = kind.is_failure() && self.details_kept < MOST_DETAILS;
        self.details_kept += usize::from(keep_details);
        let (file, line) = match place {
            Some((file, line)) => (Some(file), line),
            None => (case.own.clone(), case.line),
        };
        case.findings.push(TestFinding {
            kind,
            message: one_line(&message),
            details: if keep_details { text } else { String::new() },
            file,
            line,
        });
    }

    fn end_case(&mut self, case: Case) {
        // Broken in the teardown alone, the test itself has passed before. But
        // of one that failed as well, pytest writes the teardown as a case of
        // its own.
        let hash = self.failed.hasher().hash_one(&case.id);
        let only_teardown = case.errors == case.teardown_errors;
        if !case.failed && !case.skipped && only_teardown {
            let again = case.errors > 0 && self.failed.contains(&hash);
            self.report.passed += u64::from(!again);
        }
        if case.failed && self.failed.len() < MOST_FAILED {
            self.failed.insert(hash);
        }
        self.report.note_duration(&case.id, case.duration);
        if self.report.cases.len() < MOST_CASES {
            let Case { id, duration, findings, .. } = case;
            self.report.cases.push(TestCase { id, duration, findings });
        } else {
            self.report.cases_left_out += 1;
        }
    }

    pub(super) fn finish(self) -> Result<TestReport, String> {
        match (self.rooted, self.depth) {
            (false, _) => {
                Err("the file holds no XML element: pytest was ended before it wrote the report"
                    .to_owned())
            }
            (true, 0) => Ok(self.report),
            (true, open) => {
                Err(format!("the report ends with {open} elements still open: it was cut off"))
            }
        }
    }
}

impl Finding<'_> {
    fn kind(&self, is_file: bool) -> FindingKind {
        let says = |start: &str| self.message.starts_with(start);
        match self.tag {
            Tag::Failure => FindingKind::Failure,
            Tag::Skipped if self.expected => FindingKind::ExpectedFailure,
            Tag::Skipped => FindingKind::Skip,
            Tag::Error if says("failed on setup") || says("test setup failure") => {
                FindingKind::SetupError
            }
            Tag::Error if says("failed on teardown") || says("test teardown failure") => {
                FindingKind::TeardownError
            }
            Tag::Error if is_file && says("collection failure") => FindingKind::CollectionError,
            Tag::Error => FindingKind::OtherError,
        }
    }
}

fn node_id(file: &Utf8Path, classes: &[&str], name: &str) -> String {
    classes.iter().copied().chain([name]).fold(file.to_string(), |id, part| format!("{id}::{part}"))
}

/// `('/srv/test_a.py', 2, 'Skipped: reason')`: the reason.
fn skip_reason(text: &str) -> String {
    let reason = text.rsplit_once("Skipped: ").map_or(text, |(_, reason)| reason);
    reason.trim_end_matches(['\'', '"', ')']).to_owned()
}
