//! Whether a report is good enough.

use std::fmt;

use camino::{Utf8Path, Utf8PathBuf};

use super::{
    changed::Changed,
    percent::{Percent, Rate, grouped},
};
use crate::parse::{
    cobertura::{Counts, Coverage},
    visible,
};

/// The minima that a report must reach. Without any, everything passes.
///
/// ```
/// use camino::Utf8Path;
/// use talia_pipeline::{coverage::Gate, parse::cobertura::Coverage};
///
/// let xml = r#"<coverage line-rate="1"><packages><class filename="a.py"><lines>
///     <line number="1" hits="1"/><line number="2" hits="0"/>
/// </lines></class></packages></coverage>"#;
/// let coverage = Coverage::read(xml.as_bytes(), Utf8Path::new("coverage.xml"))?;
///
/// let violations = Gate::new().lines("95".parse()?).judge(&coverage, None);
/// assert_eq!(violations[0].to_string(), "50.00 % of lines (1 of 2), minimum 95 %");
/// assert!(Gate::new().lines("50".parse()?).judge(&coverage, None).is_empty());
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gate {
    lines: Option<Percent>,
    branches: Option<Percent>,
    per_file_lines: Option<Percent>,
    changed_lines: Option<Percent>,
}

impl Gate {
    /// A gate without any minimum.
    pub fn new() -> Self {
        Self::default()
    }

    /// The share of all measured lines that must be hit.
    #[must_use]
    pub fn lines(mut self, minimum: Percent) -> Self {
        self.lines = Some(minimum);
        self
    }

    /// The share of all branches that must be taken.
    #[must_use]
    pub fn branches(mut self, minimum: Percent) -> Self {
        self.branches = Some(minimum);
        self
    }

    /// The share of lines that must be hit in each file. Files without a measured
    /// line, such as an empty `__init__.py`, are not judged.
    #[must_use]
    pub fn per_file_lines(mut self, minimum: Percent) -> Self {
        self.per_file_lines = Some(minimum);
        self
    }

    /// The share of changed and measured lines that must be hit. A change without
    /// a measured line, such as one of the documentation, passes.
    #[must_use]
    pub fn changed_lines(mut self, minimum: Percent) -> Self {
        self.changed_lines = Some(minimum);
        self
    }

    /// Whether a minimum for changed lines is set, so that a diff is needed.
    pub fn needs_diff(&self) -> bool {
        self.changed_lines.is_some()
    }

    /// Everything that is not reached; empty when the report passes.
    ///
    /// Compares whole counts with exact arithmetic. The header's rates are not
    /// looked at. Where nothing was measured there is no rate, and a minimum is
    /// not reached.
    pub fn judge(&self, coverage: &Coverage, changed: Option<&Changed>) -> Vec<Violation> {
        let mut violations = Vec::new();
        let mut judge = |measure, file: Option<&Utf8Path>, counts, minimum: Percent| {
            if !minimum.allows(counts) {
                let file = file.map(Utf8Path::to_path_buf);
                violations.push(Violation { measure, file, counts, minimum, why: None });
            }
        };
        if let Some(minimum) = self.lines {
            judge(Measure::Lines, None, coverage.lines, minimum);
        }
        if let Some(minimum) = self.branches {
            judge(Measure::Branches, None, coverage.branches, minimum);
        }
        if let Some(minimum) = self.per_file_lines {
            for file in coverage.files.iter().filter(|file| file.lines.valid > 0) {
                judge(Measure::Lines, Some(&file.path), file.lines, minimum);
            }
        }
        if let Some(minimum) = self.changed_lines {
            violations.extend(judge_changed(changed, minimum));
        }
        violations
    }
}

fn judge_changed(changed: Option<&Changed>, minimum: Percent) -> Vec<Violation> {
    let violation = |counts, why| Violation {
        measure: Measure::ChangedLines,
        file: None,
        counts,
        minimum,
        why,
    };
    let Some(changed) = changed else {
        return vec![violation(Counts::default(), Some("no diff was given".to_owned()))];
    };
    let mut violations: Vec<Violation> =
        changed.doubts.iter().map(|doubt| violation(changed.lines, Some(doubt.clone()))).collect();
    if changed.lines.valid > 0 && !minimum.allows(changed.lines) {
        violations.push(violation(changed.lines, None));
    }
    violations
}

