//! Plans against the real rsync: what it says before, what it does, what is there
//! then.

use std::{fs, path::Path, time::Instant};

use camino::Utf8Path;
use talia_pipeline::{
    ErrorKind,
    landing::{Change, ContentHash, Entry, Filters, RsyncPlan, Tree, TreePath},
    parse::itemize::{Format, ItemEvent, RsyncItemize},
};

use crate::landing_kit::{Bench, Thing, Things, Way, published, things, tree};

fn planned(bench: &Bench, rule: impl Fn(&TreePath, &Entry) -> bool) -> RsyncPlan {
    RsyncPlan::between(&tree(&bench.live()), &published(&bench.local()), rule).unwrap()
}

/// Names that have broken somebody's scripts.
fn hostile_names() -> Vec<String> {
    let mut names: Vec<String> = [
        "plain.html",
        "a b",
        " leading",
        "trailing ",
        "   ",
        "a\nb",
        "\n",
        "ends with\n",
        "a\tb",
        "a\rb",
        "cr\r",
        "esc\u{1b}[2Jx",
        "del\u{7f}",
        "c1\u{9b}31m",
        "\u{e9}",
        "e\u{301}",
        "日本語",
        "😀",
        "\u{202e}gpj.exe",
        "\u{feff}bom",
        "nbsp\u{a0}",
        "\u{2028}",
        "-rf",
        "--delete",
        "--",
        "*deleting   x",
        "a -> b",
        "c => d",
        "lit\\#012esc",
        "\\#",
        "\\#1",
        "\\\\#134",
        "back\\slash",
        "'single'",
        "\"double\"",
        "$(touch pwned)",
        "`id`",
        "$HOME",
        "; rm -rf x",
        "a&b|c>d<e",
        "*",
        "?",
        "[a-z]",
        "{a,b}",
        "~",
        "#x",
        "!x",
        "%n",
        "a:b",
        "host::module",
        "...",
        "..x",
        ">f+++++++++ 1 x",
        "cannot delete non-empty directory: x",
        ".~tmp~",
        ".hidden",
        ".rsync-filter",
    ]
    .map(str::to_owned)
    .into();
    names.push("n".repeat(255));
    // 255 bytes, of two each but for the first.
    names.push(format!("x{}", "é".repeat(127)));
    names
}

/// Every name as each kind of thing, in each of these ways.
fn hostile_pair() -> (Things, Things) {
    let (mut local, mut server) = (Things::new(), Things::new());
    let mut put = |path: String, before: Option<Thing>, after: Option<Thing>| {
        server.extend(before.map(|thing| (path.clone(), thing)));
        local.extend(after.map(|thing| (path, thing)));
    };
    for (at, name) in hostile_names().iter().enumerate() {
        let (old, new) = (format!("old {at}"), format!("newer {at}"));
        put(format!("new/{name}"), None, Some(Thing::file(&new)));
        put(format!("gone/{name}"), Some(Thing::file(&format!("gone {at}"))), None);
        put(format!("moved from/{name}"), Some(Thing::file(&format!("moved {at}"))), None);
        put(format!("moved to/{name}"), None, Some(Thing::file(&format!("moved {at}"))));
        put(format!("changed/{name}"), Some(Thing::file(&old)), Some(Thing::file(&new)));
        put(format!("same/{name}"), Some(Thing::file(&old)), Some(Thing::file(&old)));
        put(format!("new folder/{name}"), None, Some(Thing::folder()));
        put(format!("new folder/{name}/{name}"), None, Some(Thing::file("")));
        put(format!("gone folder/{name}/{name}"), Some(Thing::file("")), None);
        put(format!("new link/{name}"), None, Some(Thing::link(name)));
        put(format!("gone link/{name}"), Some(Thing::link(name)), None);
        put(format!("link/{name}"), Some(Thing::link("x")), Some(Thing::link(name)));
        put(format!("same link/{name}"), Some(Thing::link(name)), Some(Thing::link(name)));
        put(format!("other kind/{name}"), Some(Thing::link(name)), Some(Thing::file(&new)));
    }
    let deep = vec!["d".repeat(250); 13].join("/");
    put(format!("{deep}/new"), None, Some(Thing::file("deep")));
    put(format!("{deep}/gone"), Some(Thing::file("deep too")), None);
    let narrow = vec!["d"; 200].join("/");
    put(format!("narrow/{narrow}"), None, Some(Thing::file("deep")));
    (local, server)
}

