//! Files that are the same ones at another place.

use std::cmp::Ordering;

use super::{Change, ContentHash, Entry, TreePath};

/// Makes one change of each file that goes and comes elsewhere: first those that keep
/// their name, then in order of the places. Empty files are all alike, so that they
/// tell nothing.
pub(super) fn pair(changes: &mut Vec<(TreePath, Change)>) {
    let (mut gone, mut come) = (Vec::new(), Vec::new());
    for (at, (path, change)) in changes.iter().enumerate() {
        let (list, entry) = match change {
            Change::Deleted { before } => (&mut gone, before),
            Change::Added { after } => (&mut come, after),
            _ => continue,
        };
        list.extend(content(entry).map(|hash| ((hash, path.name()), at)));
    }
    if gone.is_empty() || come.is_empty() {
        return;
    }
    let (same_name, gone, come) = meet(gone, come);
    let by_content = |files: Vec<((ContentHash, &str), usize)>| -> Vec<(ContentHash, usize)> {
        files.into_iter().map(|((hash, _), at)| (hash, at)).collect()
    };
    let (others, ..) = meet(by_content(gone), by_content(come));

    let mut goes = vec![false; changes.len()];
    for (from, to) in same_name.into_iter().chain(others) {
        let (path, Change::Deleted { before }) = changes[from].clone() else { continue };
        if let Change::Added { after } = &changes[to].1 {
            goes[from] = true;
            changes[to].1 = Change::Renamed { from: path, before, after: after.clone() };
        }
    }
    let mut goes = goes.into_iter();
    changes.retain(|_| goes.next() == Some(false));
}

/// Pairs those of equal keys, in order; gives the pairs and what is left of each side.
#[expect(clippy::type_complexity, reason = "three lists of the same")]
fn meet<K: Ord>(
    mut left: Vec<(K, usize)>,
    mut right: Vec<(K, usize)>,
) -> (Vec<(usize, usize)>, Vec<(K, usize)>, Vec<(K, usize)>) {
    left.sort_unstable();
    right.sort_unstable();
    let (mut pairs, mut left_over, mut right_over) = (Vec::new(), Vec::new(), Vec::new());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some((one, _)), Some((other, _))) = (left.peek(), right.peek()) {
        match one.cmp(other) {
            Ordering::Less => left_over.extend(left.next()),
            Ordering::Greater => right_over.extend(right.next()),
            Ordering::Equal => {
                let both = left.next().zip(right.next());
                pairs.extend(both.map(|((_, from), (_, to))| (from, to)));
            }
        }
    }
    left_over.extend(left);
    right_over.extend(right);
    (pairs, left_over, right_over)
}

/// What a file holds, unless that is nothing.
fn content(entry: &Entry) -> Option<ContentHash> {
    match entry {
        Entry::File { size: 1.., hash, .. } => Some(*hash),
        _ => None,
    }
}
