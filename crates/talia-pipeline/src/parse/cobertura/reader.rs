//! Reading a report: the loop, and how it stops.

use std::io::{BufRead, Read};

use camino::Utf8Path;
use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};

use super::{
    attributes::Flaw, canonical, failure::Failing, input::Input, report::Coverage, walk::Walk,
};
use crate::error::Result;

impl Coverage {
    /// Reads a Cobertura report. `file` is its name for messages; nothing of that
    /// name is opened.
    ///
    /// Totals are counted from the lines. Lines of all classes with one file name
    /// are united: a line is hit if any entry hit it, and of its branches the
    /// larger counts hold. Lines of methods count where their class has no others.
    ///
    /// The input may be UTF-8 with or without a byte order mark, UTF-16, or any
    /// encoding that its XML declaration names. It is read once, front to back,
    /// and not kept.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] when this is no Cobertura report, or not XML. The
    /// message begins with `file:line:column:`, the same place is in
    /// [`Error::findings`].
    ///
    /// ```
    /// use camino::Utf8Path;
    /// use talia_pipeline::parse::cobertura::Coverage;
    ///
    /// let xml = r#"<coverage line-rate="1"><packages><package><classes>
    ///     <class filename="./app/main.py"><lines>
    ///         <line number="3" hits="1"/>
    ///         <line number="4" hits="0"/>
    ///     </lines></class>
    /// </classes></package></packages></coverage>"#;
    /// let coverage = Coverage::read(xml.as_bytes(), Utf8Path::new("coverage.xml"))?;
    ///
    /// assert_eq!((coverage.lines.covered, coverage.lines.valid), (1, 2));
    /// assert_eq!(coverage.files[0].path, "app/main.py");
    /// assert_eq!(coverage.files[0].missed().collect::<Vec<_>>(), [4]);
    /// assert_eq!(coverage.disagreements.len(), 1); // it claims a rate of 1
    /// # Ok::<(), talia_pipeline::Error>(())
    /// ```
    ///
    /// [`ErrorKind::Usage`]: crate::ErrorKind::Usage
    /// [`Error::findings`]: crate::Error::findings
    pub fn read(input: impl Read, file: &Utf8Path) -> Result<Self> {
        let failing = Failing::new(file);
        let input = Input::open(input).map_err(|error| failing.unreadable(error))?;
        let mut reader = Reader::from_reader(input);
        let mut walk = Walk::default();
        let mut piece = Vec::with_capacity(1024);
        loop {
            piece.clear();
            reader.get_mut().mark();
            let event = match reader.read_event_into(&mut piece) {
                Ok(event) => event,
                Err(error) => {
                    let inside = walk.innermost();
                    return Err(failing.xml(error, reader.get_mut(), &piece, inside));
                }
            };
            let tag = matches!(event, Event::Start(_) | Event::Empty(_) | Event::End(_));
            match walk.take(event) {
                Ok(true) => {}
                Ok(false) => break,
                Err(stop) => return Err(failing.stop(stop, reader.get_ref())),
            }
            // After a tag quick-xml stands in plain text and has read nothing
            // ahead, so the lines that follow may be taken from under it. It
            // notices no more than that its positions, which are not used, are
            // too low.
            if tag && let Some(class) = walk.class_for_plain_lines() {
                let input = reader.get_mut();
                while let Some((length, line)) = canonical::line(input.ahead()) {
                    class.push(line);
                    input.consume(length);
                }
            }
        }
        Ok(walk.finish())
    }
}

/// Why the walk stops, and where.
pub(super) struct Stop {
    pub(super) at: At,
    pub(super) what: String,
    pub(super) hint: Option<&'static str>,
}

/// A place relative to the event at hand.
pub(super) enum At {
    /// Where the event began.
    Event,
    /// Where the event's text has this byte; the text is given.
    Inside(String),
    /// Where the file ends.
    End,
}

impl Stop {
    pub(super) fn event(what: impl Into<String>) -> Self {
        Self { at: At::Event, what: what.into(), hint: None }
    }

    pub(super) fn flaw(element: &BytesStart<'_>, flaw: Flaw) -> Self {
        let name = element.name().into_inner();
        let before = &element.attributes_raw()[..flaw.at];
        Self { at: At::Inside(format!("<{name}{before}")), what: flaw.what, hint: None }
    }
}
