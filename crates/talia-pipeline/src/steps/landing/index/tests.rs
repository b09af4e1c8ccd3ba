use std::{
    ffi::OsStr,
    fs::{self, Permissions},
    os::unix::{
        ffi::OsStrExt as _,
        fs::{MetadataExt as _, PermissionsExt as _, symlink},
        net::UnixListener,
    },
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use camino::{Utf8Path, Utf8PathBuf};
use filetime::{FileTime, set_file_mtime};
use rustix::{
    fs::{CWD, FileType, Mode, mknodat},
    thread::{CapabilitySet, CapabilitySets, set_capabilities},
};

use crate::{
    landing::{ContentHash, Deletions, Entry, Facts, Filters, Guard, Guards, LocalIndex, TreePath},
    step::{Action, Step},
    steps::{
        landing::{
            KeepIndex,
            cache::{self, Origin},
            stamp::Stamp,
        },
        testing::check,
    },
};

use super::IndexTree;

#[test]
fn index_tree_minimal() {
    check("index_tree__minimal", &IndexTree::new("/srv/site", Filters::default(), 0));
}

#[test]
fn index_tree_everything() {
    let step = IndexTree::new("/srv/it's\na site", Filters::default(), 1).cache("/state/in dex");
    check("index_tree__everything", &step);
}

/// A source with a place for its cache beside it; gone when dropped.
struct Site {
    folder: Utf8PathBuf,
    /// An hour after it was made: every file of it has settled.
    later_ms: u64,
}

impl Site {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("talia-index-{}-{next}", std::process::id());
        let folder = Utf8PathBuf::from_path_buf(std::env::temp_dir().join(name)).unwrap();
        fs::create_dir_all(folder.join("site")).unwrap();
        let made = fs::metadata(&folder).unwrap().ctime();
        let later_ms = u64::try_from((made + 3600) * 1000).unwrap();
        Self { folder: folder.canonicalize_utf8().unwrap(), later_ms }
    }

    fn at(&self, path: &str) -> Utf8PathBuf {
        self.folder.join("site").join(path)
    }

    fn write(&self, path: &str, text: &str) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), text).unwrap();
    }

    fn cache(&self) -> Utf8PathBuf {
        self.folder.join("state/index")
    }

    fn index_at(&self, now_ms: u64) -> LocalIndex {
        index(&IndexTree::new(self.at(""), Filters::default(), now_ms).cache(self.cache()))
    }

    /// Indexes when every file has settled, and keeps it.
    fn index(&self) -> LocalIndex {
        let index = self.index_at(self.later_ms);
        run(&KeepIndex::new(self.cache(), &index));
        index
    }

    /// A cache that says `forged` of a file, as an index that began then would have it.
    fn forge(&self, path: &str, forged: &str, began_ms: u64) {
        let stamp = Stamp::of(&fs::metadata(self.at(path)).unwrap());
        let source = self.folder.join("site");
        let origin = Origin::new(&source, &fs::metadata(&source).unwrap(), began_ms);
        let hash = ContentHash::of(forged.as_bytes());
        let bytes = cache::write(&origin, [(path, &stamp, &hash)].into_iter());
        fs::create_dir_all(self.cache().parent().unwrap()).unwrap();
        fs::write(self.cache(), bytes).unwrap();
    }

    /// Waits until what is changed now gets later times than this file has.
    fn let_the_clock_move(&self, path: &str) {
        let time = |path: &Utf8Path| {
            let data = fs::metadata(path).unwrap();
            (data.ctime(), data.ctime_nsec())
        };
        let before = time(&self.at(path));
        let probe = self.folder.join("probe");
        while {
            fs::write(&probe, "x").unwrap();
            time(&probe) <= before
        } {}
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.folder));
    }
}

fn run<S: Step>(step: &S) -> S::Output {
    let Action::Work { work, .. } = step.action() else { unreachable!("it works here") };
    work().unwrap()
}

fn index(step: &IndexTree) -> LocalIndex {
    run(step)
}

/// What the index says that a file holds.
#[track_caller]
fn holds(index: &LocalIndex, path: &str, text: &str) {
    let expected = Entry::file(text.len() as u64, ContentHash::of(text.as_bytes()));
    assert_eq!(index.tree.get(&path.parse().unwrap()), Some(&expected), "{path}");
}