#[test]
fn rsync_does_with_hostile_names_what_is_planned() {
    let (local, server) = hostile_pair();
    for way in [Way::Local, Way::Daemon] {
        let bench = Bench::new(&local, &server).way(way);
        let plan = planned(&bench, |_, _| false);
        assert!(plan.totals().renamed.files as usize >= hostile_names().len());
        bench.proves(&plan);
        // Nothing is left to do, and rsync sees it so.
        assert_eq!(bench.report(&[]), RsyncItemize::default());
        assert!(!bench.local().join("pwned").exists() && !Path::new("pwned").exists());
    }
}

/// One of each kind, with everything below it.
fn kinds() -> Vec<(&'static str, Things)> {
    vec![
        ("nothing", Things::new()),
        ("file", things([("", Thing::file("one"))])),
        ("other file", things([("", Thing::file("two"))])),
        ("long file", things([("", Thing::file(&"three".repeat(1000)))])),
        ("empty file", things([("", Thing::file(""))])),
        (
            "program",
            things([(
                "",
                Thing::File { content: b"one".into(), mode: 0o750, changed_days_ago: 3 },
            )]),
        ),
        (
            "old file",
            things([(
                "",
                Thing::File { content: b"one".into(), mode: 0o644, changed_days_ago: 900 },
            )]),
        ),
        ("empty folder", things([("", Thing::folder())])),
        ("closed folder", things([("", Thing::Folder { mode: 0o700 })])),
        ("folder", things([("", Thing::folder()), ("/in", Thing::file("one"))])),
        (
            "deep folder",
            things([
                ("", Thing::folder()),
                ("/a", Thing::file("a")),
                ("/b", Thing::folder()),
                ("/b/c", Thing::folder()),
                ("/b/c/d", Thing::file("d")),
                ("/b/l", Thing::link("../a")),
                ("/in", Thing::folder()),
            ]),
        ),
        ("link", things([("", Thing::link("../file of the test"))])),
        ("dangling link", things([("", Thing::link("nowhere/at all"))])),
        ("absolute link", things([("", Thing::link("/etc/hostname"))])),
        ("link to a folder", things([("", Thing::link("../folder of the test"))])),
        ("link to itself", things([("", Thing::link("."))])),
        ("hard link", things([("", Thing::HardLink("a file".to_owned()))])),
    ]
}

#[test]
fn rsync_replaces_every_kind_by_every_other_as_planned() {
    let common = || {
        things([
            ("a file", Thing::file("linked twice")),
            ("folder of the test/x", Thing::file("x")),
            ("file of the test", Thing::file("y")),
        ])
    };
    let (mut local, mut server) = (common(), common());
    for (before, old) in kinds() {
        for (after, new) in kinds() {
            let place = format!("{before} to {after}");
            for (all, things) in [(&mut server, &old), (&mut local, &new)] {
                let things = things.iter();
                all.extend(things.map(|(path, thing)| {
                    // A hard link is made of what is there already.
                    (format!("kinds/{place}{path}"), thing.clone())
                }));
                all.entry("kinds".to_owned()).or_insert(Thing::folder());
            }
        }
    }
    for way in [Way::Local, Way::Daemon] {
        let bench = Bench::new(&local, &server).way(way);
        if !way.brings_links_that_leave() {
            for place in bench.local().join("kinds").read_dir_utf8().unwrap() {
                let place = place.unwrap().into_path();
                if place.read_link_utf8().is_ok_and(|target| target.is_absolute()) {
                    fs::remove_file(place).unwrap();
                }
            }
        }
        let plan = planned(&bench, |_, _| false);
        for kind in ["kind_changed", "link_changed", "mode_changed", "changed", "renamed"] {
            let json = |change| serde_json::to_value(change).unwrap();
            assert!(plan.changes().any(|(_, change)| json(change)["change"] == kind), "{kind}");
        }
        bench.proves(&plan);
        assert_eq!(bench.report(&[]), RsyncItemize::default());
    }
}

/// Marsaglia's xorshift: one seed gives the same trees on every machine.
struct Random(u64);

