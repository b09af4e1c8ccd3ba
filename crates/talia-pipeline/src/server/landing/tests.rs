//! With real folders. What needs root is tried on whole servers instead.

use std::{
    collections::BTreeMap,
    fs::{self, File, Permissions},
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _, symlink},
        net::UnixListener,
    },
    time::{Duration, UNIX_EPOCH},
};

use camino::{Utf8Path, Utf8PathBuf};

use super::*;
use crate::{
    landing::{ContentHash, Entry, LandingStrategy, Tree, TreePath},
    protocol::{LandingDrift, ReleaseId},
    server::{Fate, Layout},
    settings::Policy,
};

pub(crate) struct Ground(pub(crate) Utf8PathBuf);

impl Ground {
    pub(crate) fn new(name: &str) -> Self {
        let base = Utf8PathBuf::from_path_buf(std::env::temp_dir()).unwrap();
        let root = base.join(format!("talia landing {name} {}", std::process::id()));
        drop(fs::remove_dir_all(&root));
        fs::create_dir_all(&root).unwrap();
        let ground = Self(root);
        fs::create_dir_all(ground.place().records()).unwrap();
        fs::create_dir_all(ground.place().releases()).unwrap();
        ground
    }

    pub(crate) fn layout(&self) -> Layout {
        Layout::new(&"staging".parse().unwrap(), &Policy::default()).below(&self.0)
    }

    pub(crate) fn place(&self) -> LandingPlace {
        self.layout().landing()
    }

    /// A folder with these files.
    pub(crate) fn folder(&self, name: &str, files: &[(&str, &str)]) -> Utf8PathBuf {
        let root = self.0.join(name);
        fs::create_dir_all(&root).unwrap();
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
        }
        root
    }

    /// A release with these files.
    pub(crate) fn release(&self, number: u32, files: &[(&str, &str)]) -> LandingRecord {
        let place = self.place();
        let record = record(number, Fate::Live { at_ms: 1 });
        let root = place.release(&record.id);
        self.folder(root.strip_prefix(&self.0).unwrap().as_str(), files);
        let tree = whole(&root);
        let release = ReleaseTree { tree, ..ReleaseTree::default() };
        release.write(&place, &record.id).unwrap();
        let look = || Ok(Stamps::of(&walk(&root).unwrap()));
        Stamps::write(&place.stamps(&record.id), look).unwrap();
        let record = LandingRecord { tree: release.tree.hash(), ..record };
        record.write(&place).unwrap();
        record
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn record(number: u32, fate: Fate) -> LandingRecord {
    let revision = format!("{number:040x}").parse().unwrap();
    LandingRecord {
        id: ReleaseId::new(u64::from(number) * 1000, &revision),
        revision: Some(revision),
        tree: Tree::default().hash(),
        strategy: LandingStrategy::Release,
        by: "ana".parse().unwrap(),
        began_ms: u64::from(number) * 1000,
        before: None,
        files: 0,
        bytes: 0,
        fate,
    }
}

fn path(text: &str) -> TreePath {
    text.parse().unwrap()
}

/// Everything in a folder, as if nothing was known of it.
fn whole(root: &Utf8Path) -> Tree {
    let place = Layout::new(&"staging".parse().unwrap(), &Policy::default()).landing();
    let wanted = Wanted { root, record: None, protected: &[], is_kept: false, known: None };
    published(&place, &wanted).unwrap().tree
}

fn names(tree: &Tree) -> Vec<&str> {
    tree.iter().map(|(path, _)| path.as_str()).collect()
}

#[test]
fn all_that_can_be_published_is_found_and_the_rest_is_named() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};
    let ground = Ground::new("walk");
    let root = ground.folder("x", &[("a/ b\n", "1"), ("-rf", "2")]);
    symlink("-rf", root.join("link")).unwrap();
    symlink(OsStr::from_bytes(b"\xff"), root.join("odd link")).unwrap();
    fs::write(root.as_std_path().join(OsStr::from_bytes(b"\xffname")), "").unwrap();
    let _socket = UnixListener::bind(root.join("a/socket")).unwrap();
    let walked = walk(&root).unwrap();
    let found: Vec<&str> = walked.all.keys().map(TreePath::as_str).collect();
    assert_eq!(found, ["-rf", "a", "a/ b\n", "link"]);
    assert_eq!(walked.all[&path("link")].kind, Kind::Link("-rf".into()));
    let mut odd = walked.odd;
    odd.sort();
    assert_eq!(odd.len(), 3, "{odd:?}");
    assert!(odd[0].0 == "a/socket", "{odd:?}");
    assert!(walk(&root.join("link")).is_err(), "a link is not followed");
}

