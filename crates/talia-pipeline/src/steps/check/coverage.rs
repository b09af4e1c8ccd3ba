//! Reads a coverage report and holds it against the minima.

use std::{fs::File, io::BufReader};

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    coverage::{Changed, Gate, Rate, Table, Violation},
    diagnostic::Diagnostic,
    error::{Error, Result},
    parse::{
        cobertura::{Counts, Coverage},
        unified_diff::ChangedFile,
    },
    step::{Action, Step, Summary, Touches},
};

/// A coverage report and what it says of the changed lines.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Judged {
    /// The report.
    pub coverage: Coverage,
    /// The changed lines, where a diff was given.
    pub changed: Option<Changed>,
}

impl Judged {
    /// As one JSON object: the report, and `changed` where a diff was given.
    pub fn to_json(&self) -> String {
        // Serialising numbers, strings and lists of them cannot fail.
        let mut value = serde_json::to_value(&self.coverage).unwrap_or_default();
        if let (Some(object), Some(changed)) = (value.as_object_mut(), &self.changed) {
            object.insert("changed".into(), serde_json::to_value(changed).unwrap_or_default());
        }
        value.to_string()
    }
}

/// In this process: reads a Cobertura report and holds it against a [`Gate`].
///
/// Fails when a minimum is not reached, with the exact counts and a table of the
/// worst files. Memory is bounded by the number of measured lines, not by the
/// size of the file. External entities are never read.
///
/// ```
/// use talia_pipeline::{Step, coverage::Gate, steps::check::CoverageGate};
///
/// let gate = Gate::new().lines("85".parse()?);
/// assert_eq!(CoverageGate::new("/state/coverage.xml", gate).label(), "coverage");
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug)]
pub struct CoverageGate {
    xml: Utf8PathBuf,
    gate: Gate,
    worst: usize,
    width: usize,
    root: Option<Utf8PathBuf>,
    diff: Option<Diff>,
}

#[derive(Debug)]
struct Diff {
    files: Vec<ChangedFile>,
    repository: Utf8PathBuf,
    tracked: Vec<Utf8PathBuf>,
}

impl CoverageGate {
    /// Reads this report and holds it against this gate.
    pub fn new(xml: impl Into<Utf8PathBuf>, gate: Gate) -> Self {
        Self { xml: xml.into(), gate, worst: 10, width: 100, root: None, diff: None }
    }

    /// Reads this report without any minimum.
    pub fn report(xml: impl Into<Utf8PathBuf>) -> Self {
        Self::new(xml, Gate::new())
    }

    /// How many of the worst files the table shows; 10 unless set.
    #[must_use]
    pub fn worst(mut self, files: usize) -> Self {
        self.worst = files;
        self
    }

    /// The project's folder, so that findings name files as the project has them; a
    /// report names them from the folder that was measured.
    #[must_use]
    pub fn root(mut self, root: impl Into<Utf8PathBuf>) -> Self {
        self.root = Some(root.into());
        self
    }

    /// A file of the report as the project has it, where it is there.
    fn in_project(&self, file: &Utf8Path, sources: &[String]) -> Utf8PathBuf {
        let Some(root) = &self.root else { return file.to_owned() };
        let candidates = sources.iter().map(|source| root.join(source).join(file));
        let found = candidates.chain([root.join(file)]).find(|path| path.is_file());
        found
            .and_then(|path| path.strip_prefix(root).map(Utf8Path::to_owned).ok())
            .unwrap_or_else(|| file.to_owned())
    }

    /// Judges changed lines too: the diff's files, and the repository's root and
    /// tracked files to find them by.
    #[must_use]
    pub fn changed(
        mut self,
        files: Vec<ChangedFile>,
        repository: impl Into<Utf8PathBuf>,
        tracked: Vec<Utf8PathBuf>,
    ) -> Self {
        self.diff = Some(Diff { files, repository: repository.into(), tracked });
        self
    }

    fn judge(&self) -> Result<Judged> {
        let judged = self.read()?;
        let violations = self.gate.judge(&judged.coverage, judged.changed.as_ref());
        if violations.is_empty() {
            return Ok(judged);
        }
        let findings = violations.iter().map(|violation| {
            // The finding names the file itself.
            let bare = Violation { file: None, ..violation.clone() };
            let finding = Diagnostic::error(bare.to_string());
            match &violation.file {
                Some(file) => finding.file(self.in_project(file, &judged.coverage.sources)),
                None => finding,
            }
        });
        let findings: Vec<Diagnostic> = findings.chain(missed(judged.changed.as_ref())).collect();
        let message = violations[0].to_string();
        let table = Table::new(&judged.coverage).worst(self.worst).width(self.width).render();
        let mut lines: Vec<String> = judged.coverage.disagreements.clone();
        lines.extend(table.lines().map(str::to_owned));
        Err(Error::step(message).diagnostics(findings).tail(lines))
    }

    fn read(&self) -> Result<Judged> {
        let file = File::open(&self.xml).map_err(|cause| {
            Error::usage(format!("the coverage report {} cannot be read", self.xml))
                .caused_by(cause)
        })?;
        let coverage = Coverage::read(BufReader::with_capacity(1 << 16, file), &self.xml)?;
        let changed = self
            .diff
            .as_ref()
            .map(|diff| Changed::new(&coverage, &diff.files, &diff.repository, &diff.tracked));
        Ok(Judged { coverage, changed })
    }
}

/// The changed lines that no test reached, at their place.
fn missed(changed: Option<&Changed>) -> Vec<Diagnostic> {
    let files = changed.map(|changed| changed.files.as_slice()).unwrap_or_default();
    let lines =
        files.iter().flat_map(|file| file.missed.iter().map(move |line| (&file.path, *line)));
    lines
        .filter_map(|(path, line)| Some((path, u32::try_from(line).ok()?)))
        .map(|(path, line)| {
            Diagnostic::error("changed, and not reached by any test").file(path.clone()).line(line)
        })
        .collect()
}

fn share(counts: Counts, what: &str) -> Option<String> {
    Rate::of(counts).map(|rate| format!("{rate} of {what}"))
}

impl Step for CoverageGate {
    type Output = Judged;

    fn label(&self) -> String {
        "coverage".into()
    }

    fn action(&self) -> Action<'_, Judged> {
        Action::read(format!("read {} and judge it", self.xml), || self.judge())
    }

    fn assume(&self) -> Judged {
        Judged { coverage: Coverage::default(), changed: None }
    }

    fn touches(&self) -> Option<Touches> {
        let folder = self.xml.parent().unwrap_or(Utf8Path::new(""));
        Some(Touches::new(folder).reads([self.xml.as_str()]))
    }

    fn summary(&self, judged: &Judged) -> Summary {
        let coverage = &judged.coverage;
        let shares = [
            share(coverage.lines, "lines"),
            share(coverage.branches, "branches"),
            judged.changed.as_ref().and_then(|changed| share(changed.lines, "changed lines")),
        ];
        let line: Vec<String> = shares.into_iter().flatten().collect();
        let line = if line.is_empty() { "no lines measured".to_owned() } else { line.join(", ") };
        let mut details: String =
            coverage.disagreements.iter().map(|text| format!("{text}\n")).collect();
        details.push_str(&Table::new(coverage).worst(self.worst).width(self.width).render());
        Summary::line(line).details(details)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    #[test]
    fn coverage_gate_minimal() {
        check("coverage_gate__minimal", &CoverageGate::report("/state/coverage.xml"));
    }
}
