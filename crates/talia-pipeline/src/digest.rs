//! The name of an image that nobody can move: the hash of its manifest.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    hole,
};

/// `sha256:` and 64 hexadecimal digits: exactly one manifest, whatever the tags do.
///
/// Source: OCI image specification, *Descriptors*.
///
/// ```
/// use talia_pipeline::digest::Digest;
///
/// let text = format!("sha256:{}", "12ab".repeat(16));
/// let digest = Digest::parse(&text)?;
/// assert_eq!(digest.to_string(), text);
/// assert_eq!(digest.of("ghcr.io/talia/backend"), format!("ghcr.io/talia/backend@{text}"));
/// assert!(Digest::parse("sha256:12ab").is_err());
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

impl Digest {
    /// Reads one.
    ///
    /// # Errors
    /// A usage error when it is anything but `sha256:` and 64 digits in lower case.
    pub fn parse(text: &str) -> Result<Self> {
        let digits = text.strip_prefix("sha256:").unwrap_or_default();
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if digits.len() == 64 && digits.bytes().all(is_hex) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::usage(format!("{text:?} is no digest: `sha256:` and 64 of 0-9 and a-f")))
        }
    }

    /// The stand-in for a digest that only a run can know.
    pub fn planned() -> Self {
        Self(hole::named("image digest"))
    }

    /// Whether it is that stand-in.
    pub fn is_planned(&self) -> bool {
        hole::is_in(&self.0)
    }

    /// All of it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve digits, for people.
    pub fn short(&self) -> &str {
        let digits = self.0.strip_prefix("sha256:").unwrap_or(&self.0);
        digits.get(..12).unwrap_or(digits)
    }

    /// The reference of this image in a repository: `REPOSITORY@sha256:…`.
    pub fn of(&self, repository: &str) -> String {
        format!("{repository}@{}", self.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for Digest {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Digest {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Digest {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        Self::parse(&text)
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_spelling_is_a_digest() {
        let good = format!("sha256:{}", "0123456789abcdef".repeat(4));
        assert!(Digest::parse(&good).is_ok());
        for bad in [
            good.to_uppercase(),
            good.replace("sha256", "sha512"),
            format!("{good}0"),
            format!("{good}\n"),
            format!(" {good}"),
            good[..good.len() - 1].to_owned(),
            good.replace('f', "g"),
            String::new(),
            hole::named("image digest"),
        ] {
            assert!(Digest::parse(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_planned_digest_is_a_hole_that_a_real_one_fills() {
        let planned = Digest::planned().of("r/a");
        assert!(hole::is_in(&planned));
        assert!(hole::matches(&planned, &format!("r/a@sha256:{}", "ab".repeat(32))));
        assert!(!Digest::planned().short().is_empty());
    }

    #[test]
    fn json_is_the_text_and_is_checked() {
        let text = format!("\"sha256:{}\"", "ab".repeat(32));
        let digest: Digest = serde_json::from_str(&text).expect("it is one");
        assert_eq!(serde_json::to_string(&digest).expect("it is text"), text);
        assert!(serde_json::from_str::<Digest>("\"sha256:1\"").is_err());
    }
}