#[test]
fn what_was_changed_by_hand_is_seen_and_nothing_else_is_read() {
    let ground = Ground::new("drift");
    let (place, files) =
        (ground.place(), [("a.html", "a"), ("b.html", "b"), ("d/c.html", "c"), ("touched", "t")]);
    let record = ground.release(1, &files);
    let root = place.release(&record.id);
    let now = || {
        let protected = [path(".well-known")];
        let wanted = Wanted {
            root: &root,
            record: Some(&record),
            protected: &protected,
            is_kept: false,
            known: None,
        };
        published(&place, &wanted).unwrap()
    };
    assert_eq!((now().drift, now().tree.hash()), (vec![], record.tree));
    // What is the server's own is no drift, and no part of it.
    ground.folder(
        root.strip_prefix(&ground.0).unwrap().as_str(),
        &[(".well-known/acme-challenge/x", "token")],
    );
    assert_eq!((now().drift, now().tree.hash()), (vec![], record.tree));

    // As long, and as old as before.
    let b = root.join("b.html");
    let time = fs::metadata(&b).unwrap().modified().unwrap();
    fs::write(&b, "B").unwrap();
    File::options().write(true).open(&b).unwrap().set_modified(time).unwrap();
    fs::remove_file(root.join("d/c.html")).unwrap();
    fs::write(root.join("d/new"), "n").unwrap();
    File::options().write(true).open(root.join("touched")).unwrap().set_modified(time).unwrap();
    let seen = now();
    assert_eq!(
        seen.drift,
        [
            LandingDrift::Changed { path: path("b.html") },
            LandingDrift::Removed { path: path("d/c.html") },
            LandingDrift::Added { path: path("d/new") },
        ]
    );
    assert_eq!(names(&seen.tree), ["a.html", "b.html", "d", "d/new", "touched"]);
    assert_eq!(seen.tree.get(&path("b.html")), Some(&Entry::file(1, ContentHash::of(b"B"))));
    let stamp = |name: &str| seen.stamps.iter().find(|(p, _)| **p == path(name)).unwrap().1;
    assert!(stamp("a.html").is_some() && stamp("touched").is_some() && stamp("b.html").is_none());
}

#[test]
fn a_release_that_is_kept_may_get_other_names_for_its_files() {
    let ground = Ground::new("kept");
    let place = ground.place();
    let record = ground.release(1, &[("a.html", "a")]);
    let root = place.release(&record.id);
    fs::hard_link(root.join("a.html"), ground.0.join("another name")).unwrap();
    let stamps = |is_kept| {
        let wanted =
            Wanted { root: &root, record: Some(&record), protected: &[], is_kept, known: None };
        let seen = published(&place, &wanted).unwrap();
        assert_eq!(seen.drift, []);
        seen.stamps
    };
    assert_eq!(stamps(true), stamps(false));
    // Without stamps, or any of use, everything is read, and known again.
    fs::write(place.stamps(&record.id), "{\"a.html\":").unwrap();
    assert_eq!(stamps(true), stamps(false));
    assert_eq!(trusted(&place, &record.id).unwrap(), Trusted::default());
    fs::remove_file(place.stamps(&record.id)).unwrap();
    assert_eq!(stamps(true), stamps(false));
}

#[test]
fn a_stamp_is_never_as_young_as_its_file() {
    let ground = Ground::new("young");
    let root = ground.folder("x", &[]);
    let file = ground.0.join("stamps.json");
    let mut looked = 0;
    Stamps::write(&file, || {
        looked += 1;
        if looked == 1 {
            fs::write(root.join("a"), "a").unwrap();
        }
        Ok(Stamps::of(&walk(&root).unwrap()))
    })
    .unwrap();
    let written = fs::metadata(&file).unwrap();
    let written_ns = written.mtime() * 1_000_000_000 + written.mtime_nsec();
    let stamps = Stamps::read(&file).unwrap();
    let (_, stamp) = stamps.iter().next().unwrap();
    assert!(stamp.unwrap().changed_ns() < written_ns);
}

