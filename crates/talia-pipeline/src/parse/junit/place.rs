//! Where a test failed, from what pytest wrote about it.

use camino::{Utf8Path, Utf8PathBuf};

/// Longer lines are source or data, never a place.
const LONGEST_LINE: usize = 4096;

/// A place in a file.
pub(super) type Place = (Utf8PathBuf, Option<u32>);

/// Reads a traceback line by line and remembers the places in the project.
pub(super) struct Places<'a> {
    root: &'a Utf8Path,
    /// The test's own file, if it is known.
    own: Option<Utf8PathBuf>,
    line: String,
    too_long: bool,
    last_own: Option<Place>,
    last: Option<Place>,
    /// The last line that says what went wrong (`E   …`).
    pub(super) explanation: String,
}

impl<'a> Places<'a> {
    pub(super) fn new(root: &'a Utf8Path, own: Option<Utf8PathBuf>) -> Self {
        Self {
            root,
            own,
            line: String::new(),
            too_long: false,
            last_own: None,
            last: None,
            explanation: String::new(),
        }
    }

    pub(super) fn push(&mut self, text: &str) {
        for piece in text.split_inclusive('\n') {
            let content = piece.trim_end_matches(['\n', '\r']);
            self.too_long |= self.line.len() + content.len() > LONGEST_LINE;
            if !self.too_long {
                self.line.push_str(content);
            }
            if piece.ends_with('\n') {
                self.end_line();
            }
        }
    }

    /// The innermost place in the test's own file; else the innermost in the
    /// project. What lies in an environment or elsewhere on the machine is
    /// nothing that the project's people can mend.
    pub(super) fn finish(&mut self) -> Option<Place> {
        self.end_line();
        self.last_own.take().or(self.last.take())
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.too_long) {
            return;
        }
        if let Some(text) = line.strip_prefix("E   ").map(str::trim).filter(|text| !text.is_empty())
        {
            text.clone_into(&mut self.explanation);
        }
        let Some((path, number)) = python_frame(&line).or_else(|| pytest_line(&line)) else {
            return;
        };
        let Some(path) = inside(path, self.root) else { return };
        let place = (path, Some(number));
        if self.own.as_ref() == Some(&place.0) {
            self.last_own = Some(place);
        } else {
            self.last = Some(place);
        }
    }
}

/// `tests/test_a.py:12: AssertionError`, `tests/test_a.py:12: ` and
/// `tests/test_a.py:12: in helper`.
fn pytest_line(line: &str) -> Option<(&str, u32)> {
    let (place, _) = line.split_once(": ").or_else(|| Some((line.strip_suffix(':')?, "")))?;
    let (path, number) = place.rsplit_once(':')?;
    let odd = path.is_empty() || path.starts_with([' ', '\t', '>', '<', '\'', '"', '(']);
    (!odd).then_some((path, number.parse().ok()?))
}

/// `File "/srv/tests/test_a.py", line 12, in test_a`, as Python itself writes
/// it, and pytest for a syntax error (behind an `E`).
fn python_frame(line: &str) -> Option<(&str, u32)> {
    let line = line.strip_prefix('E').unwrap_or(line).trim_start();
    let (path, rest) = line.strip_prefix("File \"")?.rsplit_once("\", line ")?;
    let digits = rest.split(|char: char| !char.is_ascii_digit()).next()?;
    Some((path, digits.parse().ok()?))
}

/// The path relative to the project, if it lies inside and belongs to it.
pub(super) fn inside(path: &str, root: &Utf8Path) -> Option<Utf8PathBuf> {
    let path = Utf8Path::new(path);
    let path = path.strip_prefix(root).or_else(|_| path.strip_prefix(".")).unwrap_or(path);
    let foreign = |part: &str| part == ".." || part == "site-packages" || part == "dist-packages";
    let outside = path.is_absolute() || path.components().any(|part| foreign(part.as_str()));
    (!outside && !path.as_str().is_empty()).then(|| path.to_owned())
}

/// The file of a test from its class name, and the classes inside:
/// `tests.test_a.TestB` is `tests/test_a.py` and `TestB`. Known only where a
/// part is named as pytest names test files by default.
pub(super) fn file_of(class_name: &str) -> Option<(Utf8PathBuf, Vec<&str>)> {
    let odd = |byte: u8| byte == b'/' || byte == b' ';
    if class_name.bytes().any(odd) || class_name.contains("..") {
        return None;
    }
    let parts: Vec<&str> = class_name.split('.').collect();
    let is_file = |part: &&str| part.starts_with("test_") || part.ends_with("_test");
    let index = parts.iter().rposition(is_file)?;
    Some((format!("{}.py", parts[..=index].join("/")).into(), parts[index + 1..].to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str, own: &str) -> Option<String> {
        let mut places = Places::new("/srv".into(), Some(own.into()));
        for char in text.chars() {
            places.push(char.encode_utf8(&mut [0; 4]));
        }
        places.finish().map(|(path, line)| format!("{path}:{}", line.unwrap()))
    }

    #[test]
    fn the_innermost_place_in_the_own_file_wins() {
        let text = "\ntests/test_a.py:3: in test_a\n    f()\ntests/test_a.py:9: \n_ _ _\napp/x.py:7: ValueError";
        assert_eq!(place(text, "tests/test_a.py").as_deref(), Some("tests/test_a.py:9"));
        assert_eq!(place(text, "tests/test_b.py").as_deref(), Some("app/x.py:7"));
    }

    #[test]
    fn every_style_of_traceback() {
        let cases = [
            ("/srv/tests/test_a.py:4: AssertionError: x: y", Some("tests/test_a.py:4")),
            (
                "  File \"/srv/tests/test_a.py\", line 5, in test_a\n    assert 0",
                Some("tests/test_a.py:5"),
            ),
            (
                "E     File \"/srv/tests/test_a.py\", line 6\nE       def f(:",
                Some("tests/test_a.py:6"),
            ),
            ("./tests/test_a.py:7:", Some("tests/test_a.py:7")),
            ("a b/tést_ä.py:8: E", Some("a b/tést_ä.py:8")),
            ("/usr/lib/python3/ast.py:52: in parse", None),
            ("../venv/lib/x.py:1: in f", None),
            ("venv/lib/python3.12/site-packages/x.py:1: in f", None),
            ("<frozen importlib._bootstrap>:935: in _load", None),
            ("    app/x.py:3: not a place", None),
            (">   app/x.py:3: not a place", None),
            ("E   app/x.py:3: not a place", None),
            ("app/x.py:99999999999: too far", None),
            (":3: x\n:: \n: \n", None),
        ];
        for (text, expected) in cases {
            let expected = expected.map(str::to_owned);
            // `E` in front of a path is pytest's mark, not a folder.
            assert_eq!(
                place(text, "none").filter(|place| !place.starts_with("E ")),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn the_file_of_a_class_name() {
        assert_eq!(
            file_of("tests.api.test_a.TestB.TestC"),
            Some(("tests/api/test_a.py".into(), vec!["TestB", "TestC"]))
        );
        assert_eq!(file_of("unit.a_test"), Some(("unit/a_test.py".into(), vec![])));
        for unknown in ["", "tests.checks", "tests..test_a", "a b.test_c"] {
            assert_eq!(file_of(unknown), None);
        }
    }
}
