//! The filter rules that lead rsync to what a plan changes, and nowhere else.

use std::collections::BTreeSet;

use super::{Change, RsyncPlan, TreePath};

/// As many changes are named one by one: a rule costs a comparison with every file.
const NAMED: usize = 100;

impl RsyncPlan {
    /// Arguments for rsync under which it looks at what changes alone, so that no
    /// other file is read on either side; `None` where that would not be worth it, or where
    /// something is protected.
    ///
    /// They take the place of the rules that made the local tree: what goes may still be in
    /// the source, where one of those hides it, so it is hidden here.
    pub fn narrow_arguments(&self) -> Option<Vec<String>> {
        if self.changes().count() > NAMED || self.kept().next().is_some() {
            return None;
        }
        let (mut named, mut gone) = (BTreeSet::new(), BTreeSet::new());
        for (path, change) in self.changes() {
            let goes = match change {
                Change::Renamed { from, .. } => Some(from),
                Change::Deleted { .. } => Some(path),
                // rsync gives nobody permissions.
                Change::ModeChanged { .. } => continue,
                _ => None,
            };
            gone.extend(goes.cloned());
            for path in [path, goes.unwrap_or(path)].map(TreePath::clone) {
                let mut above = path.parent();
                named.insert(path);
                while let Some(folder) = above {
                    above = folder.parent();
                    named.insert(folder);
                }
            }
        }
        let rules = named.iter().flat_map(|path| {
            let rule = |kind| format!("--filter={kind} /{}", path.as_pattern());
            // Only the first of them that means a side counts there.
            gone.contains(path).then(|| rule('H')).into_iter().chain([rule('+')])
        });
        Some(rules.chain(["--filter=- *".to_owned()]).collect())
    }
}

impl TreePath {
    /// A pattern of rsync that, behind a `/`, matches this path alone. A backslash is one,
    /// unless there is a wildcard.
    ///
    /// Source: rsync(1), *PATTERN MATCHING RULES*.
    fn as_pattern(&self) -> String {
        let path = self.as_str();
        if !path.contains(['*', '?', '[']) {
            return path.to_owned();
        }
        let escape = |character| match character {
            '*' | '?' | '[' | '\\' => format!("\\{character}"),
            _ => character.to_string(),
        };
        path.chars().map(escape).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::landing::{ContentHash, Entry, Tree};

    fn tree(paths: &[&str], text: &str) -> Tree {
        let file = || Entry::file(1, ContentHash::of(text.as_bytes()));
        let entry = |path: &&str| match path.strip_suffix('/') {
            Some(folder) => (folder.parse().unwrap(), Entry::folder()),
            None => (path.parse().unwrap(), file()),
        };
        paths.iter().map(entry).collect()
    }

    #[test]
    fn every_touched_place_and_the_folders_above_it_are_named() {
        let server = tree(&["a/", "a/b/", "a/b/old", "same"], "x");
        let mut local = tree(&["a/", "a/b/", "same"], "x");
        local.insert("new *?[\\".parse().unwrap(), Entry::link("a"));
        local.insert("back\\slash".parse().unwrap(), Entry::folder());
        let plan = RsyncPlan::between(&server, &local, |_, _| false).unwrap();
        let rules = plan.narrow_arguments().unwrap();
        let expected = [
            "+ /a",
            "+ /a/b",
            "H /a/b/old",
            "+ /a/b/old",
            "+ /back\\slash",
            "+ /new \\*\\?\\[\\\\",
            "- *",
        ];
        assert_eq!(rules, expected.map(|rule| format!("--filter={rule}")));
    }

    #[test]
    fn where_a_renamed_file_was_nothing_is_sent_from() {
        let (server, local) = (tree(&["old"], "x"), tree(&["new"], "x"));
        let plan = RsyncPlan::between(&server, &local, |_, _| false).unwrap();
        assert_eq!(plan.totals().renamed.files, 1);
        let expected = ["+ /new", "H /old", "+ /old", "- *"];
        let expected = expected.map(|rule| format!("--filter={rule}"));
        assert_eq!(plan.narrow_arguments().unwrap(), expected);
    }

    #[test]
    fn where_something_stays_or_much_changes_all_rules_hold() {
        let plan = |server: &Tree, local: &Tree, protected: bool| {
            RsyncPlan::between(server, local, |_, _| protected).unwrap()
        };
        let (none, some) = (Tree::default(), tree(&["a"], "x"));
        assert!(plan(&some, &none, false).narrow_arguments().is_some());
        assert!(plan(&some, &none, true).narrow_arguments().is_none());
        let many: Vec<String> = (0..=NAMED).map(|count| format!("f{count}")).collect();
        let many = tree(&many.iter().map(String::as_str).collect::<Vec<_>>(), "x");
        assert!(plan(&none, &many, false).narrow_arguments().is_none());
    }
}