#[test]
fn a_staging_tree_has_what_it_is_made_from_and_is_known_without_reading() {
    let ground = Ground::new("staging");
    let place = ground.place();
    let live = ground.folder("live", &[("d/a.html", "a"), ("b.html", "b"), ("left/out", "x")]);
    symlink("b.html", live.join("link")).unwrap();
    let old = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    for name in ["d/a.html", "b.html"] {
        let file = File::options().write(true).open(live.join(name)).unwrap();
        file.set_permissions(Permissions::from_mode(0o664)).unwrap();
        file.set_modified(old).unwrap();
    }
    let mut base = whole(&live);
    base.remove(&path("left"));
    base.remove(&path("left/out"));
    fs::create_dir_all(place.staging().join("of another")).unwrap();
    let staging = Staging::new(place.staging());
    // What does not stay is for nobody to read, whoever may read it where it is.
    fs::write(live.join("gone"), "secret").unwrap();
    fs::write(live.join("changed"), "secret").unwrap();
    for name in ["gone", "changed"] {
        fs::set_permissions(live.join(name), Permissions::from_mode(0o600)).unwrap();
        let entry = Entry::File { size: 6, hash: ContentHash::of(b"secret"), mode: 0o600 };
        base.insert(path(name), entry);
    }
    let mut announced = base.clone();
    announced.remove(&path("gone"));
    announced.insert(path("changed"), Entry::file(1, ContentHash::of(b"c")));
    let wanted = Wanted { root: &live, record: None, protected: &[], is_kept: false, known: None };
    let now = Published { tree: base.clone(), ..published(&place, &wanted).unwrap() };
    let needs = Needs::of(&now, &announced);
    assert_eq!(needs, Needs { files: 6, bytes: 2 }, "a folder, a link, two files, two hollow ones");
    let made = staging.make(&place, Some(&live), &base, &announced).unwrap();
    assert_eq!(made, Made { copied: 2, hollow: 2, ..Made::default() }, "their modes are others");
    for name in ["gone", "changed"] {
        assert_eq!(fs::read(place.staging().join(name)).unwrap(), [0; 6], "as long as it was");
        fs::remove_file(place.staging().join(name)).unwrap();
    }
    let staged = staging.staged(&Trusted::default(), &Own::default()).unwrap();
    assert_eq!(names(&staged.tree), ["b.html", "d", "d/a.html", "link"]);
    assert_eq!(staged.tree.get(&path("b.html")), Some(&Entry::file(1, ContentHash::of(b"b"))));
    assert_eq!(staged.fresh, [path("b.html"), path("d/a.html")]);
    let copy = fs::metadata(place.staging().join("b.html")).unwrap();
    assert_eq!(copy.modified().unwrap(), old, "browsers have it already");

    // A file of which everything is known is not read: here it would be another one.
    let claimed = ContentHash::of(b"claimed");
    let stamps: BTreeMap<_, _> = staged.stamps.iter().collect();
    let stamp = *stamps[&path("b.html")].unwrap();
    let trusted = Trusted::from([(stamp.inode(), (stamp, claimed))]);
    let staged = staging.staged(&trusted, &Own::default()).unwrap();
    assert_eq!(staged.tree.get(&path("b.html")), Some(&Entry::file(1, claimed)));
    assert_eq!(staged.fresh, [path("d/a.html")]);
    staging.sync(&staged.fresh).unwrap();
    staging.remove().unwrap();
    staging.remove().unwrap();
}

#[test]
fn a_tree_that_was_put_by_becomes_a_staging_tree_like_any_other() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};

    let ground = Ground::new("spare");
    let place = ground.place();
    let files = [("d/same.html", "s"), ("d/e/changed", "new"), ("file", "f"), ("link to", "x")];
    let live = ground.folder("live", &files);
    symlink("file", live.join("link")).unwrap();
    let pruned = ground.release(1, &[("d/same.html", "s"), ("d/e/changed", "old"), ("gone", "g")]);
    let tree = place.release(&pruned.id);
    fs::remove_file(tree.join("d/same.html")).unwrap();
    fs::hard_link(live.join("d/same.html"), tree.join("d/same.html")).unwrap();
    fs::create_dir_all(tree.join("file/is/a folder")).unwrap();
    fs::create_dir_all(tree.join("gone too")).unwrap();
    fs::write(tree.join("gone too/x"), "x").unwrap();
    symlink("elsewhere", tree.join("link")).unwrap();
    symlink("elsewhere", tree.join("link to")).unwrap();
    fs::write(tree.as_std_path().join(OsStr::from_bytes(b"\xff")), "o").unwrap();
    fs::set_permissions(tree.join("d"), Permissions::from_mode(0o700)).unwrap();
    let inode = fs::metadata(&tree).unwrap().ino();

    LandingRecords::forget(&place, &pruned.id).unwrap();
    assert!(place.spare().is_dir() && !tree.exists() && !place.record(&pruned.id).exists());
    let second = ground.release(2, &[("x", "x")]);
    LandingRecords::forget(&place, &second.id).unwrap();
    assert!(!place.release(&second.id).exists(), "one is enough");
    let base = whole(&live);
    let staging = Staging::new(place.staging());
    let made = staging.make(&place, Some(&live), &base, &base).unwrap();
    assert_eq!((made.linked + made.copied, made.touched), (4, None), "a folder went as a whole");
    assert_eq!(fs::metadata(place.staging()).unwrap().ino(), inode);
    assert!(!place.spare().exists());
    let staged = staging.staged(&Trusted::default(), &Own::default()).unwrap();
    assert_eq!((staged.tree, staged.odd), (base.clone(), Vec::<String>::new()));
    assert_eq!(fs::metadata(place.staging().join("d")).unwrap().mode() & 0o777, 0o755);

    // Where only files differ, it is told which ones have got or lost a name.
    fs::rename(place.staging(), place.spare()).unwrap();
    fs::write(place.spare().join("more"), "m").unwrap();
    fs::remove_file(place.spare().join("d/e/changed")).unwrap();
    let made = staging.make(&place, Some(&live), &base, &base).unwrap();
    let touched = made.touched.unwrap();
    assert!(touched.contains(&path("more")) && touched.contains(&path("d/e/changed")));
    assert_eq!(staging.staged(&Trusted::default(), &Own::default()).unwrap().tree, base);
}

