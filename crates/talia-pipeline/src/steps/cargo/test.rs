//! The tests of a Rust workspace.

use camino::Utf8PathBuf;

use crate::{
    diagnostic::Diagnostic,
    error::Error,
    step::{Action, Answer, Step, Summary},
};

use super::cargo;

/// How much of the tests' output is kept to be counted.
const OUTPUT_BYTES: usize = 16 << 20;

/// How many tests there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TestCounts {
    /// Passed.
    pub passed: u64,
    /// Failed.
    pub failed: u64,
    /// Ignored.
    pub ignored: u64,
}

/// `cargo test --workspace --locked --no-fail-fast …`: Rust tests, counted.
///
/// Accepts exit 0; 101 is read for the failed tests. A run without any test
/// fails. Snapshots are compared, never written (`INSTA_UPDATE=no`). Writes
/// cargo's target folder.
///
/// Source: cargo's manual, *cargo test*.
#[derive(Debug)]
pub struct CargoTest {
    root: Utf8PathBuf,
    name: String,
    arguments: Vec<String>,
}

impl CargoTest {
    /// The tests that `arguments` choose, under this name: `unit tests`.
    pub fn new(
        root: impl Into<Utf8PathBuf>,
        name: impl Into<String>,
        arguments: impl IntoIterator<Item = &'static str>,
    ) -> Self {
        let arguments = arguments.into_iter().map(str::to_owned).collect();
        Self { root: root.into(), name: name.into(), arguments }
    }

    fn read(answer: &Answer) -> crate::Result<TestCounts> {
        let said = answer.stdout();
        let counts = count(&said);
        if answer.exit() == 0 && counts.passed + counts.failed > 0 {
            return Ok(counts);
        }
        let failed: Vec<Diagnostic> = said
            .lines()
            .filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"))
            .map(Diagnostic::error)
            .collect();
        let message = match (answer.exit(), counts.failed) {
            (0, _) => "no test ran".to_owned(),
            (_, 0) => "the tests could not be built or run".to_owned(),
            (_, failed) => format!("{failed} failed, {} passed", counts.passed),
        };
        let panics =
            said.lines().skip_while(|line| *line != "failures:").take(60).map(str::to_owned);
        let tail = if counts.failed > 0 { panics.collect() } else { answer.last_lines(30) };
        Err(Error::step(message).diagnostics(failed).tail(tail))
    }
}

/// Adds up the lines `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
fn count(said: &str) -> TestCounts {
    let mut counts = TestCounts::default();
    for line in said.lines().filter_map(|line| line.trim().strip_prefix("test result: ")) {
        let number = |what: &str| -> u64 {
            let before =
                line.split(&[';', '.'][..]).find_map(|part| part.trim().strip_suffix(what));
            before.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
        };
        counts.passed += number(" passed");
        counts.failed += number(" failed");
        counts.ignored += number(" ignored");
    }
    counts
}

impl Step for CargoTest {
    type Output = TestCounts;

    fn label(&self) -> String {
        self.name.clone()
    }

    fn action(&self) -> Action<'_, TestCounts> {
        let line = cargo(&self.root)
            .args(["test", "--workspace", "--locked", "--no-fail-fast"])
            .args(&self.arguments)
            .env("INSTA_UPDATE", "no")
            .env("INSTA_WORKSPACE_ROOT", self.root.as_str())
            .accept([0, 101])
            .capture_bytes(OUTPUT_BYTES)
            .purpose("run the tests");
        Action::command(line, Self::read)
    }

    fn assume(&self) -> TestCounts {
        TestCounts::default()
    }

    fn summary(&self, counts: &TestCounts) -> Summary {
        let ignored = match counts.ignored {
            0 => String::new(),
            ignored => format!(", {ignored} ignored"),
        };
        Summary::line(format!("{} passed{ignored}", counts.passed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    #[test]
    fn results_of_all_binaries_are_added_up() {
        let said = "running 2 tests\ntest result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
                    test result: FAILED. 1 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s\n";
        assert_eq!(count(said), TestCounts { passed: 3, failed: 3, ignored: 1 });
    }

    #[test]
    fn a_run_without_tests_fails() {
        let error = CargoTest::read(&Answer::new(0, "", "")).expect_err("nothing ran");
        assert_eq!(error.to_string(), "no test ran");
    }

    #[test]
    fn a_failed_test_is_named() {
        let said = "test a::b ... FAILED\nfailures:\n---- a::b stdout ----\nboom\ntest result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured\n";
        let error = CargoTest::read(&Answer::new(101, said, "")).expect_err("a test has failed");
        assert_eq!(error.to_string(), "1 failed, 0 passed");
        assert_eq!(error.findings()[0].message, "a::b");
    }

    #[test]
    fn cargo_test_minimal() {
        check("cargo_test__minimal", &CargoTest::new("/srv/tool", "tests", []));
    }

    #[test]
    fn cargo_test_chosen() {
        check(
            "cargo_test__chosen",
            &CargoTest::new("/srv/tool", "unit tests", ["--lib", "--bins"]),
        );
    }

    #[test]
    fn cargo_test_hostile() {
        check("cargo_test__hostile", &CargoTest::new("/srv/it's a\n$tool", "ä", ["--", "-x y"]));
    }
}
