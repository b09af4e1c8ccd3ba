//! The coverage of what a diff adds and rewrites.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use super::locate::{Located, Place};
use crate::parse::{
    cobertura::{Counts, Coverage},
    unified_diff::ChangedFile,
    visible,
};

/// How well the changed lines are covered: those that the diff adds or rewrites
/// and the report measures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Changed {
    /// Changed and measured lines of all files.
    pub lines: Counts,
    /// The changed files that the report knows, in the order of the diff.
    pub files: Vec<ChangedFileCoverage>,
    /// Changed files that the report does not know: documents, and also a new
    /// module that no test imports.
    pub unmeasured: Vec<Utf8PathBuf>,
    /// Why the numbers may be wrong, one sentence each. A gate does not pass them.
    pub doubts: Vec<String>,
}

/// How well the changed lines of one file are covered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ChangedFileCoverage {
    /// The file, relative to the repository's root.
    pub path: Utf8PathBuf,
    /// Its changed and measured lines.
    pub lines: Counts,
    /// The numbers of those that no test reached, ascending.
    pub missed: Vec<u64>,
}

impl Changed {
    /// Joins a report and a diff.
    ///
    /// `root` and `tracked` are those of [`Located::new`]. A changed file counts
    /// as tracked even where it is not in the list, such as a new one.
    ///
    /// ```
    /// use camino::Utf8Path;
    /// use talia_pipeline::{
    ///     coverage::Changed,
    ///     parse::{cobertura::Coverage, unified_diff::ChangedFile},
    /// };
    ///
    /// let xml = r#"<coverage><sources><source>/srv/backend</source></sources><packages>
    ///     <class filename="app.py"><lines>
    ///         <line number="1" hits="1"/><line number="2" hits="0"/><line number="4" hits="0"/>
    ///     </lines></class></packages></coverage>"#;
    /// let coverage = Coverage::read(xml.as_bytes(), Utf8Path::new("coverage.xml"))?;
    /// let diff = [ChangedFile::new("backend/app.py", [1, 2, 3])];
    ///
    /// let changed = Changed::new(&coverage, &diff, Utf8Path::new("/home/ci/repo"), &[]);
    /// assert_eq!((changed.lines.covered, changed.lines.valid), (1, 2));
    /// assert_eq!(changed.files[0].missed, [2]);
    /// # Ok::<(), talia_pipeline::Error>(())
    /// ```
    pub fn new(
        coverage: &Coverage,
        diff: &[ChangedFile],
        root: &Utf8Path,
        tracked: &[Utf8PathBuf],
    ) -> Self {
        let mut all: Vec<Utf8PathBuf> = tracked.to_vec();
        all.extend(diff.iter().map(|file| file.path.clone()));
        all.sort_unstable();
        all.dedup();
        let located = Located::new(coverage, root, &all);

        let mut at: BTreeMap<&Utf8Path, Vec<usize>> = BTreeMap::new();
        for (index, place) in located.places.iter().enumerate() {
            if let Place::At(path) = place {
                at.entry(path).or_default().push(index);
            }
        }
        let mut doubts = ambiguities(coverage, &located, diff);
        if at.is_empty() && !coverage.files.is_empty() && !diff.is_empty() && doubts.is_empty() {
            doubts.push(format!(
                "none of the report's files is in the repository, such as `{}`",
                visible(coverage.files[0].path.as_str())
            ));
        }
        let mut changed =
            Self { lines: Counts::default(), files: Vec::new(), unmeasured: Vec::new(), doubts };
        for file in diff {
            match at.get(&*file.path) {
                Some(indices) => {
                    let file = measure(coverage, indices, file);
                    changed.lines.add(file.lines);
                    changed.files.push(file);
                }
                None => changed.unmeasured.push(file.path.clone()),
            }
        }
        changed
    }
}

