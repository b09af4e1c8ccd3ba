//! Requests on a disk that takes no more.
#![expect(clippy::disallowed_methods, reason = "a test arranges processes by hand")]

use std::{
    io::Write,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use camino::{Utf8Path, Utf8PathBuf};
use talia_pipeline::{
    protocol::Whose,
    server::{holder, landing::Transaction},
};

use super::*;

/// What a client would read.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<u8>>>);

impl Write for Told {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A server below a folder of its own, with an engine that runs nothing.
struct Here {
    root: Utf8PathBuf,
    site: Site,
}

impl Here {
    fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("talia-serve-{name}-{}", std::process::id()));
        let root = Utf8PathBuf::from_path_buf(root).unwrap();
        let policy = Policy::default();
        let layout = Layout::new(&"production".parse().unwrap(), &policy).below(&root);
        std::fs::create_dir_all(layout.folder()).unwrap();
        let docker = root.join("bin/docker");
        std::fs::create_dir_all(root.join("bin")).unwrap();
        std::fs::write(&docker, "#!/bin/sh\n[ \"$1\" = container ] || echo 20.10.24\n").unwrap();
        said("chmod", &["755", docker.as_str()]);
        let real = World::real().unwrap();
        let path = format!("{root}/bin:{}", real.variable("PATH").unwrap());
        let world = real.with("PATH", path);
        let (role, signals) = (Role::Admin, Cancel::new());
        Self { root, site: Site { layout, policy, world, role, signals, caller: None } }
    }

    /// The exit code of a request, and what the client was told.
    fn asked(&self, ask: impl Fn(&Ask<'_>) -> Result<ExitCode>) -> (Result<ExitCode>, String) {
        let told = Told::default();
        let feed = Feed::new(told.clone(), || {});
        let result = ask(&Ask { site: &self.site, feed: &feed, text: "prune", run: None });
        feed.finish(Duration::from_secs(5));
        let told = String::from_utf8(told.0.lock().unwrap().clone()).unwrap();
        (result, told)
    }

    fn serve(&self, request: &Request) -> (Result<ExitCode>, String) {
        self.asked(|ask| serve(ask.site, request.clone(), ask.feed))
    }

    /// A lock that can be held, and takes no text.
    fn lock_takes_no_text(&self) {
        said("mkfifo", &[self.site.layout.lock().as_str()]);
    }

    fn there_is_no_journal(&self) {
        std::fs::create_dir(self.site.layout.journal()).unwrap();
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.root));
    }
}

fn said(program: &str, arguments: &[&str]) {
    assert!(Command::new(program).args(arguments).status().unwrap().success(), "{program}");
}

#[test]
fn what_helps_on_a_full_disk_needs_no_journal() {
    let here = Here::new("helps");
    here.there_is_no_journal();
    let refused = here.serve(&Request::Maintenance(true)).0.unwrap_err();
    assert!(refused.to_string().contains("journal"), "{refused}");
    assert_eq!(here.serve(&Request::Unlock).0.unwrap(), ExitCode::Success);

    // Somebody works there, and holds the lock as an agent's child does.
    let path = here.site.layout.lock();
    let label = |pid| LockHolder {
        pid,
        doing: "release".to_owned(),
        by: "ana".parse().unwrap(),
        run: "1".to_owned(),
        since_ms: 1,
    };
    let mut lock = Lock::take(&path, &label(0)).unwrap();
    let mut works = Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap();
    lock.relabel(&label(works.id()));
    drop(lock);
    let (code, told) = here.serve(&Request::Cancel { area: None, whose: None });
    drop(works.kill());
    works.wait().unwrap();
    assert_eq!(code.unwrap(), ExitCode::Success, "{told}");
    assert!(told.contains("undone"), "{told}");
}

#[test]
fn who_asks_for_the_work_of_a_dead_agent_hears_what_ends_it() {
    let here = Here::new("dead");
    let path = here.site.layout.lock();
    let label = LockHolder {
        pid: u32::MAX >> 2,
        doing: "release".to_owned(),
        by: "ana".parse().unwrap(),
        run: "1".to_owned(),
        since_ms: 1,
    };
    let lock = Lock::take(&path, &label).unwrap();
    let mut works = Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap();
    drop(lock);
    let (code, _) = here.serve(&Request::Cancel { area: None, whose: None });
    let held = Lock::take(&path, &label).unwrap_err();
    drop(works.kill());
    works.wait().unwrap();
    for error in [code.unwrap_err(), held] {
        assert_eq!(error.exit_code(), ExitCode::Refused, "{error}");
        assert!(error.hint_text().unwrap().contains("unlock"), "{error}");
        assert!(!error.hint_text().unwrap().contains("cancel"), "{error}");
    }
}

