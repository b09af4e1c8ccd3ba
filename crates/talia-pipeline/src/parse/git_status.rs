//! What `git status --porcelain=v1 -z` prints.

use std::fmt;

use serde::Serialize;

use crate::error::{Error, Result};

use super::{visible, visible_bytes};

/// A file, or an ignored folder, that is not as the commit has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusEntry {
    /// In which way.
    pub state: FileState,
    /// From the repository's top, with `/` at the end of a folder. Bytes that are not
    /// UTF-8 are replaced.
    pub path: String,
}

/// How a file differs from the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileState {
    /// The commit has it, and it is another one now, or gone; or it was added and not
    /// committed.
    Changed,
    /// Git does not know it.
    Untracked,
    /// Git is told not to know it.
    Ignored,
}

impl fmt::Display for FileState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Changed => "changed",
            Self::Untracked => "untracked",
            Self::Ignored => "ignored",
        })
    }
}

/// Displayed with everything escaped that would move a terminal's cursor or hide.
impl fmt::Display for StatusEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", visible(&self.path), self.state)
    }
}

/// Reads all of it. Renames must not be looked for (`--no-renames`): they have two names.
///
/// # Errors
/// A step error when it is anything else.
pub fn read(said: &[u8]) -> Result<Vec<StatusEntry>> {
    let entries = said.split(|byte| *byte == 0).filter(|entry| !entry.is_empty());
    let entry = |entry: &[u8]| {
        let (state, path) = match entry {
            [b'?', b'?', b' ', path @ ..] => (FileState::Untracked, path),
            [b'!', b'!', b' ', path @ ..] => (FileState::Ignored, path),
            [x, y, b' ', path @ ..] if is_state(*x) && is_state(*y) => (FileState::Changed, path),
            other => {
                return Err(Error::step(format!(
                    "git status has said `{}`, which is no state and name",
                    visible_bytes(other)
                )));
            }
        };
        Ok(StatusEntry { state, path: String::from_utf8_lossy(path).into_owned() })
    };
    entries.map(entry).collect()
}

/// Unchanged, modified, of another type, added, deleted, unmerged.
fn is_state(letter: u8) -> bool {
    b" MTADU".contains(&letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_has_a_state_and_a_name() {
        let said = b" M a b\0?? new\nline\0!! dist/\0D  -> x\0UU both\0A  caf\xe9\0";
        let read = read(said).unwrap();
        let told: Vec<String> = read.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "a b (changed)",
                r"new\nline (untracked)",
                "dist/ (ignored)",
                "-> x (changed)",
                "both (changed)",
                "caf\u{fffd} (changed)",
            ]
        );
    }

    #[test]
    fn anything_else_is_no_status() {
        assert_eq!(read(b"").unwrap(), []);
        for bad in [&b"M"[..], b"R  a\0b\0", b"fatal: no", b"XX a\0"] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }
}