impl Random {
    /// Seeds next to each other start far from each other.
    fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for _ in 0..8 {
            random.below(2);
        }
        random
    }

    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// Few names, few contents: two such trees meet at most places.
    fn things(&mut self) -> Things {
        let mut things = Things::new();
        self.fill(&mut things, "", 0);
        things
    }

    fn fill(&mut self, things: &mut Things, folder: &str, depth: usize) {
        for name in ["a", "a.b", "b\n", " c", "keep"] {
            let path = format!("{folder}{name}");
            match self.below(10) {
                0..4 => {
                    let content = self.one(&["", "1", "2", "33", "4444"]).into();
                    let mode = self.one(&[0o644, 0o644, 0o600, 0o755]);
                    let changed_days_ago = self.one(&[0, 0, 1, 400]);
                    things.insert(path, Thing::File { content, mode, changed_days_ago });
                }
                4..7 if depth < 3 => {
                    let mode = self.one(&[0o755, 0o755, 0o700]);
                    self.fill(things, &format!("{path}/"), depth + 1);
                    things.insert(path, Thing::Folder { mode });
                }
                7 => {
                    let target = self.one(&["a", "b\n", ".", "nowhere", "a.b/ c"]);
                    things.insert(path, Thing::link(target));
                }
                _ => {}
            }
        }
    }
}

#[test]
fn rsync_does_with_any_two_trees_what_is_planned() {
    let first = 1;
    let [mut refused, mut kept, mut narrowed, mut hidden] = [0; 4];
    let protecting = Filters::new(["P keep".parse().unwrap()]);
    let hiding = Filters::new(["H keep", "H /a/", "H b*"].map(|rule| rule.parse().unwrap()));
    for seed in first..first + 300 {
        let mut random = Random::new(seed);
        let (server, local) = (random.things(), random.things());
        let way = if seed % 8 < 2 { Way::Daemon } else { Way::Local };
        let bench = Bench::new(&local, &server).way(way);
        // Some with a rule, and then also where rsync cannot do it; some led to what
        // changes alone, where what goes may be hidden here.
        let (rule, narrow) = (seed % 2 == 0, seed % 4 == 1);
        let filters = match (rule, narrow) {
            (true, _) => Some(&protecting),
            (_, true) => Some(&hiding),
            _ => None,
        };
        let proof = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let (there, all) = (tree(&bench.live()), published(&bench.local()));
            let hides = |path: &TreePath, entry: &Entry| {
                filters.is_some_and(|filters| filters.hides(path, entry.is_folder()))
            };
            let is_seen = |(path, entry): &(&TreePath, &Entry)| !hides(path, entry);
            let seen = all.iter().filter(is_seen);
            let here: Tree = seen.map(|(path, entry)| (path.clone(), entry.clone())).collect();
            let plan = match filters {
                Some(filters) => RsyncPlan::filtered(&there, &here, filters),
                None => RsyncPlan::between(&there, &here, |_, _| false),
            };
            let bench = bench.rules(filters.map(Filters::rsync_arguments).unwrap_or_default());
            match plan {
                Ok(plan) => {
                    let few = plan.narrow_arguments().filter(|_| narrow);
                    let is_narrowed = u64::from(few.is_some());
                    let goes = plan.changes().filter(|(path, change)| {
                        matches!(change, Change::Deleted { .. }) && all.get(path).is_some()
                    });
                    let hidden = goes.count() as u64 * is_narrowed;
                    match few {
                        Some(few) => bench.rules(few).proves(&plan),
                        None => bench.proves(&plan),
                    }
                    [0, plan.totals().kept.entries(), is_narrowed, hidden]
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
                    let done = bench.rsync(&[]);
                    let complaint = String::from_utf8_lossy(&done.stderr);
                    assert_eq!(done.status.code(), Some(23), "{complaint}");
                    assert!(complaint.contains("could not make way"), "{complaint}");
                    [1, 0, 0, 0]
                }
            }
        }));
        let Ok(counts) = proof else {
            panic!(
                "seed {seed}, {way:?}, rule {rule}, narrow {narrow}:\nserver {server:#?}\n\
                 local {local:#?}"
            );
        };
        refused += counts[0];
        kept += counts[1];
        narrowed += counts[2];
        hidden += counts[3];
    }
    let told = format!("{refused} refused, {kept} kept, {narrowed} narrowed, {hidden} hidden");
    assert!(refused > 5 && kept > 100 && narrowed > 50 && hidden > 20, "{told}");
}

#[test]
fn rsync_is_led_to_hostile_names_alone() {
    let things = |content: &str| -> Things {
        let file = |name: String| (name, Thing::file(content));
        let same = ("same".to_owned(), Thing::file("same"));
        hostile_names().into_iter().map(file).chain([same]).collect()
    };
    for way in [Way::Local, Way::Daemon] {
        let bench = Bench::new(&things("new"), &things("old")).way(way);
        let plan = planned(&bench, |_, _| false);
        let rules = plan.narrow_arguments().unwrap();
        assert_eq!(rules.len(), hostile_names().len() + 1, "the last one hides the rest");
        let bench = bench.rules(rules);
        bench.proves(&plan);
        // What is not named is not even looked at.
        fs::write(bench.local().join("same"), "another").unwrap();
        fs::write(bench.local().join("more"), "one more").unwrap();
        assert_eq!(bench.report(&[]), RsyncItemize::default());
    }
}

