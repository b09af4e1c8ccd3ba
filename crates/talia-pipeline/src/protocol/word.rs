//! The words of requests and records: texts of one narrow form each.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    hole,
    landing::ContentHash,
};

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Letters, digits and these; begins with a letter or digit, so never as an option.
fn is_plain(text: &str, most: usize, joints: &str) -> bool {
    text.len() <= most
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || joints.contains(c))
}

macro_rules! word {
    ($(#[$doc:meta])* $name:ident, $expected:literal, |$text:ident| $holds:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// As text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str($text: &str) -> Result<Self> {
                if $holds {
                    Ok(Self($text.to_owned()))
                } else {
                    Err(Error::usage(concat!("expected ", $expected)))
                }
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;
            fn try_from(text: String) -> Result<Self> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(word: $name) -> Self {
                word.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

word! {
    /// A git commit: 40 hexadecimal digits (64 in a SHA-256 repository), and
    /// `-dirty` behind them where the tree differed from it.
    RevisionId, "a git commit in full, 40 hexadecimal digits", |text| {
        let hash = text.strip_suffix("-dirty").unwrap_or(text);
        (hash.len() == 40 || hash.len() == 64) && is_hex(hash)
    }
}

word! {
    /// The name of one release on one server: `20261124T081500Z-0123456789ab`.
    ///
    /// Ids of one server sort by time.
    ReleaseId, "a release id, such as `20261124T081500Z-0123456789ab`", |text| {
        let bytes = text.as_bytes();
        text.len() >= 29
            && text.len() <= 48
            && bytes[..8].iter().all(u8::is_ascii_digit)
            && bytes[8] == b'T'
            && bytes[9..15].iter().all(u8::is_ascii_digit)
            && bytes[15] == b'Z'
            && bytes[16] == b'-'
            && text[17..].chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    }
}

word! {
    /// The name of an environment: `production`. `talia-admin-` and it are what a Unix
    /// user's name may be at most.
    EnvironmentName, "an environment's name of at most 20 letters, such as `production`", |text| {
        text.len() <= 20
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            // Compose projects are named after environment and slot.
            && !text.ends_with("-blue")
            && !text.ends_with("-green")
    }
}

word! {
    /// Who asks, as far as the client says so: `ana@laptop`, `github/talia/42`.
    Who, "a name of at most 100 letters, digits and `.@:/_-`", |text| {
        !text.is_empty() && is_plain(text, 100, ".@:/_-")
    }
}

word! {
    /// One run of a client, which also names the folder of its logs:
    /// `1795508100042-4711`.
    RunId, "a run's id of at most 40 letters, digits and `-`", |text| {
        !text.is_empty() && is_plain(text, 40, "-")
    }
}

word! {
    /// A request's id, as the app logs it.
    RequestId, "a request id of at most 128 letters, digits and `._:-`", |text| {
        !text.is_empty() && is_plain(text, 128, "._:-")
    }
}

word! {
    /// How far back: `90s`, `15m`, `2h`, `3d`.
    Since, "a time such as `90s`, `15m`, `2h` or `3d`", |text| {
        text.strip_suffix(['s', 'm', 'h', 'd']).is_some_and(|number| {
            (1..=6).contains(&number.len())
                && number.bytes().all(|byte| byte.is_ascii_digit())
                && !number.starts_with('0')
        })
    }
}

impl Since {
    /// In seconds.
    pub fn seconds(&self) -> u64 {
        let (number, unit) = self.0.split_at(self.0.len() - 1);
        let scale = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 60 * 60,
            _ => 24 * 60 * 60,
        };
        number.parse::<u64>().unwrap_or(0) * scale
    }
}

impl RevisionId {
    /// The stand-in for a commit that only the server's answer tells.
    pub fn planned() -> Self {
        Self(hole::named("revision"))
    }

    /// The first twelve digits, for people.
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }

    /// The same, marked as a tree that differs from its commit.
    #[must_use]
    pub fn dirty(&self) -> Self {
        Self(format!("{}-dirty", self.commit()))
    }

    /// The commit alone.
    pub fn commit(&self) -> &str {
        self.0.strip_suffix("-dirty").unwrap_or(&self.0)
    }

    /// Whether the tree differed from the commit.
    pub fn is_dirty(&self) -> bool {
        self.0.ends_with("-dirty")
    }
}

impl RunId {
    /// The stand-in for a run that has not begun.
    pub fn planned() -> Self {
        Self(hole::named("run id"))
    }
}

impl ReleaseId {
    /// The id of a release of this revision that begins now.
    ///
    /// ```
    /// use talia_pipeline::protocol::{ReleaseId, RevisionId};
    ///
    /// let revision: RevisionId = "0123456789abcdef0123456789abcdef01234567".parse()?;
    /// let id = ReleaseId::new(1_795_508_100_000, &revision);
    /// assert_eq!(id.as_str(), "20261124T081500Z-0123456789ab");
    /// # Ok::<(), talia_pipeline::Error>(())
    /// ```
    pub fn new(now_ms: u64, revision: &RevisionId) -> Self {
        Self(format!("{}-{}", compact_time(now_ms), revision.short()))
    }

    /// The id of what has this tree and was made from no revision.
    pub fn of_tree(now_ms: u64, tree: ContentHash) -> Self {
        Self(format!("{}-{}", compact_time(now_ms), tree.short()))
    }

    /// The stand-in for an id that only the server's answer tells.
    pub fn planned() -> Self {
        Self(hole::named("release id"))
    }
}

/// `20261124T081500Z`: UTC, so that ids sort by time wherever they are read.
pub(crate) fn compact_time(now_ms: u64) -> String {
    let (days, seconds) = (now_ms / 86_400_000, now_ms / 1000 % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// A time in milliseconds since 1970, for people: `2026-11-24 08:15 UTC`.
///
/// ```
/// assert_eq!(talia_pipeline::protocol::utc(1_795_508_100_000), "2026-11-24 08:15 UTC");
/// ```
pub fn utc(at_ms: u64) -> String {
    let ((year, month, day), seconds) = (civil(at_ms / 86_400_000), at_ms / 1000 % 86_400);
    let (hour, minute) = (seconds / 3600, seconds / 60 % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

/// The date of a day counted from 1970-01-01, in the Gregorian calendar: years that
/// begin in March put the leap day at their end, and 400 of them always have the
/// same 146,097 days.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + carry, month, date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates() {
        for (days, date) in [
            (0, (1970, 1, 1)),
            (59, (1970, 3, 1)),
            (11_016, (2000, 2, 29)),
            (11_017, (2000, 3, 1)),
            (20_781, (2026, 11, 24)),
            (47_540, (2100, 2, 28)),
            (47_541, (2100, 3, 1)),
        ] {
            assert_eq!(civil(days), date, "{days}");
        }
    }

    #[test]
    fn words_are_narrow() {
        let hex = "0123456789abcdef0123456789abcdef01234567";
        assert!(hex.parse::<RevisionId>().is_ok());
        assert!(format!("{hex}-dirty").parse::<RevisionId>().is_ok());
        for bad in ["", "HEAD", "main", &hex[1..], &hex.to_uppercase(), &format!("{hex} ")] {
            assert!(bad.parse::<RevisionId>().is_err(), "{bad}");
        }
        for bad in ["", "-x", "a b", "a\n", "ä", "a$(b)", "../x", &"a".repeat(101)] {
            assert!(bad.parse::<Who>().is_err(), "{bad}");
        }
        for bad in ["", "Production", "-x", "a/b", "1a", &"a".repeat(32)] {
            assert!(bad.parse::<EnvironmentName>().is_err(), "{bad}");
        }
        for bad in ["", "s", "0s", "1", "1w", "-1s", "1234567s", "ä"] {
            assert!(bad.parse::<Since>().is_err(), "{bad}");
        }
        assert_eq!("15m".parse::<Since>().unwrap().seconds(), 900);
        for bad in ["", "..", "20261124T081500Z-", "20261124T081500Z-01234567890/", "é"] {
            assert!(bad.parse::<ReleaseId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_wrong_word_is_refused_in_json_too() {
        assert!(serde_json::from_str::<RevisionId>("\"HEAD\"").is_err());
    }
}
