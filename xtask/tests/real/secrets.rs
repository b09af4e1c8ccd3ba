//! A secret that everything tries to give away is nowhere afterwards.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    canary::{pieces, watch},
    project::{Project, ran},
    support::{edit, need_engine, unique, workspace, write},
};

const NAME: &str = "TALIA_CANARY";
/// Of plain letters: pytest keeps a test's name in two encodings at once, which no
/// masker undoes for others.
const PLAIN: &str = "TALIA_PLAIN_CANARY";

/// Prints and raises the secret in every spelling, then fails.
const TEST: &str = r#"
import base64
import json
import os
import urllib.parse

import pytest

SECRET = os.environ["TALIA_CANARY"]


def spellings() -> list[str]:
    raw = SECRET.encode()
    return [
        SECRET,
        json.dumps({"token": SECRET}),
        json.dumps(SECRET, ensure_ascii=False),
        urllib.parse.quote(SECRET),
        urllib.parse.quote(SECRET, safe="").lower(),
        base64.b64encode(raw).decode(),
        base64.urlsafe_b64encode(b"x" + raw).decode(),
        base64.b64encode(b"xy" + raw + b"z").decode(),
        repr(SECRET),
    ]


def test_prints_it() -> None:
    for text in spellings():
        print(text)
    os.write(2, SECRET.encode()[:9])
    os.write(2, SECRET.encode()[9:] + b"\n")


def test_asserts_it() -> None:
    for text in spellings():
        print(text)
    assert "" == SECRET, f"expected {SECRET}"


@pytest.mark.skip(reason=f"needs {SECRET}")
def test_needs_it() -> None: ...


@pytest.mark.parametrize("token", [os.environ["TALIA_PLAIN_CANARY"]])
def test_is_named_by_it(token: str) -> None:
    raise RuntimeError(f"https://user:{urllib.parse.quote(token, safe='')}@db/x")
"#;

const DOCKERFILE: &str = "\
ARG BASE_IMAGE=nowhere.invalid/none
FROM ${BASE_IMAGE}
RUN --mount=type=secret,id=TALIA_CANARY cat /run/secrets/TALIA_CANARY >&2; exit 1
";

/// Every file below a folder, environments and byte code left out.
fn files(folder: &Utf8Path) -> Vec<Utf8PathBuf> {
    let mut found = Vec::new();
    for entry in folder.read_dir_utf8().unwrap() {
        let path = entry.unwrap().into_path();
        let kind = path.symlink_metadata().unwrap().file_type();
        if kind.is_dir() && !["env", "tools", "pycache"].contains(&path.file_name().unwrap()) {
            found.extend(files(&path));
        } else if kind.is_file() {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_secret_is_in_no_output_report_log_or_argument() {
    need_engine();
    // Letters first, so that a part of it is recognised in every spelling.
    let secret = format!("canary{}/\"p&w<é+ü 7", unique().replace('-', "x"));
    let plain = format!("plain/{}", unique());
    let mut pieces = pieces(&secret);
    pieces.push(plain.clone());
    let project = Project::with_environment();
    edit(
        &project.settings(),
        "names = [\"DEPLOY_KEY\", \"TWILIO_AUTH_TOKEN\"]",
        "names = [\"TALIA_CANARY\", \"TALIA_PLAIN_CANARY\"]",
    );
    let old = "#build_secrets = [\"TWILIO_AUTH_TOKEN\"]";
    edit(&project.settings(), old, "build_secrets = [\"TALIA_CANARY\"]");
    write(&project.backend("tests/test_canary.py"), TEST);
    write(&project.backend("Dockerfile"), DOCKERFILE);
    let report = project.target().join("events.jsonl");
    let summary = project.target().join("summary.md");
    let artifacts = project.target().join("artifacts");
    let args = [
        "ci",
        "test",
        "image",
        "-v",
        "--report",
        report.as_str(),
        "--artifacts",
        artifacts.as_str(),
    ];
    let mut told = String::new();
    for on_github in [false, true] {
        let mut xtask = project.xtask(&args);
        xtask.env(NAME, &secret).env(PLAIN, &plain);
        if on_github {
            xtask.env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", summary.as_str());
        }
        let (ran, looks, seen) = watch(&pieces, || ran(&mut xtask));
        ran.expect(1, &["test_canary.py", "Dockerfile:3: ", "***"]);
        assert!(looks > 20, "{looks}");
        assert_eq!(seen, 0, "in the arguments of a process");
        told.push_str(&ran.stdout);
        told.push_str(&ran.stderr);
    }
    for piece in &pieces {
        assert!(!told.contains(piece.as_str()), "{piece} in\n{told}");
    }
    // Logs, reports, caches, the report file, the job's summary, what is kept.
    let all = files(project.target());
    for name in ["events.jsonl", "summary.md", "artifacts/junit.xml", "reports/junit.xml", ".log"] {
        assert!(all.iter().any(|file| file.as_str().ends_with(name)), "no {name}: {all:#?}");
    }
    for file in all {
        let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
        for piece in &pieces {
            assert!(!text.contains(piece.as_str()), "{piece} in {file}");
        }
    }
    assert!(workspace().is_dir());
}
