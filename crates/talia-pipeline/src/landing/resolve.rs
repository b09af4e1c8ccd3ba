//! Where links lead.

use super::{Entry, Tree, TreePath};

/// So many links are followed one after the other, as Linux does.
const LONGEST: usize = 40;

/// Where a link of a tree leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leads {
    /// To this place, which need not be there.
    To(TreePath),
    /// To the folder of the tree itself.
    ToTop,
    /// Out of the tree.
    Out,
    /// To itself in the end.
    Round,
}

impl Tree {
    /// Where a place leads when every link is followed, those in the middle as well: so as
    /// a web server does that has the tree's folder for its own.
    ///
    /// ```
    /// use talia_pipeline::landing::{Entry, Leads, Tree};
    ///
    /// let tree: Tree = [("a/up".parse()?, Entry::link("..")), ("b".parse()?, Entry::link("a/up/../x"))]
    ///     .into_iter()
    ///     .collect();
    /// assert_eq!(tree.leads(&"a/up".parse()?), Leads::ToTop);
    /// // Read as text, it would stay inside.
    /// assert_eq!(tree.leads(&"b".parse()?), Leads::Out);
    /// # Ok::<(), talia_pipeline::Error>(())
    /// ```
    pub fn leads(&self, path: &TreePath) -> Leads {
        let mut here: Vec<String> = Vec::new();
        let mut rest: Vec<String> = path.as_str().split('/').rev().map(str::to_owned).collect();
        let mut followed = 0;
        while let Some(name) = rest.pop() {
            match name.as_str() {
                "" | "." => continue,
                ".." => {
                    if here.pop().is_none() {
                        return Leads::Out;
                    }
                    continue;
                }
                _ => here.push(name),
            }
            let at = here.join("/").parse();
            let Ok(Some(Entry::Link { target })) = at.map(|at| self.get(&at)) else { continue };
            followed += 1;
            if followed > LONGEST {
                return Leads::Round;
            }
            if target.starts_with('/') {
                return Leads::Out;
            }
            here.pop();
            rest.extend(target.split('/').rev().map(str::to_owned));
        }
        match here.join("/").parse() {
            Ok(path) => Leads::To(path),
            Err(_) => Leads::ToTop,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_followed_as_a_kernel_does() {
        let entries = [
            ("d", Entry::folder()),
            ("d/e", Entry::folder()),
            ("in", Entry::link("d/e")),
            ("d/over", Entry::link("../in/x")),
            ("slash", Entry::link("/etc/passwd")),
            ("up", Entry::link("../other")),
            ("d/up", Entry::link("../..")),
            ("self", Entry::link("self")),
            ("a", Entry::link("b")),
            ("b", Entry::link("./a")),
            ("d/e/back", Entry::link("../..")),
            ("through", Entry::link("in/back/../x")),
        ];
        let tree: Tree =
            entries.into_iter().map(|(path, entry)| (path.parse().unwrap(), entry)).collect();
        let leads = |path: &str| tree.leads(&path.parse().unwrap());
        let to = |path: &str| Leads::To(path.parse().unwrap());
        assert_eq!(leads("d/over"), to("d/e/x"));
        assert_eq!(leads("in/x"), to("d/e/x"));
        assert_eq!(leads("nothing/there"), to("nothing/there"));
        assert_eq!(leads("d/e/back"), Leads::ToTop);
        for out in ["slash", "up", "d/up", "through", "in/back/up"] {
            assert_eq!(leads(out), Leads::Out, "{out}");
        }
        for round in ["self", "a", "b/x"] {
            assert_eq!(leads(round), Leads::Round, "{round}");
        }
    }

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
        let leaves = |path: &str, target: &str| {
            let (path, mut tree): (TreePath, Tree) = (path.parse().unwrap(), tree.clone());
            tree.insert(path.clone(), Entry::link(target));
            tree.leads(&path) == Leads::Out
        };
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
