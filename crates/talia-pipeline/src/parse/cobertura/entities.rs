//! References in values: `&amp;`, `&#10;`, and the entities that a document
//! declares for itself. Nothing outside the document is ever read.

use std::borrow::Cow;

use super::attributes::short;

/// How many entities may stand inside each other.
const DEEPEST: usize = 8;
/// How long a value may become by replacing references, in bytes.
const LONGEST: usize = 64 * 1024;
/// How many references one value may come to: entities that stand for nothing
/// never make it longer, and still multiply.
const MOST_REPLACED: usize = 10_000;
/// How many entities a document may declare.
const MOST_DECLARED: usize = 1000;

/// The general entities of the document's internal subset.
#[derive(Default)]
pub(super) struct Entities {
    declared: Vec<(String, Declared)>,
}

/// A value in the making.
#[derive(Default)]
pub(super) struct Expansion {
    pub(super) text: String,
    replaced: usize,
}

enum Declared {
    Text(String),
    /// With a system or public identifier: stands in another file.
    External,
}

impl Entities {
    /// Reads the declarations out of what stands between `<!DOCTYPE` and `>`.
    ///
    /// Parameter entities are not declared here, so a document that builds its
    /// entities from them is refused at the first reference.
    pub(super) fn declare(&mut self, doctype: &str) {
        let Some((_, mut rest)) = doctype.split_once('[') else { return };
        while let Some(at) = rest.find('<') {
            rest = &rest[at..];
            let skipped = if rest.starts_with("<!--") {
                rest.find("-->").map(|end| end + 3)
            } else if rest.starts_with("<?") {
                rest.find("?>").map(|end| end + 2)
            } else if let Some(body) = rest.strip_prefix("<!ENTITY") {
                self.declare_one(body).map(|length| length + "<!ENTITY".len())
            } else {
                Some(1)
            };
            match skipped {
                Some(skipped) => rest = &rest[skipped..],
                None => return,
            }
        }
    }

    /// Reads ` name "value">` and returns its length, or `None` at the end.
    fn declare_one(&mut self, body: &str) -> Option<usize> {
        let name = body.trim_start();
        let name_end = name.find(|byte: char| byte.is_ascii_whitespace())?;
        let (name, value) = (&name[..name_end], name[name_end..].trim_start());
        let quote = value.chars().next()?;
        let declared = if quote == '"' || quote == '\'' {
            let text = &value[1..];
            Declared::Text(text[..text.find(quote)?].to_owned())
        } else {
            Declared::External
        };
        // XML: the first declaration of a name counts. `%` is no name, so
        // parameter entities fall out here.
        if name != "%" && self.declared.len() < MOST_DECLARED && self.find(name).is_none() {
            self.declared.push((name.to_owned(), declared));
        }
        Some(body.len() - value.len() + 1)
    }

    fn find(&self, name: &str) -> Option<&Declared> {
        self.declared.iter().find(|(known, _)| known == name).map(|(_, declared)| declared)
    }

    /// The value of an attribute as XML has it: references replaced, each raw
    /// line break or tab a space.
    ///
    /// # Errors
    ///
    /// What is wrong, and how many bytes into `raw`.
    pub(super) fn attribute<'a>(&self, raw: &'a str) -> Result<Cow<'a, str>, (usize, String)> {
        if !raw.bytes().any(|byte| matches!(byte, b'&' | b'\n' | b'\r' | b'\t')) {
            return Ok(Cow::Borrowed(raw));
        }
        let mut value = Expansion { text: String::with_capacity(raw.len()), replaced: 0 };
        let mut at = 0;
        while let Some(next) = raw[at..].find(['&', '\n', '\r', '\t']) {
            value.text.push_str(&raw[at..at + next]);
            at += next;
            if raw[at..].starts_with('&') {
                let name = raw[at + 1..].split_once(';').map(|(name, _)| name);
                let name = name.ok_or_else(|| (at, "malformed XML: `&` without `;`".to_owned()))?;
                self.replace(name, &mut value, 0).map_err(|what| (at, what))?;
                at += name.len() + 2;
            } else {
                at += if raw[at..].starts_with("\r\n") { 2 } else { 1 };
                value.text.push(' ');
            }
        }
        value.text.push_str(&raw[at..]);
        Ok(Cow::Owned(value.text))
    }

    /// Appends what the reference `&name;` stands for.
    pub(super) fn replace(
        &self,
        name: &str,
        into: &mut Expansion,
        depth: usize,
    ) -> Result<(), String> {
        let character = match name {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "quot" => '"',
            "apos" => '\'',
            _ => match name.strip_prefix('#') {
                Some(number) => character(number)
                    .ok_or_else(|| format!("`&{};` is no character", short(name)))?,
                None => return self.replace_declared(name, into, depth),
            },
        };
        into.text.push(character);
        Ok(())
    }

    fn replace_declared(
        &self,
        name: &str,
        into: &mut Expansion,
        depth: usize,
    ) -> Result<(), String> {
        into.replaced += 1;
        if into.replaced > MOST_REPLACED {
            return Err(format!("entity `&{};` comes to too many references", short(name)));
        }
        let text = match self.find(name) {
            Some(Declared::Text(text)) => text,
            Some(Declared::External) => {
                return Err(format!(
                    "external entity `&{};`: nothing outside the report is read",
                    short(name)
                ));
            }
            None => return Err(format!("entity `&{};` is not declared", short(name))),
        };
        if depth >= DEEPEST {
            return Err(format!(
                "entity `&{};` stands more than {DEEPEST} levels deep",
                short(name)
            ));
        }
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once('&') {
            into.text.push_str(before);
            let (inner, after) =
                after.split_once(';').ok_or_else(|| "malformed XML: `&` without `;`".to_owned())?;
            self.replace(inner, into, depth + 1)?;
            rest = after;
            // Checked at every step: the bomb is in the sum of many small ones.
            if into.text.len() > LONGEST {
                break;
            }
        }
        into.text.push_str(rest);
        if into.text.len() > LONGEST {
            return Err(format!(
                "entity `&{};` makes the value longer than {} KiB",
                short(name),
                LONGEST / 1024
            ));
        }
        if text.contains('<') {
            return Err(format!("entity `&{};` holds markup", short(name)));
        }
        Ok(())
    }
}

