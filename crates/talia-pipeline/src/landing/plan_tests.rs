//! Plans of trees made by hand and at random, and how they read.

use super::*;
use crate::ErrorKind;

fn file(size: u64, content: &str) -> Entry {
    Entry::file(size, ContentHash::of(content.as_bytes()))
}

fn with_mode(entry: Entry, new: u32) -> Entry {
    match entry {
        Entry::File { size, hash, .. } => Entry::File { size, hash, mode: new },
        Entry::Folder { .. } => Entry::Folder { mode: new },
        link => link,
    }
}

/// A tree of these, with the folders that they are in.
fn tree<'n>(entries: impl IntoIterator<Item = (&'n str, Entry)>) -> Tree {
    let mut tree = Tree::default();
    for (path, entry) in entries {
        let path: TreePath = path.parse().unwrap();
        let mut above = path.parent();
        while let Some(folder) = above {
            above = folder.parent();
            if tree.get(&folder).is_none() {
                tree.insert(folder, Entry::folder());
            }
        }
        tree.insert(path, entry);
    }
    tree
}

fn between(server: &Tree, local: &Tree) -> RsyncPlan {
    RsyncPlan::between(server, local, |_, _| false).unwrap()
}

fn json(value: &impl serde::Serialize) -> serde_json::Value {
    serde_json::to_value(value).unwrap()
}

/// The name of each change, by its place.
fn kinds(plan: &RsyncPlan) -> Vec<String> {
    plan.changes()
        .map(|(path, change)| {
            let kind = json(change)["change"].as_str().unwrap().to_owned();
            match change {
                Change::Renamed { from, .. } => format!("{path}: {kind} from {from}"),
                _ => format!("{path}: {kind}"),
            }
        })
        .collect()
}

#[test]
fn every_kind_of_change_is_told_apart() {
    let server = tree([
        ("content", file(2, "old")),
        ("same size", file(2, "old 2")),
        ("mode", with_mode(file(2, "a"), 0o600)),
        ("both", with_mode(file(2, "old 3"), 0o600)),
        ("folder mode", with_mode(Entry::folder(), 0o700)),
        ("link", Entry::link("a")),
        ("file to folder", file(9, "x")),
        ("file to link", file(9, "x")),
        ("folder to file/in", file(7, "y")),
        ("folder to link", Entry::folder()),
        ("link to file", Entry::link("a")),
        ("link to folder", Entry::link("a")),
        ("gone/deep/er", file(5, "z")),
        ("gone/link", Entry::link("a")),
        ("old name", file(30, "moved")),
        ("same", file(4, "s")),
        ("same link", Entry::link("a")),
        ("same folder", Entry::folder()),
    ]);
    let local = tree([
        ("content", file(3, "new")),
        ("same size", file(2, "new 2")),
        ("mode", file(2, "a")),
        ("both", file(2, "new 3")),
        ("folder mode", Entry::folder()),
        ("link", Entry::link("b")),
        ("file to folder/in", file(1, "in")),
        ("file to link", Entry::link("a")),
        ("folder to file", file(8, "f")),
        ("folder to link", Entry::link("a")),
        ("link to file", file(6, "l")),
        ("link to folder", Entry::folder()),
        ("new", file(10, "n")),
        ("new name", file(30, "moved")),
        ("same", file(4, "s")),
        ("same link", Entry::link("a")),
        ("same folder", Entry::folder()),
    ]);
    let plan = between(&server, &local);
    assert_eq!(
        kinds(&plan),
        [
            "both: changed",
            "content: changed",
            "file to folder: kind_changed",
            "file to folder/in: added",
            "file to link: kind_changed",
            "folder mode: mode_changed",
            "folder to file: kind_changed",
            "folder to file/in: deleted",
            "folder to link: kind_changed",
            "gone: deleted",
            "gone/deep: deleted",
            "gone/deep/er: deleted",
            "gone/link: deleted",
            "link: link_changed",
            "link to file: kind_changed",
            "link to folder: kind_changed",
            "mode: mode_changed",
            "new: added",
            "new name: renamed from old name",
            "same size: changed",
        ]
    );
    assert_eq!(plan.result(), &local);
    let totals = plan.totals();
    assert_eq!(totals.bytes_to_send, 2 + 3 + 2 + 1 + 8 + 6 + 10 + 30);
    assert_eq!(totals.bytes_deleted, 9 + 9 + 7 + 5 + 30);
    let amount = |files, folders, links, bytes| Amount { files, folders, links, bytes };
    assert_eq!(totals.unchanged, amount(1, 1, 1, 4));
    assert_eq!(totals.replaced, amount(2, 2, 2, 18));
    assert_eq!(totals.kind_changed, amount(2, 2, 2, 14));
    assert_eq!(totals.mode_changed, amount(1, 1, 0, 2));
    assert_eq!(totals.deleted, amount(2, 2, 1, 12));
    assert_eq!(totals.renamed, amount(1, 0, 0, 30));
}

