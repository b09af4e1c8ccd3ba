//! What `docker compose config --format=json` shows of a project.
//!
//! Kept as JSON: what counts as known is for [whoever judges it](crate::server::Judge),
//! and a key that is read by nobody must not get lost on the way.

use std::fmt;

use serde_json::{Map, Value};

/// A project as Compose reads its files. Its `Debug` shows no value: they come from `.env`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Project {
    top: Map<String, Value>,
}

impl fmt::Debug for Project {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Project").field("keys", &self.top.keys()).finish_non_exhaustive()
    }
}

impl Project {
    /// Reads it.
    ///
    /// # Errors
    /// What it should have been.
    pub fn read(json: &[u8]) -> Result<Self, String> {
        let is_object = |value: &Value| value.is_object();
        let top: Map<String, Value> =
            serde_json::from_slice(json).map_err(|_| "a compose project as JSON".to_owned())?;
        let services = top.get("services").and_then(Value::as_object);
        if services.is_some_and(|services| services.values().all(is_object)) {
            Ok(Self { top })
        } else {
            Err("a compose project with services".to_owned())
        }
    }

    /// The services, each with its name.
    pub fn services(&self) -> impl Iterator<Item = (&str, &Map<String, Value>)> {
        self.section("services").filter_map(|(name, value)| Some((name, value.as_object()?)))
    }

    /// The entries of `volumes`, `networks`, `secrets` or `configs`.
    pub fn section(&self, name: &str) -> impl Iterator<Item = (&str, &Value)> {
        let entries = self.top.get(name).and_then(Value::as_object).into_iter().flatten();
        entries.map(|(name, value)| (name.as_str(), value))
    }

    /// The keys at the top that ask for something.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.top.iter().filter(|(_, value)| asks(value)).map(|(key, _)| key.as_str())
    }
}

/// Whether a value asks for anything: Compose shows much that was never written.
pub fn asks(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::Bool(true) | Value::Number(_) => true,
    }
}

/// An image's repository, without tag and digest.
///
/// ```
/// use talia_pipeline::parse::compose::repository;
///
/// assert_eq!(repository("ghcr.io:443/talia/backend:1@sha256:00"), "ghcr.io:443/talia/backend");
/// ```
pub fn repository(image: &str) -> &str {
    let named = image.split('@').next().unwrap_or_default();
    match named.rsplit_once(':') {
        // Before a slash it is a registry's port.
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => named,
    }
}

/// Why this text of a compose file cannot be judged by what Compose makes of it.
///
/// `include` and `extends` read other files, of this machine or of others, and are gone
/// from what Compose shows. So their names must not stand in the text as a key, nor
/// anything that could spell one: YAML's escapes, an alias or `?` as a key.
///
/// ```
/// use talia_pipeline::parse::compose::hidden;
///
/// assert!(hidden("services:\n  api:\n    command: [run, --include, x]\n").is_empty());
/// assert_eq!(hidden("include: [/root/x.yml]\n").len(), 1);
/// ```
pub fn hidden(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    // What YAML takes for the end of a line.
    let lines = text.split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']);
    for (at, line) in lines.enumerate() {
        // A comment, or a part of a longer text, which could only end here with a quote.
        if line.trim_start_matches([' ', '\t']).starts_with('#') && !line.contains(['"', '\'']) {
            continue;
        }
        let mut refuse = |what: &str| found.push(format!("line {} {what}", at + 1));
        for word in ["include", "extends"] {
            if is_key(line, word) {
                refuse(&format!("has the key `{word}`, which reads other files"));
            }
        }
        if ["\\x", "\\u", "\\U"].iter().any(|escape| line.contains(escape)) {
            refuse("writes characters as escapes: write them as themselves");
        }
        if line.ends_with('\\') {
            refuse("ends with `\\`: write the text on one line");
        }
        if has_alias_key(line) {
            refuse("has an alias as a key: write the key itself");
        }
        let opens =
            |before: Option<char>| before.is_none_or(|c| c.is_whitespace() || "{[,-".contains(c));
        let explicit = line.match_indices('?').any(|(at, _)| {
            opens(line[..at].chars().next_back())
                && line[at + 1..].chars().next().is_none_or(char::is_whitespace)
        });
        if explicit {
            refuse("has `?` before a key: write `key: value`");
        }
    }
    found
}

/// Whether the word stands there and a colon behind it, with a quote between or not.
fn is_key(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || "_-./".contains(c);
    line.match_indices(word).any(|(at, _)| {
        let behind = line[at + word.len()..].trim_start_matches(['"', '\'']).trim_start();
        !line[..at].ends_with(is_part) && behind.starts_with(':')
    })
}

fn has_alias_key(line: &str) -> bool {
    line.match_indices('*').any(|(at, _)| {
        let behind = &line[at + 1..];
        let name = behind.trim_start_matches(|c: char| c.is_alphanumeric() || "_-".contains(c));
        name.len() < behind.len() && name.trim_start().starts_with(':')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_keeps_every_key_and_shows_no_value() {
        let json = br#"{"name":"x","models":{"m":{}},"x-a":null,
            "services":{"api":{"gpus":"all","environment":{"A":"secret"}}},
            "volumes":{"v":{"name":"x_v"}}}"#;
        let project = Project::read(json).unwrap();
        assert_eq!(project.keys().collect::<Vec<_>>(), ["models", "name", "services", "volumes"]);
        let (name, api) = project.services().next().unwrap();
        assert_eq!((name, api.get("gpus").unwrap().as_str()), ("api", Some("all")));
        assert_eq!(project.section("volumes").count(), 1);
        assert!(!format!("{project:?}").contains("secret"));
    }

    #[test]
    fn what_is_no_project_is_told() {
        for bad in ["name: x", "[]", "{}", r#"{"services":[]}"#, r#"{"services":{"api":1}}"#] {
            assert!(Project::read(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_images_repository_is_told_from_a_port() {
        assert_eq!(repository("backend"), "backend");
        assert_eq!(repository("backend:1"), "backend");
        assert_eq!(repository("127.0.0.1:5000/backend"), "127.0.0.1:5000/backend");
        assert_eq!(repository("127.0.0.1:5000/backend@sha256:00"), "127.0.0.1:5000/backend");
    }

    #[test]
    fn other_files_cannot_be_named_in_any_spelling() {
        for bad in [
            "include: x",
            "  extends:",
            "{\"include\":[x]}",
            "'include' : x",
            "services: {api: {extends: {file: x}}}",
            "!!str include: x",
            "&a include: x",
            "\"\\x69nclude\": x",
            "\"incl\\u0075de\": x",
            "\"inc\\\nlude\": x",
            "*a : x",
            "{a: b, *a : x}",
            "? include\n: x",
            "{? include : x}",
            "- ?\n  include\n",
            "# a\rinclude: x",
            "{a: b,\n\u{a0}#, include: x}",
            "{\"a\n# b\", include: x}",
        ] {
            assert!(!hidden(bad).is_empty(), "{bad}");
        }
        for good in [
            "# include: nothing",
            "command: [\"--include\", \"a\"]",
            "command: --include=a",
            "not-include: x",
            "includes: x",
            "CORS: \"*\"",
            "what: really? yes",
            "test: [CMD, curl, 'http://x/?a=b']",
            "image: ${TALIA_IMAGE:-ghcr.io/a:latest}",
            "HOSTS: '*.example:80'",
            "<<: *base",
        ] {
            assert!(hidden(good).is_empty(), "{good}: {:?}", hidden(good));
        }
    }
}
