//! Shares of counts, compared exactly and printed without flattery.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    error::{Error, Result},
    parse::{cobertura::Counts, visible},
};

/// A minimum share in percent, from 0 to 100, exact to nine decimals.
///
/// Kept as an integer, because 95.1 is no binary fraction and a comparison that
/// rounds lets 29 999 of 30 000 pass for 100 %.
///
/// ```
/// use talia_pipeline::{coverage::Percent, parse::cobertura::Counts};
///
/// let minimum: Percent = "99.9".parse()?;
/// assert!(minimum.allows(Counts { valid: 1000, covered: 999 }));
/// assert!(!minimum.allows(Counts { valid: 10_000, covered: 9_989 }));
/// assert_eq!(minimum.to_string(), "99.9 %");
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percent {
    billionths: u64,
}

const DECIMALS: usize = 9;
const ONE: u64 = 1_000_000_000;

impl Percent {
    /// Whether the counts reach this share. Nothing of nothing reaches none,
    /// not even 0 %: it has no share.
    pub fn allows(self, counts: Counts) -> bool {
        let reached = u128::from(counts.covered) * 100 * u128::from(ONE);
        counts.valid > 0 && reached >= u128::from(self.billionths) * u128::from(counts.valid)
    }
}

impl FromStr for Percent {
    type Err = Error;

    /// Reads `95`, `95.5`, `95.5%` or `95.5 %`.
    ///
    /// # Errors
    ///
    /// When it is no decimal number between 0 and 100, or has more than nine
    /// decimals.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = |what: &str| {
            Error::usage(format!("`{}` is no percentage: {what}", visible(text)))
                .hint("write a number between 0 and 100, such as 92.5")
        };
        let number = text.trim();
        let number = number.strip_suffix('%').unwrap_or(number).trim_end();
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let digits =
            |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(fraction) {
            return Err(wrong("it is no decimal number"));
        }
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > DECIMALS {
            return Err(wrong("it has more than nine decimals"));
        }
        let whole: u64 = whole.parse().map_err(|_| wrong("it is above 100"))?;
        let fraction: u64 = format!("{fraction:0<DECIMALS$}").parse().unwrap_or_default();
        let billionths = whole.checked_mul(ONE).and_then(|whole| whole.checked_add(fraction));
        match billionths {
            Some(billionths) if billionths <= 100 * ONE => Ok(Self { billionths }),
            _ => Err(wrong("it is above 100")),
        }
    }
}

impl TryFrom<f64> for Percent {
    type Error = Error;

    /// Takes the shortest decimal that means this float, which is what a person
    /// has written for it.
    fn try_from(number: f64) -> Result<Self> {
        number.to_string().parse()
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.billionths / ONE, self.billionths % ONE);
        write!(f, "{whole}")?;
        if fraction > 0 {
            let digits = format!("{fraction:0>DECIMALS$}");
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        f.write_str(" %")
    }
}

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.to_string().trim_end_matches(" %"))
    }
}

impl<'de> Deserialize<'de> for Percent {
    /// Takes an integer, a float or a text.
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Percent;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a percentage between 0 and 100")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> std::result::Result<Percent, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> std::result::Result<Percent, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> std::result::Result<Percent, E> {
                Percent::try_from(number).map_err(E::custom)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> std::result::Result<Percent, E> {
                text.parse().map_err(E::custom)
            }
        }

        from.deserialize_any(Visitor)
    }
}

/// The share that counts make up, to be shown: two decimals, always rounded down,
/// so that only all of them print as `100.00 %`.
///
/// ```
/// use talia_pipeline::{coverage::Rate, parse::cobertura::Counts};
///
/// let rate = Rate::of(Counts { valid: 30_000, covered: 29_999 });
/// assert_eq!(rate.map(|rate| rate.to_string()).as_deref(), Some("99.99 %"));
/// assert_eq!(Rate::of(Counts { valid: 0, covered: 0 }), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate(Counts);

impl Rate {
    /// The rate of these counts. Nothing of nothing has none.
    pub fn of(counts: Counts) -> Option<Self> {
        (counts.valid > 0).then_some(Self(counts))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hundredths = u128::from(self.0.covered) * 10_000 / u128::from(self.0.valid);
        let shown = format!("{}.{:02} %", hundredths / 100, hundredths % 100);
        f.pad(&shown)
    }
}

/// A count with its digits in groups of three.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push(' ');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percent(text: &str) -> Percent {
        text.parse().unwrap()
    }

    #[test]
    fn one_line_short_of_all_is_not_all() {
        let counts = Counts { valid: 30_000, covered: 29_999 };
        assert!(!percent("100").allows(counts));
        assert!(percent("99.996666666").allows(counts));
        assert!(!percent("99.996666667").allows(counts));
        assert!(percent("100").allows(Counts { valid: u64::MAX, covered: u64::MAX }));
        assert!(!percent("100").allows(Counts { valid: u64::MAX, covered: u64::MAX - 1 }));
    }

    #[test]
    fn nothing_of_nothing_reaches_no_minimum() {
        assert!(!percent("0").allows(Counts::default()));
        assert!(percent("0").allows(Counts { valid: 1, covered: 0 }));
    }

    #[test]
    fn decimals_are_exact() {
        assert_eq!(percent("95.10").to_string(), "95.1 %");
        assert_eq!(percent("0.000000001 %").to_string(), "0.000000001 %");
        assert_eq!(Percent::try_from(95.1).unwrap(), percent("95.1"));
        assert!(percent("95.1").allows(Counts { valid: 1000, covered: 951 }));
        for wrong in ["", "-1", "100.000000001", "1e2", "95,5", "NaN", "0.0000000001", ".5", "5."] {
            assert!(wrong.parse::<Percent>().is_err(), "{wrong}");
        }
        assert!(Percent::try_from(f64::NAN).is_err());
    }

    #[test]
    fn settings_may_hold_a_number_or_a_text() {
        for json in ["95", "95.0", "\"95\"", "\"95 %\""] {
            assert_eq!(serde_json::from_str::<Percent>(json).unwrap(), percent("95"), "{json}");
        }
        assert!(serde_json::from_str::<Percent>("101").is_err());
    }

    #[test]
    fn rates_are_rounded_down() {
        let shown = |covered, valid| Rate::of(Counts { valid, covered }).unwrap().to_string();
        assert_eq!(shown(99_999, 100_000), "99.99 %");
        assert_eq!(shown(1204, 1293), "93.11 %");
        assert_eq!(shown(1, 1), "100.00 %");
        assert_eq!(shown(u64::MAX, u64::MAX), "100.00 %");
        assert_eq!(grouped(1_234_567), "1 234 567");
        assert_eq!(grouped(999), "999");
    }
}