#[test]
fn older_assets_and_what_is_the_servers_own_are_brought_along() {
    let ground = Ground::new("bring");
    let older = ground.folder(
        "older",
        &[
            ("js/app-1a2b3c4d.js", "old"),
            ("css/a.1a2b3c4d.css", "css"),
            ("page.html", "p"),
            (".well-known/acme-challenge/x", "token"),
            (".well-known/security.txt", "old"),
        ],
    );
    fs::set_permissions(older.join(".well-known"), Permissions::from_mode(0o775)).unwrap();
    symlink("security.txt", older.join(".well-known/link")).unwrap();
    let new = ground.folder(
        "new",
        &[("js/app-5e6f7a8b.js", "new"), (".well-known/security.txt", "new"), ("css", "a file")],
    );
    let id = record(1, Fate::Begun).id;
    let assets = assets_to_keep(&whole(&new), &[(id.clone(), whole(&older))]);
    let kept: Vec<&str> = assets.keys().map(TreePath::as_str).collect();
    assert_eq!(kept, ["js/app-1a2b3c4d.js"], "the other one would be in a file");
    let staging = Staging::new(&new);
    let kept = staging.keep(&older, assets.iter().map(|(path, (_, entry))| (path, entry)));
    assert_eq!(names(&kept.unwrap()), ["js/app-1a2b3c4d.js"]);
    // One that has gone meanwhile is no failure.
    let gone = [(path("x/gone-1a2b3c4d.js"), Entry::file(1, ContentHash::of(b"")))];
    assert!(staging.keep(&older, gone.iter().map(|(p, e)| (p, e))).unwrap().is_empty());

    let none = ReleaseTree::default();
    let released = ReleaseTree {
        tree: Tree::from_iter([(path(".well-known/gone"), Entry::link("x"))]),
        ..none.clone()
    };
    symlink("x", older.join(".well-known/gone")).unwrap();
    let (from, to) =
        (Side { root: &older, release: &released }, Side { root: &new, release: &none });
    let protected = [path(".well-known"), path("not/there")];
    // It is live already, so nothing is replaced.
    bring_own(from, to, &protected, true).unwrap();
    let read = |name: &str| fs::read_to_string(new.join(name)).unwrap();
    assert_eq!(read(".well-known/acme-challenge/x"), "token");
    assert_eq!(read(".well-known/security.txt"), "new", "the release has its own");
    assert!(!new.join(".well-known/gone").is_symlink(), "a release had it, and this one has not");
    assert!(!new.join("not").exists());
    assert_eq!(new.join(".well-known/link").read_link_utf8().unwrap(), "security.txt");
    staging.write(".talia-version.json", b"{}").unwrap();
    staging.write(".talia-version.json", b"{\"again\":1}").unwrap();
    assert_eq!(read(".talia-version.json"), "{\"again\":1}");
    assert_eq!(fs::metadata(new.join(".talia-version.json")).unwrap().mode() & 0o777, 0o644);
}

