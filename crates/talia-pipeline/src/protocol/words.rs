//! A request, word by word.

use std::str::FromStr;

use crate::error::{Error, Result};

/// The words of one line.
pub(super) struct Words<'a> {
    line: &'a str,
    rest: Vec<&'a str>,
}

impl<'a> Words<'a> {
    pub(super) fn new(line: &'a str) -> Self {
        Self { line, rest: line.split(' ').collect() }
    }

    /// Whether no word is left.
    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn next(&mut self, what: &str) -> Result<&'a str> {
        if self.rest.is_empty() {
            return Err(Error::usage(format!("the request ends where {what} is expected")));
        }
        Ok(self.rest.remove(0))
    }

    pub(super) fn parse<T: FromStr<Err = Error>>(&mut self, what: &str) -> Result<T> {
        self.next(what)?.parse()
    }

    /// A word, or `-`/`none` where there is none.
    pub(super) fn maybe<T: FromStr<Err = Error>>(
        &mut self,
        none: &str,
        what: &str,
    ) -> Result<Option<T>> {
        let word = self.next(what)?;
        if word == none { Ok(None) } else { word.parse().map(Some) }
    }

    pub(super) fn keyword(&mut self, keyword: &str) -> Result<()> {
        if self.next(&format!("`{keyword}`"))? == keyword {
            return Ok(());
        }
        Err(Error::usage(format!("expected `{keyword}`")))
    }

    /// Whether this keyword comes next; it is taken then.
    pub(super) fn flag(&mut self, keyword: &str) -> bool {
        let is_next = self.rest.first() == Some(&keyword);
        if is_next {
            self.rest.remove(0);
        }
        is_next
    }

    pub(super) fn end<T>(self, request: T) -> Result<T> {
        if self.rest.is_empty() {
            return Ok(request);
        }
        Err(Error::usage(format!("the request goes on after its end: {} bytes", self.line.len())))
    }
}
