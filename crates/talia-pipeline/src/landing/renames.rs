//! Files that are the same ones at another place.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::{Change, ContentHash, Entry, TreePath};

/// Makes one change of each file that goes and comes elsewhere: first those that keep
/// their name, then in order of the places. Empty files are all alike, so that they
/// tell nothing.
pub(super) fn pair(changes: &mut BTreeMap<TreePath, Change>) {
    let mut waiting: HashMap<ContentHash, VecDeque<&TreePath>> = HashMap::new();
    let mut by_name: HashMap<(ContentHash, &str), VecDeque<&TreePath>> = HashMap::new();
    let mut added = Vec::new();
    for (path, change) in &*changes {
        match change {
            Change::Deleted { before } => {
                if let Some(hash) = content(before) {
                    waiting.entry(hash).or_default().push_back(path);
                    by_name.entry((hash, path.name())).or_default().push_back(path);
                }
            }
            Change::Added { after } => {
                added.extend(content(after).map(|hash| (path, hash)));
            }
            _ => {}
        }
    }
    // What was there, and where it is now.
    let mut pairs: BTreeMap<&TreePath, &TreePath> = BTreeMap::new();
    let mut others = Vec::new();
    for (path, hash) in added {
        let same_name = by_name.get_mut(&(hash, path.name())).and_then(VecDeque::pop_front);
        match same_name {
            Some(from) => drop(pairs.insert(from, path)),
            None => others.push((path, hash)),
        }
    }
    for (path, hash) in others {
        let Some(waiting) = waiting.get_mut(&hash) else { continue };
        while let Some(from) = waiting.pop_front() {
            if !pairs.contains_key(from) {
                pairs.insert(from, path);
                break;
            }
        }
    }
    let owned = |(from, to): (&TreePath, &TreePath)| (from.clone(), to.clone());
    let pairs: Vec<(TreePath, TreePath)> = pairs.into_iter().map(owned).collect();
    for (from, to) in pairs {
        let (old, new) = (changes.remove(&from), changes.remove(&to));
        if let (Some(Change::Deleted { before }), Some(Change::Added { after })) = (old, new) {
            changes.insert(to, Change::Renamed { from, before, after });
        }
    }
}

/// What a file holds, unless that is nothing.
fn content(entry: &Entry) -> Option<ContentHash> {
    match entry {
        Entry::File { size: 1.., hash, .. } => Some(*hash),
        _ => None,
    }
}
