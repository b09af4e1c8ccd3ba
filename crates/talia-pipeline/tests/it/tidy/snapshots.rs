//! Every step has its snapshots, and every snapshot has its test.

use std::collections::BTreeSet;

use camino::Utf8Path;

use super::{
    below, holds, library,
    source::{Source, enclosed, pieces},
    sources,
};

/// A step that was found in a file.
struct Found {
    name: String,
    /// What its constructors and setters can be given.
    inputs: usize,
    in_process: bool,
}

impl Found {
    /// Minimal, everything set, hostile; where there is less to set, less to see. A
    /// step without any input has one look, one with a single input has no
    /// "everything" beside the minimum; what works in this process shows one line.
    fn needs(&self) -> usize {
        if self.in_process { 1 } else { (1 + self.inputs).min(3) }
    }
}

/// `ImageBuild` as `image_build`.
fn snake_case(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}

/// The insides of every block that begins with these words.
fn blocks<'a>(code: &'a str, begins: &str) -> Vec<&'a str> {
    let found = code.match_indices(begins).filter_map(|(at, _)| {
        let rest = &code[at + begins.len()..];
        let open = rest.find('{')?;
        // Not `impl Step for Pytest` when `impl Step for Py` is looked for.
        rest[..open].trim().is_empty().then(|| enclosed(&rest[open..]))
    });
    found.collect()
}

/// What the public functions that make or change the value take.
fn inputs(code: &str) -> usize {
    let (mut constructor, mut setters) = (0, 0);
    for (at, words) in code.match_indices("pub fn ") {
        let rest = &code[at + words.len()..];
        let Some(open) = rest.find('(') else { continue };
        let list = enclosed(&rest[open..]);
        let behind = &rest[open + list.len() + 2..];
        let head = behind.split(['{', ';']).next().unwrap_or_default();
        if !head.trim_start().starts_with("-> Self") {
            continue;
        }
        let list = pieces(list);
        match list.first() {
            Some(&("self" | "mut self")) => setters += 1,
            _ => constructor = constructor.max(list.len()),
        }
    }
    constructor + setters
}

fn steps(source: &Source) -> Vec<Found> {
    let begins = "impl Step for ";
    let found = source.code.match_indices(begins).filter_map(|(at, _)| {
        let rest = &source.code[at + begins.len()..];
        let name = rest[..rest.find('{')?].trim().to_owned();
        let own: usize =
            blocks(&source.code, &format!("impl {name}")).into_iter().map(inputs).sum();
        let body = blocks(&source.code, &format!("{begins}{name}")).concat();
        let in_process = body.contains("Action::work(") || body.contains("Action::read(");
        Some(Found { name, inputs: own, in_process })
    });
    found.collect()
}

fn steps_without(source: &Source, snapshots: &[String]) -> Vec<String> {
    let short = steps(source).into_iter().filter_map(|step| {
        let begins = format!("{}__", snake_case(&step.name));
        let has = snapshots.iter().filter(|name| name.starts_with(&begins)).count();
        let needs = step.needs();
        (has < needs).then(|| {
            format!("{}: `{}` has {has} snapshots, it needs {needs}", source.path, step.name)
        })
    });
    short.collect()
}

/// Snapshots that no test of these texts takes.
///
/// A test names its snapshot in quotes, all of it or what follows the first `__`;
/// or the snapshot is named by the test's own function, which a macro may make of
/// a line `name: "text"`.
fn orphans(snapshots: &[String], texts: &str) -> Vec<String> {
    let is_taken = |name: &&String| {
        let behind = name.split_once("__").map_or(name.as_str(), |(_, behind)| behind);
        let last = name.rsplit("__").next().unwrap_or_default();
        let function = last.trim_end_matches(|c: char| c.is_ascii_digit());
        let function = function.strip_suffix('-').unwrap_or(last);
        [name.as_str(), behind].iter().any(|name| texts.contains(&format!("\"{name}\"")))
            || [last, function].iter().any(|name| texts.contains(&format!("fn {name}(")))
            || texts.lines().any(|line| line.trim_start().starts_with(&format!("{behind}: \"")))
    };
    snapshots.iter().filter(|name| !is_taken(name)).cloned().collect()
}

