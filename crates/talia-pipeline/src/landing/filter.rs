//! What is published and what stays, in rsync's filter syntax.

mod class;
mod pattern;
mod rule;
mod wild;

pub use pattern::Pattern;
pub use rule::Rule;

use camino::Utf8Path;

use crate::{
    diagnostic::Diagnostic,
    error::{Error, Result},
};

use super::TreePath;

use {pattern::Place, rule::Side};

/// Which files are published and which may be deleted: rules of rsync's, of which the
/// first that means a place decides.
///
/// Their order: a file named [`Filters::FILE`] is never published; what is the server's
/// own stays ([`Filters::with_protected`]); then the rules that were added, in their
/// order; then, unless one of those says otherwise (`R /.well-known/***`), `/.well-known`
/// on the server stays as it is.
///
/// ```
/// use talia_pipeline::landing::Filters;
///
/// let filters = Filters::new(["/drafts/".parse()?]);
/// assert!(filters.hides(&"drafts/a.html".parse()?, false));
/// assert!(filters.protects(&".well-known".parse()?, true));
/// assert_eq!(filters.rsync_arguments()[1], "--filter=- /drafts/");
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filters {
    /// What is the server's own, whatever other rules say.
    protected: Vec<Rule>,
    /// One for [`Filters::FILE`], the rules that were added, those for [`Filters::STAYS`].
    rules: Vec<Rule>,
}

impl Filters {
    /// The file of rules at the top of a source.
    pub const FILE: &str = ".rsyncignore";
    /// What stays on a server unless a rule says otherwise.
    const STAYS: &str = ".well-known";
    /// How many rules say that.
    const STAY_RULES: usize = 2;

    /// These rules.
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        let first = Rule::one_sided(Side::Sender, Self::FILE);
        let rules = first.into_iter().chain(rules).chain(stays(Self::STAYS)).collect();
        Self { protected: Vec::new(), rules }
    }

    /// Adds what is the server's own, such as a policy's `protected`: it stays there with
    /// all that is in it, whatever other rules say.
    #[must_use]
    pub fn with_protected<'a>(mut self, paths: impl IntoIterator<Item = &'a TreePath>) -> Self {
        self.protected.extend(paths.into_iter().flat_map(|path| stays(path.as_str())));
        self
    }

    /// Hides these places of the source, whatever other rules say.
    #[must_use]
    pub(super) fn hiding<'a>(mut self, paths: impl IntoIterator<Item = &'a TreePath>) -> Self {
        let hidden = paths.into_iter().filter_map(|path| {
            let (itself, _) = exactly(path.as_str());
            Rule::one_sided(Side::Sender, &itself)
        });
        self.rules.splice(0..0, hidden);
        self
    }

    /// Adds the rules of a file, which is named so in errors: one a line; blank lines
    /// and those that begin with `#` or `;` say nothing.
    ///
    /// # Errors
    /// A usage error with every line that is no rule, its number and what to write.
    pub fn with_file(mut self, name: &Utf8Path, text: &str) -> Result<Self> {
        let mut wrong = Vec::new();
        let lines = text.strip_prefix('\u{feff}').unwrap_or(text).split('\n');
        for (number, line) in (1..).zip(lines) {
            let line = line.strip_suffix('\r').unwrap_or(line);
            if line.trim().is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            match line.parse() {
                Ok(rule) => self.rules.insert(self.rules.len() - Self::STAY_RULES, rule),
                Err(error) => {
                    let hint = error.hint_text().map(|hint| format!(": {hint}"));
                    let text = format!("{error}{}", hint.unwrap_or_default());
                    wrong.push(Diagnostic::error(text).file(name).line(number));
                }
            }
        }
        if wrong.is_empty() {
            return Ok(self);
        }
        let lines = if wrong.len() == 1 { "a line that is" } else { "lines that are" };
        Err(Error::usage(format!("{name} has {lines} no rule"))
            .hint("see FILTER RULES in rsync's manual: one pattern a line is excluded")
            .diagnostics(wrong))
    }

    /// Whether something of the source is not published. What is in a hidden folder is
    /// hidden, whatever other rules say.
    pub fn hides(&self, path: &TreePath, is_folder: bool) -> bool {
        let bytes = path.as_str().as_bytes();
        let slashes = (0..bytes.len()).filter(|at| bytes[*at] == b'/');
        slashes.map(|at| &bytes[..at]).any(|folder| self.hides_itself(folder, true))
            || self.hides_itself(bytes, is_folder)
    }

    /// Whether something is not published whose folder is; its name need not be UTF-8.
    pub(crate) fn hides_itself(&self, path: &[u8], is_folder: bool) -> bool {
        self.excludes(Side::Sender, path, is_folder, false)
    }

    /// Whether something of the server stays there although it is not published.
    ///
    /// What is in a protected folder stays with it, unless that folder is published too:
    /// see [`RsyncPlan::filtered`](super::RsyncPlan::filtered).
    pub fn protects(&self, path: &TreePath, is_folder: bool) -> bool {
        self.keeps(path, is_folder, false)
    }

    /// The same, where a rule for what is perishable means nothing in a folder that goes.
    pub(super) fn keeps(&self, path: &TreePath, is_folder: bool, in_deleted: bool) -> bool {
        self.excludes(Side::Receiver, path.as_str().as_bytes(), is_folder, in_deleted)
    }

    fn excludes(&self, side: Side, path: &[u8], is_folder: bool, in_deleted: bool) -> bool {
        let place = Place::new(path, is_folder);
        for rule in self.protected.iter().chain(&self.rules) {
            if let Some(excludes) = rule.excludes(side, &place, in_deleted) {
                return excludes;
            }
        }
        false
    }

    /// The arguments that give rsync these very rules, so that it reads no file of them:
    /// `--filter=- /drafts/` and so on.
    pub fn rsync_arguments(&self) -> Vec<String> {
        let all = self.protected.iter().chain(&self.rules);
        all.map(|rule| format!("--filter={rule}")).collect()
    }
}