#[test]
fn a_tree_has_all_that_is_published() {
    let site = Site::new();
    site.write("index.html", "hi");
    site.write("a b/-rf\n", "x");
    site.write("a b/.hidden", "");
    site.write("drafts/secret.html", "no");
    site.write("map.js.map", "no");
    site.write(".rsyncignore", "/drafts/\n*.map\n");
    fs::hard_link(site.at("index.html"), site.at("again.html")).unwrap();
    symlink("a b/.hidden", site.at("link")).unwrap();
    symlink("nowhere", site.at("dangling")).unwrap();
    symlink(".", site.at("a b/folder")).unwrap();
    fs::set_permissions(site.at("index.html"), Permissions::from_mode(0o700)).unwrap();
    let found = site.index();
    let expected = [
        ("index.html", Entry::file(2, ContentHash::of(b"hi"))),
        ("again.html", Entry::file(2, ContentHash::of(b"hi"))),
        ("a b", Entry::folder()),
        ("a b/-rf\n", Entry::file(1, ContentHash::of(b"x"))),
        ("a b/.hidden", Entry::file(0, ContentHash::of(b""))),
        ("a b/folder", Entry::link(".")),
        ("link", Entry::link("a b/.hidden")),
        ("dangling", Entry::link("nowhere")),
    ];
    let expected =
        expected.into_iter().map(|(path, entry)| (path.parse::<TreePath>().unwrap(), entry));
    assert_eq!(found.tree, expected.collect());
    found.tree.check().unwrap();
    assert_eq!(found.source, site.folder.join("site"));
    assert!(found.problems == Default::default());
    let counts = found.counts;
    assert_eq!((counts.files, counts.folders, counts.links, counts.hidden), (4, 1, 3, 3));
    assert_eq!((counts.read_files, counts.read_bytes), (4, 5));
}

#[test]
fn a_source_behind_a_link_is_told_with_its_own_path() {
    let site = Site::new();
    site.write("index.html", "hi");
    symlink(site.at(""), site.folder.join("link")).unwrap();
    let found = index(&IndexTree::new(site.folder.join("link"), Filters::default(), 0));
    assert_eq!(found.source, site.folder.join("site"));
    holds(&found, "index.html", "hi");
    assert_eq!(found.cache, None);
    // So a link in a repository that leads out of it is found out.
    fs::create_dir(site.folder.join("repository")).unwrap();
    symlink("../site", site.folder.join("repository/site")).unwrap();
    let found = index(&IndexTree::new(site.folder.join("repository/site"), Filters::default(), 0));
    let facts = Facts {
        index: &found,
        repository: &site.folder.join("repository"),
        uncommitted: &[],
        deletions: Deletions::default(),
    };
    let refusals = Guards::default().refusals(&facts);
    assert_eq!(refusals.iter().map(|refused| refused.guard).collect::<Vec<_>>(), [Guard::Outside]);
}

#[test]
fn a_source_that_is_no_folder_and_rules_that_are_none_are_errors() {
    let site = Site::new();
    site.write("index.html", "hi");
    let error = |path: &str| {
        let step = IndexTree::new(site.at(path), Filters::default(), 0);
        let Action::Work { work, .. } = step.action() else { unreachable!("it works here") };
        work().unwrap_err()
    };
    for path in ["nothing", "index.html"] {
        assert!(error(path).to_string().ends_with("cannot be read"), "{}", error(path));
    }
    site.write(".rsyncignore", "*.map\n. other\n");
    assert_eq!(error("").findings()[0].line, Some(2));
    fs::write(site.at(".rsyncignore"), b"\xff").unwrap();
    assert!(error("").to_string().ends_with("is not UTF-8"));
    fs::remove_file(site.at(".rsyncignore")).unwrap();
    symlink("/etc/hosts", site.at(".rsyncignore")).unwrap();
    assert!(error("").to_string().ends_with("is no regular file"));
}