/// Two that could be cancelled: only who asks knows which one is meant.
#[test]
fn of_two_that_run_one_is_cancelled_where_it_is_named() {
    let here = Here::new("two");
    let path = here.site.layout.lock();
    let label = |pid| LockHolder {
        pid,
        doing: "release".to_owned(),
        by: "ana".parse().unwrap(),
        run: "1".to_owned(),
        since_ms: 1,
    };
    let works = || {
        let mut lock = Lock::take(&path, &label(0)).unwrap();
        let works = Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap();
        lock.relabel(&label(works.id()));
        works
    };
    let place = here.site.layout.landing();
    place.make_own().unwrap();
    let open = |began_ms: u64| {
        let transaction: serde_json::Result<Transaction> =
            serde_json::from_value(serde_json::json!({
                "id": "20261124T081500Z-0123456789ab", "tree": "0".repeat(64),
                "revision": "0".repeat(40), "by": "ben", "began_ms": began_ms, "base": null,
                "strategy": "release", "user": 0, "group": 0, "is_open": false,
            }));
        transaction.unwrap().write(&place).unwrap();
    };
    let cancel = |area| here.serve(&Request::Cancel { area, whose: None });

    let mut ana = works();
    open(here.site.world.now_ms());
    let refused = cancel(None).0.unwrap_err();
    assert_eq!(refused.exit_code(), ExitCode::Refused);
    let message = refused.to_string();
    assert!(message.contains("`release` by ana") && message.contains("by ben"), "{message}");
    let hint = refused.hint_text().unwrap();
    assert!(hint.contains("xtask cancel backend`") && hint.contains("xtask cancel landing`"));
    assert!(ana.try_wait().unwrap().is_none() && place.transaction().exists(), "neither is ended");

    // By whom they were asked for says as well which one is meant.
    let whose = Some(Whose { by: "eve".parse().unwrap(), run: None });
    let (code, told) = here.serve(&Request::Cancel { area: None, whose });
    assert!(code.is_ok() && told.contains("nothing_ran"), "{told}");
    let (code, told) = cancel(Some(Area::Landing));
    assert!(code.is_ok() && told.contains("undone"), "{told}");
    assert!(ana.try_wait().unwrap().is_none() && !place.transaction().exists(), "{told}");

    open(here.site.world.now_ms());
    let (code, told) = cancel(Some(Area::Backend));
    ana.wait().unwrap();
    assert!(code.is_ok() && told.contains("undone"), "{told}");
    assert!(place.transaction().exists());
    // Now it is the only one.
    let (code, told) = cancel(None);
    assert!(code.is_ok() && told.contains("undone"), "{told}");
    assert!(!place.transaction().exists());

    // One that its client has left is nobody's rival.
    let mut ana = works();
    open(1);
    let (code, told) = cancel(None);
    ana.wait().unwrap();
    assert!(code.is_ok() && told.contains("undone"), "{told}");
    assert!(place.transaction().exists());
}

#[test]
fn a_prune_needs_neither_a_journal_nor_a_label() {
    let here = Here::new("prune");
    here.there_is_no_journal();
    here.lock_takes_no_text();
    let (code, told) = here.serve(&Request::Prune);
    assert_eq!(code.unwrap(), ExitCode::Success, "{told}");
}

#[test]
fn what_is_done_is_answered_though_the_lock_cannot_say_what_it_waits_for() {
    let here = Here::new("label");
    here.lock_takes_no_text();
    let (code, told) = here.asked(|ask| {
        ask.change_in(Area::Backend, ask.role(), |_, _| Ok("live"), |_| Some("wait".to_owned()))
    });
    assert_eq!(code.unwrap(), ExitCode::Success, "{told}");
    assert!(told.contains("\"live\""), "{told}");
}

#[test]
fn a_label_is_the_whole_text_however_long_the_one_before_was() {
    let here = Here::new("shorter");
    let path: &Utf8Path = &here.site.layout.lock();
    let label = |doing: &str| LockHolder {
        pid: 1,
        doing: doing.to_owned(),
        by: "ana".parse().unwrap(),
        run: "1".to_owned(),
        since_ms: 1,
    };
    let mut lock = Lock::take(path, &label("something that takes long to say")).unwrap();
    for doing in ["prune", "something longer", "x"] {
        lock.relabel(&label(doing));
        assert_eq!(holder(path).unwrap(), Some(label(doing)));
    }
}

/// A client that was killed after it had begun leaves its release open.
#[test]
fn rsync_is_let_into_no_release_that_nothing_is_heard_of() {
    let mut here = Here::new("idle");
    // What is let in goes no further.
    here.site.world = here.site.world.clone().with("PATH", here.root.join("bin").as_str());
    let place = here.site.layout.landing();
    place.make_own().unwrap();
    let began = |began_ms: u64| {
        let transaction: serde_json::Result<Transaction> =
            serde_json::from_value(serde_json::json!({
                "id": "20261124T081500Z-0123456789ab", "tree": "0".repeat(64),
                "revision": "0".repeat(40), "by": "ben", "began_ms": began_ms, "base": null,
                "strategy": "in-place", "user": 0, "group": 0, "is_open": true,
            }));
        transaction.unwrap().write(&place).unwrap();
        let ask =
            Ask { site: &here.site, feed: &Feed::new(Told::default(), || {}), text: "", run: None };
        ask.become_rsync().unwrap_err()
    };
    let (now_ms, idle) = (here.site.world.now_ms(), here.site.policy.landing.idle);
    let idle_ms = u64::try_from(idle.as_millis()).unwrap();
    let refused = began(now_ms - idle_ms);
    assert_eq!(refused.exit_code(), ExitCode::Refused, "{refused}");
    assert!(refused.to_string().contains("nothing was heard of"), "{refused}");
    assert!(began(now_ms).to_string().contains("no rsync on this server"));
    // rsync writes there when it begins and when it ends.
    std::fs::write(place.rsync_log(), "").unwrap();
    assert!(began(now_ms - idle_ms).to_string().contains("no rsync on this server"));
}