#[test]
fn the_live_path_is_switched_from_nothing_a_folder_and_a_link() {
    let ground = Ground::new("switch");
    let place = ground.place();
    let see = || LandingSeen::look(&place).unwrap();
    assert_eq!(see().web, AtWeb::Nothing);
    let (a, b) = (ground.release(1, &[("i", "a")]), ground.release(2, &[("i", "b")]));
    let served = || fs::read_to_string(place.web().join("i")).unwrap();
    switch(&place, &a.id).unwrap();
    assert_eq!((served(), see().web.clone()), ("a".into(), AtWeb::Release(a.id.clone())));
    assert_eq!(see().live(), Some(&a));
    // A link that a kill has left is no hindrance.
    symlink("nowhere", place.switch()).unwrap();
    switch(&place, &b.id).unwrap();
    assert_eq!(served(), "b");
    unswitch(&place).unwrap();
    assert_eq!(see().web, AtWeb::Nothing);

    let web = place.web().strip_prefix(&ground.0).unwrap().as_str().to_owned();
    ground.folder(&web, &[("i", "by hand")]);
    assert_eq!((see().web, see().live().cloned()), (AtWeb::Folder, None));
    switch_from_folder(&place, &a.id).unwrap();
    assert_eq!(served(), "a");
    assert!(see().has_switched_folder);
    let found = record(0, Fate::Live { at_ms: 0 });
    move_found(&place, &found.id).unwrap();
    assert_eq!(fs::read_to_string(place.release(&found.id).join("i")).unwrap(), "by hand");
    assert!(!see().has_switched_folder && see().has_tree(&found.id));
    switch(&place, &found.id).unwrap();
    assert_eq!(served(), "by hand");

    unswitch(&place).unwrap();
    symlink("/srv/elsewhere", place.web()).unwrap();
    assert!(matches!(see().web, AtWeb::Other(_)));
}

#[test]
fn a_rollback_leads_further_back_and_what_it_needs_is_kept() {
    let live = || Fate::Live { at_ms: 1 };
    let undone = || Fate::Undone { reason: "why".into() };
    let mut all: Vec<LandingRecord> = [live(), live(), undone(), live(), live()]
        .into_iter()
        .zip(1..)
        .map(|(fate, number)| record(number, fate))
        .collect();
    let ids: Vec<ReleaseId> = all.iter().map(|record| record.id.clone()).collect();
    all[1].before = Some(ids[0].clone());
    all[3].before = Some(ids[1].clone());
    // After a rollback to the second one.
    all[4].before = Some(ids[1].clone());
    let mut records = LandingRecords { all, broken: Vec::new() };
    let before =
        |records: &LandingRecords, id: &ReleaseId| records.before(id).map(|r| r.id.clone());
    assert_eq!(before(&records, &ids[4]), Some(ids[1].clone()));
    assert_eq!(before(&records, &ids[1]), Some(ids[0].clone()));
    assert_eq!(before(&records, &ids[0]), None);
    let gone: Vec<&ReleaseId> =
        records.beyond(2, Some(&ids[0])).into_iter().map(|record| &record.id).collect();
    assert_eq!(gone, [&ids[1], &ids[2]], "the live one and the newest stay");
    let gone: Vec<&ReleaseId> =
        records.beyond(2, Some(&ids[4])).into_iter().map(|record| &record.id).collect();
    assert_eq!(gone, [&ids[0], &ids[2]], "and where a rollback leads");
    records.all.remove(1);
    assert_eq!(before(&records, &ids[4]), Some(ids[3].clone()), "what it named has gone");
}

#[test]
fn a_release_is_forgotten_record_first_and_others_are_read_on() {
    let ground = Ground::new("forget");
    let place = ground.place();
    let (a, b) = (ground.release(1, &[("i", "a")]), ground.release(2, &[("i", "b")]));
    fs::write(place.record(&record(3, Fate::Begun).id), "what").unwrap();
    let records = LandingRecords::read(&place).unwrap();
    assert_eq!((records.all, records.broken.len()), (vec![a.clone(), b.clone()], 1));
    LandingRecords::forget(&place, &a.id).unwrap();
    LandingRecords::forget(&place, &a.id).unwrap();
    assert_eq!(LandingRecords::read(&place).unwrap().all, [b]);
    assert!(!place.release(&a.id).exists() && !place.tree(&a.id).exists());
}

