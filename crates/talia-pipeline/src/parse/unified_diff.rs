//! `git diff` read into the lines that it adds, per file.
//!
//! Made for the output of `git` with [`GIT_OPTIONS`]. Context and other prefixes of
//! one letter are read as well.

use std::str;

use camino::Utf8PathBuf;

use super::visible;
use crate::error::{Error, Result};

/// What to give `git` before the revisions, and before the `--` that ends them:
/// `BASE...HEAD` for what a branch adds, or the merge base of both for the same
/// in the working tree.
///
/// Each switches off a setting of the user or the machine that changes what is
/// printed: quoting (so that every name is ASCII), colour, external drivers, text
/// conversion, prefixes, context, relative names, the algorithm, submodules as logs,
/// and an order file, which git would die of if it were gone. Tried with all of them
/// set: the output is the same to the byte. `GIT_DIFF_OPTS` in the environment still
/// adds context, which is read over. Files that `.gitattributes` marks `-diff` are
/// binary to git and have no lines.
pub const GIT_OPTIONS: [&str; 18] = [
    "-c",
    "core.quotePath=true",
    "diff",
    "--unified=0",
    "--inter-hunk-context=0",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--no-relative",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--find-renames",
    "--diff-algorithm=default",
    "--indent-heuristic",
    "--ignore-submodules=all",
    "--submodule=short",
    "-O/dev/null",
    "--end-of-options",
];

/// One file of a diff that has lines on the new side.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChangedFile {
    /// Its name after the change, relative to the repository's top.
    pub path: Utf8PathBuf,
    /// The added and rewritten lines as ranges, both ends included, counted from
    /// 1 in the new file; ascending and apart from each other.
    pub lines: Vec<(u64, u64)>,
}

impl ChangedFile {
    /// A file with these changed lines, in any order.
    pub fn new(path: impl Into<Utf8PathBuf>, lines: impl IntoIterator<Item = u64>) -> Self {
        let mut numbers: Vec<u64> = lines.into_iter().collect();
        numbers.sort_unstable();
        numbers.dedup();
        let mut file = Self { path: path.into(), lines: Vec::new() };
        numbers.into_iter().for_each(|number| file.add(number));
        file
    }

    fn add(&mut self, number: u64) {
        match self.lines.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ => self.lines.push((number, number)),
        }
    }
}

/// Reads a diff.
///
/// Deleted files, pure renames, mode changes and binary files have no lines and
/// are left out. The text of lines may be in any encoding; a name that is not
/// UTF-8 is an error.
///
/// # Errors
///
/// [`ErrorKind::Usage`] with the line of the diff that cannot be right: a broken
/// header, a hunk cut short, or a combined diff as a merge shows it.
///
/// ```
/// use talia_pipeline::parse::unified_diff;
///
/// let diff = b"diff --git a/old.py b/new name.py\n\
///     similarity index 90%\nrename from old.py\nrename to new name.py\n\
///     --- a/old.py\n+++ b/new name.py\t\n@@ -3 +3,2 @@ def f():\n-x\n+y\n+z\n";
/// let files = unified_diff::read(diff)?;
///
/// assert_eq!(files[0].path, "new name.py");
/// assert_eq!(files[0].lines, [(3, 4)]);
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
///
/// [`ErrorKind::Usage`]: crate::ErrorKind::Usage
pub fn read(diff: &[u8]) -> Result<Vec<ChangedFile>> {
    let mut files = Vec::new();
    let mut file: Option<ChangedFile> = None;
    let mut hunk = Hunk::default();
    let mut last = 0;
    let diff = diff.strip_suffix(b"\n").unwrap_or(diff);
    for (index, line) in diff.split(|byte| *byte == b'\n').enumerate() {
        let broken = |what: &str| broken(index + 1, what, line);
        last = index + 1;
        if hunk.open() {
            match line.first() {
                Some(b'+') if hunk.new_left > 0 => {
                    if let Some(file) = &mut file {
                        file.add(hunk.next);
                    }
                    hunk.take(0, 1);
                }
                Some(b'-') if hunk.old_left > 0 => hunk.take(1, 0),
                // An empty line of context, where `diff.suppressBlankEmpty` is set.
                Some(b' ') | None if hunk.old_left > 0 && hunk.new_left > 0 => hunk.take(1, 1),
                Some(b'\\') => {}
                _ => return Err(broken("a line that its hunk has no place for")),
            }
        } else if line.starts_with(b"diff ") {
            files.extend(file.take().filter(|file| !file.lines.is_empty()));
            if line.starts_with(b"diff --cc ") || line.starts_with(b"diff --combined ") {
                return Err(broken("a combined diff has no single old side"));
            }
        } else if let Some(name) = line.strip_prefix(b"+++ ") {
            files.extend(file.take().filter(|file| !file.lines.is_empty()));
            file = new_name(name)
                .map_err(broken)?
                .map(|path| ChangedFile { path: path.into(), lines: Vec::new() });
        } else if line.starts_with(b"@@ ") {
            hunk = Hunk::read(line).ok_or_else(|| broken("a hunk header that cannot be read"))?;
        } else if line.starts_with(b"@@@") {
            return Err(broken("a combined diff has no single old side"));
        }
        // Everything else is an extended header, such as a mode, a similarity
        // or a binary patch, and says nothing about lines.
    }
    if hunk.open() {
        return Err(broken(last, "the diff ends inside a hunk", b""));
    }
    files.extend(file.filter(|file| !file.lines.is_empty()));
    Ok(files)
}

