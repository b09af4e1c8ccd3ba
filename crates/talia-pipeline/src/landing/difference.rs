//! Two trees beside each other.

use std::{cmp::Ordering, fmt};

use super::{Entry, Tree, TreePath, path::shown, size::size};

/// A place where two trees are not the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference<'t> {
    /// The place.
    pub path: &'t TreePath,
    /// What the first tree has there.
    pub before: Option<&'t Entry>,
    /// What the other one has.
    pub after: Option<&'t Entry>,
}

impl Tree {
    /// Every place where the other tree has something else, in order of the places.
    ///
    /// ```
    /// use talia_pipeline::landing::{Entry, Tree};
    ///
    /// let tree: Tree = [("latest".parse()?, Entry::link("v1"))].into_iter().collect();
    /// let nothing = Tree::default();
    /// let differences = tree.differences(&nothing);
    /// assert_eq!(differences[0].to_string(), "latest: a link to v1 became nothing");
    /// # Ok::<(), talia_pipeline::Error>(())
    /// ```
    pub fn differences<'t>(&'t self, other: &'t Self) -> Vec<Difference<'t>> {
        pairs(self, other).filter(|pair| pair.before != pair.after).collect()
    }
}

/// Every place of either tree, in order.
pub(super) fn pairs<'t>(
    before: &'t Tree,
    after: &'t Tree,
) -> impl Iterator<Item = Difference<'t>> + use<'t> {
    let (mut left, mut right) = (before.iter().peekable(), after.iter().peekable());
    std::iter::from_fn(move || {
        let order = match (left.peek(), right.peek()) {
            (Some((left, _)), Some((right, _))) => left.cmp(right),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return None,
        };
        let left = if order.is_le() { left.next() } else { None };
        let right = if order.is_ge() { right.next() } else { None };
        let (path, _) = left.or(right)?;
        let entry = |(_, entry): (_, &'t Entry)| entry;
        Some(Difference { path, before: left.map(entry), after: right.map(entry) })
    })
}

/// What an entry is, in words that tell it from every other one.
pub(super) fn described(entry: Option<&Entry>) -> String {
    match entry {
        None => "nothing".to_owned(),
        Some(Entry::Folder { mode }) => format!("a folder, mode {mode:04o}"),
        Some(Entry::Link { target }) => format!("a link to {}", shown(target)),
        Some(Entry::File { size: bytes, hash, mode }) => {
            format!("a file, {}, {}, mode {mode:04o}", size(*bytes), hash.short())
        }
    }
}

impl fmt::Display for Difference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, after) = (described(self.before), described(self.after));
        write!(f, "{}: {before} became {after}", self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::ContentHash, *};

    fn tree(entries: &[(&str, Entry)]) -> Tree {
        entries.iter().map(|(path, entry)| (path.parse().unwrap(), entry.clone())).collect()
    }

    #[test]
    fn everything_that_differs_is_found_in_order() {
        let page = |text: &str| Entry::file(text.len() as u64, ContentHash::of(text.as_bytes()));
        let before = tree(&[
            ("a", page("1")),
            ("b", Entry::folder()),
            ("b/gone", page("22")),
            ("same", page("1")),
            ("z", Entry::link("q")),
        ]);
        let after = tree(&[
            ("a", page("2")),
            ("b", Entry::Folder { mode: 0o700 }),
            ("new", page("")),
            ("same", page("1")),
            ("z", Entry::link(" r")),
        ]);
        let told: Vec<String> =
            before.differences(&after).iter().map(ToString::to_string).collect();
        let hash = |text: &str| ContentHash::of(text.as_bytes()).short();
        let (one, two, twos, none) = (hash("1"), hash("2"), hash("22"), hash(""));
        assert_eq!(
            told,
            [
                format!("a: a file, 1 B, {one}, mode 0644 became a file, 1 B, {two}, mode 0644"),
                "b: a folder, mode 0755 became a folder, mode 0700".to_owned(),
                format!("b/gone: a file, 2 B, {twos}, mode 0644 became nothing"),
                format!("new: nothing became a file, 0 B, {none}, mode 0644"),
                r"z: a link to q became a link to \u{20}r".to_owned(),
            ]
        );
        assert_eq!(before.differences(&before), []);
        assert_eq!(before.differences(&Tree::default()).len(), 5);
        assert_eq!(Tree::default().differences(&before).len(), 5);
    }
}
