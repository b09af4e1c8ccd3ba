//! What a test run came to.

use std::time::Duration;

use camino::Utf8PathBuf;

use crate::Diagnostic;

/// What is kept at most. Everything is counted, however much there is.
pub(super) const MOST_CASES: usize = 50_000;
pub(super) const MOST_FINDINGS: usize = 50_000;
pub(super) const MOST_DETAILS: usize = 200;
pub(super) const MOST_SLOW: usize = 50;

/// The result of a test run, read by [`TestReport::read`].
///
/// The counts are those of pytest's summary line: a test that passes and then
/// fails in its teardown counts as passed *and* as an error.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct TestReport {
    /// Tests that passed, and those that passed although they were expected to
    /// fail, which the report does not tell apart.
    pub passed: u64,
    /// Tests and subtests that failed, strict unexpected passes included.
    pub failed: u64,
    /// Errors outside of tests: setup, teardown, loading a file.
    pub errors: u64,
    /// Skipped tests and files.
    pub skipped: u64,
    /// Tests that failed as expected.
    pub xfailed: u64,
    /// How long the whole run took.
    pub duration: Duration,
    /// The tests in the order of the report, at most 50,000.
    pub cases: Vec<TestCase>,
    /// How many more there were.
    pub cases_left_out: u64,
    pub(super) slowest: Vec<SlowTest>,
}

/// One test, or one file that could not be loaded.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TestCase {
    /// What pytest calls it, as far as that can be told:
    /// `tests/test_a.py::TestB::test_c[param]`.
    pub id: String,
    /// How long setup, test and teardown took together.
    pub duration: Duration,
    /// What was not a plain pass: nothing for a test that passed.
    pub findings: Vec<TestFinding>,
}

/// Something other than a plain pass.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TestFinding {
    /// What sort of thing.
    pub kind: FindingKind,
    /// The reason in one line.
    pub message: String,
    /// Everything that pytest says, of a long text the beginning and the end.
    /// Kept for the first 200 failures and errors.
    pub details: String,
    /// Where: the innermost place in the test's own file, else in the project.
    pub file: Option<Utf8PathBuf>,
    /// The line there.
    pub line: Option<u32>,
}

/// What sort of finding it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FindingKind {
    /// The test failed.
    Failure,
    /// What the test needs could not be set up.
    SetupError,
    /// Cleaning up after the test failed.
    TeardownError,
    /// A file with tests could not be loaded.
    CollectionError,
    /// Another error, such as of another test runner.
    OtherError,
    /// It was skipped.
    Skip,
    /// It failed as expected.
    ExpectedFailure,
}

impl FindingKind {
    /// Whether the run failed because of it.
    pub fn is_failure(self) -> bool {
        !matches!(self, Self::Skip | Self::ExpectedFailure)
    }
}

/// A test and how long it took.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlowTest {
    /// As [`TestCase::id`].
    pub id: String,
    /// How long it took.
    pub duration: Duration,
}

impl TestReport {
    /// Whether nothing failed. A run without tests has not failed either.
    pub fn is_success(&self) -> bool {
        self.failed == 0 && self.errors == 0
    }

    /// How many outcomes were counted.
    pub fn total(&self) -> u64 {
        self.passed + self.failed + self.errors + self.skipped + self.xfailed
    }

    /// Every failure and error as a finding at a place.
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        let findings = self
            .cases
            .iter()
            .flat_map(|case| case.findings.iter().map(move |finding| (case, finding)));
        let failures = findings.filter(|(_, finding)| finding.kind.is_failure());
        failures
            .map(|(case, finding)| {
                let mut diagnostic = Diagnostic::error(format!("{}: {}", case.id, finding.message));
                diagnostic.file.clone_from(&finding.file);
                diagnostic.line = finding.line;
                diagnostic
            })
            .collect()
    }

    /// Why tests were skipped, and how many for each reason, in the order in
    /// which the reasons first came up.
    pub fn skip_reasons(&self) -> Vec<(&str, u64)> {
        let mut reasons: Vec<(&str, u64)> = Vec::new();
        let findings = self.cases.iter().flat_map(|case| &case.findings);
        for finding in findings.filter(|finding| finding.kind == FindingKind::Skip) {
            let known = reasons.iter().position(|(reason, _)| *reason == finding.message);
            match known {
                Some(index) => reasons[index].1 += 1,
                // So that a report with a reason for each test stays cheap.
                None if reasons.len() < 1000 => reasons.push((&finding.message, 1)),
                None => {}
            }
        }
        reasons
    }

    /// The slowest tests, slowest first. At most 50 are known.
    pub fn slowest(&self, count: usize) -> &[SlowTest] {
        &self.slowest[..count.min(self.slowest.len())]
    }

    pub(super) fn note_duration(&mut self, id: &str, duration: Duration) {
        let index = self.slowest.partition_point(|slow| slow.duration >= duration);
        if index < MOST_SLOW {
            self.slowest.truncate(MOST_SLOW - 1);
            self.slowest.insert(index, SlowTest { id: id.to_owned(), duration });
        }
    }
}
