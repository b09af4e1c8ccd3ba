//! Filters against the real rsync: which files it transfers and which it deletes.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    thread,
};

use camino::Utf8Path;
use talia_pipeline::{
    landing::{ContentHash, Entry, Filters, RsyncPlan, Rule, Tree, TreePath},
    parse::itemize::{Format, RsyncItemize},
};

use crate::support::{Temp, command, output};

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        // Xorshift: short and good enough to make cases.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn is(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }

    /// A tree of names that patterns are fond of.
    fn tree(&mut self) -> Tree {
        const NAMES: &[&str] = &[
            "a",
            "b",
            "ab",
            "a.b",
            "ba",
            "[a]",
            "*",
            "a*",
            "-b",
            "é",
            "a b",
            " a",
            "a\nb",
            "\\a",
            ".well-known",
            "#a",
            "Z9",
            "a]b",
            "-",
            "keep",
            "!a",
            ".rsyncignore",
            "a_b",
        ];
        let mut tree = Tree::default();
        let mut folders: Vec<Option<TreePath>> = vec![None];
        for _ in 0..self.below(25) {
            let folder = folders[self.below(folders.len())].clone();
            let name = self.one(NAMES);
            let path =
                folder.map_or(name.to_owned(), |folder| format!("{}/{name}", folder.as_str()));
            let path: TreePath = path.parse().unwrap();
            if tree.get(&path).is_some() {
                continue;
            }
            let entry = match self.below(8) {
                0..4 => {
                    folders.push(Some(path.clone()));
                    Entry::folder()
                }
                4 => Entry::link(self.one(&["a", "..", "gone/x"])),
                _ => Entry::file(1, ContentHash::of(b"x")),
            };
            tree.insert(path, entry);
        }
        tree
    }

    /// A line that is a rule, or nearly so.
    fn line(&mut self) -> String {
        const HEADS: &[&str] = &[
            "",
            "- ",
            "+ ",
            "H ",
            "S ",
            "P ",
            "R ",
            "-! ",
            "+! ",
            "-p ",
            "Pp ",
            "-s ",
            "-r ",
            "+r ",
            "exclude ",
            "include,s ",
            "protect,p ",
            "risk ",
            "P!p ",
        ];
        const PIECES: &[&str] = &[
            "a",
            "b",
            "ab",
            "a.b",
            "*",
            "*",
            "**",
            "**",
            "***",
            "?",
            "??",
            "[a-c]",
            "[!a]",
            "[^b]",
            "[[:alpha:]]",
            "[[:punct:]]",
            "[]a]",
            "[\\]*]",
            "\\*",
            "\\[",
            "\\a",
            "keep",
            "é",
            " ",
            "/",
            "/",
            "/",
            "/",
            "_",
            "-",
            "#",
            ".",
            "!",
        ];
        let mut line = self.one(HEADS).to_owned();
        if self.is(3) {
            line.push('/');
        }
        for _ in 0..=self.below(4) {
            line.push_str(self.one(PIECES));
        }
        if self.is(5) {
            line.push_str(self.one(&["/", "/***", "/**", "/*"]));
        }
        line
    }
}

fn make(tree: &Tree, root: &Utf8Path) {
    for (path, entry) in tree.iter() {
        let at = root.join(path.as_str());
        match entry {
            Entry::Folder { .. } => fs::create_dir(at).unwrap(),
            Entry::File { .. } => fs::write(at, "x").unwrap(),
            Entry::Link { target } => symlink(target, at).unwrap(),
        }
    }
}

/// What is there: folders, files and links.
fn found(root: &Utf8Path) -> BTreeMap<String, char> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in folder.read_dir_utf8().unwrap().flatten() {
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                open.push(entry.path().to_owned());
            }
            let letter = if kind.is_dir() {
                'd'
            } else if kind.is_symlink() {
                'l'
            } else {
                'f'
            };
            let place = entry.path().strip_prefix(root).unwrap();
            found.insert(place.as_str().to_owned(), letter);
        }
    }
    found
}

fn letter(entry: &Entry) -> char {
    match entry {
        Entry::Folder { .. } => 'd',
        Entry::File { .. } => 'f',
        Entry::Link { .. } => 'l',
    }
}

