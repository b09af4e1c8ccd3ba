//! Facts about real reports, one test each, and what hostile files must not do.

mod encodings;
mod errors;
mod facts;
mod fuzz;
mod hostile;
mod oracle;
mod samples;

use std::io::{self, Read};

use camino::Utf8Path;

use super::{Counts, Coverage};
use crate::error::Error;

/// Hands out a few bytes at a time, so that no tag is ever seen whole.
struct Trickle<'a> {
    bytes: &'a [u8],
    step: usize,
}

impl Read for Trickle<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let step = self.step.min(into.len());
        (&mut self.bytes).take(step as u64).read(into)
    }
}

/// Reads twice, once with the fast way for plain lines and once without a chance
/// for it. Both must agree on everything, errors and their places included.
fn read(bytes: impl AsRef<[u8]>) -> Result<Coverage, Error> {
    let bytes = bytes.as_ref();
    let file = Utf8Path::new("coverage.xml");
    let whole = Coverage::read(bytes, file);
    for step in [1, 7] {
        match (&whole, Coverage::read(Trickle { bytes, step }, file)) {
            (Ok(whole), Ok(trickled)) => assert_eq!(*whole, trickled),
            (Err(whole), Err(trickled)) => {
                // A decoder notices a flaw as early as it is given it.
                if !whole.to_string().contains("cannot be decoded") {
                    assert_eq!(whole.to_string(), trickled.to_string());
                }
            }
            (whole, trickled) => panic!("{whole:?} or {trickled:?}"),
        }
    }
    whole
}

fn error(bytes: impl AsRef<[u8]>) -> String {
    let error = read(bytes).expect_err("is refused");
    assert_eq!(error.kind(), crate::ErrorKind::Usage);
    error.to_string()
}

/// A report whose root has these attributes and which has this in `<packages>`.
fn report(header: &str, packages: &str) -> String {
    format!("<coverage {header}><packages>{packages}</packages></coverage>")
}

/// One class with these lines.
fn class(name: &str, lines: &str) -> String {
    format!("<class filename=\"{name}\"><lines>{lines}</lines></class>")
}

fn counts(covered: u64, valid: u64) -> Counts {
    Counts { valid, covered }
}

/// Each file as its path, the missed lines, covered and valid lines, covered and
/// valid branches.
fn files(coverage: &Coverage) -> Vec<(&str, Vec<u64>, Counts, Counts)> {
    let row = |file: &'_ super::FileCoverage| (file.missed().collect(), file.lines, file.branches);
    coverage
        .files
        .iter()
        .map(|file| {
            let (missed, lines, branches) = row(file);
            (file.path.as_str(), missed, lines, branches)
        })
        .collect()
}
