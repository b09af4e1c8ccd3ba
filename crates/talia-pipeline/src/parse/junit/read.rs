//! Reading the file: errors get their place here.

use std::io::BufRead;

use camino::Utf8Path;
use quick_xml::{Reader, events::Event};

use super::{excerpt::shortened, report::TestReport, source::Source, state::State};
use crate::{Diagnostic, Error, Result};

impl TestReport {
    /// Reads a report. `file` is its name for messages. `root` is the absolute
    /// folder that pytest ran in: places below it become relative to it, and
    /// those elsewhere are left out.
    ///
    /// # Errors
    ///
    /// A usage error with line and column if it is not a whole JUnit report.
    /// Document types are refused, so that no entity can be defined and no
    /// other file is named; so are control characters, encodings other than
    /// UTF-8, and a single text of more than 64 MiB.
    ///
    /// ```
    /// use talia_pipeline::parse::junit::TestReport;
    ///
    /// let xml = r#"<testsuites><testsuite time="0.5">
    ///   <testcase classname="tests.test_a" name="test_good" time="0.1"/>
    ///   <testcase classname="tests.test_a" name="test_bad" time="0.4"><failure message="assert 1 == 2">
    /// tests/test_a.py:12: AssertionError</failure></testcase>
    /// </testsuite></testsuites>"#;
    /// let report = TestReport::read(xml.as_bytes(), "report.xml".into(), "/srv".into())?;
    /// assert_eq!((report.passed, report.failed), (1, 1));
    /// assert_eq!(
    ///     report.diagnostics()[0].to_string(),
    ///     "tests/test_a.py:12: tests/test_a.py::test_bad: assert 1 == 2"
    /// );
    /// # Ok::<(), talia_pipeline::Error>(())
    /// ```
    pub fn read(input: impl BufRead, file: &Utf8Path, root: &Utf8Path) -> Result<Self> {
        let mut reader = Reader::from_reader(Source::new(input));
        let config = reader.config_mut();
        config.expand_empty_elements = true;
        let (mut state, mut buffer) = (State::new(root), Vec::new());
        loop {
            buffer.clear();
            let place = reader.get_mut().begin_piece();
            let event = reader.read_event_into(&mut buffer);
            // A problem of the source is nearer to the cause than what the
            // reader makes of it, and names the exact place.
            if let Some(problem) = reader.get_mut().take_problem() {
                return Err(error(file, (problem.line, problem.column), &problem.what));
            }
            let result = match event {
                Ok(Event::Eof) => return state.finish().map_err(|what| error(file, place, &what)),
                Ok(event) => state.event(event),
                Err(quick_xml::Error::Io(cause)) => {
                    let cause = std::io::Error::new(cause.kind(), cause);
                    return Err(Error::usage(format!("cannot read {file}")).caused_by(cause));
                }
                Err(cause) => Err(cause.to_string()),
            };
            result.map_err(|what| error(file, place, &what))?;
            // One huge text must not keep its memory until the end.
            buffer.shrink_to(1 << 20);
        }
    }
}

fn error(file: &Utf8Path, (line, column): (u64, u64), what: &str) -> Error {
    let what = shortened(what, 300);
    let number = |number| u32::try_from(number).unwrap_or(u32::MAX);
    let place = Diagnostic::error(&*what).file(file).line(number(line)).column(number(column));
    Error::usage(format!("{file}:{line}:{column}: {what}"))
        .hint("let pytest write the report again with `--junitxml=FILE`")
        .diagnostics(vec![place])
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
