//! The kinds of values that keys have.

use std::{collections::BTreeSet, ops::RangeInclusive};

use toml::Spanned;

use super::{
    grammar::{Check, Fault},
    percent,
    source::clipped,
    suggest::nearest,
    table::{Section, Value},
};

impl Section<'_, '_, '_> {
    /// A text that passes this check.
    pub(super) fn text(
        &mut self,
        name: &'static str,
        check: impl Fn(&str) -> Check,
    ) -> Option<Spanned<String>> {
        let value = self.take(name)?;
        self.checked(&format!("`{name}`"), value, &check)
    }

    /// A list of texts that each pass this check.
    pub(super) fn texts(
        &mut self,
        name: &'static str,
        check: impl Fn(&str) -> Check,
    ) -> Option<Vec<Spanned<String>>> {
        let value = self.take(name)?;
        let Some(items) = value.get_ref().as_array() else {
            let hint = format!("write `{name} = [{}]`", clipped(self.written(&value.span())));
            let hint = value.get_ref().is_str().then_some(hint);
            self.mistyped(name, value, "an array of strings", hint);
            return None;
        };
        let what = format!("each of `{name}`");
        Some(items.iter().filter_map(|item| self.checked(&what, item, &check)).collect())
    }

    /// As [`Section::texts`], none of them twice.
    pub(super) fn names(
        &mut self,
        name: &'static str,
        check: impl Fn(&str) -> Check,
    ) -> Option<Vec<Spanned<String>>> {
        let names = self.texts(name, check)?;
        let mut seen = BTreeSet::new();
        for one in &names {
            if !seen.insert(one.get_ref()) {
                let message = format!("`{name}` has `{}` twice", clipped(one.get_ref()));
                self.refuse(one.span(), message, Some("keep one of the two".to_owned()));
            }
        }
        Some(names)
    }

    /// As [`Section::names`], and at least one, because none would say nothing.
    pub(super) fn some_names(
        &mut self,
        name: &'static str,
        check: impl Fn(&str) -> Check,
    ) -> Option<Vec<Spanned<String>>> {
        let list = self.table.and_then(|table| table.get(name));
        if let Some(value) = list
            && value.get_ref().as_array().is_some_and(|items| items.is_empty())
        {
            let hint = "without the key, they are found".to_owned();
            self.refuse(value.span(), format!("`{name}` must not be empty"), Some(hint));
        }
        self.names(name, check)
    }

    /// A table of free names, each with a text.
    pub(super) fn pairs(
        &mut self,
        name: &'static str,
        check_name: impl Fn(&str) -> Check,
        check: impl Fn(&str) -> Check,
    ) -> Vec<(Spanned<String>, String)> {
        let Some(value) = self.take(name) else { return Vec::new() };
        let Some(table) = value.get_ref().as_table() else {
            let expected = "a table, such as `{ NAME = \"value\" }`";
            self.mistyped(name, value, expected, None);
            return Vec::new();
        };
        let mut pairs = Vec::new();
        for (key, value) in table.iter() {
            let what = format!("each name in `{name}`");
            let is_right = self.holds(&what, key.get_ref(), key.span(), &check_name);
            let what = format!("`{}` in `{name}`", clipped(key.get_ref()));
            let text = self.checked(&what, value, &check);
            if let (true, Some(text)) = (is_right, text) {
                let key = Spanned::new(key.span(), key.get_ref().to_string());
                pairs.push((key, text.into_inner()));
            }
        }
        pairs
    }

    /// A whole number in this range.
    pub(super) fn whole(
        &mut self,
        name: &'static str,
        range: RangeInclusive<u64>,
        unit: &str,
    ) -> Option<u64> {
        let value = self.take(name)?;
        let number = value
            .get_ref()
            .as_integer()
            .and_then(|integer| u64::from_str_radix(integer.as_str(), integer.radix()).ok());
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let expected =
                format!("a whole number of {unit} from {} to {}", range.start(), range.end());
            let hint = unquoted(value, |text| text.parse::<u64>().is_ok());
            self.mistyped(name, value, &expected, hint);
        }
        number
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, name: &'static str) -> Option<bool> {
        let value = self.take(name)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            let hint = unquoted(value, |text| matches!(text, "true" | "false"));
            self.mistyped(name, value, "`true` or `false`", hint);
        }
        flag
    }

    /// A percentage, read from the digits themselves.
    pub(super) fn percent(&mut self, name: &'static str) -> Option<crate::coverage::Percent> {
        let value = self.take(name)?;
        let number = value.get_ref();
        let written =
            if number.is_integer() || number.is_float() { self.written(&value.span()) } else { "" };
        percent::read(written)
            .map_err(|expected| {
                let hint = unquoted(value, |text| percent::read(text).is_ok());
                self.mistyped(name, value, expected, hint);
            })
            .ok()
    }

    /// One of these words.
    pub(super) fn choice<T: Copy>(
        &mut self,
        name: &'static str,
        choices: &[(&str, T)],
    ) -> Option<Spanned<T>> {
        let words = || choices.iter().map(|&(word, _)| word);
        let text = self.text(name, |text| {
            let listed: Vec<String> = words().map(|word| format!("`{word}`")).collect();
            let meant = nearest(text, words()).map(|meant| format!("did you mean `{meant}`?"));
            if words().any(|word| word == text) {
                return Ok(());
            }
            Err(Fault::new(format!("one of {}", listed.join(", "))).hint(meant))
        })?;
        let chosen = choices.iter().find(|&&(word, _)| word == text.get_ref())?;
        Some(Spanned::new(text.span(), chosen.1))
    }
}

/// The hint for a number in quotes.
fn unquoted(value: Value<'_>, is_number: impl Fn(&str) -> bool) -> Option<String> {
    let text = value.get_ref().as_str().filter(|text| is_number(text))?;
    Some(format!("leave out the quotes: `{text}`"))
}
