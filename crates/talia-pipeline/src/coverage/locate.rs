//! Which file of the repository a report means.
//!
//! Reports name files relative to folders of the machine that ran the tests,
//! which may be a container. In this order, for each file of the report:
//!
//! 1. **By source.** Its name is joined to each of the report's sources. What lies
//!    below the repository's root on this machine and is tracked, is the file.
//!    A relative source is taken from the root.
//! 2. **By name.** The name itself, from the root, is tracked.
//! 3. **By tail.** Compared by whole components from the end: a tracked file whose
//!    path ends with the report's name, or which the joined absolute name ends
//!    with. Of several the one that shares the longest tail with a joined name.
//!
//! When a rule finds several files, the report's file is ambiguous: nothing is
//! guessed, later rules are not tried. Case counts. Links are not followed.

use std::collections::{HashMap, HashSet};

use camino::{Utf8Path, Utf8PathBuf};

use crate::parse::cobertura::Coverage;

/// Where the files of a report are in the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Located {
    /// One for each file of the report, in its order.
    pub places: Vec<Place>,
}

/// Where one file of a report is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// This file, relative to the repository's root.
    At(Utf8PathBuf),
    /// One of these.
    Ambiguous(Vec<Utf8PathBuf>),
    /// No tracked file: installed packages, generated code.
    Nowhere,
}

impl Located {
    /// Finds each file of the report among the tracked ones.
    ///
    /// `root` is the repository's top folder, absolute; `tracked` what
    /// `git ls-files -z` lists from there.
    pub fn new(coverage: &Coverage, root: &Utf8Path, tracked: &[Utf8PathBuf]) -> Self {
        let tracked = Tracked::new(tracked);
        let root = components(root.as_str()).unwrap_or_default();
        let sources: Vec<String> =
            coverage.sources.iter().map(|source| source.replace('\\', "/")).collect();
        let place = |name: &str| tracked.place(name, &sources, &root);
        Self { places: coverage.files.iter().map(|file| place(file.path.as_str())).collect() }
    }
}

/// Tracked files, whole and by their last component: a repository may hold
/// thousands of `__init__.py`, and each of them is looked up.
struct Tracked<'a> {
    whole: HashSet<&'a str>,
    by_name: HashMap<&'a str, Vec<Vec<&'a str>>>,
}

impl<'a> Tracked<'a> {
    fn new(files: &'a [Utf8PathBuf]) -> Self {
        let whole: HashSet<&str> = files.iter().map(|file| file.as_str()).collect();
        let mut by_name: HashMap<&str, Vec<Vec<&str>>> = HashMap::new();
        for file in &whole {
            let parts: Vec<&str> = file.split('/').collect();
            if let Some(name) = parts.last() {
                by_name.entry(name).or_default().push(parts);
            }
        }
        Self { whole, by_name }
    }

    fn place(&self, name: &str, sources: &[String], root: &[&str]) -> Place {
        let absolute = is_absolute(name);
        let joined: Vec<String> = if absolute {
            vec![name.to_owned()]
        } else {
            sources.iter().map(|source| format!("{source}/{name}")).collect()
        };
        // Lexically, since the folders may be those of another machine.
        let joined: Vec<(bool, Vec<&str>)> = joined
            .iter()
            .filter_map(|joined| Some((is_absolute(joined), components(joined)?)))
            .collect();
        let Some(own) = own_components(name) else { return Place::Nowhere };
        let Some(last) = own.last() else { return Place::Nowhere };
        let Some(tracked) = self.by_name.get(last) else { return Place::Nowhere };

        let by_source = joined.iter().filter_map(|(absolute, parts)| {
            let below = if *absolute { parts.strip_prefix(root)? } else { &parts[..] };
            self.whole.get(below.join("/").as_str()).copied()
        });
        if let Some(place) = only(by_source.map(Utf8PathBuf::from).collect()) {
            return place;
        }
        if !absolute && let Some(file) = self.whole.get(own.join("/").as_str()) {
            return Place::At((*file).into());
        }

        let tails = tracked.iter().filter_map(|file| {
            let ends_with_name = !absolute && file.ends_with(&own);
            let longest = joined
                .iter()
                .filter(|(absolute, parts)| ends_with_name || *absolute && parts.ends_with(file))
                .map(|(_, parts)| common_tail(parts, file))
                .max();
            longest.or(ends_with_name.then_some(own.len())).map(|length| (length, file))
        });
        let tails: Vec<(usize, &Vec<&str>)> = tails.collect();
        let longest = tails.iter().map(|(length, _)| *length).max();
        let best = tails.iter().filter(|(length, _)| Some(*length) == longest);
        only(best.map(|(_, file)| file.join("/").into()).collect()).unwrap_or(Place::Nowhere)
    }
}

