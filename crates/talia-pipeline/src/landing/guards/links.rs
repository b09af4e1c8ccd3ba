//! Links that lead out of the tree they are in.

use crate::{
    landing::{Entry, Leads, Places, Tree},
    parse::visible,
};

/// Every link that leaves the tree, with what it names. A circle leads nowhere, so not out.
pub(super) fn leaving(tree: &Tree) -> Places {
    let links = tree.iter().filter_map(|(path, entry)| match entry {
        Entry::Link { target } => Some((path, target)),
        _ => None,
    });
    let leaving = links.filter(|(path, _)| tree.leads(path) == Leads::Out);
    leaving.map(|(path, target)| format!("{path} -> {}", visible(target))).collect()
}