#[test]
fn what_filters_protect_stays_with_the_folders_that_it_is_in() {
    let filters = Filters::default().with_file("x".into(), "P keep\nPp maybe\n").unwrap();
    let server = tree([
        ("old/a", file(1, "a")),
        ("old/b/keep", file(1, "k")),
        ("old/b/maybe", file(1, "m")),
        ("old/c/x", file(1, "x")),
        ("gone/maybe", file(1, "m")),
        ("maybe", file(1, "m")),
        ("here/keep/y", file(1, "y")),
        ("here/z", file(1, "z")),
    ]);
    let local = tree([("here/keep", Entry::folder())]);
    let plan = RsyncPlan::filtered(&server, &local, &filters).unwrap();
    let kept: Vec<String> = plan.kept().map(|(path, why)| format!("{path} {why:?}")).collect();
    let expected = ["maybe Protected", "old Holds", "old/b Holds", "old/b/keep Protected"];
    assert_eq!(kept, expected, "what is perishable goes with its folder");
    let server = tree([("swap/keep", file(1, "k"))]);
    let error = RsyncPlan::filtered(&server, &tree([("swap", file(1, "s"))]), &filters);
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Refused);
}

#[test]
fn the_folders_around_what_is_the_servers_own_stay() {
    let server = tree([("a/b/c/x", file(1, "x")), ("a/y", file(1, "y")), ("d/z", file(1, "z"))]);
    let own = ["a/b/own", "d/own"].map(|path| path.parse().unwrap());
    let planned = |local: &Tree, standing: &[TreePath]| {
        RsyncPlan::beside(&server, local, &Filters::default(), &own, standing)
    };
    let none = Tree::default();
    let plan = planned(&none, &own[..1]).unwrap();
    assert_eq!(
        kinds(&plan),
        ["a/b/c: deleted", "a/b/c/x: deleted", "a/y: deleted", "d: deleted", "d/z: deleted"]
    );
    let kept: Vec<String> = plan.kept().map(|(path, why)| format!("{path} {why:?}")).collect();
    assert_eq!(kept, ["a Holds", "a/b Holds"]);
    assert_eq!(plan.result(), &tree([("a/b", Entry::folder())]));
    assert_eq!(planned(&none, &[]).unwrap().kept().count(), 0);
    let error = planned(&tree([("a", file(1, "a"))]), &own).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains("a/b/own in it is protected"), "{error}");
}

