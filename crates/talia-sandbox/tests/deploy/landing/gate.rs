//! What the deploy key can write, tried with a real rsync over a real sshd.

use std::{process::Output, thread, time::Duration};

use talia_pipeline::{
    protocol::{LandingAborted, LandingReleased, LandingRequest},
    templates::Role,
};

use super::page::{PUSH, Page};
use crate::{
    gate::state_of,
    kit::{Asking, Yard, seen},
};

fn told(name: &str, said: &Output) -> String {
    let stderr = String::from_utf8_lossy(&said.stderr).into_owned();
    let first = stderr.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    seen("25", name, format!("exit {}: {first}", said.status.code().unwrap_or(-1)));
    stderr
}

/// Everything on the server but what is written down of what was asked, and these.
fn state(page: &Page<'_>, but: &[&str]) -> Vec<String> {
    let own = page.own();
    let told = ["journal.jsonl", "lock", "state"].map(|name| format!("{own}/{name}"));
    let is_left_out = |line: &str| {
        line.contains("/journal.jsonl")
            || told.iter().any(|path| line.contains(path.as_str()))
            || but.iter().any(|path| line.contains(path))
            || line.starts_with(&format!("{own} "))
    };
    let all = state_of(page.site);
    all.lines().filter(|line| !is_left_out(line)).map(str::to_owned).collect()
}

#[track_caller]
fn same(before: &[String], now: &[String]) {
    let only = |in_this: &[String], not_that: &[String]| -> Vec<String> {
        in_this.iter().filter(|line| !not_that.contains(line)).cloned().collect()
    };
    let (gone, come) = (only(before, now), only(now, before));
    assert!(gone.is_empty() && come.is_empty(), "it was\n{gone:#?}\nand is\n{come:#?}");
}

/// rsync's own command line, which is answered while a release is open, and no other.
pub(crate) fn what_the_deploy_key_can_write_without_one(yard: &Yard) {
    let site = yard.site();
    let page = Page::new(&site);
    page.have("one");
    let before = state(&page, &[]);
    let said = page.push();
    assert!(told("rsync without a release", &said).contains("no release of the landing page"));
    assert!(!said.status.success());
    for request in [
        "rsync --server --daemon .",
        "rsync --server --daemon . .",
        "rsync --server --daemon --config=/dev/stdin .",
        "rsync --server -le.LsfxCIvu . /var/www/talia-landing/",
        "rsync --server --sender -le.LsfxCIvu . /var/www/talia-landing/",
        "landing commit 20261124T081500Z-0123456789ab",
        "landing abort ../../x",
        "landing read %2Fetc%2Fshadow",
        "landing read .%2E/x",
        "landing begin x",
    ] {
        let mut ssh = site.ssh(Role::Deploy, &[]);
        ssh.arg(request);
        let said = Asking::start(ssh, b"@RSYNCD: 31.0\nstaging\n").wait();
        seen("25", request, said.brief());
        assert!(matches!(said.exit, Some(2 | 4)), "{request}: {said:#?}");
    }
    same(&before, &state(&page, &[]));
}

/// Options that would set what is not the client's, write where it must not, or name
/// another place.
const REFUSED: &[&str] = &[
    "--times",
    "--perms",
    "--owner",
    "--group",
    "--devices",
    "--hard-links",
    "--xattrs",
    "--atimes",
    "--inplace",
    "--append",
    "--partial",
    "--partial-dir=x",
    "--backup",
    "--compare-dest=/etc",
    "--copy-dest=/etc",
    "--link-dest=/etc",
    "--temp-dir=/tmp",
    "--keep-dirlinks",
    "--relative",
    "--super",
    "--remote-option=--fake-super",
    "--remote-option=--log-file=/tmp/pwned",
    "--remote-option=--config=/tmp/pwned",
    "--remote-option=--sender",
    "--remote-option=--files-from=/etc/shadow",
    "--usermap=*:root",
    "--numeric-ids",
    "--remove-source-files",
    "--force",
    "--delete-excluded",
    "--mkpath",
    "--iconv=utf8,latin1",
];

