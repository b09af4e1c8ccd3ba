//! What ruff found, from 0.0.290 to today.

use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize;

use crate::{Diagnostic, Error, Result};

/// Reads what `ruff check --output-format=json` writes to stdout (`--format=json`
/// before 0.0.291). Files below `root`, an absolute path, become relative to it.
///
/// A syntax error has the rule `E999` up to ruff 0.4, none up to 0.11, and
/// `invalid-syntax` since. Fixable means that `ruff check --fix` mends it,
/// without `--unsafe-fixes`.
///
/// # Errors
///
/// A usage error with line and column if it is not ruff's JSON. An empty
/// answer is an error, too: ruff writes `[]` when it finds nothing.
///
/// ```
/// use talia_pipeline::parse::ruff;
///
/// let json = r#"[{"code": "F401", "filename": "/srv/app/a.py", "fix": {"applicability": "safe"},
///     "location": {"row": 1, "column": 8}, "message": "`os` imported but unused"}]"#;
/// let found = ruff::check(json, "/srv".into())?;
/// assert_eq!(found[0].to_string(), "app/a.py:1:8: F401 `os` imported but unused");
/// assert!(found[0].fixable);
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
pub fn check(stdout: &str, root: &Utf8Path) -> Result<Vec<Diagnostic>> {
    Ok(violations(stdout)?.into_iter().map(|violation| violation.diagnostic(root)).collect())
}

/// What `ruff format --check` says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FormatReport {
    /// The files that are not formatted.
    pub would_reformat: Vec<Utf8PathBuf>,
    /// How many files are formatted; nothing if ruff did not count.
    pub already_formatted: Option<u64>,
    /// The files that could not be read or parsed, with the reason.
    pub unreadable: Vec<Diagnostic>,
}

/// Reads what `ruff format --check` writes. It always succeeds: text that says
/// nothing about a file is passed over, because warnings stand between.
///
/// All formats are understood: one line a file (the only one for long), a
/// heading with the difference below it (newer releases), and theirs of
/// `--output-format=concise` and `json`.
///
/// ```
/// use talia_pipeline::parse::ruff;
///
/// let report = ruff::format("Would reformat: a.py\n1 file would be reformatted, 2 files already formatted\n", "", "/srv".into());
/// assert_eq!(report.would_reformat, ["a.py"]);
/// assert_eq!(report.already_formatted, Some(2));
/// ```
pub fn format(stdout: &str, stderr: &str, root: &Utf8Path) -> FormatReport {
    let mut report = FormatReport::default();
    if let Some(violations) =
        stdout.trim_start().starts_with('[').then(|| violations(stdout).ok()).flatten()
    {
        for violation in violations {
            report
                .add(violation.code.as_deref() == Some("unformatted"), violation.diagnostic(root));
        }
        return report;
    }
    let mut lines = stdout.lines().chain(stderr.lines()).peekable();
    while let Some(line) = lines.next() {
        if let Some(path) = line.strip_prefix("Would reformat: ") {
            report.add(true, Diagnostic::error("").file(relative(path, root)));
        } else if let Some(rest) = line.strip_prefix("error: Failed to ") {
            report.unreadable.push(failed_to(rest, root));
        } else if let Some(count) = already_formatted(line) {
            report.already_formatted = Some(count);
        } else if let Some((place, _)) = line.split_once(": unformatted: ") {
            let diagnostic = place_of(place, root, Diagnostic::error(""));
            report.add(true, diagnostic);
        } else if let Some((rule, message)) = line.split_once(": ").filter(|_| is_heading(line)) {
            let Some(place) = lines.peek().and_then(|next| next.trim_start().strip_prefix("--> "))
            else {
                continue;
            };
            let diagnostic = place_of(place, root, Diagnostic::error(message));
            report.add(rule == "unformatted", diagnostic.rule(rule));
        }
    }
    report
}

impl FormatReport {
    fn add(&mut self, unformatted: bool, diagnostic: Diagnostic) {
        match diagnostic.file {
            // A notebook has an entry for each of its cells.
            Some(file) if unformatted => {
                if self.would_reformat.last() != Some(&file) {
                    self.would_reformat.push(file);
                }
            }
            _ => self.unreadable.push(diagnostic),
        }
    }
}

fn is_heading(line: &str) -> bool {
    line.starts_with(|first: char| first.is_ascii_lowercase())
}

/// `3 files already formatted` at the end of the summary; `left unchanged` in
/// the first releases.
fn already_formatted(line: &str) -> Option<u64> {
    let counts =
        line.strip_suffix(" already formatted").or_else(|| line.strip_suffix(" left unchanged"))?;
    let count = counts.rsplit(", ").next()?;
    let (number, files) = count.split_once(' ')?;
    ["file", "files"].contains(&files).then(|| number.parse().ok())?
}

