//! A secret's name, and where its value comes from.

use std::{ffi::OsString, fmt, io, os::unix::ffi::OsStringExt};

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Serialize, Serializer};

use super::{MINIMUM_LENGTH, SecretValue};
use crate::{Error, Result};

/// A secret by name. Printing, comparing and serialising it shows the name and
/// never the value, which is looked up when a process is about to be spawned.
///
/// Two secrets are equal when their names and their sources are. Two values
/// given at run time count as the same source: nothing outside may learn
/// whether they differ.
///
/// ```
/// use talia_pipeline::secret::Secret;
///
/// let secret = Secret::variable("REGISTRY_TOKEN");
/// let value = secret.resolve(
///     &|name| (name == "REGISTRY_TOKEN").then(|| "dckr_pat_0123456789".into()),
///     &|_| Err(std::io::ErrorKind::NotFound.into()),
/// )?;
/// assert_eq!(value.expose(), b"dckr_pat_0123456789");
/// assert_eq!(secret.to_string(), "REGISTRY_TOKEN");
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Clone)]
pub struct Secret {
    name: String,
    source: Source,
}

#[derive(Clone)]
enum Source {
    Variable(String),
    File(Utf8PathBuf),
    Given(SecretValue),
}

impl Secret {
    /// A secret whose value stands in the environment variable of its name.
    pub fn variable(name: impl Into<String>) -> Self {
        let name = name.into();
        Self { source: Source::Variable(name.clone()), name }
    }

    /// A secret whose value stands in an environment variable of another name.
    pub fn variable_named(name: impl Into<String>, variable: impl Into<String>) -> Self {
        Self { name: name.into(), source: Source::Variable(variable.into()) }
    }

    /// A secret whose value is the content of a file. The newline at the end of
    /// a file of one line is not part of it; a file of several lines, such as a
    /// private key, is taken as it is.
    pub fn file(name: impl Into<String>, path: impl Into<Utf8PathBuf>) -> Self {
        Self { name: name.into(), source: Source::File(path.into()) }
    }

    /// A secret whose value is known already, such as one just generated.
    pub fn given(name: impl Into<String>, value: SecretValue) -> Self {
        Self { name: name.into(), source: Source::Given(value) }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Looks the value up. This module reads neither the environment nor a
    /// file itself: both lookups are passed in.
    ///
    /// # Errors
    ///
    /// A preflight error that names the secret and its source, and says what
    /// to do, if the value is missing, unreadable or shorter than
    /// [`MINIMUM_LENGTH`] bytes. No error holds the value or a part of it.
    pub fn resolve(
        &self,
        variable: &dyn Fn(&str) -> Option<OsString>,
        read: &dyn Fn(&Utf8Path) -> io::Result<Vec<u8>>,
    ) -> Result<SecretValue> {
        let value = match &self.source {
            Source::Variable(name) => {
                SecretValue::new(variable(name).unwrap_or_default().into_vec())
            }
            Source::File(path) => {
                let bytes = read(path).map_err(|error| {
                    Error::preflight(format!(
                        "cannot read the secret {} from the file {path}",
                        self.name
                    ))
                    .hint(format!(
                        "create {path} with the value, readable for you alone (`chmod 600`)"
                    ))
                    .caused_by(error)
                })?;
                SecretValue::new(without_final_newline(&bytes))
            }
            Source::Given(value) => value.clone(),
        };
        let length = value.expose().len();
        if value.expose().trim_ascii().is_empty() {
            return Err(Error::preflight(format!(
                "the secret {} is missing: {} is empty or not set",
                self.name, self.source
            ))
            .hint(self.missing_hint()));
        }
        if length < MINIMUM_LENGTH {
            return Err(Error::preflight(format!(
                "the secret {} from {} is shorter than {MINIMUM_LENGTH} bytes, so it cannot be masked in output",
                self.name, self.source
            ))
            .hint(format!(
                "use a value of at least {MINIMUM_LENGTH} bytes, or do not declare {} a secret",
                self.name
            )));
        }
        Ok(value)
    }

    fn missing_hint(&self) -> String {
        match &self.source {
            Source::Variable(name) => format!(
                "set {name} in the environment; on GitHub Actions pass it with `env: {name}: ${{{{ secrets.{name} }}}}`, \
                 and note that a secret which is not defined there arrives as an empty value"
            ),
            Source::File(path) => format!("write the value into {path}"),
            Source::Given(_) => format!("give {} a value", self.name),
        }
    }
}

fn without_final_newline(bytes: &[u8]) -> &[u8] {
    let Some(line) = bytes.strip_suffix(b"\n") else { return bytes };
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.contains(&b'\n') { bytes } else { line }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "the environment variable {name}"),
            Self::File(path) => write!(f, "the file {path}"),
            Self::Given(_) => f.write_str("a value given at run time"),
        }
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} from {})", self.name, self.source)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && match (&self.source, &other.source) {
                (Source::Variable(a), Source::Variable(b)) => a == b,
                (Source::File(a), Source::File(b)) => a == b,
                (Source::Given(_), Source::Given(_)) => true,
                _ => false,
            }
    }
}

