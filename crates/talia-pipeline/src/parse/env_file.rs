//! A service's `.env` file.
//!
//! Every tool reads such files in a way of its own: Docker Compose replaces `$NAME`
//! in some values, others do not, and none agrees with the others about quotes. A
//! value must reach the service byte for byte, so this is a grammar of our own,
//! without any replacing, and what is outside of it is an error with its place:
//!
//! ```text
//! file     = line*                       UTF-8; lines end with LF or CRLF
//! line     = blank* [ "#" any* | ["export" blank+] name "=" blank* value ]
//! name     = [A-Za-z_][A-Za-z0-9_]*
//! value    = plain | single | double
//! plain    = any*                        to the end of the line, blanks trimmed;
//!                                        a blank and `#` begin a comment;
//!                                        `$` and `\` mean themselves
//! single   = "'" any-but-quote* "'" end  literal; may span lines
//! double   = '"' (any | escape)* '"' end may span lines; `$` means itself
//! escape   = \n \r \t \" \\ \$ \`
//! end      = blank* [ "#" any* ]         to the end of the line
//! blank    = space | tab
//! ```
//!
//! A line end inside quotes is LF in the value, however the file has it; `\r` is
//! written as an escape. A byte order mark at the front is passed over. Of a name
//! that stands twice the last value counts, and [`EnvFile::repeated`] tells.

use std::{collections::BTreeSet, fmt};

use crate::error::{Error, Result};

/// One `NAME=value`. Its `Debug` does not show the value.
#[derive(Clone, PartialEq, Eq)]
pub struct EnvEntry {
    name: String,
    value: String,
    line: usize,
}

impl EnvEntry {
    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// The value, as the service gets it.
    pub fn value(&self) -> &str {
        &self.value
    }
    /// The line on which the name stands, from 1.
    pub fn line(&self) -> usize {
        self.line
    }
}

impl fmt::Debug for EnvEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=*** (line {})", self.name, self.line)
    }
}

/// What a `.env` file says, in its order. Its `Debug` shows names alone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EnvFile {
    entries: Vec<EnvEntry>,
}

impl EnvFile {
    /// Every line that sets a name, in the file's order, repeated ones too.
    pub fn entries(&self) -> &[EnvEntry] {
        &self.entries
    }

    /// The value that counts for this name: the last one.
    pub fn value(&self, name: &str) -> Option<&str> {
        let mut last_first = self.entries.iter().rev();
        last_first.find(|entry| entry.name == name).map(|entry| entry.value.as_str())
    }

    /// Each name once, with the value that counts, in the order of the last ones.
    pub fn effective(&self) -> Vec<&EnvEntry> {
        let mut seen = BTreeSet::new();
        let mut kept: Vec<&EnvEntry> =
            self.entries.iter().rev().filter(|entry| seen.insert(entry.name.as_str())).collect();
        kept.reverse();
        kept
    }

    /// The names that stand more than once, each with the line that counts.
    pub fn repeated(&self) -> Vec<(&str, usize)> {
        let count = |name: &str| self.entries.iter().filter(|entry| entry.name == name).count();
        let effective = self.effective().into_iter();
        effective
            .filter(|entry| count(&entry.name) > 1)
            .map(|entry| (entry.name.as_str(), entry.line))
            .collect()
    }
}

/// Reads a `.env` file; see the [module](self) for its grammar.
///
/// ```
/// use talia_pipeline::parse::env_file;
///
/// let file = env_file::read(b"# of the app\nPRICE='5 $'\nexport NAME=Talia # the app\n")?;
/// assert_eq!(file.value("PRICE"), Some("5 $"));
/// assert_eq!(file.value("NAME"), Some("Talia"));
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
///
/// # Errors
/// A usage error with line and column, and never a part of a value.
pub fn read(bytes: &[u8]) -> Result<EnvFile> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        Error::usage(format!("line {line}: not UTF-8")).hint("save the file as UTF-8")
    })?;
    let text = text.replace("\r\n", "\n");
    let mut reader = Reader { rest: &text, line: 1, column: 1 };
    let mut entries = Vec::new();
    while !reader.rest.is_empty() {
        entries.extend(reader.line()?);
    }
    Ok(EnvFile { entries })
}