/// `parse app/a.py:1:7: message`, without the `error: Failed to ` in front.
fn failed_to(rest: &str, root: &Utf8Path) -> Diagnostic {
    let message = format!("failed to {rest}");
    let Some(rest) = rest.strip_prefix("parse ") else {
        let path = rest.split_once(": ").and_then(|(start, _)| start.split_once(' '));
        let diagnostic = Diagnostic::error(message);
        return match path {
            Some((_, path)) => diagnostic.file(relative(path, root)),
            None => diagnostic,
        };
    };
    // A path may hold `: ` as well; the first that follows a place counts.
    for (index, _) in rest.match_indices(": ") {
        let diagnostic = place_of(&rest[..index], root, Diagnostic::error(&rest[index + 2..]));
        if diagnostic.line.is_some() {
            return diagnostic;
        }
    }
    Diagnostic::error(message)
}

/// `path:line:column`, in a notebook `path:cell 1:line:column`.
fn place_of(place: &str, root: &Utf8Path, diagnostic: Diagnostic) -> Diagnostic {
    let mut parts = place.rsplitn(3, ':');
    let numbers = (|| {
        Some((parts.next()?.trim().parse().ok()?, parts.next()?.parse().ok()?, parts.next()?))
    })();
    let Some((column, line, path)) = numbers else { return diagnostic.file(relative(place, root)) };
    let path = path.rsplit_once(":cell ").map_or(path, |(path, _)| path);
    diagnostic.file(relative(path, root)).line(line).column(column)
}

fn relative(path: &str, root: &Utf8Path) -> Utf8PathBuf {
    let path = Utf8Path::new(path);
    path.strip_prefix(root).or_else(|_| path.strip_prefix(".")).unwrap_or(path).to_owned()
}

/// One entry. Only what is used is read; ruff adds fields from time to time.
#[derive(Deserialize)]
struct Violation {
    #[serde(default)]
    code: Option<String>,
    message: String,
    #[serde(default)]
    filename: Option<String>,
    #[serde(default)]
    location: Option<Location>,
    #[serde(default)]
    cell: Option<u32>,
    #[serde(default)]
    fix: Option<Fix>,
    #[serde(default)]
    severity: Option<String>,
}

#[derive(Deserialize)]
struct Location {
    row: u32,
    column: u32,
}

#[derive(Deserialize)]
struct Fix {
    #[serde(default)]
    applicability: Option<String>,
}

impl Violation {
    fn diagnostic(self, root: &Utf8Path) -> Diagnostic {
        // A line number in a notebook counts within its cell.
        let message = match self.cell {
            Some(cell) => format!("{} (cell {cell})", self.message),
            None => self.message,
        };
        let mut diagnostic = match self.severity.as_deref() {
            Some("warning" | "info") => Diagnostic::warning(message),
            _ => Diagnostic::error(message),
        };
        diagnostic.file =
            self.filename.filter(|name| !name.is_empty()).map(|name| relative(&name, root));
        // A finding about a whole file has the place 0:0 or none.
        let location = self.location.filter(|location| location.row > 0);
        diagnostic.line = location.as_ref().map(|location| location.row);
        diagnostic.column = location.map(|location| location.column).filter(|&column| column > 0);
        diagnostic.rule = self.code;
        // Before 0.1 the safe ones were called automatic, and `--fix` applied
        // suggested ones as well.
        let applicability =
            self.fix.and_then(|fix| fix.applicability).unwrap_or_default().to_ascii_lowercase();
        diagnostic
            .fixable(["safe", "always", "automatic", "suggested"].contains(&applicability.as_str()))
    }
}

