//! pytest: runs the tests and measures their coverage.

use std::{fs::File, io::BufReader};

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    command_line::CommandLine,
    error::{Error, Result},
    parse::{junit::TestReport, pytest_exit::PytestExit},
    step::{Action, Answer, Step, Summary, Touches},
    steps::python::Environment,
};

/// How many of the slowest tests are told.
const SLOWEST: usize = 10;
/// Below this nobody cares which test is the slowest.
const SLOW_SECONDS: f64 = 1.0;

/// What a test run gave.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Tests {
    /// Counts, reasons, durations.
    pub report: TestReport,
    /// The coverage report, if it was asked for.
    pub coverage_xml: Option<Utf8PathBuf>,
}

/// `ENV/bin/python -m pytest --verbosity=1 --junitxml=FILE …`: typed results.
///
/// Runs through `python -m`, so that the project's folder can be imported from.
/// Exit 0 passes; 1 to 5 fail, each with what it means, "no test was found" too.
/// Writes the JUnit report and the coverage report; pytest's cache and coverage's
/// data go to the state folder. A running test's name is in the output before it
/// ends, so a time limit can name it.
///
/// Source: pytest's manual, *Exit codes*; pytest-cov's manual.
///
/// ```
/// use talia_pipeline::{Step, steps::{check::Pytest, python::Environment}};
///
/// let env = Environment::new("/state/env", "/state/cache");
/// let step = Pytest::new(&env, "/srv/app", "/state/junit.xml").coverage("/state/coverage.xml");
/// assert_eq!(step.label(), "pytest");
/// ```
#[derive(Debug)]
pub struct Pytest {
    env: Environment,
    cwd: Utf8PathBuf,
    junit_xml: Utf8PathBuf,
    coverage_xml: Option<Utf8PathBuf>,
    sources: Vec<String>,
    branches: bool,
    arguments: Vec<String>,
    timeout: Option<std::time::Duration>,
}

impl Pytest {
    /// Runs the tests of the folder `cwd` and reports to `junit_xml`.
    pub fn new(
        env: &Environment,
        cwd: impl Into<Utf8PathBuf>,
        junit_xml: impl Into<Utf8PathBuf>,
    ) -> Self {
        Self {
            env: env.clone(),
            cwd: cwd.into(),
            junit_xml: junit_xml.into(),
            coverage_xml: None,
            sources: Vec::new(),
            branches: false,
            arguments: Vec::new(),
            timeout: None,
        }
    }

    /// Measures coverage and reports it here, as Cobertura XML.
    #[must_use]
    pub fn coverage(mut self, xml: impl Into<Utf8PathBuf>) -> Self {
        self.coverage_xml = Some(xml.into());
        self
    }

    /// Measures these packages or folders; the project's own configuration
    /// decides where nothing is given.
    #[must_use]
    pub fn sources(mut self, sources: &[String]) -> Self {
        self.sources = sources.to_vec();
        self
    }

    /// Measures branches too, whatever the project's configuration says.
    #[must_use]
    pub fn branches(mut self, branches: bool) -> Self {
        self.branches = branches;
        self
    }

    /// Adds arguments as they are.
    #[must_use]
    pub fn arguments(mut self, arguments: &[String]) -> Self {
        self.arguments = arguments.to_vec();
        self
    }

    /// Ends the run after this time.
    #[must_use]
    pub fn timeout(mut self, timeout: Option<std::time::Duration>) -> Self {
        self.timeout = timeout;
        self
    }

    fn line(&self) -> CommandLine {
        let mut line = self
            .env
            .command("python")
            .args(["-m", "pytest"])
            // Sets it, where `-v` would only cancel a `-q` of the project's.
            .arg("--verbosity=1")
            .arg("--color=no")
            .option("--junitxml", &self.junit_xml)
            // The one family that tells file and line.
            .args(["-o", "junit_family=xunit1"])
            .args(["-o".to_owned(), format!("cache_dir={}", self.env.cache().join("pytest"))])
            .cwd(&self.cwd)
            .env("PYTHONUNBUFFERED", "1")
            .accept([0, 1, 2, 3, 4, 5])
            .purpose("run the tests");
        if let Some(xml) = &self.coverage_xml {
            if self.sources.is_empty() {
                line = line.arg("--cov");
            }
            for source in &self.sources {
                line = line.option("--cov", source);
            }
            if self.branches {
                line = line.arg("--cov-branch");
            }
            line = line
                .option("--cov-report", format!("xml:{xml}"))
                .env("COVERAGE_FILE", self.env.cache().join("coverage-data"));
        }
        if let Some(timeout) = self.timeout {
            line = line.timeout(timeout);
        }
        line.args(&self.arguments)
    }

    fn read(&self, answer: &Answer) -> Result<Tests> {
        let exit = PytestExit::from_code(answer.exit());
        let report = if exit.has_report() { self.report()? } else { None };
        if exit == PytestExit::Passed {
            let report = report.ok_or_else(|| {
                Error::step(format!("pytest passed and left no report in {}", self.junit_xml))
            })?;
            if report.total() == 0 {
                return Err(self.failed(PytestExit::NoTests, &report, answer));
            }
            let coverage_xml = self.coverage_xml.clone();
            if let Some(xml) = coverage_xml.as_ref().filter(|xml| !xml.exists()) {
                return Err(Error::step(format!(
                    "pytest passed and left no coverage report in {xml}"
                ))
                .tail(answer.last_lines(10))
                .hint("check `[tool.coverage]` in pyproject.toml, or `.coveragerc`"));
            }
            return Ok(Tests { report, coverage_xml });
        }
        Err(self.failed(exit, &report.unwrap_or_default(), answer))
    }