fn broken(line: usize, what: &str, text: &[u8]) -> Error {
    let shown: String = String::from_utf8_lossy(text).chars().take(60).collect();
    Error::usage(format!("line {line} of the diff: {what}: `{}`", visible(&shown)))
}

/// What is left of the hunk at hand.
#[derive(Default)]
struct Hunk {
    old_left: u64,
    new_left: u64,
    next: u64,
}

impl Hunk {
    fn open(&self) -> bool {
        self.old_left > 0 || self.new_left > 0
    }

    fn take(&mut self, old: u64, new: u64) {
        self.old_left -= old;
        self.new_left -= new;
        self.next = self.next.saturating_add(new);
    }

    /// Reads `@@ -3,0 +4,2 @@ anything`.
    fn read(line: &[u8]) -> Option<Self> {
        let line = line.strip_prefix(b"@@ -")?;
        let end = line.windows(3).position(|three| three == b" @@")?;
        let (old, new) = str::from_utf8(&line[..end]).ok()?.split_once(" +")?;
        let (_, old_left) = range(old)?;
        let (next, new_left) = range(new)?;
        Some(Self { old_left, new_left, next })
    }
}

fn range(text: &str) -> Option<(u64, u64)> {
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if digits { text.parse().ok() } else { None }
    };
    match text.split_once(',') {
        Some((start, length)) => Some((number(start)?, number(length)?)),
        None => Some((number(text)?, 1)),
    }
}

/// The name on a `+++` line, without its prefix. `None` for `/dev/null`.
fn new_name(text: &[u8]) -> std::result::Result<Option<String>, &'static str> {
    let name = match text.strip_prefix(b"\"") {
        Some(quoted) => unquote(quoted).ok_or("a quoted name that cannot be read")?,
        // Git puts a tab behind a name with a space in it, and a carriage
        // return may come from a diff that was kept in a file.
        None => {
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            text.strip_suffix(b"\t").unwrap_or(text).to_owned()
        }
    };
    if name == b"/dev/null" {
        return Ok(None);
    }
    let name = String::from_utf8(name).map_err(|_| "a name that is not UTF-8")?;
    match name.as_bytes() {
        [letter, b'/', _, ..] if letter.is_ascii_alphabetic() => Ok(Some(name[2..].to_owned())),
        _ => Err("a name without its prefix"),
    }
}

