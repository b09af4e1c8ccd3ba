//! The formats that people hand in by mistake, told by their root element or
//! their first bytes, so that the error can name them.

/// What a document with this root element is, as a noun with its article.
pub(super) fn by_root(name: &str) -> Option<&'static str> {
    Some(match name {
        "testsuite" | "testsuites" => "a JUnit report",
        "report" => "a JaCoCo report",
        "CoverageSession" => "an OpenCover report",
        "Root" => "a dotCover report",
        "results" | "CoverageDSPriv" => "a Visual Studio coverage report",
        "phpunit" => "a PHPUnit report",
        "assemblies" => "an xUnit report",
        "test-run" | "test-results" => "an NUnit report",
        "TestRun" => "a Visual Studio test report",
        "checkstyle" => "a Checkstyle report",
        "html" | "HTML" => "an HTML page",
        _ => return None,
    })
}

/// What a document with the root element `coverage` and this first child is, if
/// not a Cobertura report.
pub(super) fn by_first_child(name: &str) -> Option<&'static str> {
    match name {
        "project" | "testproject" => Some("a Clover report"),
        "file" => Some("a report in SonarQube's generic format"),
        _ => None,
    }
}

/// What begins with this text, if not XML.
pub(super) fn by_start(text: &str) -> Option<&'static str> {
    let text = text.trim_start();
    Some(match text {
        _ if text.starts_with("TN:") || text.starts_with("SF:") => "an LCOV tracefile",
        _ if text.starts_with("mode: ") => "a Go coverage profile",
        _ if text.starts_with(['{', '[']) => "JSON",
        _ if text.starts_with("SQLite format 3") => "a database, as coverage.py keeps its data",
        _ if text.starts_with("version https://git-lfs") => "a Git LFS pointer",
        _ => return None,
    })
}