#[test]
fn a_transaction_is_read_back_with_what_was_announced() {
    let ground = Ground::new("transaction");
    let place = ground.place();
    assert_eq!(Transaction::read(&place).unwrap(), None);
    let tree: Tree = [(path("a"), Entry::link("b"))].into_iter().collect();
    let transaction = Transaction {
        id: record(1, Fate::Begun).id,
        tree: tree.hash(),
        revision: "0123456789abcdef0123456789abcdef01234567".parse().unwrap(),
        by: "ana".parse().unwrap(),
        began_ms: 1000,
        base: None,
        strategy: LandingStrategy::InPlace,
        user: 1001,
        group: 1002,
        is_open: false,
        is_checked: false,
    };
    Transaction::announce(&place, &Tree::default(), &tree).unwrap();
    transaction.write(&place).unwrap();
    assert_eq!(Transaction::base(&place).unwrap(), Tree::default());
    assert_eq!(Transaction::read(&place).unwrap().as_ref(), Some(&transaction));
    assert_eq!(transaction.announced(&place).unwrap(), tree);
    let told = transaction.told(&place, 4000).unwrap();
    assert_eq!((told.idle_ms, told.works), (3000, false));
    let published: Tree =
        ["own", "own/b", "own/b/*c"].map(|p| (path(p), Entry::folder())).into_iter().collect();
    let protected = [".well-known", "a*\\b", "a\\b", "own"].map(path);
    transaction.admit(&place, &Own::beside(&published, &protected)).unwrap();
    let rsyncd = fs::read_to_string(place.rsyncd()).unwrap();
    assert!(rsyncd.contains(&format!("path = {}\n", place.web())), "{rsyncd}");
    let hidden = fs::read_to_string(place.rsync_hidden()).unwrap();
    assert_eq!(
        hidden,
        "+ /own\n+ /own/b\n+ /own/b/\\*c\n/.well-known\n/a\\*\\\\b\n/a\\b\n/own/**\n\
         /.talia-version.json\n"
    );
    let other = Transaction { tree: Tree::default().hash(), ..transaction };
    assert!(other.announced(&place).is_err(), "another tree was announced");
    fs::write(place.transaction(), "{}").unwrap();
    let error = Transaction::read(&place).unwrap_err();
    assert!(error.hint_text().unwrap().contains(place.transaction().as_str()), "{error:?}");
    Transaction::forget(&place).unwrap();
    assert_eq!(Transaction::read(&place).unwrap(), None);
}

#[test]
fn a_tree_is_removed_however_deep_it_is_and_no_link_is_followed() {
    let ground = Ground::new("deep");
    let root = ground.folder("x", &[("1", "a file"), ("d/1/x", "y"), ("d/2/z/x", "y")]);
    let kept = ground.folder("kept", &[("a", "a")]);
    symlink(&kept, root.join("link")).unwrap();
    symlink(&kept, root.join("d/1/link")).unwrap();
    // More than a process usually has handles.
    let mut folder = beneath::Folder::open(&root).unwrap();
    for _ in 0..3_000 {
        folder.make("e").unwrap();
        folder = folder.enter("e").unwrap();
    }
    drop(folder);
    remove_tree(&root).unwrap();
    remove_tree(&root).unwrap();
    assert!(!root.exists() && kept.join("a").exists());
    let link = ground.0.join("a link");
    symlink(&kept, &link).unwrap();
    assert!(remove_tree(&link).is_err() && kept.join("a").exists());
}

#[test]
fn what_is_no_release_is_told_from_those_that_are() {
    let ground = Ground::new("strays");
    let place = ground.place();
    let live = ground.release(1, &[("i", "a")]);
    let file = place.release(&record(2, Fate::Begun).id);
    fs::write(&file, "no folder").unwrap();
    fs::create_dir(place.releases().join("a\nb")).unwrap();
    let mut seen = LandingSeen::look(&place).unwrap();
    seen.strays.sort();
    assert_eq!(seen.strays, [file.file_name().unwrap(), r"a\nb"]);
    assert_eq!(seen.trees.into_iter().collect::<Vec<_>>(), [live.id]);
    // The folder is not looked for where a link leads.
    let elsewhere = ground.0.join("elsewhere");
    fs::rename(place.releases(), &elsewhere).unwrap();
    symlink(&elsewhere, place.releases()).unwrap();
    assert!(LandingSeen::look(&place).is_err());
}