/// The names of the snapshots in this folder, without the ending.
fn taken_in(folder: &Utf8Path) -> Vec<String> {
    let files = below(folder, ".snap").into_iter();
    files.filter_map(|path| path.file_stem().map(str::to_owned)).collect()
}

#[test]
fn every_step_has_its_snapshots_beside_it() {
    let mut findings = Vec::new();
    let mut count = 0;
    for source in sources("src/steps").iter().filter(|source| !source.is_test()) {
        let file = library().join("src/steps").join(&source.path);
        let mut names = taken_in(&file.with_file_name("snapshots"));
        // Tests in a folder of the file's name have theirs there.
        names.extend(taken_in(&file.with_extension("").join("snapshots")));
        findings.extend(steps_without(source, &names));
        count += steps(source).len();
    }
    assert!(count > 20, "{count} steps are found");
    holds(&findings);
}

#[test]
fn every_snapshot_is_taken_by_a_test() {
    let mut findings = Vec::new();
    let files = below(&library().join("src"), ".snap");
    let folders: BTreeSet<&Utf8Path> = files.iter().filter_map(|path| path.parent()).collect();
    assert!(folders.len() > 3, "{folders:?}");
    for folder in folders {
        let owner = folder.parent().unwrap();
        let mut texts = String::new();
        for file in below(owner, ".rs") {
            texts.push_str(&std::fs::read_to_string(file).unwrap());
        }
        let names = taken_in(folder);
        let orphans = orphans(&names, &texts);
        findings.extend(
            orphans.into_iter().map(|name| format!("{folder}/{name}.snap: no test takes it")),
        );
    }
    holds(&findings);
}

#[test]
fn no_snapshot_is_left_undecided() {
    let pending: Vec<String> =
        below(&library().join("src"), ".snap.new").into_iter().map(Into::into).collect();
    holds(&pending);
}

#[test]
fn a_step_without_snapshots_is_found() {
    let text = "
        pub struct Two { a: String }
        impl Two {
            pub fn new(a: impl Into<String>, b: Vec<(u8, u8)>) -> Self { x }
            pub fn get(&self) -> &str { x }
        }
        impl Step for Two { fn action(&self) -> A { Action::command(x) } }
        impl One { pub fn of<T: Into<X>>(a: T) -> Self { x } }
        impl Step for One { fn action(&self) -> A { Action::command(x) } }
        impl Step for NoneAtAll { fn action(&self) -> A { Action::command(x) } }
        impl InProcess {
            pub fn new(a: u8, b: u8) -> Self { x }
            #[must_use]
            pub fn with(mut self, c: u8) -> Self { x }
        }
        impl Step for InProcess { fn action(&self) -> A { Action::read(x) } }
        impl Setter { pub fn new(a: u8) -> Self { x } pub fn b(mut self, b: u8) -> Self { x } }
        impl Step for Setter { fn action(&self) -> A { Action::command(x) } }
    ";
    let source = Source::new("a.rs", text);
    let needs: Vec<(String, usize)> =
        steps(&source).into_iter().map(|step| (step.name.clone(), step.needs())).collect();
    let expected = [("Two", 3), ("One", 2), ("NoneAtAll", 1), ("InProcess", 1), ("Setter", 3)];
    assert_eq!(needs, expected.map(|(name, needs)| (name.to_owned(), needs)));
    let names =
        ["two__a", "two__b", "one__a", "one__b", "none_at_all__a", "in_process__a", "setter__a"];
    let found = steps_without(&source, &names.map(str::to_owned));
    let expected =
        ["a.rs: `Two` has 2 snapshots, it needs 3", "a.rs: `Setter` has 1 snapshots, it needs 3"];
    assert_eq!(found, expected);
}

#[test]
fn an_orphan_is_found() {
    let names = [
        "ruff__a",
        "settings__b",
        "talia__c__tests__named",
        "c__tests__twice-2",
        "ruff__gone",
        "x__y__lost",
        "z__made",
    ];
    let texts = concat!(
        "check(\"ruff__a\", x); check_error(\"b\", y); fn named() {} fn twice() {}\n",
        "    made: \"text\";\n// ruff__gone"
    );
    assert_eq!(orphans(&names.map(str::to_owned), texts), ["ruff__gone", "x__y__lost"]);
}