#[test]
fn everything_that_cannot_be_published_is_told_at_once() {
    let site = Site::new();
    site.write("index.html", "hi");
    let bad = |bytes: &[u8]| site.at("").as_std_path().join(OsStr::from_bytes(bytes));
    fs::write(bad(b"caf\xe9\n.html"), "").unwrap();
    fs::create_dir(bad(b"\xff")).unwrap();
    fs::write(bad(b"\xff/inside"), "").unwrap();
    symlink(OsStr::from_bytes(b"\xfe"), site.at("link")).unwrap();
    let _socket = UnixListener::bind(site.at("run\n.sock")).unwrap();
    mknodat(CWD, site.at("pipe").as_str(), FileType::Fifo, Mode::RUSR, 0).unwrap();
    site.write(&format!("{}x", "d/".repeat(100)), "deep");
    site.write("hidden/x", "");
    mknodat(CWD, site.at("hidden/pipe").as_str(), FileType::Fifo, Mode::RUSR, 0).unwrap();
    site.write(".rsyncignore", "hidden/pipe\n");

    let problems = site.index_at(0).problems;
    assert_eq!(
        problems.not_utf8.listed(),
        [r"\xff", r"caf\xe9\n.html", r"link -> \xfe"],
        "what is in a folder is not told as well"
    );
    assert_eq!(problems.special.listed(), ["pipe (a named pipe)", r"run\n.sock (a socket)"]);
    assert_eq!(problems.too_deep.listed(), [format!("{}x", "d/".repeat(100))]);
    assert!(problems.unreadable.is_empty() && problems.changed.is_empty());
}

