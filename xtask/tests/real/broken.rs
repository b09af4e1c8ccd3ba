//! A backend broken in its Python: the exit code, and what is told.

use std::fs;

use crate::project::Project;

#[test]
fn a_lint_error() {
    let project = Project::with_environment();
    project.write("app/extra.py", "\"\"\"More.\"\"\"\n\nimport os\n");
    let ran = project.run(&["ci", "lint"]);
    ran.expect(1, &["ruff check: 1 finding, 1 fixable", "app/extra.py:3:8: F401 `os` imported"]);
    ran.expect(1, &["hint: `ruff check --fix`"]);
    ran.expect_no("pytest");
}

#[test]
fn an_unformatted_file() {
    let project = Project::with_environment();
    project.write("app/extra.py", "\"\"\"More.\"\"\"\n\nANSWER   = 42\n");
    let ran = project.run(&["ci", "lint"]);
    ran.expect(1, &["ruff format: 1 file is not formatted", "app/extra.py: is not formatted"]);
    ran.expect(1, &["✓ ruff check"]);
}

#[test]
fn a_failing_test_and_a_lint_error_are_both_told() {
    let project = Project::with_environment();
    project.write(
        "tests/test_extra.py",
        "import os\n\n\ndef test_it() -> None:\n    assert 6 * 7 == 41\n",
    );
    let ran = project.run(&["ci", "lint", "test"]);
    ran.expect(1, &["pytest: 1 failed, 8 passed, 2 skipped", "tests/test_extra.py:5: "]);
    ran.expect(1, &["assert (6 * 7) == 41", "tests/test_extra.py:1:8: F401"]);
    ran.expect(1, &["full log: ", "2 failed"]);
    let at = ran.stdout.find("full log: ").unwrap() + "full log: ".len();
    let log = fs::read_to_string(ran.stdout[at..].lines().next().unwrap()).unwrap();
    assert!(!log.is_empty(), "the log that is named is there");
}

#[test]
fn tests_that_cannot_be_loaded() {
    let project = Project::with_environment();
    project.write("tests/test_extra.py", "from app import not_there\n\n\ndef test_it(): ...\n");
    let ran = project.run(&["ci", "test"]);
    ran.expect(1, &["tests/test_extra.py:1: ", "cannot import name 'not_there'"]);
}

#[test]
fn no_tests() {
    let project = Project::with_environment();
    for entry in project.backend("tests").read_dir_utf8().unwrap() {
        let path = entry.unwrap().into_path();
        if path.file_name().unwrap().starts_with("test_") {
            fs::remove_file(path).unwrap();
        }
    }
    project
        .run(&["ci", "test"])
        .expect(1, &["pytest: no test was found", "hint: check `testpaths`"]);
}

#[test]
fn coverage_below_its_minimum() {
    let project = Project::with_environment();
    crate::support::edit(&project.settings(), "lines = 85\n", "lines = 97.5\nfile_lines = 82\n");
    let ran = project.run(&["ci", "coverage"]);
    ran.expect(1, &["coverage: 94.44 % of lines (272 of 288), minimum 97.5 %", "✓ pytest"]);
    // The file that is below its own minimum, and the lines that no test reaches.
    ran.expect(1, &["\n  app/healthcheck.py: 81.48 % of lines (22 of 27), minimum 82 %\n"]);
    ran.expect(1, &["41, 45–48"]);
}

#[test]
fn a_lock_that_does_not_fit_any_more() {
    let project = Project::with_environment();
    project.edit(
        "pyproject.toml",
        "    \"uvicorn>=0.34\",\n",
        "    \"uvicorn>=0.34\",\n    \"six\",\n",
    );
    let ran = project.run(&["ci", "test"]);
    ran.expect(1, &["poetry export: ", "pyproject.toml changed significantly", "`poetry lock`"]);
    ran.expect(1, &["not run: ", "pytest"]);
}
