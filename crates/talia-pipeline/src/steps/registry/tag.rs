use std::fmt;

use crate::error::{Error, Result};

/// A tag: letters, digits, `_`, `.` and `-`, at most 128, not a `.` or `-` first.
///
/// Source: OCI distribution specification, *Pulling manifests*.
///
/// ```
/// use talia_pipeline::steps::registry::ImageTag;
///
/// let tag = ImageTag::of_revision("main", "0123456789abcdef0123456789abcdef01234567")?;
/// assert_eq!(tag.to_string(), "main-0123456789abcdef0123456789abcdef01234567");
/// assert_eq!(ImageTag::latest().of("ghcr.io/talia/backend"), "ghcr.io/talia/backend:latest");
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ImageTag(String);

impl ImageTag {
    /// Reads one.
    ///
    /// # Errors
    /// A usage error when a registry would not take it.
    pub fn parse(text: &str) -> Result<Self> {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let rest = |byte: u8| word(byte) || byte == b'.' || byte == b'-';
        let fits = (1..=128).contains(&text.len());
        if fits && text.bytes().next().is_some_and(word) && text.bytes().all(rest) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::usage(format!("{text:?} is no image tag"))
                .hint("use letters, digits, `_`, `.` and `-`, at most 128"))
        }
    }

    /// `PREFIX-REVISION`: the one tag of a commit's image.
    ///
    /// # Errors
    /// A usage error when the two do not make a tag.
    pub fn of_revision(prefix: &str, revision: &str) -> Result<Self> {
        Self::parse(&format!("{prefix}-{revision}"))
    }

    /// `latest`.
    pub fn latest() -> Self {
        Self("latest".to_owned())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The reference of this tag in a repository: `REPOSITORY:TAG`.
    pub fn of(&self, repository: &str) -> String {
        format!("{repository}:{}", self.0)
    }
}

impl fmt::Display for ImageTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_registry_takes_is_a_tag() {
        for good in ["latest", "_x", "main-0123", "v1.0.0-rc.1", &"a".repeat(128)] {
            assert!(ImageTag::parse(good).is_ok(), "{good}");
        }
        for bad in ["", ".x", "-x", "a b", "a/b", "a:b", "ä", "a\n", &"a".repeat(129)] {
            assert!(ImageTag::parse(bad).is_err(), "{bad:?}");
        }
    }
}