    /// The JUnit report, if pytest wrote one.
    fn report(&self) -> Result<Option<TestReport>> {
        match File::open(&self.junit_xml) {
            Ok(file) => {
                let report = TestReport::read(BufReader::new(file), &self.junit_xml, &self.cwd);
                // It is the tool's own report: that it is broken is the step's failure.
                report.map(Some).map_err(|error| Error::step(error.to_string()))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(cause) => {
                Err(Error::step(format!("{} cannot be read", self.junit_xml)).caused_by(cause))
            }
        }
    }

    fn failed(&self, exit: PytestExit, report: &TestReport, answer: &Answer) -> Error {
        let diagnostics = report.diagnostics();
        let message = if exit == PytestExit::Failed && report.is_success() && report.total() > 0 {
            // Such as a threshold that the project sets for pytest-cov.
            "no test failed, and yet pytest did".to_owned()
        } else if diagnostics.is_empty() || report.is_success() {
            exit.to_string()
        } else {
            counts(report)
        };
        // What a project's own conftest.py misses is seldom pytest's fault.
        let is_conftest =
            exit == PytestExit::Usage && answer.stderr().contains("while loading conftest");
        if is_conftest {
            return Error::step("conftest.py could not be loaded")
                .tail(answer.last_lines(20))
                .hint("set the variables and start the services that the project's tests need");
        }
        let error = Error::step(message);
        let error = match exit.hint() {
            Some(hint) if exit != PytestExit::Failed => error.hint(hint),
            _ => error,
        };
        if diagnostics.is_empty() {
            // pytest speaks on standard output; a plugin's warning on the other
            // stream must not hide it. Usage errors stand on standard error.
            let said = Answer::new(answer.exit(), answer.stdout_bytes(), "").last_lines(20);
            let unused = exit == PytestExit::Usage || said.is_empty();
            error.tail(if unused { answer.last_lines(20) } else { said })
        } else {
            error.diagnostics(diagnostics).tail(details(report))
        }
    }
}

/// What pytest says of the first failures, which is what people look for.
fn details(report: &TestReport) -> Vec<String> {
    let findings = report.cases.iter().flat_map(|case| &case.findings);
    let failures = findings.filter(|finding| finding.kind.is_failure());
    failures.flat_map(|finding| finding.details.lines()).take(30).map(str::to_owned).collect()
}

/// `8 passed, 2 skipped`, in pytest's own order.
fn counts(report: &TestReport) -> String {
    let parts = [
        (report.failed, "failed"),
        (report.passed, "passed"),
        (report.skipped, "skipped"),
        (report.xfailed, "xfailed"),
        (report.errors, "errors"),
    ];
    let told: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    if told.is_empty() { "no tests".to_owned() } else { told.join(", ") }
}

impl Step for Pytest {
    type Output = Tests;

    fn label(&self) -> String {
        "pytest".into()
    }

    fn action(&self) -> Action<'_, Tests> {
        Action::command(self.line(), |answer| self.read(answer))
    }

    fn assume(&self) -> Tests {
        Tests { report: TestReport::default(), coverage_xml: self.coverage_xml.clone() }
    }

    fn touches(&self) -> Option<Touches> {
        let touches = Touches::new(&self.cwd)
            .reads(["**"])
            .environment(["PYTEST_ADDOPTS", "PYTEST_PLUGINS", "COVERAGE_RCFILE"])
            .tools([self.env.program("python").as_str()])
            .writes(&self.junit_xml);
        let xml: Option<&Utf8Path> = self.coverage_xml.as_deref();
        Some(match xml {
            Some(xml) => touches.writes(xml),
            None => touches,
        })
    }

    fn summary(&self, tests: &Tests) -> Summary {
        let mut details = String::new();
        for (reason, count) in tests.report.skip_reasons() {
            details.push_str(&format!("skipped {count}: {reason}\n"));
        }
        for slow in tests.report.slowest(SLOWEST) {
            let seconds = slow.duration.as_secs_f64();
            if seconds >= SLOW_SECONDS {
                details.push_str(&format!("slow {seconds:.1} s: {}\n", slow.id));
            }
        }
        let summary = Summary::line(counts(&tests.report));
        if details.is_empty() { summary } else { summary.details(details) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    fn env() -> Environment {
        Environment::new("/state/env", "/state/cache")
    }

    #[test]
    fn pytest_minimal() {
        check("pytest__minimal", &Pytest::new(&env(), "/srv/app", "/state/junit.xml"));
    }

    #[test]
    fn pytest_everything() {
        let step = Pytest::new(&env(), "/srv/app/backend", "/state/junit.xml")
            .coverage("/state/coverage.xml")
            .sources(&["app".into(), "lib".into()])
            .branches(true)
            .arguments(&["-x".into(), "tests/unit".into()])
            .timeout(Some(std::time::Duration::from_secs(90)));
        check("pytest__everything", &step);
    }

    #[test]
    fn pytest_hostile() {
        let step = Pytest::new(&env(), "/srv/it's\na $b", "/state/ä b.xml")
            .coverage("/state/-c.xml")
            .arguments(&["-k".into(), "not \"slow\"".into()]);
        check("pytest__hostile", &step);
    }

    #[test]
    fn every_exit_code_fails_with_its_meaning() {
        let step = Pytest::new(&env(), "/srv/app", "/nowhere/junit.xml");
        for (exit, meaning) in [
            (1, "tests failed"),
            (2, "interrupted"),
            (3, "broke"),
            (4, "wrongly"),
            (5, "no test was found"),
        ] {
            let error = step.read(&Answer::new(exit, "said", "")).expect_err("it has failed");
            assert!(error.to_string().contains(meaning), "{exit}: {error}");
        }
        let error = step.read(&Answer::new(0, "", "")).expect_err("there is no report");
        assert!(error.to_string().contains("left no report"), "{error}");
    }
}
