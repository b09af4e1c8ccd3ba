//! pytest with everything that a project may make of it.

use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use talia_pipeline::{
    Finished,
    parse::junit::FindingKind,
    pins,
    steps::{
        check::{Pytest, Tests},
        python::Environment,
    },
};

use crate::{
    alone, failure,
    support::{Temp, counted_by_python, state_of, venv},
};

/// A project, and where reports and caches go.
struct Project {
    root: Temp,
    state: Temp,
    env: Utf8PathBuf,
}

impl Project {
    fn new(test: &str) -> Self {
        let packages =
            [format!("pytest=={}", pins::PYTEST), format!("pytest-cov=={}", pins::PYTEST_COV)];
        let env = venv("pytest", &packages.each_ref().map(String::as_str));
        let project = Self { root: Temp::new(), state: Temp::new(), env };
        project.root.write("tests/test_it.py", test);
        project
    }

    fn xml(&self, name: &str) -> Utf8PathBuf {
        self.state.path().join(name)
    }

    fn run(&self, set: impl Fn(Pytest) -> Pytest) -> Finished<Tests> {
        let env = Environment::new(&self.env, self.state.path().join("cache"));
        let root = self.root.path();
        alone(root, || set(Pytest::new(&env, root, self.xml("junit.xml"))))
    }
}

#[test]
fn every_outcome_is_counted_and_failures_have_their_line() {
    let project = Project::new(
        "import pytest\n\n\
         def test_good(): pass\n\n\
         def test_bad():\n    left = 1\n    assert left == 2, 'they differ'\n\n\
         @pytest.mark.skip(reason='later')\n\
         def test_skipped(): pass\n\n\
         @pytest.mark.xfail\n\
         def test_known(): assert False\n\n\
         @pytest.mark.xfail(strict=True)\n\
         def test_mended(): pass\n\n\
         @pytest.fixture\n\
         def broken(): raise OSError('no database')\n\n\
         def test_needs(broken): pass\n",
    );
    let before = state_of(project.root.path());
    let (error, found) = failure(project.run(|pytest| pytest));
    assert_eq!(error.to_string(), "2 failed, 1 passed, 1 skipped, 1 xfailed, 1 errors");
    let all = found.join("\n");
    assert!(found[0].starts_with("tests/test_it.py:7: "), "{all}");
    assert!(all.contains("they differ") && all.contains("no database"), "{all}");
    assert!(all.contains("tests/test_it.py:19: "), "where the fixture has failed: {all}");
    assert!(error.last_lines().iter().any(|line| line.contains("assert left == 2")));
    assert_eq!(state_of(project.root.path()), before, "nothing is written into the project");
}

#[test]
fn a_green_run_tells_reasons_and_kinds() {
    let project = Project::new(
        "import pytest\n\n\
         def test_good(): pass\n\n\
         def test_skipped(): pytest.skip('no <phone> & \"line\"')\n\n\
         @pytest.mark.xfail(reason='known')\n\
         def test_known(): assert False\n",
    );
    let tests = project.run(|pytest| pytest).result.unwrap().report;
    assert_eq!((tests.passed, tests.skipped, tests.xfailed), (1, 1, 1));
    assert_eq!(tests.skip_reasons(), [("no <phone> & \"line\"", 1)]);
    let findings = tests.cases.iter().flat_map(|case| &case.findings);
    assert!(findings.into_iter().any(|finding| finding.kind == FindingKind::ExpectedFailure));
}

#[test]
fn no_test_at_all_is_a_failure() {
    let project = Project::new("def helper(): pass\n");
    let (error, _) = failure(project.run(|pytest| pytest));
    assert_eq!(error.to_string(), "no test was found");
    assert!(error.hint_text().unwrap().contains("testpaths"));
}

#[test]
fn a_file_that_cannot_be_loaded_is_named() {
    let project = Project::new("import os\n\nimport not_there_at_all\n\ndef test_it(): pass\n");
    let (error, found) = failure(project.run(|pytest| pytest));
    assert_eq!(error.to_string(), "1 errors");
    assert!(found[0].starts_with("tests/test_it.py:3: "), "{found:?}");
    assert!(found[0].contains("No module named 'not_there_at_all'"), "{found:?}");
    assert!(error.hint_text().unwrap().contains("install what they import"));
}

#[test]
fn an_option_that_pytest_does_not_know_is_repeated() {
    let project = Project::new("def test_it(): pass\n");
    project.root.write("pytest.ini", "[pytest]\naddopts = --asyncio-mode=auto\n");
    let (error, _) = failure(project.run(|pytest| pytest));
    assert_eq!(error.to_string(), "pytest was called or configured wrongly");
    let said = error.last_lines().join("\n");
    assert!(said.contains("unrecognized arguments: --asyncio-mode=auto"), "{said}");
    assert!(error.hint_text().unwrap().contains("addopts"));
}

#[test]
fn a_time_limit_names_the_test_that_was_running() {
    let project = Project::new(
        "import time\n\ndef test_quick(): pass\n\ndef test_waits_for_its_database(): time.sleep(600)\n",
    );
    // As terse as a project can make it.
    project.root.write("pytest.ini", "[pytest]\naddopts = -qq --no-header\n");
    let began = Instant::now();
    let (error, _) = failure(project.run(|pytest| pytest.timeout(Some(Duration::from_secs(15)))));
    assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
    let message = error.to_string();
    assert!(message.contains("took longer than 15 s"), "{message}");
    assert!(message.contains("tests/test_it.py::test_waits_for_its_database"), "{message}");
}

#[test]
fn coverage_that_the_project_asks_for_too_is_measured_once() {
    let project = Project::new("from app import half\n\ndef test_it(): assert half(4) == 2\n");
    project.root.write(
        "app/__init__.py",
        "def half(number):\n    if number % 2:\n        return None\n    return number // 2\n",
    );
    project.root.write("conftest.py", "");
    project
        .root
        .write("pytest.ini", "[pytest]\naddopts = -q --cov=app --cov-report=term-missing\n");
    let before = state_of(project.root.path());
    let xml = project.xml("coverage.xml");
    let sources = ["app".to_owned()];
    let finished = project.run(|pytest| pytest.coverage(&xml).sources(&sources).branches(true));
    let tests = finished.result.unwrap();
    assert_eq!(tests.report.passed, 1);
    assert_eq!(tests.coverage_xml.as_ref(), Some(&xml));
    assert_eq!(counted_by_python(&xml), [4, 3, 2, 1]);
    assert_eq!(state_of(project.root.path()), before, "nothing is written into the project");
}

#[test]
fn a_threshold_of_the_projects_own_is_no_lost_report() {
    let project = Project::new("def test_it(): pass\n");
    project.root.write("app/__init__.py", "def unused():\n    return 1\n");
    let arguments = ["--cov-fail-under=90".to_owned()];
    let xml = project.xml("coverage.xml");
    let sources = ["app".to_owned()];
    let finished =
        project.run(|pytest| pytest.coverage(&xml).sources(&sources).arguments(&arguments));
    let (error, _) = failure(finished);
    let said = error.last_lines().join("\n");
    assert_eq!(error.to_string(), "no test failed, and yet pytest did");
    assert!(said.contains("Required test coverage of 90"), "{error}\n{said}");
}
