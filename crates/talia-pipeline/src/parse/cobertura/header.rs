//! The root element's attributes, and where they contradict the lines.

use serde::{Serialize, Serializer};

use super::{attributes::short, report::Counts, values};

/// The attributes of the root element, in their order, as the file states them.
///
/// They are a claim. Tools round rates up to 1, write a rate for nothing, and
/// leave out what they do not know; [`Coverage`] counts for itself.
///
/// [`Coverage`]: super::Coverage
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Header {
    attributes: Vec<(String, String)>,
}

impl Header {
    pub(super) fn push(&mut self, name: &str, value: String) {
        self.attributes.push((name.to_owned(), value));
    }

    /// The attribute of this name, as written.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Every attribute, in the file's order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// `lines-valid`, where it is a whole number.
    pub fn lines_valid(&self) -> Option<u64> {
        self.count("lines-valid")
    }

    /// `lines-covered`, where it is a whole number.
    pub fn lines_covered(&self) -> Option<u64> {
        self.count("lines-covered")
    }

    /// `branches-valid`, where it is a whole number.
    pub fn branches_valid(&self) -> Option<u64> {
        self.count("branches-valid")
    }

    /// `branches-covered`, where it is a whole number.
    pub fn branches_covered(&self) -> Option<u64> {
        self.count("branches-covered")
    }

    /// `line-rate` between 0 and 1, where it is a finite number. Percentages are
    /// divided by 100. Only to be shown: it is rounded, and may be above 1.
    pub fn line_rate(&self) -> Option<f64> {
        self.rate("line-rate").map(|rate| rate.value)
    }

    /// `branch-rate`, as [`Header::line_rate`].
    pub fn branch_rate(&self) -> Option<f64> {
        self.rate("branch-rate").map(|rate| rate.value)
    }

    fn count(&self, name: &str) -> Option<u64> {
        self.get(name).and_then(values::whole)
    }

    fn rate(&self, name: &str) -> Option<Rate> {
        Rate::read(self.get(name)?)
    }

    /// Whether any attribute shows that this is a Cobertura report.
    pub(super) fn proves_cobertura(&self) -> bool {
        ["line-rate", "lines-valid", "lines-covered", "branch-rate"]
            .iter()
            .any(|name| self.get(name).is_some())
    }

    /// One sentence for each number that the lines do not bear out.
    pub(super) fn disagreements(&self, lines: Counts, branches: Counts) -> Vec<String> {
        let mut found = Vec::new();
        for (name, unit, counted) in [
            ("lines-valid", "lines", lines.valid),
            ("lines-covered", "covered lines", lines.covered),
            ("branches-valid", "branches", branches.valid),
            ("branches-covered", "covered branches", branches.covered),
        ] {
            if self.count(name).is_some_and(|claimed| claimed != counted) {
                let claimed = short(self.get(name).unwrap_or_default());
                found.push(format!(
                    "the header says {name}=\"{claimed}\", the file holds {counted} {unit}"
                ));
            }
        }
        for (name, unit, counts) in
            [("line-rate", "lines", lines), ("branch-rate", "branches", branches)]
        {
            if self.rate(name).is_some_and(|rate| !rate.fits(counts)) {
                let claimed = short(self.get(name).unwrap_or_default());
                found.push(format!(
                    "the header says {name}=\"{claimed}\", the file holds {} of {} {unit}",
                    counts.covered, counts.valid
                ));
            }
        }
        found
    }
}

impl Serialize for Header {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

/// A rate as written, with the size of its last digit.
struct Rate {
    value: f64,
    unit: f64,
}

impl Rate {
    fn read(text: &str) -> Option<Self> {
        // `33.3% (1/3)`: the percentage is what stands before the bracket.
        let text = text.split('(').next().unwrap_or(text).trim();
        let (number, percent) = match text.strip_suffix('%') {
            Some(number) => (number.trim(), true),
            None => (text, false),
        };
        let value = values::decimal(number).filter(|value| value.is_finite())?;
        let decimals = match number.split_once(['.', ',']) {
            Some((_, fraction)) => i32::try_from(fraction.len()).unwrap_or(i32::MAX),
            None => 0,
        };
        let unit = 10f64.powi(-decimals);
        // No rate is near 2: such a number is a percentage without its sign.
        if percent || value > 1.5 {
            return Some(Self { value: value / 100.0, unit: unit / 100.0 });
        }
        Some(Self { value, unit })
    }

    /// Whether the rate could be these counts, rounded in any way, and does not
    /// claim all or nothing where it is neither. Nothing of nothing has no rate,
    /// so that any rate is as good as another.
    fn fits(&self, counts: Counts) -> bool {
        if counts.valid == 0 {
            return true;
        }
        let exact = counts.covered as f64 / counts.valid as f64;
        if self.value >= 1.0 || self.value <= 0.0 {
            return self.value == exact && (self.value < 1.0 || counts.missed() == 0);
        }
        // Writers drop trailing zeros, so few digits do not mean a rough number;
        // more than two digits short is not rounding any more.
        (self.value - exact).abs() <= self.unit.min(0.01) + 1e-12
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(attributes: &[(&str, &str)]) -> Header {
        let mut header = Header::default();
        for (name, value) in attributes {
            header.push(name, (*value).to_owned());
        }
        header
    }

    #[test]
    fn a_rate_of_one_for_all_but_one_line_is_named() {
        let header = header(&[("line-rate", "1"), ("lines-valid", "30001")]);
        let found =
            header.disagreements(Counts { valid: 30001, covered: 30000 }, Counts::default());
        assert_eq!(found, ["the header says line-rate=\"1\", the file holds 30000 of 30001 lines"]);
    }

    #[test]
    fn a_rounded_rate_agrees() {
        let counts = Counts { valid: 3, covered: 2 };
        for rate in ["0.6667", "0.666", "0.67", "0,6667", "66.67%", "66.666666%", "66 %", "67"] {
            let header = header(&[("line-rate", rate)]);
            assert_eq!(header.disagreements(counts, Counts::default()), [""; 0], "{rate}");
        }
        for rate in ["0.65", "1", "0", "1.01", "70%", "-1"] {
            let header = header(&[("line-rate", rate)]);
            assert_eq!(header.disagreements(counts, Counts::default()).len(), 1, "{rate}");
        }
    }

    #[test]
    fn what_is_missing_or_no_number_contradicts_nothing() {
        let odd = [("line-rate", "NaN"), ("branch-rate", ""), ("lines-valid", "many")];
        let counts = Counts { valid: 3, covered: 2 };
        assert_eq!(header(&odd).disagreements(counts, counts), [""; 0]);
        assert_eq!(header(&[]).disagreements(counts, counts), [""; 0]);
        assert_eq!(header(&[("lines-valid", "3.0")]).disagreements(counts, counts), [""; 0]);
    }
}