fn character(number: &str) -> Option<char> {
    let code = match number.strip_prefix('x') {
        Some(digits) if digits.bytes().all(|digit| digit.is_ascii_hexdigit()) => {
            u32::from_str_radix(digits, 16).ok()?
        }
        None if number.bytes().all(|digit| digit.is_ascii_digit()) => number.parse().ok()?,
        _ => return None,
    };
    char::from_u32(code).filter(|character| *character != '\0')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(doctype: &str, raw: &str) -> Result<String, String> {
        let mut entities = Entities::default();
        entities.declare(doctype);
        entities.attribute(raw).map(Cow::into_owned).map_err(|(at, what)| format!("{at}: {what}"))
    }

    #[test]
    fn predefined_and_numbered() {
        let raw = "&lt;&gt;&amp;&quot;&apos;&#65;&#x42;&#10;\n\r\n\t.";
        assert_eq!(value("", raw).as_deref(), Ok("<>&\"'AB\n   ."));
    }

    #[test]
    fn declared_in_the_internal_subset() {
        let doctype = "coverage SYSTEM 'http://e/x.dtd' [<!-- <!ENTITY a 'no'> --><?x <!ENTITY a 'no'>?>\
            <!ELEMENT coverage ANY><!ENTITY % p 'x'><!ENTITY a \"one&b;\"><!ENTITY a 'two'>\
            <!ENTITY b '&#45;'><!ENTITY file SYSTEM 'file:///etc/passwd'>]";
        assert_eq!(value(doctype, "&a;.py").as_deref(), Ok("one-.py"));
        assert_eq!(
            value(doctype, "x&file;"),
            Err("1: external entity `&file;`: nothing outside the report is read".into())
        );
        assert_eq!(value(doctype, "&c;"), Err("0: entity `&c;` is not declared".into()));
    }

    #[test]
    fn bombs_are_bounded() {
        let mut doctype = "coverage [<!ENTITY a0 'boom, boom, boom, boom, boom'>".to_owned();
        for level in 1..7 {
            let inner = format!("&a{};", level - 1).repeat(20);
            doctype.push_str(&format!("<!ENTITY a{level} '{inner}'>"));
        }
        doctype.push(']');
        assert!(value(&doctype, "&a1;").is_ok());
        assert!(value(&doctype, "&a6;").unwrap_err().contains("longer than 64 KiB"));
        let silent = doctype.replace("'boom, boom, boom, boom, boom'", "''");
        assert!(value(&silent, "&a6;").unwrap_err().contains("too many references"));
        let endless = "coverage [<!ENTITY a '&b;'><!ENTITY b '&a;'>]";
        assert!(value(endless, "&a;").unwrap_err().contains("levels deep"));
    }

    #[test]
    fn flawed_references_are_errors() {
        for raw in ["&", "&lt", "&#0;", "&#xD800;", "&#;", "&#x;", "&#99999999999;", "&;", "&#+1;"]
        {
            assert!(value("", raw).is_err(), "{raw}");
        }
    }
}