#[test]
fn what_is_protected_stays_as_rsync_has_it() {
    let server = tree([
        (".well-known/acme/token", with_mode(file(9, "t"), 0o600)),
        (".well-known/security.txt", file(9, "s")),
        ("gone/deep/keep.me", file(1, "k")),
        ("gone/deep/other", file(2, "o")),
        ("gone/side/x", file(3, "x")),
        ("stays/keep.me", file(1, "k")),
        ("stays/other", file(2, "o")),
        ("published.keep", file(4, "old")),
    ]);
    let local = tree([("stays", Entry::folder()), ("published.keep", file(5, "new"))]);
    let rule = |path: &TreePath, entry: &Entry| {
        path.as_str() == ".well-known" && entry.is_folder()
            || path.name() == "keep.me"
            || path.name().ends_with(".keep")
    };
    let plan = RsyncPlan::between(&server, &local, rule).unwrap();
    assert_eq!(
        kinds(&plan),
        [
            ".well-known/acme/token: mode_changed",
            "gone/deep/other: deleted",
            "gone/side: deleted",
            "gone/side/x: deleted",
            "published.keep: changed",
            "stays/other: deleted",
        ]
    );
    let kept: Vec<String> = plan.kept().map(|(path, why)| format!("{path} {why:?}")).collect();
    assert_eq!(
        kept,
        [
            ".well-known Protected",
            ".well-known/acme Inside",
            ".well-known/acme/token Inside",
            ".well-known/security.txt Inside",
            "gone Holds",
            "gone/deep Holds",
            "gone/deep/keep.me Protected",
            "stays/keep.me Protected",
        ]
    );
    let token: TreePath = ".well-known/acme/token".parse().unwrap();
    assert_eq!(plan.result().get(&token), Some(&file(9, "t")), "as what is published");
    plan.result().check().unwrap();
    assert_eq!(plan.totals().kept.files, 4);

    // Once it is published, each of its entries is judged by itself.
    let local = tree([(".well-known", Entry::folder())]);
    let plan = RsyncPlan::between(&server, &local, rule).unwrap();
    assert!(kinds(&plan).contains(&".well-known/security.txt: deleted".to_owned()));
}

#[test]
fn a_file_in_the_place_of_something_protected_is_refused() {
    let server = tree([("a/b/keep", file(1, "k")), ("c/keep", file(1, "k"))]);
    let rule = |path: &TreePath, _: &Entry| path.name() == "keep";
    let local = tree([("a", file(1, "a")), ("c", Entry::link("a"))]);
    let error = RsyncPlan::between(&server, &local, rule).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert_eq!(
        error.to_string(),
        "a is a folder on the server and something else here, and a/b/keep in it is protected; \
         and 1 more such"
    );
    assert!(error.hint_text().is_some());
    between(&server, &local);

    let loose: Tree = [("a/b".parse().unwrap(), file(1, "a"))].into_iter().collect();
    for (server, local) in [(&loose, &Tree::default()), (&Tree::default(), &loose)] {
        let error = RsyncPlan::between(server, local, |_, _| false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
    }
}

#[test]
fn files_that_move_are_paired_by_name_and_then_in_order() {
    let moved = |content| file(10, content);
    let server = tree([
        ("1", moved("a")),
        ("2", moved("a")),
        ("3/x", moved("a")),
        ("4", moved("b")),
        ("5", file(0, "")),
        ("6", moved("c")),
        ("7", moved("c")),
    ]);
    let local = tree([
        ("a", moved("a")),
        ("b/x", moved("a")),
        ("c", moved("a")),
        ("d", moved("a")),
        ("e", file(0, "")),
        ("f", moved("other")),
        ("g", moved("c")),
    ]);
    assert_eq!(
        kinds(&between(&server, &local)),
        [
            "3: deleted",
            "4: deleted",
            "5: deleted",
            "7: deleted",
            "a: renamed from 1",
            "b: added",
            "b/x: renamed from 3/x",
            "c: renamed from 2",
            "d: added",
            "e: added",
            "f: added",
            "g: renamed from 6",
        ]
    );
}

/// Marsaglia's xorshift: the same trees on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }

    /// A tree of few names, so that two of them often have the same places.
    fn tree(&mut self) -> Tree {
        let mut tree = Tree::default();
        self.fill(&mut tree, "", 0);
        tree
    }

    fn fill(&mut self, tree: &mut Tree, folder: &str, depth: usize) {
        for name in ["a", "a.b", "b", "keep", "é"] {
            let path = format!("{folder}{name}");
            let content = ["", "1", "22", "333"][self.below(4)];
            let mode = [0o644, 0o644, 0o600][self.below(3)];
            let (is_folder, entry) = match self.below(8) {
                0..3 => (false, with_mode(file(content.len() as u64, content), mode)),
                3..6 if depth < 3 => (true, with_mode(Entry::folder(), mode | 0o111)),
                6 => (false, Entry::link(["x", "y"][self.below(2)])),
                _ => continue,
            };
            tree.insert(path.parse().unwrap(), entry);
            if is_folder {
                self.fill(tree, &format!("{path}/"), depth + 1);
            }
        }
    }
}

