//! Which versions understand each other.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A version of this library, as far as client and agent must agree on it.
///
/// ```
/// use talia_pipeline::protocol::Version;
///
/// let old: Version = "0.4".parse()?;
/// assert!(old.understands("0.5".parse()?));
/// assert!(!old.understands("0.6".parse()?));
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version {
    major: u32,
    minor: u32,
}

impl Version {
    /// This build's own.
    pub fn own() -> Self {
        let mut parts = env!("CARGO_PKG_VERSION").split('.').map(|part| part.parse().unwrap_or(0));
        Self { major: parts.next().unwrap_or(0), minor: parts.next().unwrap_or(0) }
    }

    /// Whether both understand each other: the same major version, and minor
    /// versions that are neighbours.
    pub fn understands(self, other: Self) -> bool {
        self.major == other.major && self.minor.abs_diff(other.minor) <= 1
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for Version {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let number = |text: &str| {
            let plain = !text.is_empty() && text.len() <= 6;
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            let padded = text.len() > 1 && text.starts_with('0');
            (plain && digits && !padded).then(|| text.parse().ok()).flatten()
        };
        text.split_once('.')
            .and_then(|(major, minor)| Some(Self { major: number(major)?, minor: number(minor)? }))
            .ok_or_else(|| Error::usage("a version is two numbers, such as `0.1`"))
    }
}

impl TryFrom<String> for Version {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_two_plain_numbers_are_a_version() {
        for bad in ["", "1", "1.", ".1", "01.1", "1.01", "1.2.3", "1.-2", "1. 2", "1.1234567"] {
            assert!(bad.parse::<Version>().is_err(), "{bad}");
        }
        assert_eq!(Version::own().to_string().parse::<Version>().unwrap(), Version::own());
    }

    #[test]
    fn another_major_version_is_not_understood() {
        let of = |text: &str| text.parse::<Version>().unwrap();
        assert!(of("1.0").understands(of("1.1")) && of("1.1").understands(of("1.0")));
        assert!(!of("1.0").understands(of("2.0")));
    }
}
