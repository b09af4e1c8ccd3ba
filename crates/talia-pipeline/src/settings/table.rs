//! Reads keys out of a TOML document, and finds what is wrong with them.
//!
//! The document is walked here instead of being deserialised, for three reasons:
//! all mistakes are found instead of the first, a key's place is known and not only
//! its value's, and a percentage's digits are still there. A key is known because
//! it is asked for, so the reader is the schema, and there is no second list.

use std::ops::Range;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    findings::{Findings, Mistake},
    grammar::Check,
    source::clipped,
    suggest::nearest,
};

/// What is known of the keys of a file: section and key, in documentation order.
pub(super) type Schema = Vec<(String, &'static str)>;

/// What all sections of one file share.
pub(super) struct Reader<'t> {
    text: &'t str,
    /// The keys of all sections; empty while they are gathered.
    known: &'t Schema,
    pub(super) asked: Schema,
    pub(super) findings: Findings,
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str, known: &'t Schema) -> Self {
        Self { text, known, asked: Vec::new(), findings: Findings::default() }
    }

    /// Reads the whole document with this function.
    pub(super) fn root<T>(
        &mut self,
        table: &DeTable<'_>,
        read: impl FnOnce(&mut Section<'_, '_, '_>) -> T,
    ) -> T {
        let section = Section { reader: self, table: Some(table), path: String::new() };
        section.read(read)
    }
}

/// One table of the document, or the lack of it.
pub(super) struct Section<'r, 't, 'd> {
    reader: &'r mut Reader<'t>,
    pub(super) table: Option<&'d DeTable<'d>>,
    path: String,
}

/// A value with its place.
pub(super) type Value<'d> = &'d Spanned<DeValue<'d>>;

impl<'d> Section<'_, '_, 'd> {
    fn read<T>(mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        let first = self.reader.asked.len();
        let value = read(&mut self);
        self.refuse_unknown(first);
        value
    }

