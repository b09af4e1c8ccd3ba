//! What the client does is what the plan shows, and a plan does nothing.

use std::{
    collections::BTreeSet,
    fs,
    process::{Child, Command, Stdio},
    time::Duration,
};

use camino::{Utf8Path, Utf8PathBuf};

use super::client::{BY_HAND, Client};
use crate::{
    fidelity::{executes_its_plan, would_tell_one_more_or_less},
    gate::state_of,
    kit::{Ran, Site, Yard, said, until},
    trace::{Trace, under_strace},
};

const SOON: Duration = Duration::from_secs(20);

pub(crate) fn a_landing_deploy_executes_its_plan(yard: &Yard) {
    let site = yard.ports();
    let client = Client::new(&site, "talia");
    client.page.by_hand(BY_HAND);
    let deploy = ["deploy", "landing", "--env", &site.environment, "--allow-deletions", "2"];
    client.first();
    let first = executes_its_plan(&client.project, &deploy, "first deploy");
    client.second();
    let changed = executes_its_plan(&client.project, &deploy, "changes");
    let nothing = executes_its_plan(&client.project, &deploy, "nothing to do");
    // Opened, filled, published; and rsync is looked up before.
    assert_eq!(changed, nothing + 4);
    assert!(first + 1 == changed && nothing > 5, "{first}: no live commit to ask git about");
    would_tell_one_more_or_less(&client.project, &deploy);
}

pub(crate) fn a_landing_plan_changes_nothing(yard: &Yard) {
    let site = yard.ports();
    let client = Client::new(&site, "talia");
    client.page.by_hand(BY_HAND);
    client.first();
    let env = ["--env", &site.environment];
    client.project.run(&[&["deploy", "landing"], &env[..]].concat()).ended(0);
    client.second();
    let before = state_of(&site);
    let (web, trees, own) = (client.page.web(), client.page.trees(), client.page.own());
    for folder in [&web, &trees, &own, "/etc/nginx"] {
        assert!(before.contains(&format!("\n{folder}")), "{folder} is not watched");
    }
    let file = client.project.target().join("trace");
    for command in [
        &["deploy", "landing", "--plan"][..],
        &["deploy", "landing", "--plan=json"],
        &["diff", "landing"],
        &["rollback", "landing", "--plan"],
    ] {
        let command = [command, &env].concat();
        Ran::of(&mut under_strace(&client.project.xtask(&command), &file)).ended(0);
        // Its sockets and its key are its own, and go with it.
        let is_own = |path: &Utf8PathBuf| path.as_str().contains("/talia-0");
        let mut left = Trace::read(&file).writes();
        left.retain(|(call, paths)| {
            let is_key = call == "unlinkat" && paths == &["deploy-key"];
            !is_key && !paths.iter().any(is_own)
        });
        assert_eq!(left, [], "{command:?}");
        assert_eq!(state_of(&site), before, "{command:?} has changed the server");
    }
    println!("    server: {} lines of its state are the same", before.lines().count());
    // The least change would have been seen.
    let mut last = before;
    for touched in [format!("{web}/index.html"), trees, own, "/etc/nginx/nginx.conf".to_owned()] {
        client.page.script(&format!("touch {touched}"));
        let now = state_of(&site);
        assert_ne!(now, last, "{touched}");
        last = now;
    }
}

/// Every process that a droplet's sshd starts, under strace.
struct Watched {
    strace: Child,
    file: Utf8PathBuf,
}

impl Watched {
    fn start(site: &Site, file: &Utf8Path) -> Self {
        let container = site.droplet.container();
        let top = said(Command::new("docker").args(["top", &container, "-eo", "pid,args"]));
        let listens = |line: &&str| line.contains("sshd") && line.contains("listener");
        let listener = top.lines().find(listens).and_then(|line| line.split_whitespace().next());
        let listener = listener.unwrap_or_else(|| panic!("no sshd listens: {top}"));
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-xx", "-s", "4096", "-e", "signal=none", "-p", listener]);
        strace.args(["-e", "trace=open,openat,openat2", "-o", file.as_str()]);
        let strace = strace.stdin(Stdio::null()).spawn().unwrap();
        let tracer = format!("TracerPid:\t{}\n", strace.id());
        until("strace watches sshd", SOON, || {
            fs::read_to_string(format!("/proc/{listener}/status")).unwrap().contains(&tracer)
        });
        Self { strace, file: file.to_owned() }
    }

    fn end(mut self) -> Trace {
        said(Command::new("kill").args(["-INT", &self.strace.id().to_string()]));
        self.strace.wait().unwrap();
        Trace::read(&self.file)
    }
}

/// A plan with nothing to do opens no published file, on neither side: both know theirs by
/// what `lstat` says.
pub(crate) fn a_plan_with_nothing_to_do_reads_no_file(yard: &Yard) {
    let site = yard.ports();
    let client = Client::new(&site, "talia");
    client.page.by_hand(BY_HAND);
    client.first();
    let deploy = ["deploy", "landing", "--env", &site.environment];
    let plan = ["deploy", "landing", "--env", &site.environment, "--plan"];
    // What was written just now is read once more, because its times could stay the same.
    until("the index knows every file", SOON, || {
        client.project.run(&deploy).ended(0);
        client.project.run(&plan).ended(0).stdout.contains("; 0 read now")
    });
    let tree = said(Command::new("find").arg(client.source()).args(["-type", "f"]));
    let names: BTreeSet<&str> = tree.lines().filter_map(|line| line.rsplit('/').next()).collect();
    assert!(names.contains("same-1.html") && names.contains("index.html"), "{names:?}");
    let published = |trace: &Trace| -> Vec<Utf8PathBuf> {
        let mut opened = trace.opened();
        opened.retain(|path| path.file_name().is_some_and(|name| names.contains(name)));
        opened
    };
    let (own, there) =
        (client.project.target().join("trace"), client.project.target().join("trace-there"));
    let planned = || {
        let watched = Watched::start(&site, &there);
        let ran = Ran::of(&mut under_strace(&client.project.xtask(&plan), &own)).ended(0);
        let (own, there) = (Trace::read(&own), watched.end());
        println!("    opened: {} files here, {} there", own.opened().len(), there.opened().len());
        assert!(there.opened().iter().any(|path| path.as_str().contains("stamps.json")), "blind");
        (ran, published(&own), published(&there))
    };
    let (ran, here, there) = planned();
    assert!(ran.stdout.contains("; 0 read now"), "{}", ran.stdout);
    assert_eq!((here, there), (vec![], vec![]));

    // One that was touched is read, by whoever has it, and no other.
    client.page.script(&format!("touch {}/same-1.html", client.page.web()));
    fs::File::open(client.source().join("same-2.html"))
        .and_then(|file| file.set_modified(std::time::UNIX_EPOCH))
        .unwrap();
    let (_, here, there) = planned();
    let all_are = |opened: &[Utf8PathBuf], name| {
        !opened.is_empty() && opened.iter().all(|path| path.file_name() == Some(name))
    };
    assert!(all_are(&here, "same-2.html") && all_are(&there, "same-1.html"), "{here:?} {there:?}");
}
