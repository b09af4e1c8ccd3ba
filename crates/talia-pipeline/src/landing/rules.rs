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
    /// They take the place of the rules that made the local tree: what those hide is not
    /// part of the plan.
    pub fn narrow_arguments(&self) -> Option<Vec<String>> {
        if self.changes().count() > NAMED || self.kept().next().is_some() {
            return None;
        }
        let mut named = BTreeSet::new();
        for (path, change) in self.changes() {
            let from = match change {
                Change::Renamed { from, .. } => Some(from.clone()),
                // rsync gives nobody permissions.
                Change::ModeChanged { .. } => continue,
                _ => None,
            };
            for path in [Some(path.clone()), from].into_iter().flatten() {
                let mut above = path.parent();
                named.insert(path);
                while let Some(folder) = above {
                    above = folder.parent();
                    named.insert(folder);
                }
            }
        }
        let rules = named.iter().map(|path| format!("--filter=+ /{}", path.as_pattern()));
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
        let expected =
            ["+ /a", "+ /a/b", "+ /a/b/old", "+ /back\\slash", "+ /new \\*\\?\\[\\\\", "- *"];
        assert_eq!(rules, expected.map(|rule| format!("--filter={rule}")));
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