#[test]
fn rsync_sends_nothing_of_what_goes_and_is_hidden_here() {
    let things = |content: &str| -> Things {
        let file = |name: String| (format!("hidden/{name}"), Thing::file(content));
        let same = ("same".to_owned(), Thing::file("same"));
        hostile_names().into_iter().map(file).chain([same]).collect()
    };
    for way in [Way::Local, Way::Daemon] {
        let bench = Bench::new(&things("here"), &things("there")).way(way);
        let (there, mut here) = (tree(&bench.live()), published(&bench.local()));
        for name in hostile_names() {
            here.remove(&format!("hidden/{name}").parse().unwrap());
        }
        let plan = RsyncPlan::between(&there, &here, |_, _| false).unwrap();
        assert_eq!(plan.totals().deleted.files as usize, hostile_names().len());
        let few = plan.narrow_arguments().unwrap();
        bench.rules(few).proves(&plan);
    }
}

#[test]
fn a_protected_folder_stays_with_all_that_holds_it() {
    let server = things([
        (".well-known/acme/token", Thing::file("t")),
        (".well-known/security.txt", Thing::file("s")),
        ("gone/x/y/.well-known/z", Thing::file("z")),
        ("gone/x/other", Thing::file("o")),
        ("gone/w", Thing::file("w")),
        ("stays/.well-known/z", Thing::file("z")),
        ("stays/w", Thing::file("w")),
    ]);
    let local = things([("stays/new", Thing::file("n"))]);
    for way in [Way::Local, Way::Daemon] {
        let bench = Bench::new(&local, &server).way(way);
        let bench = bench.rules(vec!["--filter=protect .well-known/".to_owned()]);
        let plan = planned(&bench, |path, entry| path.name() == ".well-known" && entry.is_folder());
        assert_eq!(plan.kept().count(), 11);
        bench.proves(&plan);
    }
}

/// A release in place, whose daemon does not see what is the server's own.
#[test]
fn a_folder_around_what_is_the_servers_own_stays_in_place() {
    let own: Vec<TreePath> = vec!["assets/up/loads".parse().unwrap(), "no/ne".parse().unwrap()];
    let own_files =
        [("assets/up/loads/a", Thing::file("a")), ("assets/up/loads/b/c", Thing::file("c"))];
    let page = [
        ("assets/app.js", Thing::file("1")),
        ("assets/up/x/y", Thing::file("2")),
        ("no/z", Thing::file("3")),
        ("index.html", Thing::file("old")),
    ];
    let server = things(page.into_iter().chain(own_files));
    let local = things([("index.html", Thing::file("new"))]);
    let without_own = |root: &Utf8Path| -> Tree {
        let all = tree(root).into_iter();
        all.filter(|(path, _)| !own.iter().any(|own| path == own || path.is_below(own))).collect()
    };
    let bench = Bench::new(&local, &server).way(Way::Daemon).hidden("/assets/up/loads\n/no/ne\n");
    let filters = Filters::default().with_protected(&own);
    let (there, here) = (without_own(&bench.live()), published(&bench.local()));
    let plan = RsyncPlan::beside(&there, &here, &filters, &own, &own[..1]).unwrap();
    assert_eq!(plan.kept().count(), 2);
    assert!(plan.narrow_arguments().is_none());
    let bench = bench.rules(filters.rsync_arguments());
    for options in [&["--delay-updates", "--dry-run"][..], &["--delay-updates"]] {
        plan.check_report(&bench.report(options)).unwrap();
    }
    plan.check_staged(&without_own(&bench.staging())).unwrap();
    let all = bench.staging().join("assets/up/loads/b/c");
    assert_eq!(fs::read_to_string(all).unwrap(), "c");
    assert!(!bench.staging().join("no").exists());
}