impl Eq for Secret {}

/// Whether a name in a `.env` file says that its value is a secret:
/// `KEY|TOKEN|SECRET|PASSWORD|PASSWD|_URL$|DSN|CREDENTIAL`, in any case.
///
/// ```
/// use talia_pipeline::secret::looks_secret;
///
/// assert!(looks_secret("DATABASE_URL") && looks_secret("twilio_auth_token"));
/// assert!(!looks_secret("LOG_LEVEL") && !looks_secret("BASE_URL_PATH"));
/// ```
pub fn looks_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let words = ["KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "DSN", "CREDENTIAL"];
    name.ends_with("_URL") || words.iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn nothing(_: &str) -> Option<OsString> {
        None
    }

    fn no_file(_: &Utf8Path) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }

    #[test]
    fn a_missing_variable_is_named_with_a_hint() {
        for lookup in
            [nothing, |_: &str| Some(OsString::new()), |_: &str| Some(OsString::from(" \n"))]
        {
            let error =
                Secret::variable_named("registry", "TOKEN").resolve(&lookup, &no_file).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Preflight);
            assert_eq!(
                error.to_string(),
                "the secret registry is missing: the environment variable TOKEN is empty or not set"
            );
            assert!(error.hint_text().unwrap().contains("${{ secrets.TOKEN }}"));
        }
    }

    #[test]
    fn a_short_value_is_refused_and_not_shown() {
        let given = Secret::given("pin", SecretValue::new("hunter2"));
        let error = given.resolve(&nothing, &no_file).unwrap_err();
        let shown = format!("{error} {error:?} {:?} {given:?} {given}", error.hint_text());
        assert!(
            shown.contains("shorter than 8 bytes") && shown.contains("at least 8 bytes"),
            "{shown}"
        );
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn a_file_loses_the_newline_of_a_single_line_only() {
        let secret = Secret::file("key", "/run/key");
        let cases: [(&[u8], &[u8]); 5] = [
            (b"0123456789\n", b"0123456789"),
            (b"0123456789\r\n", b"0123456789"),
            (b"0123456789", b"0123456789"),
            (b"-----BEGIN\nabc\n", b"-----BEGIN\nabc\n"),
            (b"0123456789\n\n", b"0123456789\n\n"),
        ];
        for (content, expected) in cases {
            let value = secret.resolve(&nothing, &|_| Ok(content.to_vec())).unwrap();
            assert_eq!(value.expose(), expected);
        }
        let error = secret.resolve(&nothing, &no_file).unwrap_err();
        assert_eq!(error.to_string(), "cannot read the secret key from the file /run/key");
    }

    #[test]
    fn it_serialises_as_its_name() {
        let secret = Secret::given("pin", SecretValue::new("correct horse"));
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"pin\"");
        assert_eq!(format!("{secret:?}"), "Secret(pin from a value given at run time)");
        assert!(secret == Secret::given("pin", SecretValue::new("another one")));
        assert!(secret != Secret::variable("pin"));
    }

    #[test]
    fn names_that_look_secret() {
        for name in [
            "API_KEY",
            "key",
            "Access_Token",
            "SECRET",
            "DB_PASSWORD",
            "PGPASSWD",
            "REDIS_URL",
            "SENTRY_DSN",
            "AWS_CREDENTIALS",
        ] {
            assert!(looks_secret(name), "{name}");
        }
        for name in ["PORT", "URL", "DEBUG", "URLS", "BASE_URL_X", ""] {
            assert!(!looks_secret(name), "{name}");
        }
    }
}
