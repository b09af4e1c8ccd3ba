//! The one type that holds a secret's value.

use std::{ffi::OsStr, fmt, os::unix::ffi::OsStrExt, sync::Arc};

/// A value shorter than this many bytes is refused as a secret: masking it
/// would eat ordinary words, and not masking it would show it.
pub const MINIMUM_LENGTH: usize = 8;

/// A secret's value. It cannot be printed, serialised or compared by accident:
/// there is no `Display`, no `Serialize`, and `Debug` says `***`.
///
/// Cloning is cheap and shares the bytes. They are not wiped at the end: a
/// process that is read from outside has lost already.
///
/// ```
/// use talia_pipeline::secret::SecretValue;
///
/// let value = SecretValue::new("correct horse");
/// assert_eq!(format!("{value:?}"), "***");
/// assert_eq!(value.expose(), b"correct horse");
/// ```
///
/// ```compile_fail
/// let value = talia_pipeline::secret::SecretValue::new("correct horse");
/// println!("{value}");
/// ```
///
/// ```compile_fail
/// let value = talia_pipeline::secret::SecretValue::new("correct horse");
/// serde_json::to_string(&value);
/// ```
#[derive(Clone)]
pub struct SecretValue {
    bytes: Arc<[u8]>,
    open: Arc<[String]>,
}

impl SecretValue {
    /// Wraps a value, whatever its length. [`Secret::resolve`](super::Secret::resolve)
    /// is what refuses values that are too short to be masked.
    pub fn new(value: impl AsRef<[u8]>) -> Self {
        Self { bytes: value.as_ref().into(), open: Arc::default() }
    }

    /// What stands in one of these texts is no secret: the value itself, or a part of it
    /// such as the password in a URL. Every command may name it.
    #[must_use]
    pub fn except(mut self, open: &Arc<[String]>) -> Self {
        self.open = open.clone();
        self
    }

    /// Whether everybody may see this part of it.
    pub(super) fn is_open(&self, part: &[u8]) -> bool {
        std::str::from_utf8(part).is_ok_and(|part| self.open.iter().any(|text| text.contains(part)))
    }

    /// The bytes, for the one place that hands them to a child.
    pub fn expose(&self) -> &[u8] {
        &self.bytes
    }

    /// The value as an operating system string, for a child's environment.
    pub fn expose_os(&self) -> &OsStr {
        OsStr::from_bytes(&self.bytes)
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
