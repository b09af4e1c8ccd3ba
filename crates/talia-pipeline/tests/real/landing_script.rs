//! The landing page of a server without an agent: the real `infra/deploy.sh`, rrsync and rsync.

use std::{
    fs::{self, File, Permissions},
    os::unix::fs::PermissionsExt as _,
    process::{Command, Output, Stdio},
};

use camino::Utf8PathBuf;
use talia_pipeline::{
    Action, Answer, ErrorKind, Result, Step as _,
    landing::{Change, RsyncPlan, check_repeated},
    parse::itemize::{Attributes, ItemEvent, RsyncItemize},
    steps::{landing::Rsync, ssh::Connection},
    templates::DeployScript,
};

use crate::{
    landing_kit::{Thing, Things, put, things, tree},
    support::{Temp, command, output},
};

/// A source, a published folder, and an ssh that starts the script there.
struct Server {
    /// The script names the folder as it is, so it has no blank.
    temp: Temp,
}

impl Server {
    fn new(local: &Things, live: &Things) -> Self {
        let server = Self { temp: Temp::beside_environments() };
        put(&server.local(), local);
        put(&server.web(), live);
        let script = DeployScript::new("staging").web(server.web()).render();
        let path = |name: &str| server.temp.path().join(name);
        let ssh = format!(
            "#!/bin/sh\nwhile [ \"$1\" != rsync ]; do shift; done\n\
             SSH_ORIGINAL_COMMAND=\"$*\" exec sh {}\n",
            path("deploy.sh")
        );
        server.temp.write("deploy.sh", &script).write("bin/ssh", &ssh);
        fs::set_permissions(path("bin/ssh"), Permissions::from_mode(0o755)).unwrap();
        server
    }

    fn local(&self) -> Utf8PathBuf {
        self.temp.path().join("local")
    }

    fn web(&self) -> Utf8PathBuf {
        self.temp.path().join("web")
    }

    fn step(&self) -> Rsync {
        let server = Connection::new("deploy.example", "deploy", "/known_hosts", "/c");
        Rsync::new(&server, self.local()).by_script()
    }

    /// What rsync says, read as a deploy does.
    fn ran(&self, step: &Rsync) -> Result<RsyncItemize> {
        let Action::Command { line, read } = step.action() else { panic!("it is a command") };
        let mut rsync = command("rsync");
        let path = format!("{}/bin:/usr/bin:/bin", self.temp.path());
        let done = output(rsync.args(line.arguments()).env("PATH", path).env("LC_ALL", "C.UTF-8"));
        read(&Answer::new(done.status.code().unwrap(), done.stdout, done.stderr))
    }

    /// What the script says to a request.
    fn asked(&self, request: &str) -> Output {
        let mut script = Command::new("sh");
        script.arg(self.temp.path().join("deploy.sh")).env("SSH_ORIGINAL_COMMAND", request);
        script.stdin(Stdio::null()).output().unwrap()
    }
}

/// Every kind in the place of every other, and of the same.
fn every_kind() -> (Things, Things) {
    let kinds: [(&str, Things); 5] = [
        ("file", things([("", Thing::file("one"))])),
        ("link", things([("", Thing::link("x"))])),
        ("folder", things([("", Thing::folder()), ("/in", Thing::file("in"))])),
        (
            "deep",
            things([("", Thing::folder()), ("/a", Thing::folder()), ("/a/b", Thing::file("b"))]),
        ),
        ("nothing", Things::new()),
    ];
    let (mut local, mut live) = (Things::new(), Things::new());
    for (before, old) in &kinds {
        for (after, new) in &kinds {
            let at = |(path, thing): (&String, &Thing)| {
                (format!("{before}-{after}{path}"), thing.clone())
            };
            live.extend(old.iter().map(at));
            local.extend(new.iter().map(at));
        }
    }
    let closed = |mode| Thing::File { content: b"m".into(), mode, changed_days_ago: 1 };
    live.insert("changed".to_owned(), Thing::file("old"));
    local.insert("changed".to_owned(), Thing::file("newer"));
    live.insert("mode".to_owned(), closed(0o600));
    local.insert("mode".to_owned(), closed(0o644));
    (local, live)
}

