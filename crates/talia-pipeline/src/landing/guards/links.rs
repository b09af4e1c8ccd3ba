//! Links that lead out of the tree they are in.

use crate::{
    landing::{Entry, Places, Tree, TreePath},
    parse::visible,
};

/// Links that one link may lead through: the system's own limit.
const LINKS: usize = 40;

/// Every link that leaves the tree, with what it names.
pub(super) fn leaving(tree: &Tree) -> Places {
    let links = tree.iter().filter_map(|(path, entry)| match entry {
        Entry::Link { target } => Some((path, target)),
        _ => None,
    });
    let leaving = links.filter(|(path, target)| leaves(tree, path, target));
    leaving.map(|(path, target)| format!("{path} -> {}", visible(target))).collect()
}

/// Follows the names as the system does, through other links as well. What is not there
/// is taken for a folder. A circle leads nowhere, so not out.
fn leaves(tree: &Tree, path: &TreePath, target: &str) -> bool {
    let mut at: Vec<&str> = path.as_str().split('/').collect();
    at.pop();
    // What is to be followed, the next one last.
    let mut names: Vec<&str> = Vec::new();
    let mut links = 0;
    let mut link = Some(target);
    loop {
        if let Some(target) = link.take() {
            links += 1;
            if target.starts_with('/') || links > LINKS {
                return target.starts_with('/');
            }
            names.extend(target.split('/').rev());
        }
        match names.pop() {
            None => return false,
            Some("" | ".") => {}
            Some("..") if at.pop().is_none() => return true,
            Some("..") => {}
            Some(name) => {
                at.push(name);
                let here = at.join("/").parse::<TreePath>();
                if let Ok(here) = here
                    && let Some(Entry::Link { target }) = tree.get(&here)
                {
                    at.pop();
                    link = Some(target);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_followed_to_its_end() {
        let tree: Tree = [
            ("a", Entry::folder()),
            ("a/b", Entry::folder()),
            ("up", Entry::link("..")),
            ("here", Entry::link(".")),
            ("deep", Entry::link("a/b")),
            ("root", Entry::link("/")),
            ("round", Entry::link("about")),
            ("about", Entry::link("round")),
        ]
        .into_iter()
        .map(|(path, entry)| (path.parse().unwrap(), entry))
        .collect();
        let leaves = |path: &str, target: &str| leaves(&tree, &path.parse().unwrap(), target);
        for (path, target) in [
            ("x", "/etc"),
            ("x", ".."),
            ("x", "../x"),
            ("a/x", "../../a"),
            ("a/b/x", "../../../y"),
            ("x", "a/../../y"),
            ("x", "nowhere/../../y"),
            ("x", "up"),
            ("x", "here/here/up/y"),
            ("x", "root/etc"),
            ("x", "deep/../../../y"),
            ("a/x", "b/../../up"),
        ] {
            assert!(leaves(path, target), "{path} -> {target}");
        }
        for (path, target) in [
            ("x", "a"),
            ("x", "."),
            ("x", ""),
            ("a/x", ".."),
            ("a/b/x", "../../a//./b"),
            ("x", "nowhere/.."),
            ("x", "here/a/b/../.."),
            ("x", "round"),
            // To `a`, for the link is gone through before its parent is asked for.
            ("x", "deep/.."),
            ("x", "deep/../.."),
            ("x", "...a"),
        ] {
            assert!(!leaves(path, target), "{path} -> {target}");
        }
    }
}