/// The rules that keep a place of the server: a file or link there, a folder and all
/// that is in it.
fn stays(path: &str) -> impl Iterator<Item = Rule> {
    let (itself, inside) = exactly(path);
    let patterns = [itself, inside];
    patterns.into_iter().filter_map(|pattern| Rule::one_sided(Side::Receiver, &pattern))
}

/// The patterns of one place at this path, and of all that is in it.
fn exactly(path: &str) -> (String, String) {
    let escaped = path.replace('\\', r"\\").replace('*', r"\*").replace('?', r"\?");
    let escaped = escaped.replace('[', r"\[");
    // Without a star, a backslash would be itself.
    let itself = if path.contains(['*', '?', '[']) { &escaped } else { path };
    (format!("/{itself}"), format!("/{escaped}/***"))
}

impl Default for Filters {
    fn default() -> Self {
        Self::new([])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> TreePath {
        text.parse().unwrap()
    }

    fn filters(text: &str) -> Filters {
        Filters::default().with_file("x".into(), text).unwrap()
    }

    #[test]
    fn the_first_rule_that_means_a_place_decides() {
        let filters = filters("+ /a/keep.html\n# all else\n\n- *.html\r\n; no\n  \n/b/\n");
        assert!(!filters.hides(&path("a/keep.html"), false));
        assert!(filters.hides(&path("keep.html"), false));
        assert!(filters.hides(&path("b/c/x.css"), false));
        assert!(!filters.hides(&path("b"), false), "a file");
        assert!(!filters.hides(&path("#"), false));
        assert!(filters.hides(&path("sub/.rsyncignore"), false), "built in");
        assert!(Filters::new(["+ *".parse().unwrap()]).hides(&path(".rsyncignore"), false));
    }

    #[test]
    fn well_known_stays_unless_a_rule_says_otherwise() {
        let built_in = Filters::default();
        assert!(built_in.protects(&path(".well-known"), true));
        assert!(built_in.protects(&path(".well-known/acme/x"), false));
        assert!(!built_in.protects(&path("a/.well-known"), true));
        assert!(!built_in.hides(&path(".well-known"), true));
        assert!(!filters("R /.well-known/***").protects(&path(".well-known"), true));
    }

    #[test]
    fn what_is_the_servers_own_stays_whatever_rules_say() {
        let own = [path("a*[b]"), path(r"c\d"), path("e ")];
        let filters = filters("R **\n").with_protected(&own);
        for (own, inside) in [("a*[b]", "a*[b]/x"), (r"c\d", r"c\d/x/y"), ("e ", "e /x")] {
            for kept in [(own, true), (own, false), (inside, false)] {
                assert!(filters.protects(&path(kept.0), kept.1), "{kept:?}");
            }
        }
        for other in ["ab", "a*b", "cd", "e", ".well-known"] {
            assert!(!filters.protects(&path(other), true), "{other}");
        }
    }

    #[test]
    fn rsync_gets_every_rule_in_order() {
        let filters = Filters::new(["/x y/".parse().unwrap()])
            .with_file(".rsyncignore".into(), "+ a\nP,p b\n")
            .unwrap();
        assert_eq!(
            filters.rsync_arguments(),
            [
                "--filter=H .rsyncignore",
                "--filter=- /x y/",
                "--filter=+ a",
                "--filter=Pp b",
                "--filter=P /.well-known",
                "--filter=P /.well-known/***",
            ]
        );
    }

    #[test]
    fn every_wrong_line_is_told_with_its_number() {
        let error =
            Filters::default().with_file(".rsyncignore".into(), "a\n. b\n\n!c\n[d\n").unwrap_err();
        let mut said = format!("{error}\n");
        for found in error.findings() {
            said.push_str(&format!("{found}\n"));
        }
        insta::assert_snapshot!(said, @r"
        .rsyncignore has lines that are no rule
        .rsyncignore:2: the rule `. b` would read another file: write the rules out, or `- . b` for a file of this name
        .rsyncignore:4: the rule `!c` does not take anything back: put `+ c` before what excludes it, or write `- !c` for a name like this
        .rsyncignore:5: the pattern `[d` has a `[` without its `]`; write `\[` where a name has one
        ");
    }
}
