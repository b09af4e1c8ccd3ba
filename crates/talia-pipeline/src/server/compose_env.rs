//! `.env` as Compose is given it.

use crate::{error::Result, parse::env_file};

/// Names that Compose, or the engine's client in it, obeys itself.
const OBEYED: &[&str] = &["COMPOSE_", "DOCKER_"];

/// A `.env` that Compose reads as [our grammar](crate::parse::env_file) means it, for
/// `${NAME}` in a compose file and for `env_file: .env`.
///
/// Compose's own grammar differs: it replaces `$` in plain and double-quoted values,
/// takes another one for a mistake, and tells parts of values in its warnings. So each
/// value is written with its escapes. What Compose would obey itself, such as
/// `COMPOSE_PROFILES`, is left out; the service gets it all the same, from its
/// [slot's file](super::slot_file).
///
/// Source: compose-go's `dotenv`; tried with Compose 2.26.
///
/// # Errors
/// When `.env` is not in our grammar.
pub fn compose_env(env: &[u8]) -> Result<String> {
    let file = env_file::read(env)?;
    let mut text = String::new();
    for entry in file.effective() {
        if OBEYED.iter().any(|prefix| entry.name().starts_with(prefix)) {
            continue;
        }
        text.push_str(entry.name());
        text.push_str("=\"");
        for c in entry.value().chars() {
            match c {
                '\n' => text.push_str("\\n"),
                '\r' => text.push_str("\\r"),
                '\t' => text.push_str("\\t"),
                '"' | '\\' | '$' => text.extend(['\\', c]),
                c => text.push(c),
            }
        }
        text.push_str("\"\n");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped_and_what_compose_obeys_is_left_out() {
        let env = b"# c\nA=x$y # z\nB='\"\\`'\nCOMPOSE_PROFILES=a\nDOCKER_HOST=b\nC=\"1\\n2\"\n";
        let text = compose_env(env).unwrap();
        assert_eq!(text, "A=\"x\\$y\"\nB=\"\\\"\\\\`\"\nC=\"1\\n2\"\n");
        assert!(compose_env(b"A='open").is_err());
    }
}
