//! `ruff check` and `ruff format` against an old ruff and the pinned one.

use camino::{Utf8Path, Utf8PathBuf};
use talia_pipeline::{
    pins,
    steps::check::{RuffCheck, RuffFormat},
};

use crate::{
    alone, failure,
    support::{Temp, state_of, venv},
};

/// The last of the line that has no JSON for syntax errors' rule yet.
const OLD: &str = "0.4.10";

/// A ruff's version, the program itself, a project and a folder for its cache.
fn each(check: impl Fn(&str, &Utf8Path, &Temp, Utf8PathBuf)) {
    for version in [OLD, pins::RUFF] {
        let env = venv(&format!("ruff-{version}"), &[&format!("ruff=={version}")]);
        let (project, cache) = (Temp::new(), Temp::new());
        check(version, &env.join("bin/ruff"), &project, cache.path().join("ruff"));
    }
}

#[test]
fn a_clean_project_passes_and_nothing_is_written_into_it() {
    each(|version, ruff, project, cache| {
        project.write("app/main.py", "import os\n\nprint(os.name)\n");
        let before = state_of(project.path());
        let check = alone(project.path(), || RuffCheck::new(ruff.as_str(), project.path(), &cache));
        assert_eq!(check.exit_code.code(), 0, "{version}: {:?}", check.result);
        let format =
            alone(project.path(), || RuffFormat::new(ruff.as_str(), project.path(), &cache));
        assert_eq!(format.result.unwrap(), Some(1), "{version}");
        assert_eq!(state_of(project.path()), before, "{version}");
        assert!(cache.exists(), "{version}");
    });
}

#[test]
fn findings_have_file_line_and_column() {
    each(|version, ruff, project, cache| {
        // The project asks to be mended; a check changes nothing all the same.
        project.write("ruff.toml", "fix = true\nlint.select = [\"F401\", \"E711\"]\n");
        project.write("app/a b.py", "import os\nx = 1\nif x == None:\n    y =  2\n");
        let before = state_of(project.path());
        let root = project.path();
        let (error, found) = failure(alone(root, || RuffCheck::new(ruff.as_str(), root, &cache)));
        assert_eq!(error.to_string(), "2 findings, 1 fixable", "{version}");
        assert_eq!(error.hint_text(), Some("`ruff check --fix` mends the fixable ones"));
        assert!(found[0].starts_with("app/a b.py:1:8: F401 `os` imported"), "{version} {found:?}");
        assert!(found[1].starts_with("app/a b.py:3:9: E711 "), "{version} {found:?}");
        let (error, found) = failure(alone(root, || RuffFormat::new(ruff.as_str(), root, &cache)));
        assert_eq!(found, ["app/a b.py: is not formatted"], "{version}");
        assert_eq!(error.hint_text(), Some("`ruff format` formats what it can read"));
        assert_eq!(state_of(project.path()), before, "{version}");
    });
}

#[test]
fn a_syntax_error_has_its_line_in_both() {
    each(|version, ruff, project, cache| {
        project.write("broken.py", "x = 1\n\ndef broken(:\n    pass\n");
        let root = project.path();
        let (_, found) = failure(alone(root, || RuffCheck::new(ruff.as_str(), root, &cache)));
        assert!(found[0].starts_with("broken.py:3:12: "), "{version} {found:?}");
        let (error, found) = failure(alone(root, || RuffFormat::new(ruff.as_str(), root, &cache)));
        assert!(found[0].starts_with("broken.py:3:12: "), "{version} {error} {found:?}");
        assert!(!error.to_string().contains("0 files"), "{version} {error}");
    });
}

#[test]
fn a_broken_configuration_is_named() {
    each(|version, ruff, project, cache| {
        project.write("pyproject.toml", "[tool.ruff]\nline-lenght = 90\n").write("a.py", "x = 1\n");
        let root = project.path();
        for finished in [
            alone(root, || RuffCheck::new(ruff.as_str(), root, &cache)).result.err(),
            alone(root, || RuffFormat::new(ruff.as_str(), root, &cache)).result.err(),
        ] {
            let error = finished.unwrap();
            let said = error.last_lines().concat();
            assert!(said.contains("line-lenght"), "{version} {error} {said}");
            assert!(said.contains("pyproject.toml"), "{version} {error} {said}");
        }
    });
}