#[test]
fn a_plan_makes_one_tree_the_other_whatever_they_are() {
    let rule = |path: &TreePath, _: &Entry| path.name() == "keep";
    let mut random = Random(0x7a11_a5ee_d000_0007);
    let (mut planned, mut refused) = (0, 0);
    for round in 0..400 {
        let (server, local) = (random.tree(), random.tree());
        let plan = match RsyncPlan::between(&server, &local, rule) {
            Ok(plan) => plan,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Refused, "round {round}: {error}");
                refused += 1;
                between(&server, &local)
            }
        };
        planned += 1;
        // Doing what it says gives its result.
        let mut done = server.clone();
        let (mut sent, mut deleted) = (0, 0);
        for (path, change) in plan.changes() {
            match change.after() {
                Some(after) => drop(done.insert(path.clone(), after.clone())),
                None => assert!(done.remove(path).is_some(), "round {round}: {path}"),
            }
            let was = match change {
                Change::Renamed { from, before, .. } => {
                    assert_eq!(done.remove(from).as_ref(), Some(before), "round {round}");
                    None
                }
                _ => server.get(path),
            };
            assert!(was == change.before() || matches!(change, Change::Renamed { .. }));
            sent += change.bytes_to_send();
            deleted += change.bytes_deleted();
        }
        assert_eq!(done.differences(plan.result()), [], "round {round}");
        plan.result().check().unwrap();
        // It holds the local tree, and besides only what is kept.
        for (path, entry) in plan.result().iter() {
            let is_kept = plan.kept().any(|(kept, _)| kept == path);
            assert_eq!(local.get(path).is_none(), is_kept, "round {round}: {path}");
            assert!(is_kept || local.get(path) == Some(entry), "round {round}: {path}");
        }
        let totals = plan.totals();
        assert_eq!((totals.bytes_to_send, totals.bytes_deleted), (sent, deleted));
        let after = [totals.added, totals.different(), totals.renamed, totals.unchanged];
        let after: u64 = after.iter().map(Amount::entries).sum();
        assert_eq!(after, plan.result().len() as u64, "round {round}");
        let gone = [totals.deleted, totals.different(), totals.renamed, totals.unchanged];
        let before: u64 = gone.iter().map(Amount::entries).sum();
        assert_eq!(before, server.len() as u64, "round {round}");
        assert_eq!(totals.entries_before(), before);
        // Nothing is left to do, and every length of the listing can be written.
        let rule = |path: &TreePath, entry: &Entry| {
            rule(path, entry) || plan.kept().any(|(kept, _)| kept == path)
        };
        assert!(RsyncPlan::between(plan.result(), &local, rule).unwrap().is_empty());
        for rows in [0, 1, 3, 10, usize::MAX] {
            let listing = plan.listing(rows);
            let shown = listing.lines().skip(2).take_while(|line| !line.is_empty()).count();
            assert!(shown <= rows, "round {round}: {listing}");
        }
    }
    assert!(planned == 400 && refused > 20, "{planned} {refused}");
}

#[test]
fn a_plan_as_json_has_stable_names() {
    let server = tree([("a\n", file(2, "1")), (".k", file(1, "k"))]);
    let local = tree([("b", file(2, "1")), ("c", Entry::link("b"))]);
    let rule = |path: &TreePath, _: &Entry| path.as_str() == ".k";
    let plan = RsyncPlan::between(&server, &local, rule).unwrap();
    let none = serde_json::json!({"files": 0, "folders": 0, "links": 0, "bytes": 0});
    let amount = |files, links, bytes| serde_json::json!({"files": files, "folders": 0, "links": links, "bytes": bytes});
    let one = json(&file(2, "1"));
    assert_eq!(one["mode"], 0o644);
    assert_eq!(
        json(&plan),
        serde_json::json!({
            "totals": {
                "added": amount(0, 1, 0),
                "changed": none,
                "mode_changed": none,
                "link_changed": none,
                "kind_changed": none,
                "replaced": none,
                "renamed": amount(1, 0, 2),
                "deleted": none,
                "unchanged": amount(1, 0, 1),
                "kept": amount(1, 0, 1),
                "bytes_to_send": 2,
                "bytes_deleted": 2,
            },
            "changes": [
                {"path": "b", "change": "renamed", "from": "a\n", "before": one, "after": one},
                {"path": "c", "change": "added", "after": {"kind": "link", "target": "b"}},
            ],
            "kept": [{"path": ".k", "why": "protected"}],
        })
    );
}

