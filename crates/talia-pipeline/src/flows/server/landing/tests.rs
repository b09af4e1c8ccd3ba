//! Flows that start no program, on real folders.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
};

use camino::Utf8PathBuf;

use super::*;
use crate::{
    Context, Finished, Pipeline, Result, World,
    landing::{LandingStrategy, Tree, TreePath},
    protocol::{LandingFile, LockHolder, ReleaseId},
    server::{
        Layout, Lock,
        landing::{LandingPlace, Transaction},
    },
    settings::Policy,
};

/// A server whose files are in a folder of this test's own.
struct Ground {
    root: Utf8PathBuf,
    server: Server,
}

impl Ground {
    fn new(name: &str) -> Self {
        let base = Utf8PathBuf::from_path_buf(std::env::temp_dir()).unwrap();
        let root = base.join(format!("talia landing flow {name} {}", std::process::id()));
        drop(fs::remove_dir_all(&root));
        let policy = Policy::default();
        let layout = Layout::new(&"staging".parse().unwrap(), &policy).below(&root);
        let (run, by) = ("run".to_owned(), "ana".parse().unwrap());
        let ground = Self { root, server: Server { layout, policy, now_ms: 9_000, run, by } };
        fs::create_dir_all(ground.place().records()).unwrap();
        fs::create_dir_all(ground.place().releases()).unwrap();
        ground
    }

    fn place(&self) -> LandingPlace {
        self.server.layout.landing()
    }

    /// A transaction that rsync is let into, towards an empty tree.
    fn open(&self, strategy: LandingStrategy) -> Transaction {
        let revision = "0123456789abcdef0123456789abcdef01234567".parse().unwrap();
        let transaction = Transaction {
            id: ReleaseId::new(1_000, &revision),
            tree: Tree::default().hash(),
            revision,
            by: "ana".parse().unwrap(),
            began_ms: 1_000,
            base: None,
            strategy,
            user: 1001,
            group: 1002,
            is_open: true,
            is_checked: false,
        };
        Transaction::announce(&self.place(), &Tree::default(), &Tree::default()).unwrap();
        transaction.write(&self.place()).unwrap();
        transaction
    }

    fn run<T: Send>(&self, flow: impl Fn(&Context, &Server) -> Result<T>) -> Result<T> {
        let world = World::fixed(&self.root, []);
        let mut pipeline = Pipeline::new("landing", &self.root, world);
        let Finished { result, .. } = pipeline.run(|cx| flow(cx, &self.server));
        result
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.root));
    }
}

#[test]
fn a_transaction_that_ends_lets_no_rsync_in() {
    let ground = Ground::new("shut");
    let place = ground.place();
    let transaction = ground.open(LandingStrategy::Release);
    // Something that cannot be taken away, as if an rsync had put it there meanwhile.
    fs::write(place.staging(), "no folder").unwrap();
    ground.run(|cx, server| abort(cx, server, &transaction.id)).unwrap_err();
    assert!(!Transaction::read(&place).unwrap().unwrap().is_open);

    fs::remove_file(place.staging()).unwrap();
    fs::create_dir(place.staging()).unwrap();
    ground.run(|cx, server| abort(cx, server, &transaction.id)).unwrap();
    assert_eq!(Transaction::read(&place).unwrap(), None);
    assert!(!place.staging().exists());
}

