//! What tells two schemas apart, whoever dumps them and when.

use super::checksum::Sha256;

/// Settings that `pg_dump` writes between statements. A newer one writes more of
/// them; they say nothing of the schema.
const SETTINGS: &[&str] = &[
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "transaction_timeout",
    "client_encoding",
    "standard_conforming_strings",
    "check_function_bodies",
    "xmloption",
    "client_min_messages",
    "row_security",
    "default_tablespace",
    "default_table_access_method",
    "default_with_oids",
];

/// Comments that are `pg_dump`'s own. Others stand in functions.
const COMMENTS: &[&str] = &[
    "-- Name: ",
    "-- Dumped from ",
    "-- Dumped by ",
    "-- PostgreSQL database dump",
    "-- TOC entry ",
    "-- Dependencies: ",
];

/// The SHA-256 of a schema-only dump without the lines that change from one dump
/// to the next: `pg_dump`'s comments, its settings, the token of `\restrict`, and
/// empty lines.
///
/// ```
/// use talia_pipeline::steps::backup::schema_hash;
///
/// let dumped = |token: &str| format!("\\restrict {token}\n-- Dumped by pg_dump 15\nCREATE TABLE a ();\n");
/// assert_eq!(schema_hash(&dumped("a")), schema_hash(&dumped("b")));
/// assert_ne!(schema_hash(&dumped("a")), schema_hash("CREATE TABLE b ();\n"));
/// ```
pub fn schema_hash(sql: &str) -> String {
    let mut hash = Sha256::new();
    for line in sql.lines().filter(|line| !is_volatile(line)) {
        hash.add(line.as_bytes());
        hash.add(b"\n");
    }
    hash.hex()
}

fn is_volatile(line: &str) -> bool {
    let line = line.trim_end();
    let is_setting = || {
        let name = line.strip_prefix("SET ").and_then(|rest| rest.split_once(" = "));
        name.is_some_and(|(name, value)| value.ends_with(';') && SETTINGS.contains(&name))
    };
    line.is_empty()
        || line == "--"
        || line.starts_with("\\restrict ")
        || line.starts_with("\\unrestrict ")
        || line.starts_with("SELECT pg_catalog.set_config('search_path', ''")
        || COMMENTS.iter().any(|begin| line.starts_with(begin))
        || is_setting()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_pg_dump_adds_is_left_out() {
        for volatile in [
            "",
            "--",
            "-- Name: t; Type: TABLE; Schema: public; Owner: talia",
            "-- Dumped from database version 15.18",
            "\\restrict abc",
            "\\unrestrict abc",
            "SET default_tablespace = '';",
            "SET transaction_timeout = 0;",
            "SELECT pg_catalog.set_config('search_path', '', false);",
        ] {
            assert!(is_volatile(volatile), "{volatile}");
        }
        for kept in [
            "CREATE TABLE public.t (",
            "SET a = 1",
            "SET total = 2;",
            "  SET row_security = off",
            "-- a comment in a function",
            "SELECT set_config('x', '', false);",
        ] {
            assert!(!is_volatile(kept), "{kept}");
        }
    }
}