#[track_caller]
fn reads(plan: &RsyncPlan, rows: usize, expected: &str) {
    let listing = plan.listing(rows);
    let expected = expected.trim_start_matches('\n');
    assert_eq!(listing, expected, "\n{listing}");
}

/// A site of some hundred files, and the next release of it.
fn releases() -> (Tree, Tree) {
    let assets = |from: usize, to: usize| {
        (from..to).map(|n| (format!("assets/chunk-{n:03}.js"), file(14_000, &format!("c{n}"))))
    };
    let images = |folder: &'static str| {
        (0..12).map(move |n| (format!("{folder}/photo-{n:02}.jpg"), file(81_000, &format!("i{n}"))))
    };
    let old_blog =
        (0..9).map(|n| (format!("old-blog/post-{n}.html"), file(2100, &format!("o{n}"))));
    let new_blog = (0..30)
        .map(|n| (format!("blog/{}/post-{n}.html", 2020 + n % 3), file(3100, &format!("n{n}"))));
    let server = assets(0, 60).chain(images("img")).chain(old_blog).chain([
        ("index.html".to_owned(), file(4010, "old")),
        ("robots.txt".to_owned(), file(24, "r")),
        ("about/index.html".to_owned(), file(4010, "about")),
        ("about/team.html".to_owned(), file(900, "team")),
        ("cgi".to_owned(), with_mode(file(120, "cgi"), 0o755)),
        ("docs".to_owned(), file(500, "d")),
        ("latest".to_owned(), Entry::link("v1")),
        (".well-known/security.txt".to_owned(), file(90, "s")),
        (".well-known/acme-challenge/t".to_owned(), file(90, "t")),
    ]);
    let local = assets(4, 62).chain(images("media/img")).chain(new_blog).chain([
        ("index.html".to_owned(), file(4100, "new")),
        ("robots.txt".to_owned(), file(24, "r")),
        ("about/index.html".to_owned(), file(4010, "about 2")),
        ("cgi".to_owned(), file(120, "cgi")),
        ("docs/index.html".to_owned(), file(700, "d2")),
        ("latest".to_owned(), Entry::link("v2")),
        ("pages/en/hello.html".to_owned(), file(700, "hello")),
    ]);
    let tree_of = |entries: Vec<(String, Entry)>| {
        tree(entries.iter().map(|(path, entry)| (path.as_str(), entry.clone())))
    };
    (tree_of(server.collect()), tree_of(local.collect()))
}

#[test]
fn a_release_reads_well() {
    let (server, local) = releases();
    let rule = |path: &TreePath, _: &Entry| path.as_str() == ".well-known";
    let plan = RsyncPlan::between(&server, &local, rule).unwrap();
    reads(
        &plan,
        60,
        r#"
34 added, 5 changed, 12 renamed, 14 deleted: 1.1 MB to send, 1.0 MB to delete; unchanged: 59 files, 784 kB

= .well-known/                   protected: 2 files
  about/
~   index.html           4.0 kB
-   team.html             900 B
  assets/
-   chunk-000.js        14.0 kB
-   chunk-001.js        14.0 kB
-   chunk-002.js        14.0 kB
-   chunk-003.js        14.0 kB
+   chunk-060.js        14.0 kB
+   chunk-061.js        14.0 kB
+ blog/                 93.0 kB  30 files
~ cgi                     120 B  mode 0644, was 0755
~ docs/                          a folder, was a file of 500 B
+   index.html            700 B
~ index.html             4.1 kB  was 4.0 kB
~ latest                         link to v2, was v1
→ media/img/             972 kB  12 files, was img/
- old-blog/             18.9 kB  9 files
+ pages/en/hello.html     700 B
"#,
    );
}