/// One case; tells what it was when rsync does something else. Gives how much is kept;
/// nothing where something cannot be replaced.
fn compare(
    filters: &Filters,
    source: &Tree,
    server: &Tree,
    remote_shell: Option<&Utf8Path>,
) -> Option<usize> {
    let folder = Temp::new();
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    for (tree, root) in [(source, &from), (server, &to)] {
        fs::create_dir(root).unwrap();
        make(tree, root);
    }
    let mut rsync = command("rsync");
    rsync.args(["-rl", "--checksum", "--delete", "--delete-delay"]).env("LC_ALL", "C.UTF-8");
    rsync.args(filters.rsync_arguments()).arg("-8");
    rsync.arg(format!("--out-format={}", Format::LengthAndName.argument()));
    let target = match remote_shell {
        // Rules then travel to another process, as they do to a server.
        Some(shell) => {
            rsync.arg(format!("--rsh='{shell}'"));
            format!("server:{to}/")
        }
        None => format!("{to}/"),
    };
    let ended = output(rsync.arg("--").arg(format!("{from}/")).arg(target));

    let is_published = |path: &TreePath, entry: &Entry| !filters.hides(path, entry.is_folder());
    let published: Tree = source
        .iter()
        .filter(|(path, entry)| is_published(path, entry))
        .map(|(path, entry)| (path.clone(), entry.clone()))
        .collect();
    let plan = RsyncPlan::filtered(server, &published, filters);
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    let case = || {
        let list = |tree: &Tree| {
            let all = tree.iter().map(|(path, entry)| (path.as_str().to_owned(), letter(entry)));
            format!("{:?}", all.collect::<Vec<_>>())
        };
        format!(
            "{:#?}\nfrom {}\nto {}\n{said}",
            filters.rsync_arguments(),
            list(source),
            list(server)
        )
    };
    let exit = if plan.is_ok() { 0 } else { 23 };
    assert_eq!(ended.status.code(), Some(exit), "{}", case());
    let Ok(plan) = plan else { return None };
    let result = plan.result().iter();
    let expected: BTreeMap<String, char> =
        result.map(|(path, entry)| (path.as_str().to_owned(), letter(entry))).collect();
    assert_eq!(found(&to), expected, "{}", case());
    // It says what is planned, too.
    let said = RsyncItemize::parse(&ended.stdout, Format::LengthAndName).unwrap();
    if let Err(error) = plan.check_report(&said) {
        panic!("{error}\n{}", case());
    }
    Some(plan.kept().count())
}

#[test]
fn rsync_transfers_and_deletes_what_the_filters_say() {
    let folder = Temp::new();
    let shell = folder.path().join("shell");
    fs::write(&shell, "#!/bin/sh\nshift\nexec sh -c \"$*\"\n").unwrap();
    fs::set_permissions(&shell, fs::Permissions::from_mode(0o755)).unwrap();
    // What the cases are of use for: rules, hidden and kept places, failed replacements.
    let mut seen = [0; 4];
    let compared: Vec<[usize; 4]> = thread::scope(|scope| {
        // Rsync waits more than it works.
        let parts = (1..=WORKERS).map(|seed| {
            let shell = &shell;
            scope.spawn(move || part(seed, shell))
        });
        let parts: Vec<_> = parts.collect();
        parts.into_iter().map(|part| part.join().unwrap()).collect()
    });
    for part in compared {
        for (all, one) in seen.iter_mut().zip(part) {
            *all += one;
        }
    }
    assert!(seen.iter().zip([1000, 500, 500, 1]).all(|(all, least)| *all > least), "{seen:?}");
}

const WORKERS: u64 = 8;

/// Fifty cases.
fn part(seed: u64, shell: &Utf8Path) -> [usize; 4] {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut seen = [0; 4];
    for case in 0..50 {
        let mut lines = Vec::new();
        while lines.len() < 1 + case % 5 {
            lines.extend(dice.line().parse::<Rule>().ok());
        }
        seen[0] += lines.len();
        let (source, server) = (dice.tree(), dice.tree());
        // Some of what is there is the server's own.
        let own: Vec<&TreePath> =
            server.iter().map(|(path, _)| path).filter(|_| dice.is(20)).collect();
        let filters = Filters::new(lines).with_protected(own);
        seen[1] += source.iter().filter(|(path, it)| filters.hides(path, it.is_folder())).count();
        match compare(&filters, &source, &server, (case % 2 == 0).then_some(shell)) {
            Some(kept) => seen[2] += kept,
            None => seen[3] += 1,
        }
    }
    seen
}

#[test]
fn rsync_agrees_about_the_examples_of_its_manual() {
    let tree = |paths: &[&str]| -> Tree {
        let entry = |text: &&str| match text.strip_suffix('/') {
            Some(folder) => (folder.parse().unwrap(), Entry::folder()),
            None => (text.parse().unwrap(), Entry::file(1, ContentHash::of(b"x"))),
        };
        paths.iter().map(entry).collect()
    };
    let all = tree(&[
        "foo/",
        "foo/bar",
        "foo/bar.c",
        "foo/x/",
        "foo/x/bar",
        "foo/x/y/",
        "foo/x/y/bar",
        "a.o",
        "x/",
        "x/foo",
        "x/b.o",
        "x/c.c",
        "core",
        "x/core/",
        "x/core/z",
    ]);
    for rules in [
        "*.o",
        "/foo",
        "foo/",
        "foo/*/bar",
        "/foo/**/bar",
        "+ */\n+ *.c\n- *",
        "+ foo/\n+ foo/bar.c\n- *",
        "-! */",
        "foo/***",
        "core/",
        "P x/core\nH x/",
        "Pp z\n+ x",
    ] {
        let filters = Filters::default().with_file("rules".into(), rules).unwrap();
        compare(&filters, &all, &Tree::default(), None);
        compare(&filters, &Tree::default(), &all, None);
    }
}
