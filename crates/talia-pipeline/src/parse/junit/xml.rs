//! What the XML may say, whatever it says it about.

use std::time::Duration;

use quick_xml::{XmlVersion, events::BytesStart};

use super::excerpt::shortened;

/// Names the reports that are mistaken for this one.
pub(super) fn check_root(name: &str) -> Result<(), String> {
    let other = match name {
        "testsuites" | "testsuite" => return Ok(()),
        "coverage" => "a coverage report (Cobertura, Clover or Sonar)",
        "report" => "a JaCoCo report",
        "testExecutions" => "a Sonar test report",
        "assemblies" | "test-run" | "TestRun" => "a report of a .NET test runner",
        "html" => "an HTML page",
        _ => return Err(format!("the root element <{name}> is not that of a JUnit report")),
    };
    Err(format!("this is {other}, not a JUnit report"))
}

/// The values of some attributes. Whether one stands twice is not checked: a
/// hostile file could make that quadratic, and the first one counts.
pub(super) fn attributes<const N: usize>(
    tag: &BytesStart<'_>,
    names: [&str; N],
) -> Result<[Option<String>; N], String> {
    let mut values = [const { None }; N];
    for attribute in tag.attributes().with_checks(false) {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let Some(index) = names.iter().position(|&name| name == attribute.key.0) else { continue };
        if values[index].is_none() {
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|error| error.to_string())?;
            values[index] = Some(shortened(&value, 4000));
        }
    }
    Ok(values)
}

/// A time in seconds; zero if it is none.
pub(super) fn seconds(text: &str) -> Duration {
    text.trim()
        .parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .unwrap_or_default()
}

/// What XML 1.0 allows.
pub(super) fn allowed(char: char) -> bool {
    matches!(char, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}