#[test]
fn a_long_plan_is_told_in_few_rows() {
    let (server, local) = releases();
    let rule = |path: &TreePath, _: &Entry| path.as_str() == ".well-known";
    let plan = RsyncPlan::between(&server, &local, rule).unwrap();
    reads(
        &plan,
        14,
        r#"
34 added, 5 changed, 12 renamed, 14 deleted: 1.1 MB to send, 1.0 MB to delete; unchanged: 59 files, 784 kB

= .well-known/                   protected: 2 files
  about/
~   index.html           4.0 kB
-   team.html             900 B
~ assets/                        2 added, 4 deleted; 28.0 kB to send
+ blog/                 93.0 kB  30 files
~ cgi                     120 B  mode 0644, was 0755
~ docs/                          a folder, was a file of 500 B
+   index.html            700 B
~ index.html             4.1 kB  was 4.0 kB
~ latest                         link to v2, was v1
→ media/img/             972 kB  12 files, was img/
- old-blog/             18.9 kB  9 files
+ pages/en/hello.html     700 B

… 1 folder shown as one row each: the plan as JSON has every change (`--plan=json`)
"#,
    );
    reads(
        &plan,
        5,
        r#"
34 added, 5 changed, 12 renamed, 14 deleted: 1.1 MB to send, 1.0 MB to delete; unchanged: 59 files, 784 kB

= .well-known/            protected: 2 files
~ about/                  1 changed, 1 deleted; 4.0 kB to send
~ assets/                 2 added, 4 deleted; 28.0 kB to send
+ blog/          93.0 kB  30 files
~ cgi              120 B  mode 0644, was 0755

… 6 rows more, 2 folders shown as one row each: the plan as JSON has every change (`--plan=json`)
"#,
    );
}

#[test]
fn the_first_release_and_one_without_a_change_are_said_so() {
    let (_, local) = releases();
    reads(
        &between(&Tree::default(), &local),
        60,
        r#"
107 added: 1.9 MB to send; the server has nothing yet

+ about/index.html       4.0 kB
+ assets/                812 kB  58 files
+ blog/                 93.0 kB  30 files
+ cgi                     120 B
+ docs/index.html         700 B
+ index.html             4.1 kB
+ latest                         link to v2
+ media/                 972 kB  12 files
+ pages/en/hello.html     700 B
+ robots.txt               24 B
"#,
    );
    reads(
        &between(&local, &local),
        60,
        r#"
nothing changes: 106 files, 1 link, 1.9 MB
"#,
    );
    reads(
        &between(&local, &Tree::default()),
        60,
        r#"
107 deleted: 1.9 MB to delete; nothing stays as it is

- about/index.html       4.0 kB
- assets/                812 kB  58 files
- blog/                 93.0 kB  30 files
- cgi                     120 B
- docs/index.html         700 B
- index.html             4.1 kB
- latest                         link to v2
- media/                 972 kB  12 files
- pages/en/hello.html     700 B
- robots.txt               24 B
"#,
    );
    reads(
        &between(&Tree::default(), &Tree::default()),
        60,
        r#"
nothing changes: there is nothing on either side
"#,
    );
}