/// What a minimum is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Measure {
    /// Measured lines.
    Lines,
    /// Branches.
    Branches,
    /// Lines that the diff adds or rewrites, as far as they are measured.
    ChangedLines,
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lines => "lines",
            Self::Branches => "branches",
            Self::ChangedLines => "changed lines",
        })
    }
}

/// One minimum that is not reached.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// What was measured.
    pub measure: Measure,
    /// The file, where the minimum is one for each file.
    pub file: Option<Utf8PathBuf>,
    /// What was counted.
    pub counts: Counts,
    /// What is asked for.
    pub minimum: Percent,
    /// Why nothing could be compared, if so.
    pub why: Option<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}: ", visible(file.as_str()))?;
        }
        match (&self.why, Rate::of(self.counts)) {
            (Some(why), _) => write!(f, "{} cannot be judged: {why}", self.measure)?,
            (None, None) => write!(f, "no {} measured", self.measure)?,
            (None, Some(rate)) => write!(
                f,
                "{rate} of {} ({} of {})",
                self.measure,
                grouped(self.counts.covered),
                grouped(self.counts.valid)
            )?,
        }
        write!(f, ", minimum {}", self.minimum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coverage(files: &[(&str, u64, u64)]) -> Coverage {
        let mut xml = "<coverage line-rate='1'><packages>".to_owned();
        for (name, covered, valid) in files {
            xml.push_str(&format!("<class filename='{name}'><lines>"));
            for number in 0..*valid {
                let hits = u8::from(number < *covered);
                xml.push_str(&format!("<line number='{number}' hits='{hits}'/>"));
            }
            xml.push_str("</lines></class>");
        }
        xml.push_str("</packages></coverage>");
        Coverage::read(xml.as_bytes(), Utf8Path::new("c.xml")).unwrap()
    }

    fn percent(text: &str) -> Percent {
        text.parse().unwrap()
    }

    fn said(violations: &[Violation]) -> Vec<String> {
        violations.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_violation_states_exact_counts() {
        let coverage = coverage(&[("a.py", 1204, 1293)]);
        assert_eq!(
            said(&Gate::new().lines(percent("95")).judge(&coverage, None)),
            ["93.11 % of lines (1 204 of 1 293), minimum 95 %"]
        );
    }

    #[test]
    fn all_but_one_line_is_not_100_percent() {
        let coverage = coverage(&[("a.py", 29_999, 30_000)]);
        assert_eq!(
            said(&Gate::new().lines(percent("100")).judge(&coverage, None)),
            ["99.99 % of lines (29 999 of 30 000), minimum 100 %"]
        );
        assert_eq!(Gate::new().lines(percent("99.99")).judge(&coverage, None), []);
    }

    #[test]
    fn nothing_measured_is_no_pass() {
        let gate = Gate::new().lines(percent("0")).branches(percent("0"));
        assert_eq!(
            said(&gate.judge(&coverage(&[]), None)),
            ["no lines measured, minimum 0 %", "no branches measured, minimum 0 %"]
        );
        assert_eq!(Gate::new().judge(&coverage(&[]), None), []);
    }

    #[test]
    fn each_file_is_judged_but_the_empty_ones() {
        let coverage = coverage(&[("a.py", 9, 10), ("__init__.py", 0, 0), ("b&#10;.py", 1, 2)]);
        assert_eq!(
            said(&Gate::new().per_file_lines(percent("90")).judge(&coverage, None)),
            ["b\\n.py: 50.00 % of lines (1 of 2), minimum 90 %"]
        );
    }

    #[test]
    fn a_minimum_for_changed_lines_needs_a_diff() {
        let gate = Gate::new().changed_lines(percent("80"));
        assert!(gate.needs_diff());
        assert_eq!(
            said(&gate.judge(&coverage(&[]), None)),
            ["changed lines cannot be judged: no diff was given, minimum 80 %"]
        );
    }
}