/// One is it, several are ambiguous, none leaves it to the next rule.
fn only(mut paths: Vec<Utf8PathBuf>) -> Option<Place> {
    paths.sort_unstable();
    paths.dedup();
    match paths.len() {
        0 => None,
        1 => paths.pop().map(Place::At),
        _ => Some(Place::Ambiguous(paths)),
    }
}

fn common_tail(one: &[&str], other: &[&str]) -> usize {
    one.iter().rev().zip(other.iter().rev()).take_while(|(a, b)| a == b).count()
}

/// From the root, of a drive or of a share.
fn is_absolute(path: &str) -> bool {
    path.starts_with('/')
        || matches!(path.as_bytes(), [drive, b':', ..] if drive.is_ascii_alphabetic())
}

/// The components with `.` and `..` worked in. `None` when `..` leads out.
fn components(path: &str) -> Option<Vec<&str>> {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            _ => parts.push(part),
        }
    }
    Some(parts)
}

/// As [`components`], for a name that may lead out of its source.
fn own_components(name: &str) -> Option<Vec<&str>> {
    let mut name = name;
    while let Some(rest) = name.strip_prefix("../") {
        name = rest;
    }
    components(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str, sources: &[&str], tracked: &[&str]) -> Place {
        let mut xml = "<coverage><sources>".to_owned();
        for source in sources {
            xml.push_str(&format!("<source>{source}</source>"));
        }
        xml.push_str(&format!(
            "</sources><packages><class filename='{name}'/></packages></coverage>"
        ));
        let coverage = Coverage::read(xml.as_bytes(), Utf8Path::new("c.xml")).unwrap();
        let tracked: Vec<Utf8PathBuf> = tracked.iter().map(|file| (*file).into()).collect();
        let located = Located::new(&coverage, Utf8Path::new("/home/ci/repo"), &tracked);
        located.places.into_iter().next().unwrap()
    }

    fn at(path: &str) -> Place {
        Place::At(path.into())
    }

    #[test]
    fn by_source_below_the_root() {
        let tracked = ["backend/app/main.py", "app/main.py"];
        assert_eq!(place("app/main.py", &["/home/ci/repo/backend"], &tracked), at(tracked[0]));
        assert_eq!(place("main.py", &["/home/ci/repo/backend/app/"], &tracked), at(tracked[0]));
        assert_eq!(place("app/main.py", &["backend"], &tracked), at(tracked[0]));
        assert_eq!(place("../app/main.py", &["/home/ci/repo/backend"], &tracked), at(tracked[1]));
        assert_eq!(place("/home/ci/repo/app/main.py", &["/x"], &tracked), at(tracked[1]));
    }

    #[test]
    fn by_name_from_the_root() {
        assert_eq!(place("app/main.py", &[], &["x/app/main.py", "app/main.py"]), at("app/main.py"));
        assert_eq!(place("app/main.py", &["/gone"], &["app/main.py"]), at("app/main.py"));
    }

    #[test]
    fn by_tail_from_a_container() {
        let tracked = ["backend/app/main.py", "worker/app/main.py", "README.md"];
        assert_eq!(place("app/main.py", &["/srv/backend"], &tracked), at(tracked[0]));
        assert_eq!(place("main.py", &["/srv/worker/app"], &tracked), at(tracked[1]));
        assert_eq!(place("/build/1/worker/app/main.py", &[], &tracked), at(tracked[1]));
        assert_eq!(place("C:\\w\\backend\\app\\main.py", &[], &tracked), at(tracked[0]));
        assert_eq!(
            place("app/main.py", &["/srv"], &tracked),
            Place::Ambiguous(vec![tracked[0].into(), tracked[1].into()])
        );
    }

    #[test]
    fn a_part_of_a_component_is_no_tail() {
        assert_eq!(place("main.py", &["/srv"], &["app/xmain.py"]), Place::Nowhere);
        assert_eq!(place("/usr/lib/site.py", &[], &["app/site.py"]), Place::Nowhere);
    }

    #[test]
    fn two_sources_that_both_hold_it_are_ambiguous() {
        assert_eq!(
            place("util.py", &["/home/ci/repo/a", "/home/ci/repo/b"], &["a/util.py", "b/util.py"]),
            Place::Ambiguous(vec!["a/util.py".into(), "b/util.py".into()])
        );
    }
}