pub(crate) fn what_the_deploy_key_can_write_during_a_release(yard: &Yard) {
    let site = yard.site();
    let page = Page::new(&site);
    page.have("one");
    page.version("two");
    // To look at the whole server takes long, and nothing is heard of the release meanwhile.
    let usual = idle(&page, "300");
    let id = page.opened();
    let (staging, log) = (format!("{}/staging", page.trees()), "rsyncd.log".to_owned());
    // rsync's lock says who holds it.
    let left_out = [staging.as_str(), &log, "rsync.lock"];
    let before = state(&page, &left_out);
    let source = format!("{}/", page.source());
    let sent = |options: &[&str], module: &str| {
        let options: Vec<&str> = PUSH.iter().chain(options).copied().collect();
        page.rsync(&options, &source, module)
    };

    for option in REFUSED {
        let said = sent(&[option], "staging/");
        let stderr = told(option, &said);
        assert!(!said.status.success(), "{option}: {said:?}");
        assert!(stderr.contains("refuse") || stderr.contains("write only"), "{stderr}");
    }
    for module in ["etc/", "other/", "../", "/etc/", "/", ""] {
        let said = sent(&[], module);
        told(&format!("to the module {module:?}"), &said);
        assert!(!said.status.success() || module.is_empty(), "{module}: {said:?}");
    }
    // Places above the module are the module itself, because it is the whole world there.
    for place in ["staging/../../releases/", "staging//etc/", "staging/%2e%2e/x/"] {
        told(&format!("to {place}"), &sent(&["--dry-run"], place));
    }
    let link = |target: &str| {
        page.write(&[("index.html", "x"), ("out", &format!("->{target}"))]);
        page.pushed();
        page.write(&[("index.html", "x"), ("out/pwned", "x")]);
        // The link is replaced, never followed.
        let said = page.rsync(&["-r", "--links"], &source, "staging/");
        told(&format!("through a link to {target}"), &said);
    };
    link("/etc");
    link("../../releases");
    link(&page.web());
    // Nothing is read, not even what is for all.
    let target = format!("{}/fetched", page.source());
    let said = page.rsync(&["-r", "--dry-run"], "server::staging/", "staging/");
    told("a transfer between two of it", &said);
    let mut read = std::process::Command::new("rsync");
    let rsh = page.rsh();
    read.args(["-e", rsh.as_str(), "-r", "--", "server::staging/", &target]);
    let said = crate::kit::output(&mut read);
    assert!(told("to read it", &said).contains("write only"), "{said:?}");
    same(&before, &state(&page, &left_out));

    // Live files are shared, and cannot be written: a release that changes one has its own.
    let live = format!("{}/index.html", page.web());
    let text = page.script(&format!("cat {live}"));
    page.version("two");
    page.pushed();
    assert_eq!(page.script(&format!("cat {live}")), text);
    let writable = format!(
        "runuser -u {} -- find {} {} ! -path '*/staging*' -writable ! -type l",
        site.droplet.user(&site.environment, Role::Deploy),
        page.trees(),
        page.web(),
    );
    assert_eq!(page.script(&writable), "", "its user can write there");

    // What was not announced is not published.
    page.write(&[("index.html", "another page than announced"), ("more.html", "m")]);
    page.pushed();
    page.commit(&id).failed(
        4,
        &["is not what was announced", "index.html is not", "more.html was not announced"],
    );
    page.version("one");
    page.is_settled_at("one");
    // Nor is what no browser should get, however it is announced.
    for (name, target) in [("out", "->/etc/passwd"), ("d/out", "->../../../etc")] {
        page.write(&[("index.html", "x"), ("d/x", "x"), (name, target)]);
        page.open().failed(4, &["leads out of the tree"]);
    }
    page.write(&[(".talia-version.json", "{}"), ("index.html", "x")]);
    page.open().failed(4, &["release's own"]);
    page.version("one");
    page.is_settled_at("one");

    // One that the page has is released still.
    page.version("two");
    page.released();
    let back: LandingReleased = page.rollback(None).answer();
    assert!(!back.unchanged);
    let gone = page.ask(LandingRequest::Abort(id));
    assert_eq!(gone.exit, Some(0));
    idle(&page, &usual);
}

/// Has the server wait so long for a release that is silent; gives what it was before.
fn idle(page: &Page<'_>, seconds: &str) -> String {
    let policy = format!("/etc/talia/{}.toml", page.site.environment);
    let before = page.script(&format!("sed -n 's/^idle_seconds = //p' {policy}"));
    page.script(&format!("sed -i 's/^idle_seconds = .*/idle_seconds = {seconds}/' {policy}"));
    before.trim().to_owned()
}

/// A client that is killed after it has begun: its key writes nothing more, and the folders
/// of a live page that is released in place are root's again with the next change.
pub(crate) fn what_the_deploy_key_can_write_once_its_client_has_gone(yard: &Yard) {
    let site = yard.staging();
    let page = Page::new(&site);
    page.by_hand("echo old > index.html");
    let usual = idle(&page, "5");
    let policy = format!("/etc/talia/{}.toml", site.environment);
    let strategy = "s/^\\[landing\\]/[landing]\\nstrategy = \"in-place\"/";
    page.script(&format!("sed -i '{strategy}' {policy}"));
    page.version("two");
    page.opened();
    let whose = || page.script(&format!("stat -c %U {}", page.web()));
    let user = site.droplet.user(&site.environment, Role::Deploy);
    assert_eq!(whose().trim(), user);
    thread::sleep(Duration::from_secs(6));
    let arguments = [&PUSH[..], &["--delay-updates"]].concat();
    let said = page.rsync(&arguments, &format!("{}/", page.source()), "staging/");
    assert!(told("rsync once its client has gone", &said).contains("nothing was heard of"));
    // Whatever is asked next.
    let other = "20200101T000000Z-0123456789ab".parse().unwrap();
    let aborted: LandingAborted = page.ask(LandingRequest::Abort(other)).answer();
    assert_eq!(aborted, LandingAborted::NothingOpen);
    assert_eq!(whose().trim(), "root");
    assert!(page.index(None).transaction.is_none());
    page.script(&format!("sed -i '/^strategy = \"in-place\"/d' {policy}"));
    idle(&page, &usual);
}