#[test]
fn the_script_does_what_it_has_shown() {
    let (local, live) = every_kind();
    let server = Server::new(&local, &live);
    let (there, here) = (tree(&server.web()), tree(&server.local()));
    let dry_run = server.ran(&server.step().dry_run()).unwrap();
    let existing = server.ran(&server.step().dry_run_over_existing()).unwrap();
    assert_eq!(tree(&server.web()), there, "nothing is changed");

    // What is new of what is there is what takes the place of another kind.
    let is_new = |event| match event {
        ItemEvent::Updated(code) => code.attributes == Attributes::New,
        ItemEvent::Deleted { .. } => false,
    };
    let new = existing.items().iter().filter(|item| is_new(item.event));
    let mut replaced: Vec<&str> = new.map(|item| item.name.as_str().unwrap()).collect();
    replaced.sort_unstable();
    let plan = RsyncPlan::between(&there, &here, |_, _| false).unwrap();
    let is_other = |change: &Change| matches!(change, Change::KindChanged { .. });
    let planned: Vec<&str> = plan
        .changes()
        .filter(|(_, change)| is_other(change))
        .map(|(path, _)| path.as_str())
        .collect();
    assert_eq!((replaced, planned.len()), (planned.clone(), 10));

    let done = server.ran(&server.step().shown(&dry_run)).unwrap();
    check_repeated(&dry_run, &done).unwrap();
    let again = server.ran(&server.step().shown(&RsyncItemize::default())).unwrap();
    assert!(again.items().is_empty(), "{again:?}");

    // Somebody is there between the one and the other.
    fs::write(server.local().join("changed"), "once more").unwrap();
    let dry_run = server.ran(&server.step().dry_run()).unwrap();
    fs::write(server.web().join("stranger"), "x").unwrap();
    let error = server.ran(&server.step().shown(&dry_run)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Step);
    assert!(error.to_string().contains("stranger: planned nothing"), "{error}");
}

#[test]
fn the_script_lets_one_rsync_in_at_a_time() {
    let server = Server::new(&things([("a", Thing::file("1"))]), &Things::new());
    let lock = File::open(server.web()).unwrap();
    lock.try_lock().unwrap();
    for step in [server.step(), server.step().dry_run()] {
        let error = server.ran(&step).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
        assert!(error.to_string().contains("another rsync works on the landing page"), "{error}");
    }
    let options = "--log-format=%i --delete-delay --delay-updates";
    let said = server.asked(&format!("rsync --server -lprce.iLsfxCIvu {options} . ./"));
    assert_eq!(said.status.code(), Some(4), "{said:?}");
    assert_eq!(tree(&server.web()).len(), 0);
    drop(lock);
    server.ran(&server.step()).unwrap();
    assert_eq!(fs::read_to_string(server.web().join("a")).unwrap(), "1");
    // And it is free once that has ended.
    File::open(server.web()).unwrap().try_lock().unwrap();
}

#[test]
fn the_script_takes_no_other_options() {
    let server = Server::new(&Things::new(), &Things::new());
    let options = "--log-format=%i --delete-delay --delay-updates";
    for request in [
        format!("rsync --server -lpre.iLsfxCIvu {options} --existing . ./"),
        format!("rsync --server -lprce.iLsfxCIvu {options} --existing . ./"),
        format!("rsync --server -nlpre.iLsfxCIvu {options} . ./"),
        format!("rsync --server -nlpre.iLsfxCIvu {options} --existing . ./ x"),
        format!("rsync --server -nlpre.iLsfxCIvu;id {options} --existing . ./"),
        format!("rsync --server -nlpre.iLsfxCIvu --super {options} --existing . ./"),
        format!("rsync --server -nlpre.\nid {options} --existing . ./"),
        format!("rsync --server --sender -nlpre.iLsfxCIvu {options} --existing . ./"),
        format!("rsync --server -- {options} . ./"),
        "rsync --server -".to_owned(),
    ] {
        let said = server.asked(&request);
        let stderr = String::from_utf8_lossy(&said.stderr);
        assert_eq!(said.status.code(), Some(4), "{request}: {stderr}");
        assert!(stderr.contains("a landing deploy and nothing else"), "{request}: {stderr}");
    }
}