fn violations(stdout: &str) -> Result<Vec<Violation>> {
    serde_json::from_str(stdout).map_err(|error| {
        let what = if stdout.trim().is_empty() {
            "ruff wrote nothing"
        } else {
            "this is not the JSON that ruff writes"
        };
        Error::usage(format!("{what}: {error}"))
            .hint("run `ruff check --output-format=json` by hand and read what it says on stderr")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(diagnostics: &[Diagnostic]) -> String {
        let line = |diagnostic: &Diagnostic| {
            format!("{diagnostic}{}\n", if diagnostic.fixable { " [*]" } else { "" })
        };
        diagnostics.iter().map(line).collect()
    }

    fn fixture(version: &str) -> String {
        let json = match version {
            "0.0.290" => include_str!("../../tests/fixtures/ruff/check-0.0.290.json"),
            "0.4.10" => include_str!("../../tests/fixtures/ruff/check-0.4.10.json"),
            "0.9.10" => include_str!("../../tests/fixtures/ruff/check-0.9.10.json"),
            _ => include_str!("../../tests/fixtures/ruff/check-0.17.6.json"),
        };
        shown(&check(json, "/project".into()).unwrap())
    }

    #[test]
    fn check_0_0_290() {
        insta::assert_snapshot!(fixture("0.0.290"));
    }

    #[test]
    fn check_0_4_10() {
        insta::assert_snapshot!(fixture("0.4.10"));
    }

    #[test]
    fn check_0_9_10() {
        insta::assert_snapshot!(fixture("0.9.10"));
    }

    #[test]
    fn check_0_17_6() {
        insta::assert_snapshot!(fixture("0.17.6"));
    }

    fn formatted(stdout: &str, stderr: &str) -> String {
        let report = format(stdout, stderr, "/project".into());
        format!(
            "{:?}\n{:?}\n{}",
            report.would_reformat,
            report.already_formatted,
            shown(&report.unreadable)
        )
    }

    const EXPECTED: &str = "[\"app/a.py\", \"nb.ipynb\", \"odd dir/ü b.py\"]\nSome(1)\n";

    #[test]
    fn format_one_line_a_file() {
        let stdout = "Would reformat: app/a.py\nWould reformat: nb.ipynb\nWould reformat: odd dir/ü b.py\n\
                      3 files would be reformatted, 1 file already formatted\n";
        let stderr = "warning: `x` is deprecated\nerror: Failed to parse app/b: 1.py:1:7: Expected a parameter\n";
        assert_eq!(
            formatted(stdout, stderr),
            format!("{EXPECTED}app/b: 1.py:1:7: Expected a parameter\n")
        );
    }

    #[test]
    fn format_with_the_difference() {
        let stdout = include_str!("../../tests/fixtures/ruff/format-0.17.6.txt");
        let syntax = "app/bad.py:1:7: invalid-syntax Expected a parameter or the end of the parameter list\n";
        assert_eq!(formatted(stdout, ""), format!("{EXPECTED}{syntax}"));
    }

    #[test]
    fn format_as_json() {
        let stdout = include_str!("../../tests/fixtures/ruff/format-0.17.6.json");
        let syntax = "app/bad.py:1:7: invalid-syntax Expected a parameter or the end of the parameter list\n";
        assert_eq!(
            formatted(stdout, ""),
            format!("{}{syntax}", EXPECTED.replace("Some(1)", "None"))
        );
    }

    #[test]
    fn format_concise_and_old() {
        let concise = format(
            "app/a.py:4:1: unformatted: File would be reformatted\nnb.ipynb:cell 1:2:1: unformatted: x\n",
            "",
            "/".into(),
        );
        assert_eq!(concise.would_reformat, ["app/a.py", "nb.ipynb"]);
        let old = format("2 files would be reformatted, 1 file left unchanged\n", "", "/".into());
        assert_eq!(old.already_formatted, Some(1));
    }

    #[test]
    fn format_with_nothing_to_say() {
        let clean = format("12 files already formatted\n", "", "/project".into());
        assert_eq!(clean, FormatReport { already_formatted: Some(12), ..FormatReport::default() });
        let gone = format(
            "",
            "error: Failed to read nothere.py: No such file or directory (os error 2)\n",
            "/".into(),
        );
        assert_eq!(gone.unreadable[0].file.as_deref(), Some("nothere.py".into()));
        assert_eq!(
            gone.unreadable[0].message,
            "failed to read nothere.py: No such file or directory (os error 2)"
        );
        assert_eq!(
            format(
                "x: y\n--> :::\n[\n-1 files already formatted",
                "error: Failed to parse \n",
                "/".into()
            )
            .would_reformat
            .len(),
            0
        );
    }

    #[test]
    fn what_is_not_its_json_is_an_error_with_a_place() {
        for (text, expected) in [
            ("", "ruff wrote nothing: EOF while parsing a value at line 1 column 0"),
            (
                "[{}]",
                "this is not the JSON that ruff writes: missing field `message` at line 1 column 3",
            ),
            (
                "[\n{\"message\"",
                "this is not the JSON that ruff writes: EOF while parsing an object at line 2 column 10",
            ),
        ] {
            assert_eq!(check(text, "/".into()).unwrap_err().to_string(), expected);
        }
        let deep = "[".repeat(1 << 20);
        assert!(check(&deep, "/".into()).is_err());
    }

    #[test]
    fn what_a_later_ruff_may_leave_out() {
        let json = r#"[{"message": "a", "new": {}}, {"message": "b", "code": null, "filename": "", "location": null,
            "fix": {"applicability": "display"}, "severity": "warning"}]"#;
        let found = check(json, "/".into()).unwrap();
        assert_eq!(found, [Diagnostic::error("a"), Diagnostic::warning("b")]);
    }
}