/// `NAME="value"` with a newline, as a line of a `.env` file that gives exactly
/// this value back.
///
/// ```
/// use talia_pipeline::parse::env_file;
///
/// let line = env_file::quoted("GREETING", "a \"b\"\n$c # d");
/// assert_eq!(line, "GREETING=\"a \\\"b\\\"\\n\\$c # d\"\n");
/// assert_eq!(env_file::read(line.as_bytes())?.value("GREETING"), Some("a \"b\"\n$c # d"));
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
pub fn quoted(name: &str, value: &str) -> String {
    let mut text = format!("{name}=\"");
    for c in value.chars() {
        match c {
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            // Other readers replace behind `$`, and a shell behind a backquote.
            '"' | '\\' | '$' | '`' => text.extend(['\\', c]),
            c => text.push(c),
        }
    }
    text.push_str("\"\n");
    text
}

/// Where in the file the reading is.
struct Reader<'a> {
    rest: &'a str,
    line: usize,
    column: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = &self.rest[c.len_utf8()..];
        if c == '\n' {
            (self.line, self.column) = (self.line + 1, 1);
        } else {
            self.column += 1;
        }
        Some(c)
    }

    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(is_blank) {
            self.next();
        }
    }

    fn skip_line(&mut self) {
        while self.next().is_some_and(|c| c != '\n') {}
    }

    fn error(&self, what: &str) -> Error {
        error_at((self.line, self.column), what)
    }

    /// One line, or several where quotes span them.
    fn line(&mut self) -> Result<Option<EnvEntry>> {
        self.skip_blanks();
        if matches!(self.peek(), None | Some('\n' | '#')) {
            self.skip_line();
            return Ok(None);
        }
        if let Some(behind) = self.rest.strip_prefix("export")
            && behind.starts_with(is_blank)
        {
            for _ in "export".chars() {
                self.next();
            }
            self.skip_blanks();
        }
        let line = self.line;
        let name = self.name()?;
        let value = match self.rest.trim_start_matches(is_blank).chars().next() {
            Some(quote @ ('\'' | '"')) => {
                self.skip_blanks();
                self.quoted(quote)?
            }
            _ => self.plain(),
        };
        if value.contains('\0') {
            let message = format!("line {line}: the value of {name} has a NUL byte");
            return Err(Error::usage(message).hint("no variable can hold one; encode the value"));
        }
        Ok(Some(EnvEntry { name, value, line }))
    }

    /// A name and the `=` behind it.
    fn name(&mut self) -> Result<String> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if !self.peek().is_some_and(|c| is_part(c) && !c.is_ascii_digit()) {
            return Err(self
                .error("expected a name")
                .hint("a name is letters, digits and `_`, and does not begin with a digit; a value of several lines needs quotes"));
        }
        let mut name = String::new();
        while let Some(c) = self.peek().filter(|c| is_part(*c)) {
            name.push(c);
            self.next();
        }
        if self.peek() != Some('=') {
            return Err(self
                .error("expected `=` right behind the name")
                .hint("write NAME=value, without a blank before `=`"));
        }
        self.next();
        Ok(name)
    }

    /// To the end of the line; a blank and `#` begin a comment.
    fn plain(&mut self) -> String {
        let line = self.rest.split('\n').next().unwrap_or_default();
        let mut signs = line.match_indices('#').map(|(at, _)| at);
        let comment = signs.find(|at| line[..*at].ends_with(is_blank));
        let value = line[..comment.unwrap_or(line.len())].trim_matches(is_blank).to_owned();
        self.skip_line();
        value
    }

    fn quoted(&mut self, quote: char) -> Result<String> {
        let open = self.error("a quote opens here and is never closed");
        let open = open.hint("close it, or put the other kind of quote around the whole value");
        self.next();
        let mut value = String::new();
        loop {
            let before = (self.line, self.column);
            match self.next() {
                None => return Err(open),
                Some(c) if c == quote => break,
                Some('\\') if quote == '"' => value.push(match self.next() {
                    Some('n') => '\n',
                    Some('r') => '\r',
                    Some('t') => '\t',
                    Some(c @ ('"' | '\\' | '$' | '`')) => c,
                    None => return Err(open),
                    Some(_) => {
                        return Err(error_at(before, "unknown escape").hint(
                            "in double quotes write `\\\\` for a backslash; in single quotes it means itself",
                        ));
                    }
                }),
                Some(c) => value.push(c),
            }
        }
        self.skip_blanks();
        match self.peek() {
            None | Some('\n' | '#') => {
                self.skip_line();
                Ok(value)
            }
            Some(_) => Err(self
                .error("something follows the closing quote")
                .hint("put the whole value in quotes, and a quote inside double quotes as `\\\"`")),
        }
    }
}

fn error_at((line, column): (usize, usize), what: &str) -> Error {
    Error::usage(format!("line {line}, column {column}: {what}"))
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

#[cfg(test)]
mod tests;
