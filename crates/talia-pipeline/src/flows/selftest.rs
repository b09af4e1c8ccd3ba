//! A Rust workspace's own checks: format, lints, tests, documentation.

use camino::Utf8Path;

use crate::{
    context::Context,
    error::Result,
    steps::cargo::{CargoClippy, CargoDoc, CargoFmt, CargoTest, TestCounts},
};

/// What [`selftest`] counted, by kind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SelftestReport {
    /// Kinds of tests and how many of each there were.
    pub tests: Vec<(&'static str, TestCounts)>,
}

/// Measures deploys in a sandbox under load: many releases, and the field's literal
/// command beside them. Takes about twenty minutes.
///
/// # Errors
/// When a release has lost a request, or fails.
pub fn soak(cx: &Context, root: &Utf8Path) -> Result<SelftestReport> {
    let name = "deploys under load";
    let arguments = vec!["--test", "deploy", "--", "--soak"];
    let counts = cx.run(CargoTest::new(root, name, arguments))?;
    Ok(SelftestReport { tests: vec![(name, counts)] })
}

/// Checks the workspace at `root`. `fast` leaves out the
/// documentation, its tests, and the tests with real tools and in a sandbox.
///
/// One after the other: cargo's own lock would make them wait for each other.
///
/// # Errors
/// With the first failure of a kind; tests of other kinds still run.
pub fn selftest(cx: &Context, root: &Utf8Path, fast: bool) -> Result<SelftestReport> {
    cx.run(CargoFmt::new(root))?;
    cx.run(CargoClippy::new(root))?;
    let mut kinds: Vec<(&'static str, Vec<&'static str>)> = vec![
        ("unit and snapshot tests", vec!["--lib", "--bins"]),
        ("runner, flow and tidy tests", vec!["--test", "it", "--examples"]),
    ];
    if !fast {
        kinds.push(("documentation tests", vec!["--doc"]));
        kinds.push(("real-tool tests", vec!["--test", "real"]));
        kinds.push(("sandbox tests", vec!["--test", "e2e"]));
        kinds.push(("deploy tests", vec!["--test", "deploy"]));
    }
    let mut report = SelftestReport::default();
    let mut failures = Vec::new();
    for (name, arguments) in kinds {
        match cx.run(CargoTest::new(root, name, arguments)) {
            Ok(counts) => report.tests.push((name, counts)),
            Err(error) => failures.push(error),
        }
    }
    if !fast {
        failures.extend(cx.run(CargoDoc::new(root)).err());
    }
    if failures.is_empty() { Ok(report) } else { Err(crate::Error::all(failures)) }
}