#[test]
fn what_rsync_does_beside_the_plan_is_found() {
    let server = things([("a", Thing::file("1")), ("b", Thing::file("2"))]);
    let local = things([("a", Thing::file("3")), ("c/d", Thing::file("4"))]);
    let disagrees = |change: &dyn Fn(&Bench)| {
        let bench = Bench::new(&local, &server);
        let plan = planned(&bench, |_, _| false);
        change(&bench);
        let report = plan.check_report(&bench.report(&[])).map_err(|error| error.to_string());
        let staged = plan.check_staged(&tree(&bench.staging())).map_err(|error| error.to_string());
        (report.err().unwrap_or_default(), staged.err().unwrap_or_default())
    };
    let put = |path: &'static str, text: &'static str| {
        move |bench: &Bench| fs::write(bench.local().join(path), text).unwrap()
    };
    assert_eq!(disagrees(&|_| {}), (String::new(), String::new()));

    let (report, staged) = disagrees(&put("a", "longer"));
    assert_eq!(
        report,
        "rsync reports something else than what was planned: a: planned `>fc.T......` of 1 bytes, \
         reported `>fcsT......` of 6 bytes"
    );
    assert!(staged.starts_with("the staged files are something else than what was planned: a: "));
    // Another content of the same length: only the files themselves tell.
    let (report, staged) = disagrees(&put("c/d", "5"));
    assert_eq!(report, "");
    assert!(staged.contains("c/d: planned a file, 1 B, "), "{staged}");
    // One more, and one less.
    let (report, _) = disagrees(&put("n\new", "5"));
    assert!(
        report.contains(r"n\new: planned nothing, reported `>f+++++++++` of 1 bytes"),
        "{report}"
    );
    let (report, _) = disagrees(&|bench| fs::remove_dir_all(bench.local().join("c")).unwrap());
    assert!(report.contains("c: planned `cd+++++++++`, reported nothing; and 1 more"), "{report}");
    // Somebody else in the staging tree.
    let (report, _) = disagrees(&|bench| fs::write(bench.staging().join("stranger"), "x").unwrap());
    assert!(report.contains("stranger: planned nothing, reported `*deleting`"), "{report}");
    let (report, _) = disagrees(&|bench| fs::remove_file(bench.staging().join("b")).unwrap());
    assert!(report.contains("b: planned `*deleting`, reported nothing"), "{report}");
}

#[test]
fn names_are_read_back_in_every_locale_and_format() {
    let (local, _) = hostile_pair();
    let bench = Bench::new(&local, &Things::new());
    let mut wanted: Vec<String> =
        published(&bench.local()).iter().map(|(path, _)| path.as_str().to_owned()).collect();
    wanted.sort();
    let locales = [("C", false), ("C", true), ("C.UTF-8", false), ("C.UTF-8", true)];
    for (locale, eight_bit) in locales {
        for format in [Format::LengthAndName, Format::NameAndTarget] {
            let mut options = vec!["--dry-run".to_owned()];
            options.push(format!("--out-format={}", format.argument()));
            options.extend(eight_bit.then(|| "--8-bit-output".to_owned()));
            let options: Vec<&str> = options.iter().map(String::as_str).collect();
            let done = bench.rsync_in(locale, &options);
            assert!(done.status.success());
            let said = RsyncItemize::parse(&done.stdout, format).unwrap();
            let mut read: Vec<String> = Vec::new();
            for item in said.items() {
                assert!(matches!(item.event, ItemEvent::Updated(_)));
                // Where a line can be read in several ways, one of them is right.
                let names = item.readings().into_iter().map(|reading| reading.name);
                let names: Vec<String> =
                    names.map(|name| name.as_str().unwrap().to_owned()).collect();
                let known = names.iter().find(|name| wanted.binary_search(name).is_ok());
                read.push(known.unwrap_or_else(|| panic!("{names:?}")).clone());
            }
            read.sort();
            assert_eq!(read, wanted, "{locale} {eight_bit} {format:?}");
        }
    }
}

/// Pairs that were alike would make planning quadratic if it compared each with each.
#[test]
fn twenty_thousand_files_are_planned_at_once() {
    let folder = |prefix: &str| -> Tree {
        let folders = (0..200).map(|n| (format!("{prefix}{n}"), Entry::folder()));
        let files = (0..20_000).map(|n| {
            let content = ContentHash::of(if n < 10_000 { b"alike" } else { b"moved" });
            (format!("{prefix}{}/file-{n}.html", n % 200), Entry::file(5, content))
        });
        folders.chain(files).map(|(path, entry)| (path.parse().unwrap(), entry)).collect()
    };
    let (server, local) = (folder("old-"), folder("new-"));
    let began = Instant::now();
    let plan = RsyncPlan::between(&server, &local, |_, _| false).unwrap();
    let planning = began.elapsed();
    assert_eq!(plan.totals().renamed.files, 20_000);
    let began = Instant::now();
    let listing = plan.to_string();
    let telling = began.elapsed();
    assert!(listing.lines().count() < 70);
    println!("planned in {planning:?}, told in {telling:?}");
    assert!(planning.as_secs() < 3 && telling.as_secs() < 3, "{planning:?}, {telling:?}");
}