/// One sentence for each file of the report that may be a changed one or not.
fn ambiguities(coverage: &Coverage, located: &Located, diff: &[ChangedFile]) -> Vec<String> {
    let mut found = Vec::new();
    for (file, place) in coverage.files.iter().zip(&located.places) {
        if let Place::Ambiguous(paths) = place
            && diff.iter().any(|changed| paths.contains(&changed.path))
        {
            let paths: Vec<String> = paths.iter().map(|path| visible(path.as_str())).collect();
            found.push(format!(
                "`{}` in the report may be {}",
                visible(file.path.as_str()),
                paths.join(" or ")
            ));
        }
    }
    found
}

fn measure(coverage: &Coverage, indices: &[usize], file: &ChangedFile) -> ChangedFileCoverage {
    // Several files of a report may be one in the repository, once with a
    // source joined in and once without. A line is hit if any of them hit it.
    let mut lines: BTreeMap<u64, bool> = BTreeMap::new();
    for index in indices {
        let mut ranges = file.lines.iter().peekable();
        for line in coverage.files[*index].measured() {
            while ranges.next_if(|(_, last)| *last < line.number).is_some() {}
            match ranges.peek() {
                Some((first, _)) if *first <= line.number => {
                    *lines.entry(line.number).or_default() |= line.hit;
                }
                Some(_) => {}
                None => break,
            }
        }
    }
    let missed: Vec<u64> =
        lines.iter().filter(|(_, hit)| !**hit).map(|(number, _)| *number).collect();
    let valid = lines.len() as u64;
    ChangedFileCoverage {
        path: file.path.clone(),
        lines: Counts { valid, covered: valid - missed.len() as u64 },
        missed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coverage::Gate;

    const REPORT: &str = "<coverage><sources><source>/r/a</source><source>/r/b</source></sources>\
        <packages><class filename='util.py'><lines><line number='1' hits='0'/></lines></class>\
        <class filename='main.py'><lines><line number='1' hits='0'/><line number='2' hits='1'/>\
        <line number='5' hits='1'/></lines></class></packages></coverage>";

    fn changed(diff: &[ChangedFile], root: &str) -> Changed {
        let coverage = Coverage::read(REPORT.as_bytes(), Utf8Path::new("c.xml")).unwrap();
        let tracked = ["a/util.py", "b/util.py", "b/main.py", "README.md"].map(Utf8PathBuf::from);
        Changed::new(&coverage, diff, Utf8Path::new(root), &tracked)
    }

    fn violations(changed: &Changed) -> Vec<String> {
        let coverage = Coverage::read(REPORT.as_bytes(), Utf8Path::new("c.xml")).unwrap();
        let gate = Gate::new().changed_lines("100".parse().unwrap());
        gate.judge(&coverage, Some(changed)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn only_lines_that_are_changed_and_measured_count() {
        let changed = changed(&[ChangedFile::new("b/main.py", [1, 2, 3, 4])], "/r");
        assert_eq!(changed.lines, Counts { valid: 2, covered: 1 });
        assert_eq!(changed.files[0].missed, [1]);
        assert_eq!(violations(&changed), ["50.00 % of changed lines (1 of 2), minimum 100 %"]);
    }

    #[test]
    fn a_change_without_a_measured_line_passes() {
        let changed = changed(&[ChangedFile::new("README.md", [1])], "/r");
        assert_eq!(changed.unmeasured, ["README.md"]);
        assert_eq!(violations(&changed), [""; 0]);
    }

    #[test]
    fn a_changed_file_that_may_be_two_is_not_guessed() {
        let changed = changed(&[ChangedFile::new("a/util.py", [1])], "/r");
        assert_eq!(
            violations(&changed),
            ["changed lines cannot be judged: `util.py` in the report may be a/util.py or \
              b/util.py, minimum 100 %"]
        );
    }

    #[test]
    fn a_report_of_another_repository_does_not_pass() {
        let coverage = Coverage::read(REPORT.as_bytes(), Utf8Path::new("c.xml")).unwrap();
        let diff = [ChangedFile::new("x.py", [1])];
        let changed = Changed::new(&coverage, &diff, Utf8Path::new("/r"), &[]);
        assert_eq!(violations(&changed).len(), 1);
        assert!(violations(&changed)[0].contains("none of the report's files"));
    }
}
