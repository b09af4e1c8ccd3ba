//! Errors with the name of the file, the line and the column.

use std::io::BufRead;

use camino::Utf8Path;
use quick_xml::{
    encoding::EncodingError,
    errors::{Error as XmlError, IllFormedError, SyntaxError},
};

use super::{
    attributes::short,
    input::{Failure, Input, LONGEST_PIECE, Unreadable},
    place::Place,
    reader::{At, Stop},
};
use crate::{diagnostic::Diagnostic, error::Error, parse::visible};

const INTERRUPTED: &str = "write the report again: its writer was interrupted";

/// Makes the errors of one report.
pub(super) struct Failing<'a> {
    file: &'a Utf8Path,
}

impl<'a> Failing<'a> {
    pub(super) fn new(file: &'a Utf8Path) -> Self {
        Self { file }
    }

    fn at(&self, line: u64, column: u64, what: &str) -> Error {
        let file = visible(self.file.as_str());
        let number = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let finding =
            Diagnostic::error(what).file(self.file).line(number(line)).column(number(column));
        Error::usage(format!("{file}:{line}:{column}: {what}")).diagnostics(vec![finding])
    }

    fn place(&self, place: Place, what: impl AsRef<str>) -> Error {
        self.at(place.line, place.column, what.as_ref())
    }

    /// The file could not even be begun.
    pub(super) fn unreadable(&self, error: Unreadable) -> Error {
        match error {
            Unreadable::Empty => self
                .at(1, 1, "empty file (0 bytes)")
                .hint("write the report again: its writer ended before it wrote anything"),
            Unreadable::Utf32 => self.at(1, 1, "this file is in UTF-32, which is not read"),
            Unreadable::Foreign(known) => {
                self.at(1, 1, &format!("this is {known}, not a Cobertura coverage.xml"))
            }
            Unreadable::UnknownEncoding(label) => {
                self.at(1, 1, &format!("unknown encoding `{}`", short(&label)))
            }
            Unreadable::Read(error) => self.cannot_read(error),
        }
    }

    fn cannot_read(&self, error: std::io::Error) -> Error {
        let file = visible(self.file.as_str());
        Error::usage(format!("cannot read {file}: {error}")).caused_by(error)
    }

    /// The walk stopped.
    pub(super) fn stop(&self, stop: Stop, input: &Input<'_>) -> Error {
        let place = match stop.at {
            At::Event => input.marked(),
            At::Inside(before) => input.marked().behind(before.as_bytes()),
            At::End => input.here(),
        };
        let error = self.place(place, stop.what);
        match stop.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }

    /// quick-xml could not read the next event. `piece` is what it had of it.
    pub(super) fn xml(
        &self,
        error: XmlError,
        input: &mut Input<'_>,
        piece: &[u8],
        inside: Option<&str>,
    ) -> Error {
        if let Some(failure) = input.take_failure() {
            return self.input(failure, inside);
        }
        let start = input.marked();
        match error {
            XmlError::Encoding(EncodingError::Utf8(_)) => {
                let valid = match std::str::from_utf8(piece) {
                    Ok(_) => piece.len(),
                    Err(error) => error.valid_up_to(),
                };
                let byte = piece.get(valid).copied().unwrap_or_default();
                self.place(
                    start.behind(&piece[..valid]),
                    format!("byte 0x{byte:02X} is not UTF-8, and no other encoding is declared"),
                )
            }
            XmlError::Syntax(syntax) => {
                let ended = input.fill_buf().is_ok_and(<[u8]>::is_empty);
                if !ended {
                    return self.place(start, "malformed XML: `<!` begins nothing that is known");
                }
                let what = match syntax {
                    SyntaxError::UnclosedComment => "a comment",
                    SyntaxError::UnclosedDoctype => "the DOCTYPE",
                    SyntaxError::UnclosedCData => "a CDATA section",
                    SyntaxError::UnclosedPI | SyntaxError::UnclosedXmlDecl => {
                        "a processing instruction"
                    }
                    _ => "a tag",
                };
                let inside = inside.map(|name| format!(" in <{}>", short(name)));
                let inside = inside.unwrap_or_default();
                self.place(input.here(), format!("truncated: the file ends inside {what}{inside}"))
                    .hint(INTERRUPTED)
            }
            XmlError::IllFormed(IllFormedError::MismatchedEndTag { expected, found }) => self
                .place(
                    start,
                    format!(
                        "malformed XML: </{}> where <{}> is open",
                        short(&found),
                        short(&expected)
                    ),
                ),
            XmlError::IllFormed(IllFormedError::UnmatchedEndTag(found)) => self
                .place(start, format!("malformed XML: </{}> where nothing is open", short(&found))),
            XmlError::IllFormed(IllFormedError::UnclosedReference) => {
                self.place(start, "malformed XML: `&` without `;`")
            }
            other => self.place(start, format!("malformed XML: {}", short(&other.to_string()))),
        }
    }

    fn input(&self, failure: Failure, inside: Option<&str>) -> Error {
        match failure {
            Failure::Forbidden(byte, place) if inside.is_none() => self
                .place(place, format!("not XML: byte 0x{byte:02X} where an element should begin")),
            Failure::Forbidden(byte, place) => self
                .place(
                    place,
                    format!(
                        "malformed XML: control character U+{byte:04X} in <{}>",
                        short(inside.unwrap_or_default())
                    ),
                )
                .hint("XML has no way to write this character: rename what holds it"),
            Failure::TooLong(place) => self.place(
                place,
                format!("a single piece of markup is longer than {} MiB", LONGEST_PIECE >> 20),
            ),
            Failure::Encoding(encoding, place) => {
                self.place(place, format!("what follows cannot be decoded as {encoding}"))
            }
            Failure::Read(error) => self.cannot_read(error),
        }
    }
}
