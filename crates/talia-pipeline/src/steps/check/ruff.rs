//! ruff: finds mistakes, and checks the formatting.

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    command_line::{CommandLine, Effect},
    diagnostic::Diagnostic,
    error::{Error, Result},
    parse::ruff,
    step::{Action, Step, Summary, Touches},
    steps::python::isolated,
};

/// How many findings the JSON may hold: about 100,000 of them.
const FINDINGS_BYTES: usize = 64 << 20;

/// `ruff check --output-format=json --no-fix -- .`: typed findings.
///
/// Accepts exit 0 (clean) and 1 (findings); 2 is a broken configuration. Changes
/// nothing; ruff's cache goes to the state folder. Fails when there is a finding.
/// Needs ruff 0.1.
///
/// Source: ruff's manual, *The Ruff Linter*.
///
/// ```
/// use talia_pipeline::{Step, steps::check::RuffCheck};
///
/// let step = RuffCheck::new("/state/env/bin/ruff", "/srv/app", "/state/cache/ruff");
/// assert_eq!(step.label(), "ruff check");
/// ```
#[derive(Debug)]
pub struct RuffCheck {
    ruff: String,
    root: Utf8PathBuf,
    cache: Utf8PathBuf,
}

impl RuffCheck {
    /// Checks the project at `root` with this program.
    pub fn new(
        ruff: impl Into<String>,
        root: impl Into<Utf8PathBuf>,
        cache: impl Into<Utf8PathBuf>,
    ) -> Self {
        Self { ruff: ruff.into(), root: root.into(), cache: cache.into() }
    }
}

impl Step for RuffCheck {
    type Output = ();

    fn label(&self) -> String {
        "ruff check".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let line = command(&self.ruff, "check", &self.root, &self.cache)
            .arg("--output-format=json")
            // A project may have `fix = true`; a check changes nothing.
            .arg("--no-fix")
            .operand(".")
            .accept([0, 1])
            .capture_bytes(FINDINGS_BYTES)
            .stdout_is_data()
            .purpose("find mistakes");
        Action::command(line, |answer| {
            if answer.is_truncated() {
                return Err(Error::step("ruff found more than can be listed")
                    .hint("run `ruff check` by hand and mend the most frequent finding first"));
            }
            fail_on(ruff::check(&answer.stdout(), &self.root)?)
        })
    }

    fn assume(&self) {}

    fn touches(&self) -> Option<Touches> {
        Some(touches(&self.root, &self.ruff))
    }

    fn summary(&self, (): &()) -> Summary {
        Summary::line("clean")
    }
}

fn fail_on(findings: Vec<Diagnostic>) -> Result<()> {
    if findings.is_empty() {
        return Ok(());
    }
    let fixable = findings.iter().filter(|finding| finding.fixable).count();
    let count = findings.len();
    let plural = if count == 1 { "finding" } else { "findings" };
    let error = Error::step(format!("{count} {plural}, {fixable} fixable")).diagnostics(findings);
    Err(if fixable > 0 { error.hint("`ruff check --fix` mends the fixable ones") } else { error })
}

/// `ruff format --check -- .`: which files are not formatted.
///
/// Accepts exit 0 (all formatted) and 1 (some are not). Changes nothing. Its text
/// is read, because older ruffs have no other form. Fails when a file is not
/// formatted. Needs ruff 0.1.
///
/// Source: ruff's manual, *The Ruff Formatter*.
#[derive(Debug)]
pub struct RuffFormat {
    ruff: String,
    root: Utf8PathBuf,
    cache: Utf8PathBuf,
}

impl RuffFormat {
    /// Checks the project at `root` with this program.
    pub fn new(
        ruff: impl Into<String>,
        root: impl Into<Utf8PathBuf>,
        cache: impl Into<Utf8PathBuf>,
    ) -> Self {
        Self { ruff: ruff.into(), root: root.into(), cache: cache.into() }
    }
}

impl Step for RuffFormat {
    /// How many files are formatted, where ruff counts them.
    type Output = Option<u64>;

    fn label(&self) -> String {
        "ruff format".into()
    }

