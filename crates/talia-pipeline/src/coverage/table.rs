//! A report as a table for people: the worst files and where to look in them.

use std::cmp::Ordering;

use super::percent::{Rate, grouped};
use crate::parse::{
    cobertura::{Counts, Coverage, FileCoverage},
    visible,
};

/// The files with the lowest share of hit lines, worst first, and the total.
///
/// Files that miss nothing are only counted. Missed lines are shown as ranges, which
/// run on over lines that were not measured.
///
/// ```
/// use camino::Utf8Path;
/// use talia_pipeline::{coverage::Table, parse::cobertura::Coverage};
///
/// let xml = r#"<coverage line-rate="1"><packages><class filename="app/main.py"><lines>
///     <line number="1" hits="1"/><line number="2" hits="0"/><line number="4" hits="0"/>
/// </lines></class></packages></coverage>"#;
/// let coverage = Coverage::read(xml.as_bytes(), Utf8Path::new("coverage.xml"))?;
///
/// let table = Table::new(&coverage).width(60).render();
/// assert!(table.contains("\napp/main.py   33.33 %       2  2–4\n"), "{table}");
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Table<'a> {
    coverage: &'a Coverage,
    worst: usize,
    width: usize,
}

/// The least that the file's and the ranges' columns get.
const NARROWEST: usize = 12;

impl<'a> Table<'a> {
    /// The ten worst files, 100 characters wide.
    pub fn new(coverage: &'a Coverage) -> Self {
        Self { coverage, worst: 10, width: 100 }
    }

    /// How many files to show.
    #[must_use]
    pub fn worst(mut self, files: usize) -> Self {
        self.worst = files;
        self
    }

    /// How wide to make it, in characters. Below about 60 it gets wider than that.
    #[must_use]
    pub fn width(mut self, characters: usize) -> Self {
        self.width = characters;
        self
    }

    /// The table, each row with a line break at its end.
    pub fn render(&self) -> String {
        let mut files: Vec<&FileCoverage> =
            self.coverage.files.iter().filter(|file| misses(file)).collect();
        let missing = files.len();
        files.sort_by(|a, b| worse(a, b));
        files.truncate(self.worst);

        let branches = self.coverage.branches.valid > 0;
        let fixed = 2 + 8 + 2 + 6 + if branches { 2 + 13 } else { 0 } + 2;
        let names: Vec<String> = files.iter().map(|file| visible(file.path.as_str())).collect();
        let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(5);
        let free = self.width.saturating_sub(fixed);
        // Names are worth more than ranges, but not everything.
        let name_width = longest.min((free * 2 / 3).max(NARROWEST));
        let range_width = free.saturating_sub(name_width).max(NARROWEST);

        let mut rows = Vec::new();
        if !files.is_empty() {
            rows.push(row(
                name_width,
                "file",
                "lines",
                "missed",
                branches.then_some("branches"),
                "missed lines",
            ));
        }
        for (file, name) in files.iter().zip(&names) {
            rows.push(row(
                name_width,
                &shortened(name, name_width),
                &rate(file.lines),
                &grouped(file.lines.missed()),
                branches.then(|| of(file.branches)).as_deref(),
                &ranges(file, range_width),
            ));
        }
        rows.push(row(
            name_width,
            "total",
            &rate(self.coverage.lines),
            &grouped(self.coverage.lines.missed()),
            branches.then(|| of(self.coverage.branches)).as_deref(),
            "",
        ));
        rows.push(rest(missing - files.len(), self.coverage.files.len() - missing));
        rows.concat()
    }
}

fn misses(file: &FileCoverage) -> bool {
    file.lines.missed() > 0 || file.branches.missed() > 0
}

/// Lower share of lines first, then more missed lines, then more missed branches.
fn worse(a: &FileCoverage, b: &FileCoverage) -> Ordering {
    let share = |a: Counts, b: Counts| u128::from(a.covered) * u128::from(b.valid);
    share(a.lines, b.lines)
        .cmp(&share(b.lines, a.lines))
        .then_with(|| b.lines.missed().cmp(&a.lines.missed()))
        .then_with(|| b.branches.missed().cmp(&a.branches.missed()))
        .then_with(|| a.path.cmp(&b.path))
}

fn rate(counts: Counts) -> String {
    Rate::of(counts).map_or_else(|| "no lines".to_owned(), |rate| rate.to_string())
}

fn of(counts: Counts) -> String {
    match counts.valid {
        0 => String::new(),
        _ => format!("{} of {}", grouped(counts.covered), grouped(counts.valid)),
    }
}