#[test]
fn a_kept_release_gets_what_is_the_servers_own_as_it_is_now() {
    let ground = Ground::new("own");
    let kept = ground.folder(
        "kept",
        &[
            (".well-known/published", "p"),
            (".well-known/stale", "stale"),
            (".well-known/acme-challenge/old", "old"),
            ("index.html", "i"),
        ],
    );
    let live = ground.folder(
        "live",
        &[
            (".well-known/stale", "fresh"),
            (".well-known/assetlinks.json", "added"),
            (".well-known/published", "by the server"),
            (".well-known/later/published", "of the live one"),
            (".well-known/later/token", "token"),
        ],
    );
    let tree = |names: &[&str]| {
        let entry = |name: &&str| match name.ends_with('d') || name.ends_with('l') {
            true => (path(name), Entry::file(1, ContentHash::of(b""))),
            false => (path(name), Entry::folder()),
        };
        ReleaseTree { tree: names.iter().map(entry).collect(), ..ReleaseTree::default() }
    };
    let ours = tree(&[".well-known", ".well-known/published", "index.html"]);
    let theirs = tree(&[".well-known", ".well-known/later", ".well-known/later/published"]);
    let from = Side { root: &live, release: &theirs };
    let to = Side { root: &kept, release: &ours };
    let protected = [path(".well-known")];
    let names =
        || whole(&kept).iter().map(|(path, _)| path.as_str().to_owned()).collect::<Vec<_>>();
    for _ in 0..2 {
        bring_own(from, to, &protected, false).unwrap();
        assert_eq!(
            names(),
            [
                ".well-known",
                ".well-known/assetlinks.json",
                ".well-known/later",
                ".well-known/later/token",
                ".well-known/published",
                ".well-known/stale",
                "index.html",
            ]
        );
        let read = |name: &str| fs::read_to_string(kept.join(name)).unwrap();
        assert_eq!(read(".well-known/stale"), "fresh");
        assert_eq!(read(".well-known/published"), "p", "the release's");
    }
    // What was written until the switch, and what the new one has got since.
    fs::write(live.join(".well-known/token"), "t").unwrap();
    fs::write(kept.join(".well-known/newer"), "n").unwrap();
    bring_own(from, to, &protected, true).unwrap();
    assert_eq!(names().len(), 9);
}

#[test]
fn a_tree_that_is_too_deep_costs_no_handles_and_is_no_release() {
    let ground = Ground::new("too deep");
    let root = ground.folder("x", &[("index.html", "i")]);
    let mut folder = beneath::Folder::open(&root).unwrap();
    for _ in 0..3_000 {
        folder.make("e").unwrap();
        folder = folder.enter("e").unwrap();
    }
    let data = fs::metadata(&root).unwrap();
    let owner = Owner { user: data.uid(), group: data.gid() };
    let deepest = data.ctime_nsec();
    let staging = Staging::new(&root);
    staging.open(owner, &Own::default()).unwrap();
    assert_ne!(fs::metadata(&root).unwrap().ctime_nsec(), deepest, "it was given");
    let changed = || {
        let stat = folder.look_at_itself().unwrap();
        (stat.st_ctime, stat.st_ctime_nsec)
    };
    let before = changed();
    staging.open(owner, &Own::default()).unwrap();
    assert_eq!(changed(), before, "so deep nothing is given");
    staging.sync(&[]).unwrap();
    let staged = staging.staged(&Trusted::default(), &Own::default()).unwrap();
    assert!(staged.odd[0].contains("too deep"), "{:?}", staged.odd);
    staging.remove().unwrap();
    assert!(!root.exists());
}

#[test]
fn others_may_enter_the_folders_above_the_agents_own() {
    let ground = Ground::new("own folder");
    let place = ground.place();
    let environment = place.own().parent().unwrap();
    fs::remove_dir_all(environment).unwrap();
    for _ in 0..2 {
        place.make_own().unwrap();
    }
    let mode = |path: &Utf8Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!((mode(environment), mode(place.own())), (0o755, 0o700));
}

#[test]
fn what_is_protected_and_not_published_is_the_servers_own() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};
    let ground = Ground::new("own");
    let files = [
        (".well-known/security.txt", "published"),
        (".well-known/acme-challenge/t", "token"),
        ("index.html", "i"),
        (".talia-version.json", "{}"),
    ];
    let root = ground.folder("live", &files);
    let odd = root.join(".well-known").into_std_path_buf().join(OsStr::from_bytes(b"\xff"));
    fs::write(&odd, "").unwrap();
    let _socket = UnixListener::bind(root.join(".well-known/socket")).unwrap();
    let protected = [path(".well-known")];
    let mut tree = whole(&root);
    for own in [".well-known/acme-challenge", ".well-known/acme-challenge/t", VERSION_FILE] {
        tree.remove(&path(own));
    }
    let own = Own::beside(&tree, &protected);
    let staging = Staging::new(&root);
    let staged = staging.staged(&Trusted::default(), &own).unwrap();
    assert_eq!((staged.tree, staged.odd.len()), (tree, 0));
    let wanted =
        Wanted { root: &root, record: None, protected: &protected, is_kept: false, known: None };
    assert_eq!(published(&ground.place(), &wanted).unwrap().odd, [""; 0]);

    // Closed, it is as it was; what is published is for all to read.
    let token = root.join(".well-known/acme-challenge/t");
    for file in [&token, &root.join(".well-known/security.txt")] {
        fs::set_permissions(file, Permissions::from_mode(0o640)).unwrap();
    }
    let mode = |path: &Utf8Path| fs::metadata(path).unwrap().mode() & 0o777;
    if staging.close(&own).is_ok() {
        assert_eq!(mode(&root.join(".well-known/security.txt")), 0o644);
    }
    assert_eq!(mode(&token), 0o640);
    // Outside of what is protected it is told.
    let _socket = UnixListener::bind(root.join("socket")).unwrap();
    assert_eq!(staging.staged(&Trusted::default(), &own).unwrap().odd.len(), 1);
}