    fn action(&self) -> Action<'_, Self::Output> {
        let line = command(&self.ruff, "format", &self.root, &self.cache)
            .arg("--check")
            .operand(".")
            .accept([0, 1, 2])
            .purpose("check the formatting");
        Action::command(line, |answer| {
            let report = ruff::format(&answer.stdout(), &answer.stderr(), &self.root);
            let mut findings = report.unreadable;
            let unformatted = report.would_reformat.len();
            findings.extend(
                report
                    .would_reformat
                    .into_iter()
                    .map(|file| Diagnostic::error("is not formatted").file(file).fixable(true)),
            );
            match (answer.exit(), findings.is_empty()) {
                (0, true) => Ok(report.already_formatted),
                // Such as a syntax error, which `ruff format` does not mend.
                (_, false) if unformatted == 0 => {
                    Err(Error::step(format!("{} cannot be read", files(findings.len())))
                        .diagnostics(findings))
                }
                (_, false) => {
                    let count = files(unformatted);
                    let verb = if unformatted == 1 { "is" } else { "are" };
                    Err(Error::step(format!("{count} {verb} not formatted"))
                        .diagnostics(findings)
                        .hint("`ruff format` formats what it can read"))
                }
                (exit, true) => {
                    Err(Error::step(format!("ruff ended with exit {exit}"))
                        .tail(answer.last_lines(10)))
                }
            }
        })
    }

    fn assume(&self) -> Self::Output {
        None
    }

    fn touches(&self) -> Option<Touches> {
        Some(touches(&self.root, &self.ruff))
    }

    fn summary(&self, formatted: &Self::Output) -> Summary {
        Summary::line(match formatted {
            Some(1) => "1 file formatted".to_owned(),
            Some(count) => format!("{count} files formatted"),
            None => "formatted".to_owned(),
        })
    }
}

fn files(count: usize) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}

fn command(ruff: &str, what: &str, root: &Utf8Path, cache: &Utf8Path) -> CommandLine {
    isolated(CommandLine::new(ruff), cache)
        .arg(what)
        .cwd(root)
        .env("RUFF_CACHE_DIR", cache.as_str())
        // Colours would end up in the messages.
        .env("NO_COLOR", "1")
        .env_remove("FORCE_COLOR")
        .effect(Effect::Read)
}

fn touches(root: &Utf8Path, ruff: &str) -> Touches {
    Touches::new(root)
        .reads([
            "**/*.py",
            "**/*.pyi",
            "**/*.ipynb",
            "**/pyproject.toml",
            "**/ruff.toml",
            "**/.ruff.toml",
        ])
        .environment(["RUFF_CONFIG", "RUFF_OUTPUT_FORMAT", "RUFF_NO_CACHE"])
        .tools([ruff])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Answer, steps::testing::check};

    #[test]
    fn ruff_check_minimal() {
        check("ruff_check__minimal", &RuffCheck::new("ruff", "/srv/app", "/state/ruff"));
    }

    #[test]
    fn ruff_check_brought_in() {
        let step = RuffCheck::new("/state/tools/ruff-0.17.6/bin/ruff", "/srv/app", "/state/ruff");
        check("ruff_check__brought_in", &step);
    }

    #[test]
    fn ruff_check_hostile() {
        check("ruff_check__hostile", &RuffCheck::new("/it's/ruff", "/srv/-a $b\nc", "/st ate"));
    }

    #[test]
    fn ruff_format_minimal() {
        check("ruff_format__minimal", &RuffFormat::new("ruff", "/srv/app", "/state/ruff"));
    }

    #[test]
    fn ruff_format_brought_in() {
        let step = RuffFormat::new("/state/tools/ruff-0.17.6/bin/ruff", "/srv/app", "/state/ruff");
        check("ruff_format__brought_in", &step);
    }

    #[test]
    fn ruff_format_hostile() {
        check("ruff_format__hostile", &RuffFormat::new("/it's/ruff", "/srv/-a $b\nc", "/st ate"));
    }

    #[test]
    fn findings_fail_with_file_and_line() {
        let step = RuffCheck::new("ruff", "/srv/app", "/c");
        let Action::Command { read, .. } = step.action() else { unreachable!("it is a command") };
        let json = r#"[{"code":"F401","filename":"/srv/app/a.py","fix":{"applicability":"safe"},"location":{"row":3,"column":8},"message":"unused"}]"#;
        let error = read(&Answer::new(1, json, "")).expect_err("there is a finding");
        assert_eq!(error.to_string(), "1 finding, 1 fixable");
        assert_eq!(error.findings()[0].to_string(), "a.py:3:8: F401 unused");
    }

    #[test]
    fn an_exit_without_a_finding_is_no_pass() {
        let step = RuffFormat::new("ruff", "/srv/app", "/c");
        let Action::Command { read, .. } = step.action() else { unreachable!("it is a command") };
        assert!(read(&Answer::new(2, "", "error: invalid configuration")).is_err());
    }
}