#[test]
fn what_cannot_be_read_is_told_even_when_it_is_known() {
    let site = Site::new();
    site.write("index.html", "hi");
    site.write("closed.html", "x");
    site.write("folder/x", "x");
    site.index();
    fs::set_permissions(site.at("closed.html"), Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(site.at("folder"), Permissions::from_mode(0o000)).unwrap();
    let found = thread::scope(|scope| {
        let index = scope.spawn(|| {
            // Root may read everything; its threads need not.
            let none = CapabilitySet::empty();
            let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
            set_capabilities(None, sets).unwrap();
            site.index_at(site.later_ms)
        });
        index.join().unwrap()
    });
    fs::set_permissions(site.at("folder"), Permissions::from_mode(0o755)).unwrap();
    assert_eq!(
        found.problems.unreadable.listed(),
        ["closed.html (permission denied)", "folder (permission denied)"]
    );
}

#[test]
fn a_settled_file_is_not_read_again() {
    let site = Site::new();
    site.write("index.html", "hi");
    site.write("a/b.css", "x");
    assert!(site.index().counts.read_files == 2);
    let found = site.index_at(site.later_ms);
    assert_eq!((found.counts.read_files, found.counts.files), (0, 2));
    assert_eq!(found.cache, None, "there is nothing new to keep");
    holds(&found, "a/b.css", "x");
    // One comes, one goes: the others are found where they stand now.
    site.write("0.html", "new");
    fs::remove_file(site.at("index.html")).unwrap();
    let found = site.index();
    assert_eq!((found.counts.read_files, found.counts.files), (1, 2));
    fs::remove_file(site.at("0.html")).unwrap();
    assert!(site.index_at(site.later_ms).cache.is_some(), "it is to be forgotten");
}

#[test]
fn a_hash_is_taken_from_the_cache_only_when_the_stamp_had_settled() {
    let site = Site::new();
    site.write("index.html", "real");
    let changed = fs::metadata(site.at("index.html")).unwrap();
    let changed_ms =
        u64::try_from(changed.ctime() * 1000 + changed.ctime_nsec() / 1_000_000).unwrap();
    // That it is taken at all, so that what follows proves something.
    site.forge("index.html", "lies", changed_ms + 2_001);
    holds(&site.index_at(site.later_ms), "index.html", "lies");
    for began_ms in [0, changed_ms - 10_000, changed_ms, changed_ms + 1_999] {
        site.forge("index.html", "lies", began_ms);
        let found = site.index_at(site.later_ms);
        holds(&found, "index.html", "real");
        assert_eq!(found.counts.read_files, 1);
    }
}

#[test]
fn a_clock_that_was_ahead_makes_a_cache_worthless() {
    let site = Site::new();
    site.write("index.html", "real");
    site.forge("index.html", "lies", site.later_ms);
    holds(&site.index_at(site.later_ms), "index.html", "lies");
    holds(&site.index_at(site.later_ms - 1), "index.html", "real");
}

#[test]
fn a_file_of_the_future_is_always_read() {
    let site = Site::new();
    site.write("index.html", "real");
    let future = i64::try_from(site.later_ms / 1000).unwrap() + 1;
    set_file_mtime(site.at("index.html"), FileTime::from_unix_time(future, 0)).unwrap();
    site.forge("index.html", "lies", site.later_ms);
    holds(&site.index_at(site.later_ms), "index.html", "real");
}

#[test]
fn other_content_of_the_same_size_and_time_is_found() {
    let site = Site::new();
    site.write("index.html", "one");
    let old = FileTime::from_unix_time(499_162_500, 0);
    set_file_mtime(site.at("index.html"), old).unwrap();
    site.index();
    site.let_the_clock_move("index.html");
    site.write("index.html", "two");
    set_file_mtime(site.at("index.html"), old).unwrap();
    let found = site.index();
    holds(&found, "index.html", "two");
    assert_eq!(found.counts.read_files, 1);
}

#[test]
fn another_file_at_the_same_place_is_found() {
    let site = Site::new();
    site.write("index.html", "one");
    site.write("other", "two");
    let old = FileTime::from_unix_time(499_162_500, 0);
    for path in ["index.html", "other"] {
        set_file_mtime(site.at(path), old).unwrap();
    }
    site.index();
    fs::rename(site.at("other"), site.at("index.html")).unwrap();
    holds(&site.index(), "index.html", "two");
    // Times alike to the nanosecond would not help it either: the inode is another one.
    site.forge("index.html", "lies", site.later_ms);
    let bytes = fs::read(site.cache()).unwrap();
    let inode = fs::metadata(site.at("index.html")).unwrap().ino();
    let content = &bytes[..bytes.len() - 32];
    let at = content.windows(8).rposition(|bytes| bytes == inode.to_le_bytes()).unwrap();
    let mut content = content.to_vec();
    content[at] ^= 1;
    let seal = ContentHash::of(&content);
    content.extend_from_slice(seal.as_bytes());
    fs::write(site.cache(), content).unwrap();
    holds(&site.index_at(site.later_ms), "index.html", "two");
}

#[test]
fn a_cache_of_another_folder_is_worthless() {
    let (site, other) = (Site::new(), Site::new());
    for one in [&site, &other] {
        one.write("index.html", "real");
    }
    site.forge("index.html", "lies", site.later_ms);
    fs::create_dir_all(other.cache().parent().unwrap()).unwrap();
    fs::copy(site.cache(), other.cache()).unwrap();
    holds(&other.index_at(other.later_ms), "index.html", "real");
    // The same path, and yet another folder.
    fs::rename(site.at(""), site.folder.join("moved")).unwrap();
    fs::create_dir(site.at("")).unwrap();
    fs::rename(site.folder.join("moved/index.html"), site.at("index.html")).unwrap();
    holds(&site.index_at(site.later_ms), "index.html", "real");
}

#[test]
fn a_damaged_cache_is_as_good_as_none() {
    let site = Site::new();
    site.write("index.html", "real");
    site.forge("index.html", "lies", site.later_ms);
    let good = fs::read(site.cache()).unwrap();
    let mut damaged: Vec<Vec<u8>> = vec![
        Vec::new(),
        b"{}".to_vec(),
        good[..good.len() - 1].to_vec(),
        good[..good.len() / 2].to_vec(),
        [&good[..], b"x"].concat(),
    ];
    for at in 0..good.len() {
        let mut other = good.clone();
        other[at] ^= 0x10;
        damaged.push(other);
    }
    // Sealed well, and yet nonsense.
    for content in [&b""[..], b"talia landing index 1\n", &good[..good.len() - 40]] {
        damaged.push([content, ContentHash::of(content).as_bytes()].concat());
    }
    for bytes in damaged {
        fs::write(site.cache(), &bytes).unwrap();
        let found = site.index_at(site.later_ms);
        holds(&found, "index.html", "real");
        assert!(found.cache.is_some());
    }
    fs::remove_file(site.cache()).unwrap();
    fs::create_dir(site.cache()).unwrap();
    holds(&site.index_at(site.later_ms), "index.html", "real");
}

#[test]
fn a_step_that_asks_twice_reads_once_and_sees_what_has_changed_meanwhile() {
    let site = Site::new();
    site.write("a.html", "one");
    site.write("b.html", "two");
    let step = IndexTree::new(site.at(""), Filters::default(), site.later_ms).cache(site.cache());
    let first = index(&step);
    let second = index(&step.clone());
    assert_eq!((first.counts.read_files, second.counts.read_files), (2, 0));
    assert_eq!(first.tree, second.tree);
    assert!(second.cache.is_some() && second.cache == first.cache, "nobody has written it yet");
    site.let_the_clock_move("a.html");
    site.write("a.html", "new");
    let third = index(&step);
    assert_eq!(third.counts.read_files, 1);
    holds(&third, "a.html", "new");
    // Whoever knows nothing of it but what is kept reads as much.
    run(&KeepIndex::new(site.cache(), &third));
    assert_eq!(site.index().counts.read_files, 0);
}
