//! What a Cobertura report says, after it was read.

use camino::Utf8PathBuf;
use serde::{Serialize, Serializer, ser::SerializeStruct};

use super::{header::Header, lines::Lines};

pub use super::lines::Line;

/// How many there are, and how many of them a test reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// How many were measured.
    pub valid: u64,
    /// How many of those were reached.
    pub covered: u64,
}

impl Counts {
    /// How many were not reached.
    ///
    /// ```
    /// use talia_pipeline::parse::cobertura::Counts;
    ///
    /// assert_eq!(Counts { valid: 5, covered: 3 }.missed(), 2);
    /// ```
    pub fn missed(self) -> u64 {
        self.valid.saturating_sub(self.covered)
    }

    /// Adds, and stays at `u64::MAX` where a hostile report would overflow.
    pub(crate) fn add(&mut self, other: Self) {
        self.valid = self.valid.saturating_add(other.valid);
        self.covered = self.covered.saturating_add(other.covered);
    }
}

/// A whole report: totals counted from its lines, its files, and what its header
/// says instead.
///
/// Serialises as one object with `lines`, `branches`, `files`, `header` and
/// `disagreements`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Coverage {
    /// Lines of all files, counted one by one. Never taken from the header.
    pub lines: Counts,
    /// Branches of all files, counted line by line.
    pub branches: Counts,
    /// The files, sorted by path, each path once.
    pub files: Vec<FileCoverage>,
    /// The root element's attributes, as written.
    pub header: Header,
    /// Where the report contradicts itself or could not be understood, one
    /// sentence each. At most a hundred are kept.
    pub disagreements: Vec<String>,
    /// The folders that file names are relative to, as written, trimmed, without
    /// the empty ones.
    #[serde(skip)]
    pub sources: Vec<String>,
}

impl Coverage {
    /// The file with exactly this path.
    pub fn file(&self, path: &str) -> Option<&FileCoverage> {
        let found = self.files.binary_search_by(|file| file.path.as_str().cmp(path));
        found.ok().map(|index| &self.files[index])
    }
}

/// One source file of a report: all its classes united.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileCoverage {
    /// The name that the report gives, with slashes, without a leading `./`.
    /// Sources are not joined in.
    pub path: Utf8PathBuf,
    /// Its measured lines.
    pub lines: Counts,
    /// Its branches.
    pub branches: Counts,
    measured: Lines,
}

impl FileCoverage {
    pub(super) fn new(path: String, measured: Lines) -> Self {
        let (mut lines, mut branches) = (Counts::default(), Counts::default());
        for line in measured.iter() {
            lines.add(Counts { valid: 1, covered: u64::from(line.hit) });
            branches.add(line.branches);
        }
        Self { path: path.into(), lines, branches, measured }
    }

    /// Every measured line, ascending.
    pub fn measured(&self) -> impl Iterator<Item = Line> + '_ {
        self.measured.iter()
    }

    /// The numbers of the lines that no test reached, ascending.
    pub fn missed(&self) -> impl Iterator<Item = u64> + '_ {
        self.measured.iter().filter(|line| !line.hit).map(|line| line.number)
    }

    /// The missed lines as ranges, both ends included and both ends missed.
    ///
    /// A range runs on over lines that were not measured, such as blank ones and
    /// comments, and ends before a line that was hit.
    pub fn missed_ranges(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let mut lines = self.measured.iter();
        std::iter::from_fn(move || {
            let first = lines.by_ref().find(|line| !line.hit)?.number;
            let last = lines.by_ref().take_while(|line| !line.hit).last();
            Some((first, last.map_or(first, |line| line.number)))
        })
    }
}

impl std::fmt::Debug for FileCoverage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileCoverage")
            .field("path", &self.path)
            .field("lines", &self.lines)
            .field("branches", &self.branches)
            .field("missed", &self.missed().collect::<Vec<_>>())
            .finish()
    }
}

impl Serialize for FileCoverage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Missed<'a>(&'a FileCoverage);

        impl Serialize for Missed<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_seq(self.0.missed())
            }
        }

        let mut object = serializer.serialize_struct("FileCoverage", 4)?;
        object.serialize_field("path", &self.path)?;
        object.serialize_field("lines", &self.lines)?;
        object.serialize_field("branches", &self.branches)?;
        object.serialize_field("missed", &Missed(self))?;
        object.end()
    }
}