fn row(
    name_width: usize,
    name: &str,
    lines: &str,
    missed: &str,
    branches: Option<&str>,
    ranges: &str,
) -> String {
    let branches = branches.map(|branches| format!("  {branches:>13}")).unwrap_or_default();
    let row = format!("{name:<name_width$}  {lines:>8}  {missed:>6}{branches}  {ranges}");
    format!("{}\n", row.trim_end())
}

/// The end of a name says more than its start.
fn shortened(name: &str, width: usize) -> String {
    let length = name.chars().count();
    if length <= width {
        return name.to_owned();
    }
    let end: String = name.chars().skip(length - width.saturating_sub(1)).collect();
    format!("…{end}")
}

/// `12–18, 40, … +12`: as many ranges as fit, and how many do not.
fn ranges(file: &FileCoverage, width: usize) -> String {
    let total = file.missed_ranges().count();
    let (mut shown, mut length) = (String::new(), 0);
    for (index, (first, last)) in file.missed_ranges().enumerate() {
        let mut range = if first == last { first.to_string() } else { format!("{first}–{last}") };
        if index > 0 {
            range.insert_str(0, ", ");
        }
        let left = total - index - 1;
        let more = if left > 0 { format!(", … +{left}").chars().count() } else { 0 };
        let fits = length + range.chars().count() + more <= width;
        if !fits && index > 0 {
            return format!("{shown}, … +{}", total - index);
        }
        length += range.chars().count();
        shown.push_str(&range);
    }
    shown
}

/// What is not shown, on a row of its own.
fn rest(more: usize, whole: usize) -> String {
    let parts = match (more, whole) {
        (0, 0) => return String::new(),
        (0, whole) => format!("{} without a miss", counted(whole)),
        (more, 0) => format!("{} more with misses", counted(more)),
        (more, whole) => format!("{} more with misses, {whole} without", counted(more)),
    };
    format!("{parts}\n")
}

fn counted(files: usize) -> String {
    format!("{files} {}", if files == 1 { "file" } else { "files" })
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;

    use super::*;

    fn coverage(files: &[(&str, &str)]) -> Coverage {
        let mut xml = "<coverage line-rate='1'><packages>".to_owned();
        for (name, lines) in files {
            xml.push_str(&format!("<class filename='{name}'><lines>"));
            for (index, mark) in lines.chars().enumerate() {
                let number = index + 1;
                match mark {
                    '+' => xml.push_str(&format!("<line number='{number}' hits='1'/>")),
                    '-' => xml.push_str(&format!("<line number='{number}' hits='0'/>")),
                    '?' => xml.push_str(&format!(
                        "<line number='{number}' hits='1' branch='true' \
                         condition-coverage='50% (1/2)'/>"
                    )),
                    _ => {}
                }
            }
            xml.push_str("</lines></class>");
        }
        xml.push_str("</packages></coverage>");
        Coverage::read(xml.as_bytes(), Utf8Path::new("c.xml")).unwrap()
    }

    #[test]
    fn worst_files_first() {
        let coverage = coverage(&[
            ("app/main.py", "+++--  -+-"),
            ("app/a/very/long/way/down/to/the/file/that/is/meant/routes.py", "-+-+-+-+-+-+-+-+-+-"),
            ("app/all.py", "+++"),
            ("app/none.py", "---"),
            ("app/empty.py", ""),
            ("app/one&#10;&#27;[2J.py", "++++++++++++-"),
        ]);
        insta::assert_snapshot!(Table::new(&coverage).worst(4).width(80).render());
    }

    #[test]
    fn with_branches() {
        let coverage = coverage(&[("a.py", "+?+"), ("b.py", "-?-"), ("c.py", "+-")]);
        insta::assert_snapshot!(Table::new(&coverage).width(70).render());
    }

    #[test]
    fn nothing_missed() {
        let coverage = coverage(&[("a.py", "+++"), ("b.py", "+")]);
        insta::assert_snapshot!(Table::new(&coverage).render());
    }

    #[test]
    fn nothing_measured() {
        insta::assert_snapshot!(Table::new(&coverage(&[])).render());
    }

    #[test]
    fn ranges_join_over_unmeasured_lines_only() {
        let coverage = coverage(&[("a.py", "-- -+-  +- -")]);
        assert_eq!(ranges(&coverage.files[0], 80), "1–4, 6, 10–12");
    }

    #[test]
    fn a_long_list_of_ranges_is_cut_at_the_width() {
        let coverage = coverage(&[("a.py", &"-+".repeat(20))]);
        for width in [NARROWEST, 13, 20, 30, 60] {
            let shown = ranges(&coverage.files[0], width);
            assert!(shown.chars().count() <= width, "{width}: {shown}");
        }
        assert_eq!(ranges(&coverage.files[0], 16), "1, 3, 5, … +17");
    }
}
