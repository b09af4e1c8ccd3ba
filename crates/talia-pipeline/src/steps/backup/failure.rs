//! What PostgreSQL's programs say when they fail, and the way out.

use crate::{
    error::{Error, Result},
    step::Answer,
};

/// What they say in English, and what to do about it. The first that fits counts.
const WAYS_OUT: &[(&str, &str)] = &[
    (
        "No space left on device",
        "free some disk space where the backups are, or let them go to another disk, then start again",
    ),
    (
        "password authentication failed",
        "correct the password in DATABASE_URL of the environment's .env",
    ),
    ("no password supplied", "add the password to DATABASE_URL of the environment's .env"),
    ("could not translate host name", "correct the host in DATABASE_URL of the environment's .env"),
    (
        "Connection refused",
        "see whether the database server runs and whether host and port are right",
    ),
    ("timeout expired", "see whether the database server can be reached from this machine"),
    (
        "server closed the connection unexpectedly",
        "see the database server's own log, then start again",
    ),
    ("terminating connection", "see the database server's own log, then start again"),
    ("connection to server was lost", "see the database server's own log, then start again"),
    ("deadlock detected", "something else works in the database: stop it, then start again"),
    ("lock timeout", "another session holds a lock on a table: let it end, then start again"),
    (
        "aborting because of server version mismatch",
        "install the programs of the server's version: `apt-get install postgresql-client-VERSION`",
    ),
    // Both are asked of a scratch server alone.
    ("permission denied to create database", "give the user of the scratch server CREATEDB"),
    (
        "permission denied to create role",
        "give the user of the scratch server CREATEROLE, as grants, default privileges or policies \
         name roles that are not there; or leave `scratch` out of [backup]: a server of the \
         drill's own on this machine is used then",
    ),
    (
        "permission denied",
        "back up as the tables' owner, or give the user the role pg_read_all_data",
    ),
    (
        "query would be affected by row-level security",
        "back up as the tables' owner, or as a user with BYPASSRLS",
    ),
    (
        "ERROR:  role \"",
        "make that role on the server it is restored on, for nobody to log in as, then start again",
    ),
    ("server does not support SSL", "correct sslmode in DATABASE_URL of the environment's .env"),
    (
        "unsupported version",
        "install the pg_restore of the version that wrote the dump, or a newer one",
    ),
];

/// What is wrong with the surroundings, whatever was to be restored.
const OUTSIDE: &[&str] = &[
    "No space left on device",
    "connection to server",
    "server closed the connection",
    "terminating connection",
    "could not translate host name",
    "Connection refused",
    "timeout expired",
    "deadlock detected",
    "lock timeout",
    "statement timeout",
    "out of shared memory",
    "out of memory",
    "too many clients",
    "the database system is",
    "permission denied",
    "must be owner",
    "must be superuser",
    "must be member of role",
    "must be able to SET ROLE",
    // No dump has roles.
    "ERROR:  role \"",
    "remaining connection slots",
    "canceling statement due to",
    "Too many open files",
    "Input/output error",
    "Disk quota exceeded",
    // Of the system and of how the server was built.
    "could not create locale",
    "ERROR:  collation \"pg_catalog.",
    "ICU is not supported in this build",
    "unrecognized configuration parameter",
    "unsupported version",
];

/// Whether what a program says is about its surroundings.
pub(super) fn is_outside(said: &str) -> bool {
    OUTSIDE.iter().any(|words| said.contains(words))
}

/// Standard output, or the error with the way out.
pub(super) fn read_answer<'a>(
    answer: &'a Answer,
    doing: &str,
) -> Result<std::borrow::Cow<'a, str>> {
    if answer.exit() == 0 { Ok(answer.stdout()) } else { Err(failed(answer, doing)) }
}

/// The error for a program that has failed: the last it said of it, and the way out.
pub(super) fn failed(answer: &Answer, doing: &str) -> Error {
    let said = answer.stderr();
    let is_error =
        |line: &&str| ["error:", "ERROR:", "FATAL:"].iter().any(|sign| line.contains(sign));
    let line = said.lines().find(is_error).or_else(|| said.lines().last()).unwrap_or_default();
    let because = match line.trim() {
        "" => format!("exit {}", answer.exit()),
        said => said.to_owned(),
    };
    let error = Error::step(format!("{doing} has failed: {because}")).tail(answer.last_lines(20));
    match WAYS_OUT.iter().find(|(words, _)| said.contains(words)) {
        Some((_, hint)) => error.hint(*hint),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_error_and_the_way_out_are_told() {
        let said = "pg_dump: warning: x\npg_dump: error: could not write to file: No space left on device\nERROR:  full\n";
        let error = failed(&Answer::new(3, "", said), "the dump");
        assert_eq!(
            error.to_string(),
            "the dump has failed: pg_dump: error: could not write to file: No space left on device"
        );
        assert!(error.hint_text().unwrap().starts_with("free some disk"));
        for (said, hint) in [
            ("ERROR:  permission denied to create role", "CREATEROLE"),
            ("ERROR:  permission denied to create database", "CREATEDB"),
            ("ERROR:  permission denied for table x", "pg_read_all_data"),
        ] {
            let hinted = failed(&Answer::new(3, "", said), "x").hint_text().map(str::to_owned);
            assert!(hinted.as_ref().is_some_and(|told| told.contains(hint)), "{said}: {hinted:?}");
        }
        let error = failed(&Answer::new(1, "", ""), "the dump");
        assert_eq!(error.to_string(), "the dump has failed: exit 1");
        assert_eq!(read_answer(&Answer::new(0, "x", ""), "y").unwrap(), "x");
    }
}