#[test]
fn hostile_names_stay_in_their_row() {
    let server = tree([
        ("*deleting   x", file(1, "1")),
        ("a -> b", Entry::link("c => d")),
        ("caf\u{e9}", file(1, "2")),
        (&"n".repeat(255), file(1, "3")),
    ]);
    let local = tree([
        (" both ends ", file(1, "4")),
        ("a -> b", Entry::link("two\nrows ")),
        ("cafe\u{301}", file(1, "2")),
        ("\u{202e}gpj.exe", file(1, "5")),
        ("-rf", file(1, "6")),
        ("tab\t\r\u{1b}[2J", file(1, "7")),
    ]);
    reads(
        &between(&server, &local),
        60,
        r#"
4 added, 1 changed, 1 renamed, 2 deleted: 5 B to send, 3 B to delete; nothing stays as it is

+ \u{20}both ends\u{20}       1 B
- *deleting   x               1 B
+ -rf                         1 B
~ a -> b                           link to two\nrows\u{20}, was c => d
→ cafe\u{301}                 1 B  was café
- nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn…nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn       1 B
+ tab\t\r\u{1b}[2J            1 B
+ \u{202e}gpj.exe             1 B
"#,
    );
}

#[test]
fn rare_changes_read_well() {
    let many = |folder: &'static str| (0..5).map(move |n| format!("{folder}/{n}.html"));
    let page = |path: String| (path, file(1000, "page"));
    let all = |entries: Vec<(String, Entry)>| {
        tree(entries.iter().map(|(path, entry)| (path.as_str(), entry.clone())))
    };
    let own = |path: &str, entry: Entry| (path.to_owned(), entry);
    let server = all(many("was folder")
        .map(page)
        .chain([
            own("was file", file(7, "f")),
            own("was link", Entry::link("x")),
            own("half/gone", file(1, "g")),
            own("both", with_mode(file(4_000, "a"), 0o600)),
            own("near", file(4_001, "n")),
            own("closed", with_mode(Entry::folder(), 0o700)),
            own("kept/1", with_mode(file(1, "k"), 0o600)),
            own("kept/2", file(1, "k")),
            own("a/b/kept", file(1, "k")),
            own("empty/er", Entry::folder()),
        ])
        .collect());
    let local = all(many("was file")
        .map(|path| (path, file(1000, "other page")))
        .chain([
            own("was folder", file(9, "f2")),
            own("was link", Entry::folder()),
            own("half/new/link", Entry::link("a b")),
            own("half/new/er/1", file(1, "1")),
            own("half/new/er/2", file(1, "2")),
            own("both", file(5_000, "b")),
            own("near", file(4_002, "m")),
            own("closed", Entry::folder()),
        ])
        .collect());
    let rule = |path: &TreePath, _: &Entry| path.name() == "kept";
    let plan = RsyncPlan::between(&server, &local, rule).unwrap();
    reads(
        &plan,
        60,
        r#"
8 added, 7 changed, 6 deleted: 14.0 kB to send, 5.0 kB to delete; unchanged: 2 files, 2 B

= a/b/kept              protected
~ both          5.0 kB  was 4.0 kB; mode 0644, was 0600
~ closed/               mode 0755, was 0700
- empty/er/
  half/
-   gone           1 B
+   new/           2 B  2 files, 1 link
= kept/                 protected: 2 files
~   1              1 B  mode 0644, was 0600
~ near          4.0 kB  4002 B, was 4001 B
~ was file/             a folder, was a file of 7 B; 5 files, 5.0 kB added
~ was folder       9 B  a file, was a folder; 5 files, 5.0 kB deleted
~ was link/             a folder, was a link to x
"#,
    );
}

#[test]
fn a_folder_that_moves_is_one_row() {
    let site = |folder: &str| {
        let files = ["1", "2", "in/3", "in/4"].map(|name| (format!("{folder}/{name}"), name));
        tree(files.iter().map(|(path, content)| (path.as_str(), file(1000, content))))
    };
    reads(
        &between(&site("old\n"), &site("new")),
        60,
        r#"
4 renamed: 4.0 kB to send, 4.0 kB to delete; nothing stays as it is

→ new/    4.0 kB  4 files, was old\n/
"#,
    );
    // One file more is one row more for each.
    let mut more = site("new");
    more.insert("new/5".parse().unwrap(), file(10, "5"));
    reads(
        &between(&site("old"), &more),
        60,
        r#"
1 added, 4 renamed: 4.0 kB to send, 4.0 kB to delete; nothing stays as it is

+ new/
→   1        1.0 kB  was old/1
→   2        1.0 kB  was old/2
+   5          10 B
+   in/
→     3      1.0 kB  was old/in/3
→     4      1.0 kB  was old/in/4
- old/in/
"#,
    );
}