    /// Reads the section of this name. Where there is none, its keys are asked for
    /// all the same: they have defaults, and they are known.
    pub(super) fn section<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Section<'_, '_, '_>) -> T,
    ) -> T {
        let dot = if self.path.is_empty() { "" } else { "." };
        let path = format!("{}{dot}{name}", self.path);
        let table = self.take(name).and_then(|value| {
            let table = value.get_ref().as_table();
            if table.is_none() {
                let expected = format!("a section that begins with [{path}]");
                self.mistyped(name, value, &expected, None);
            }
            table
        });
        Section { reader: &mut *self.reader, table, path }.read(read)
    }

    /// Reads every section below this name, whatever each is called. The keys of
    /// `example` are asked for in any case, so that they are known.
    pub(super) fn sections<T>(
        &mut self,
        name: &'static str,
        example: &str,
        check: impl Fn(&str) -> Check,
        read: impl Fn(&mut Section<'_, '_, '_>, &str) -> T,
    ) -> Vec<(String, T)> {
        let table = self.take(name).and_then(|value| {
            let table = value.get_ref().as_table();
            if table.is_none() {
                let expected = format!("sections such as [{name}.{example}]");
                self.mistyped(name, value, &expected, None);
            }
            table
        });
        let path = format!("{name}.{example}");
        Section { reader: &mut *self.reader, table: None, path }.read(|it| read(it, example));
        let mut found = Vec::new();
        for (key, value) in table.into_iter().flat_map(|table| table.iter()) {
            let called = key.get_ref().as_ref();
            if !self.holds(&format!("each name in [{name}]"), called, key.span(), &check) {
                continue;
            }
            let Some(table) = value.get_ref().as_table() else {
                let expected = format!("a section that begins with [{name}.{called}]");
                self.mistyped(called, value, &expected, None);
                continue;
            };
            let (table, path) = (Some(table), format!("{name}.{called}"));
            let one = Section { reader: &mut *self.reader, table, path };
            found.push((called.to_owned(), one.read(|it| read(it, called))));
        }
        found
    }

    /// Notes a mistake that several values make together.
    pub(super) fn refuse(&mut self, span: Range<usize>, message: String, hint: Option<String>) {
        self.reader.findings.add(Mistake::new(span, message).hint(hint));
    }

    /// The value of this key, which is known from now on.
    pub(super) fn take(&mut self, name: &'static str) -> Option<Value<'d>> {
        self.reader.asked.push((self.path.clone(), name));
        self.table?.get(name)
    }

    /// What stands in the file, as it was written.
    pub(super) fn written(&self, span: &Range<usize>) -> &str {
        self.reader.text.get(span.clone()).unwrap_or_default()
    }

    /// The value as a string that passes the check. `what` begins the message.
    pub(super) fn checked(
        &mut self,
        what: &str,
        value: Value<'d>,
        check: &impl Fn(&str) -> Check,
    ) -> Option<Spanned<String>> {
        let Some(text) = value.get_ref().as_str() else {
            let is_plain = !value.get_ref().is_array() && !value.get_ref().is_table();
            let hint = format!("put it in quotes: `\"{}\"`", self.written(&value.span()));
            let message = format!("{what} must be a string, not {}", kind(value.get_ref()));
            self.refuse(value.span(), message, is_plain.then_some(hint));
            return None;
        };
        let holds = self.holds(what, text, value.span(), check);
        holds.then(|| Spanned::new(value.span(), text.to_owned()))
    }

    /// Whether the check passes; says why not.
    pub(super) fn holds(
        &mut self,
        what: &str,
        text: &str,
        span: Range<usize>,
        check: &impl Fn(&str) -> Check,
    ) -> bool {
        let Err(fault) = check(text) else { return true };
        let message = format!("{what} must be {}, not \"{}\"", fault.expected, clipped(text));
        self.refuse(span, message, fault.hint);
        false
    }

    /// Says that a value is of another type than its key, or out of range.
    pub(super) fn mistyped(
        &mut self,
        name: &str,
        value: Value<'_>,
        expected: &str,
        hint: Option<String>,
    ) {
        let found = match value.get_ref() {
            DeValue::Integer(_) | DeValue::Float(_) => clipped(self.written(&value.span())),
            other => kind(other).to_owned(),
        };
        self.refuse(value.span(), format!("`{name}` must be {expected}, not {found}"), hint);
    }

    /// Refuses every key of the table that was not asked for since `first`.
    fn refuse_unknown(&mut self, first: usize) {
        let Some(table) = self.table else { return };
        let here: Vec<&'static str> = self.reader.asked[first..]
            .iter()
            .filter(|(path, _)| *path == self.path)
            .map(|&(_, key)| key)
            .collect();
        let mut unknown: Vec<_> =
            table.iter().filter(|(key, _)| !here.contains(&key.get_ref().as_ref())).collect();
        unknown.sort_by_key(|(key, _)| key.span().start);
        let (path, known) = (&self.path, self.reader.known);
        self.reader.findings.add_some(&unknown, |(key, value)| {
            let word = key.get_ref().as_ref();
            let what = if value.get_ref().is_table() { "section" } else { "key" };
            let place = if path.is_empty() { String::new() } else { format!(" in [{path}]") };
            let message = format!("unknown {what} `{}`{place}", clipped(word));
            Mistake::new(key.span(), message).hint(Some(key_hint(word, path, &here, known)))
        });
    }
}

/// What to write for an unknown key: one that is near, the section that it belongs
/// to, or what is known here.
fn key_hint(word: &str, path: &str, here: &[&'static str], known: &Schema) -> String {
    if let Some(meant) = nearest(word, here.iter().copied()) {
        return format!("did you mean `{meant}`?");
    }
    if let Some((home, _)) = known.iter().find(|(home, key)| *key == word && home != path) {
        return match home.as_str() {
            "" => format!("`{word}` belongs to the top level"),
            home => format!("`{word}` belongs to [{home}]"),
        };
    }
    let listed: Vec<String> = here.iter().map(|key| format!("`{key}`")).collect();
    format!("known here: {}", listed.join(", "))
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
