//! pytest's JUnit report (`--junitxml`, families `xunit1` and `xunit2`).
//!
//! The file is read as a stream: a report of any size takes bounded memory.
//! What pytest's own summary counts is counted the same way, with two limits
//! that lie in the format: a test that passes unexpectedly looks like any that
//! passes, and of a test whose subtests failed the report does not say whether
//! the rest of it passed (it is not counted as passed).

mod excerpt;
mod place;
mod read;
mod report;
mod source;
mod state;
mod xml;

pub use report::{FindingKind, SlowTest, TestCase, TestFinding, TestReport};
