//! The secrets of one run: looked up once, handed out where a process is spawned.

use std::{collections::BTreeMap, ffi::OsString, io};

use camino::Utf8Path;

use super::{Secret, SecretValue};
use crate::error::{Error, Result};

/// The declared secrets of a run with their values.
///
/// A secret that could not be looked up is kept with the reason: it is only
/// missed when a command needs it.
#[derive(Clone, Default)]
pub struct Secrets(BTreeMap<String, Found>);

#[derive(Clone)]
enum Found {
    Value(SecretValue),
    Not { message: String, hint: Option<String>, too_short: bool },
}

impl Secrets {
    /// Looks every declared secret up; see [`Secret::resolve`].
    pub fn resolve(
        declared: impl IntoIterator<Item = Secret>,
        variable: &dyn Fn(&str) -> Option<OsString>,
        read: &dyn Fn(&Utf8Path) -> io::Result<Vec<u8>>,
    ) -> Self {
        let found = declared.into_iter().map(|secret| {
            let found = match secret.resolve(variable, read) {
                Ok(value) => Found::Value(value),
                Err(error) => Found::Not {
                    message: error.to_string(),
                    hint: error.hint_text().map(str::to_owned),
                    too_short: error.to_string().contains("is shorter than"),
                },
            };
            (secret.name().to_owned(), found)
        });
        Self(found.collect())
    }

    /// The values, for a [`super::Masker`].
    pub fn values(&self) -> impl Iterator<Item = &SecretValue> {
        self.0.values().filter_map(|found| match found {
            Found::Value(value) => Some(value),
            Found::Not { .. } => None,
        })
    }

    /// The value of the secret of this name.
    ///
    /// # Errors
    /// A preflight error when it is not declared, not set or too short.
    pub fn value(&self, name: &str) -> Result<&SecretValue> {
        match self.0.get(name) {
            Some(Found::Value(value)) => Ok(value),
            Some(Found::Not { message, hint, .. }) => {
                let error = Error::preflight(message);
                Err(match hint {
                    Some(hint) => error.hint(hint),
                    None => error,
                })
            }
            None => Err(Error::preflight(format!("no secret of the name {name} is declared"))
                .hint(format!("add it to `[secrets]` in the settings: `names = [\"{name}\"]`"))),
        }
    }

    /// Refuses a declared secret that is set and too short to be masked, whether
    /// a command needs it or not: it would show in the output.
    ///
    /// # Errors
    /// The first such secret, without its value.
    pub fn refuse_short(&self) -> Result<()> {
        for (name, found) in &self.0 {
            if matches!(found, Found::Not { too_short: true, .. }) {
                self.value(name)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(value: &str) -> Secrets {
        let value = OsString::from(value);
        Secrets::resolve([Secret::variable("TOKEN")], &|_| Some(value.clone()), &|_| {
            Err(io::ErrorKind::NotFound.into())
        })
    }

    #[test]
    fn a_value_is_handed_out_by_name() {
        let secrets = secrets("long enough");
        assert_eq!(secrets.value("TOKEN").map(SecretValue::expose).ok(), Some(&b"long enough"[..]));
        assert!(secrets.refuse_short().is_ok());
        let error = secrets.value("OTHER").expect_err("it is not declared");
        assert!(error.hint_text().is_some_and(|hint| hint.contains("[secrets]")));
    }

    #[test]
    fn a_short_one_is_refused_without_telling_it() {
        let error = secrets("s3cr3t").refuse_short().expect_err("it is too short");
        assert!(error.to_string().contains("TOKEN") && !format!("{error:?}").contains("s3cr3t"));
    }

    #[test]
    fn one_that_is_not_set_is_missed_only_when_it_is_needed() {
        let secrets = secrets("");
        assert!(secrets.refuse_short().is_ok());
        assert!(secrets.value("TOKEN").is_err());
    }
}