#[test]
fn a_live_folder_that_a_client_has_left_to_rsync_is_taken_back() {
    let mut ground = Ground::new("left");
    let place = ground.place();
    let transaction = ground.open(LandingStrategy::InPlace);
    let is_open = |ground: &Ground| {
        ground.run(settle_now).unwrap();
        Transaction::read(&place).unwrap().is_some()
    };
    let idle_ms = ground.server.policy.landing.idle.as_millis() as u64;
    ground.server.now_ms = transaction.began_ms + idle_ms - 1;
    assert!(is_open(&ground));
    ground.server.now_ms += 1;
    // Somebody works in it.
    let by = "ana".parse().unwrap();
    let (doing, run) = ("rsync".to_owned(), "r".to_owned());
    let holder = LockHolder { pid: 0, doing, by, run, since_ms: 0 };
    let lock = Lock::take(&place.rsync_lock(), &holder).unwrap();
    assert!(is_open(&ground));
    drop(lock);
    assert!(!is_open(&ground));
    // What is not live yet harms nobody: it gives way when another one begins.
    ground.open(LandingStrategy::Release);
    fs::create_dir_all(place.staging()).unwrap();
    assert!(is_open(&ground));
}

#[test]
fn a_live_folder_that_cannot_be_taken_back_is_not_forgotten() {
    let ground = Ground::new("not taken back");
    let place = ground.place();
    let transaction = ground.open(LandingStrategy::InPlace);
    // Something that cannot be closed, as if the disk did not take it.
    fs::write(place.web(), "no folder").unwrap();
    let error = ground.run(|cx, server| commit(cx, server, &transaction.id)).unwrap_err();
    assert!(error.to_string().contains("cannot be taken back"), "{error}");
    let left = Transaction::read(&place).unwrap().unwrap();
    assert_eq!((&left.id, left.is_open), (&transaction.id, false), "no rsync is let in");
    // The next change tries again.
    ground.run(settle_now).unwrap_err();
    assert!(Transaction::read(&place).unwrap().is_some());
    fs::remove_file(place.web()).unwrap();
    ground.run(settle_now).unwrap();
    assert_eq!(Transaction::read(&place).unwrap(), None);
}

#[test]
fn a_commit_that_is_asked_again_leaves_the_servers_own_files_alone() {
    let ground = Ground::new("again");
    let place = ground.place();
    let transaction = ground.open(LandingStrategy::Release);
    // Killed after this, the tree has files of the live one under other names.
    Transaction { is_checked: true, ..transaction.clone() }.write(&place).unwrap();
    fs::create_dir_all(place.staging().join(".well-known")).unwrap();
    let (token, live) = (place.staging().join(".well-known/token"), ground.root.join("live"));
    fs::write(&live, "token").unwrap();
    fs::set_permissions(&live, Permissions::from_mode(0o640)).unwrap();
    fs::hard_link(&live, token).unwrap();
    ground.run(|cx, server| commit(cx, server, &transaction.id)).unwrap();
    let token = fs::metadata(place.web().join(".well-known/token")).unwrap();
    assert_eq!((token.permissions().mode() & 0o777, token.nlink()), (0o640, 2));
}

#[test]
fn a_question_is_answered_with_what_all_may_read_of_what_is_published() {
    let ground = Ground::new("read");
    let web = ground.place().web().to_owned();
    for (name, mode) in [
        ("index.html", 0o644),
        ("config.php", 0o640),
        ("shut/in", 0o644),
        (".git/config", 0o644),
        (".well-known/own", 0o644),
    ] {
        let path = web.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "text").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    }
    fs::set_permissions(web.join("shut"), Permissions::from_mode(0o750)).unwrap();
    let ask = |names: &[&str]| {
        let paths: Vec<TreePath> = names.iter().map(|name| name.parse().unwrap()).collect();
        ground.run(|cx, server| read(cx, server, &paths)).unwrap()
    };
    let hidden = ["config.php", "shut/in", ".git/config", ".well-known/own"];
    let text = LandingFile::Text { text: "text".into() };
    let missing = || LandingFile::Missing;
    let told = [missing(), missing(), missing(), missing(), text];
    assert_eq!(ask(&[&hidden[..], &["index.html"]].concat()), told);

    // The last one is asked for again.
    let half = "x".repeat(LandingFile::LONGEST as usize);
    let names = ["1", "2", "3", "4", "5"];
    names.iter().for_each(|name| fs::write(web.join(name), &half).unwrap());
    assert_eq!(ask(&names).len(), 4);
}
