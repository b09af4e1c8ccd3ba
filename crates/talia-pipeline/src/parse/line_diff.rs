//! How two texts differ, for people.

use similar::TextDiff;

/// The unified diff of two texts, with three lines around each change; empty where
/// they are the same.
///
/// ```
/// use talia_pipeline::parse::line_diff;
///
/// let diff = line_diff::unified("a.txt", "one\ntwo\n", "one\n2\n");
/// assert!(diff.ends_with(" one\n-two\n+2\n"));
/// assert_eq!(line_diff::unified("a.txt", "x", "x"), "");
/// ```
pub fn unified(name: &str, before: &str, after: &str) -> String {
    if before == after {
        return String::new();
    }
    TextDiff::from_lines(before, after)
        .unified_diff()
        .context_radius(3)
        .header(name, name)
        .to_string()
}