#[test]
fn folders_around_what_is_the_servers_own_are_no_edit_by_hand() {
    let ground = Ground::new("around");
    let place = ground.place();
    let record = ground.release(1, &[("i", "i")]);
    let root = place.release(&record.id);
    // As a release brings it along that has no such folders itself.
    let from = ground.folder("from", &[("a/b/own/x", "x")]);
    let protected = [path("a/b/own"), path("not/there")];
    let (old, new) = (ReleaseTree::default(), ReleaseTree::read(&place, &record.id).unwrap());
    let (from, to) = (Side { root: &from, release: &old }, Side { root: &root, release: &new });
    bring_own(from, to, &protected, false).unwrap();
    let look = |record: &LandingRecord| {
        let wanted = Wanted {
            root: &root,
            record: Some(record),
            protected: &protected,
            is_kept: false,
            known: None,
        };
        published(&place, &wanted).unwrap()
    };
    let seen = look(&record);
    assert_eq!((seen.drift, seen.tree.hash()), (vec![], record.tree));
    assert_eq!(seen.standing, [path("a/b/own")]);
    // In place rsync meets them.
    let in_place = LandingRecord { strategy: LandingStrategy::InPlace, ..record.clone() };
    assert_eq!(names(&look(&in_place).tree), ["a", "a/b", "i"]);
    // What else is put there is one.
    fs::write(root.join("a/b/other"), "").unwrap();
    assert_eq!(look(&record).drift, [LandingDrift::Added { path: path("a/b/other") }]);
}

#[test]
fn what_a_release_in_place_has_left_is_no_edit_by_hand() {
    let ground = Ground::new("interrupted");
    let place = ground.place();
    let files = [("a", "a"), ("b", "b"), ("c", "c"), ("d/e", "e"), ("edited", "x")];
    let record = ground.release(1, &files);
    let record = LandingRecord { strategy: LandingStrategy::InPlace, ..record };
    let root = place.release(&record.id);
    let base = whole(&root);
    let mut announced = base.clone();
    for gone in ["b", "d", "d/e"] {
        announced.remove(&path(gone));
    }
    for (changed, text) in [("a", "A"), ("new", "n"), ("next", "n")] {
        announced.insert(path(changed), Entry::file(1, ContentHash::of(text.as_bytes())));
    }
    Transaction::announce(&place, &base, &announced).unwrap();

    // It was ended in the middle.
    fs::write(root.join("a"), "A").unwrap();
    fs::write(root.join("new"), "n").unwrap();
    fs::write(root.join(".next.aB3dE6"), "").unwrap();
    fs::remove_file(root.join("b")).unwrap();
    fs::create_dir(root.join("d/.~tmp~")).unwrap();
    fs::write(root.join("d/.~tmp~/f"), "f").unwrap();
    // And somebody has been there.
    fs::write(root.join("edited"), "y").unwrap();
    fs::write(root.join(".other.aB3dE6"), "").unwrap();
    let look = |record: &LandingRecord| {
        let wanted = Wanted {
            root: &root,
            record: Some(record),
            protected: &[],
            is_kept: false,
            known: None,
        };
        published(&place, &wanted).unwrap()
    };
    let seen = look(&record);
    assert_eq!(
        seen.drift,
        [
            LandingDrift::Added { path: path(".other.aB3dE6") },
            LandingDrift::Changed { path: path("edited") },
        ]
    );
    assert!(seen.is_interrupted);
    let left = [".next.aB3dE6", ".other.aB3dE6", "a", "c", "d", "d/e", "edited", "new"];
    assert_eq!(names(&seen.tree), left);
    // A release that was switched to has nothing of the kind.
    let switched = LandingRecord { strategy: LandingStrategy::Release, ..record.clone() };
    assert_eq!(look(&switched).drift.len(), 8);
    Staging::new(&root).sweep(&Own::default()).unwrap();
    assert!(!root.join("d/.~tmp~").exists());
    Transaction::interrupt(&place).unwrap();
    assert_eq!(look(&record).drift.len(), 2);
    Transaction::forget(&place).unwrap();
    assert_eq!(look(&record).drift.len(), 6);
}