/// The bytes of a name that git has put in quotes; the opening one is gone.
fn unquote(text: &[u8]) -> Option<Vec<u8>> {
    let mut name = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied();
    loop {
        match bytes.next()? {
            b'"' => return Some(name),
            b'\\' => name.push(match bytes.next()? {
                b'a' => 7,
                b'b' => 8,
                b't' => b'\t',
                b'n' => b'\n',
                b'v' => 11,
                b'f' => 12,
                b'r' => b'\r',
                byte @ (b'"' | b'\\') => byte,
                first @ b'0'..=b'3' => {
                    let mut value = first - b'0';
                    for _ in 0..2 {
                        let digit = bytes.next()?;
                        if !(b'0'..=b'7').contains(&digit) {
                            return None;
                        }
                        value = (value << 3) | (digit - b'0');
                    }
                    value
                }
                _ => return None,
            }),
            byte => name.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(diff: &str) -> Vec<(String, Vec<(u64, u64)>)> {
        let files = read(diff.as_bytes()).unwrap();
        files.into_iter().map(|file| (file.path.into_string(), file.lines)).collect()
    }

    fn one(path: &str, ranges: &[(u64, u64)]) -> Vec<(String, Vec<(u64, u64)>)> {
        vec![(path.to_owned(), ranges.to_vec())]
    }

    #[test]
    fn added_rewritten_and_removed_lines() {
        let diff = "diff --git a/a.py b/a.py\nindex 1..2 100644\n--- a/a.py\n+++ b/a.py\n\
            @@ -0,0 +1,2 @@\n+a\n+b\n@@ -5 +7 @@ f\n-c\n+d\n@@ -9,2 +10,0 @@\n-e\n-f\n";
        assert_eq!(lines(diff), one("a.py", &[(1, 2), (7, 7)]));
    }

    #[test]
    fn context_is_not_a_change() {
        let diff = "--- a/a.py\n+++ b/a.py\n@@ -1,4 +1,4 @@\n a\n-b\n+c\n\n d\n";
        assert_eq!(lines(diff), one("a.py", &[(2, 2)]));
    }

    #[test]
    fn lines_that_look_like_headers_are_lines() {
        let diff = "diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1,2 +1,3 @@\n--- a/x\n-diff --git\n\
            +++ b/y\n+@@ -1 +1 @@\n+diff --git a/b b/b\ndiff --git a/b b/b\n--- a/b\n+++ b/b\n\
            @@ -0,0 +9 @@\n+x\n";
        assert_eq!(lines(diff), [("a".to_owned(), vec![(1, 3)]), ("b".to_owned(), vec![(9, 9)])]);
    }

    #[test]
    fn a_missing_newline_at_the_end_is_no_line() {
        let diff = "--- a/a\n+++ b/a\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n\
            \\ No newline at end of file\n";
        assert_eq!(lines(diff), one("a", &[(1, 1)]));
    }

    #[test]
    fn what_has_no_new_lines_is_left_out() {
        let diff = "diff --git a/gone.py b/gone.py\ndeleted file mode 100644\n--- a/gone.py\n\
            +++ /dev/null\n@@ -1 +0,0 @@\n-a\n\
            diff --git a/x b/y\nsimilarity index 100%\nrename from x\nrename to y\n\
            diff --git a/m b/m\nold mode 100644\nnew mode 100755\n\
            diff --git a/i.png b/i.png\nBinary files a/i.png and b/i.png differ\n\
            diff --git a/e b/e\nnew file mode 100644\nindex 0..e\n";
        assert_eq!(lines(diff), []);
    }

    #[test]
    fn odd_names_are_read() {
        let hunk = "@@ -0,0 +1 @@\n+a\n";
        for (written, path) in [
            ("b/a b.py\t", "a b.py"),
            ("\"b/\\303\\251\\t\\\"\\\\.py\"", "é\t\"\\.py"),
            ("\"b/c \\303\\251.py\"\t", "c é.py"),
            ("w/b/c.py", "b/c.py"),
            ("b/ b/x\t", " b/x"),
        ] {
            let diff = format!("--- /dev/null\n+++ {written}\n{hunk}");
            assert_eq!(lines(&diff), one(path, &[(1, 1)]), "{written}");
        }
    }

    #[test]
    fn what_cannot_be_right_is_refused_with_its_line() {
        for (diff, says) in [
            ("--- a/a\n+++ b/a\n@@ -1 +1 @@\n-a\n*\n", "line 5 of the diff: a line that its hunk"),
            ("--- a/a\n+++ b/a\n@@ -1 +1 @@\n-a\n", "line 4 of the diff: the diff ends inside"),
            ("--- a/a\n+++ b/a\n@@ -1 +x @@\n", "line 3 of the diff: a hunk header"),
            ("+++ a\n", "line 1 of the diff: a name without its prefix: `+++ a`"),
            ("+++ \"b/\\9\"\n", "line 1 of the diff: a quoted name"),
            ("+++ \"b/\\377\"\n", "line 1 of the diff: a name that is not UTF-8"),
            ("diff --cc a\n", "line 1 of the diff: a combined diff"),
        ] {
            let error = read(diff.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(says), "{error}");
        }
        assert!(read(b"--- a/a\n+++ b/a\n@@ -1 +1,2 @@\n-a\n+b").is_err());
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let seed =
            b"diff --git a/a b/a\n--- a/a\n+++ \"b/\\303\\251\"\n@@ -1,2 +1,3 @@\n-a\n a\n+b\n+c\n";
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..20_000 {
            let mut bytes = seed.to_vec();
            for _ in 0..4 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let at = state as usize % bytes.len();
                match (state >> 40) & 3 {
                    0 => bytes[at] = (state >> 50) as u8,
                    1 => bytes.truncate(at + 1),
                    2 => bytes.insert(at, b"+-@\n\\\"9"[(state >> 50) as usize % 7]),
                    _ => drop(bytes.remove(at.min(bytes.len() - 2))),
                }
                bytes.extend_from_slice(b"\n+");
            }
            let _ = read(&bytes);
        }
    }
}
