use std::fmt;

use super::words::Words;

const SCHEMA: &str = "accept-schema";
const NO_BACKUP: &str = "accept-no-backup";

/// What a rollback may be in spite of.
///
/// ```
/// use talia_pipeline::protocol::Accepted;
///
/// let accepted = Accepted { no_backup: true, ..Accepted::default() };
/// assert_eq!(accepted.to_string(), " accept-no-backup");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Accepted {
    /// `accept-schema`: the database's schema has changed since.
    pub schema: bool,
    /// `accept-no-backup`: the database is not backed up first, because it cannot be:
    /// its server does not answer, or there is no room for a dump.
    pub no_backup: bool,
}

impl Accepted {
    pub(super) fn read(words: &mut Words<'_>) -> Self {
        Self { schema: words.flag(SCHEMA), no_backup: words.flag(NO_BACKUP) }
    }
}

/// As it stands at a request's end.
impl fmt::Display for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (word, is_accepted) in [(SCHEMA, self.schema), (NO_BACKUP, self.no_backup)] {
            if is_accepted {
                write!(f, " {word}")?;
            }
        }
        Ok(())
    }
}
