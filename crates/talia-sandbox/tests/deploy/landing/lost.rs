//! A client that is killed, a line that is cut, a server that loses its power: what is left
//! settles, and the same client again gets there.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::{crawler::Crawler, page::Page};
use crate::{
    kit::{Project, Ran, Yard, said, seen, until, within},
    support::Temp,
};

const SOON: Duration = Duration::from_secs(20);
/// What rsync sends stops in the middle. The daemon refuses rsync's own way to be slow.
const SLOW: &str = "#!/bin/sh
case \"$*\" in
*'rsync --server'*) { dd bs=1 count=100000 status=none; sleep 20; cat; } | /usr/bin/ssh \"$@\" ;;
*) exec /usr/bin/ssh \"$@\" ;;
esac
";
/// More than what comes before that, and nothing that is sent shorter.
const LARGE: usize = 400_000;

/// The real client, with a page's source as its landing page.
struct Client<'a> {
    page: &'a Page<'a>,
    project: Project,
    slow: Temp,
}

impl<'a> Client<'a> {
    fn new(page: &'a Page<'a>) -> Self {
        let slow = Temp::new();
        let ssh = slow.path().join("ssh");
        fs::write(&ssh, SLOW).unwrap();
        fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
        Self { page, project: Project::new(page.site), slow }
    }

    fn command(&self) -> Command {
        let source = self.project.root().join("infra/reference/landing/src");
        drop(fs::remove_dir_all(&source));
        fs::create_dir_all(source.parent().unwrap()).unwrap();
        said(Command::new("cp").args(["-a", "--", self.page.source().as_str(), source.as_str()]));
        let environment = &self.page.site.environment;
        self.project.xtask(&["deploy", "landing", "--env", environment, "--allow-deletions=10"])
    }

    fn start(&self, mut command: Command) -> Child {
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// One whose rsync takes its time.
    fn slow(&self) -> Child {
        let mut command = self.command();
        let path = std::env::var("PATH").unwrap();
        self.start({
            command.env("PATH", format!("{}:{path}", self.slow.path()));
            command
        })
    }

    /// One that has got to where the agent stops itself.
    #[track_caller]
    fn stopped(&self, fault: &str) -> Child {
        let site = self.page.site;
        site.faults(fault);
        let child = self.start(self.command());
        let stopped = ["pgrep", "--runstates", "T", "--exact", "talia-agent"];
        until("the agent has stopped itself", SOON, || {
            site.droplet.exec(stopped).unwrap().exit == 0
        });
        site.no_faults();
        child
    }

    /// The same client again, which has to get there.
    #[track_caller]
    fn again(&self) -> Ran {
        Ran::of(&mut self.command()).ended(0)
    }
}

pub(crate) fn a_client_that_is_killed_in_a_landing_release(yard: &Yard) {
    let site = yard.site();
    let page = Page::new(&site);
    let client = Client::new(&page);
    let end = |mut child: Child| {
        child.kill().unwrap();
        child.wait().unwrap();
    };
    page.have("one");
    let crawler = Crawler::start(site.target());

    page.version("two");
    fs::write(page.source().join("large"), "x".repeat(LARGE)).unwrap();
    let mut child = client.slow();
    let rsync = ["pgrep", "--exact", "rsync"];
    let works = within(SOON, || site.droplet.exec(rsync).unwrap().exit == 0);
    if !works {
        let ended = child.try_wait().unwrap();
        drop(child.kill());
        panic!("no rsync: {ended:?}: {:?}", child.wait_with_output());
    }
    end(child);
    // What it has left here and there is ended or taken over.
    assert!(client.again().stdout.contains("is live on"));
    page.is_settled_at("two");

    // A commit that has begun is finished without its client.
    for fault in ["stop before \"keep the tree\"", "stop after \"switch to\""] {
        page.have("one");
        page.version("two");
        end(client.stopped(fault));
        site.go_on();
        until("the release is finished", SOON, || site.status().landing.unwrap().lock.is_none());
        page.is_settled_at("two");
        assert!(client.again().stdout.contains("nothing to do"), "{fault}");
    }
    let readers = crawler.missed_nothing();
    seen(
        "2",
        "landing page: SIGKILL of the client while rsync works, and in a commit before and after its switch",
        format!("finished without it, or by the rerun; {readers}"),
    );
}

/// Interrupts a client in the middle of rsync, and while the agent publishes: it ends soon
/// and says what has become of it, and the server is as it says.
pub(crate) fn a_client_that_is_interrupted_in_a_landing_release(yard: &Yard) {
    let site = yard.site();
    let page = Page::new(&site);
    let client = Client::new(&page);
    let interrupt = |child: &Child| {
        said(Command::new("kill").args(["-INT", &child.id().to_string()]));
        Instant::now()
    };
    let ended = |child: Child, began: Instant, what: &str, told: &str| {
        let output = child.wait_with_output().unwrap();
        let took = began.elapsed();
        println!("    {what}: the client has ended after {:.1} s", took.as_secs_f64());
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{what}: {said}");
        assert!(said.contains(told), "{what}: {told} in {said}");
        assert!(took < Duration::from_secs(7), "{what}: {took:?}");
        until("nothing is under way", Duration::from_secs(10), || {
            let landing = site.status().landing.unwrap();
            landing.lock.is_none() && landing.transaction.is_none()
        });
    };
    page.have("one");
    let crawler = Crawler::start(site.target());

    page.version("two");
    fs::write(page.source().join("large"), "x".repeat(LARGE)).unwrap();
    let child = client.slow();
    until("rsync works", SOON, || {
        site.droplet.exec(["pgrep", "--exact", "rsync"]).unwrap().exit == 0
    });
    let began = interrupt(&child);
    ended(child, began, "in rsync", "cancelled");
    page.is_settled_at("one");

    for (fault, told, served) in [
        ("stop before \"take the tree back\"", "the server took it back", "one"),
        ("stop before \"keep the tree\"", "the server took it back", "one"),
        // What has begun is done: clients get it, and it is finished.
        ("stop before \"switch to\"", "is live already", "two"),
    ] {
        page.have("one");
        page.version("two");
        let child = client.stopped(fault);
        let began = interrupt(&child);
        // The agent hears of it before it goes on.
        until("the agent is asked to end", SOON, || {
            let pending = "grep -q 'ShdPnd:.*[1-9a-f]' \
                           /proc/$(pgrep --runstates T --exact talia-agent)/status";
            site.droplet.exec(["sh", "-c", pending]).unwrap().exit == 0
        });
        site.go_on();
        ended(child, began, fault, told);
        page.is_settled_at(served);
    }
    crawler.missed_nothing();
}

pub(crate) fn a_line_that_is_cut_in_a_landing_release(yard: &Yard) {
    let site = yard.site();
    let page = Page::new(&site);
    let client = Client::new(&page);
    page.have("one");
    page.version("two");
    let child = client.stopped("stop before \"switch to\"");
    let began = Instant::now();
    site.droplet.partition().unwrap();
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    let noticed = began.elapsed().as_secs_f64();
    assert_eq!(output.status.code(), Some(5), "{told}");
    assert!(told.contains("state unknown: ask `cargo xtask status --env"), "{told}");
    site.go_on();
    site.droplet.heal().unwrap();
    until("the release is finished without its client", SOON, || {
        site.status().landing.unwrap().lock.is_none()
    });
    page.is_settled_at("two");
    assert!(client.again().stdout.contains("nothing to do"));
    seen(
        "4",
        "landing page: the line is cut before the switch",
        format!(
            "client: exit {} after {noticed:.1} s, state unknown; the server finishes, rerun: nothing to do",
            output.status.code().unwrap(),
        ),
    );
}

/// Cuts the power just before and just after the switch: what is served when the host is
/// up again is one tree, and nothing of the other one is in the way.
pub(crate) fn a_power_cut_in_a_landing_release(yard: &Yard) {
    let site = yard.site();
    let page = Page::new(&site);
    let client = Client::new(&page);
    for (fault, served) in
        [("stop before \"switch to\"", "one"), ("stop after \"switch to\"", "two")]
    {
        page.have("one");
        page.version("two");
        let mut child = client.stopped(fault);
        site.droplet.power_cut().unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(5), "{fault}");
        site.droplet.start().unwrap();
        let (status, text) = page.served("/");
        println!("    {fault}: {status} {}", text.trim());
        assert!(status == 200 && text.contains(&format!("<p>{served}</p>")), "{status} {text}");
        // The server puts right what was left by itself, by its unit talia-boot.
        until("nothing is unfinished", SOON * 3, || {
            let landing = site.status().landing.unwrap();
            landing.lock.is_none() && landing.unfinished.is_none()
        });
        client.again();
        page.is_settled_at("two");
        seen(
            "5",
            &format!("landing page: the power is cut, {fault}"),
            format!(
                "after the boot: status {status}, the page of {served:?} whole; the rerun gets to \"two\""
            ),
        );
    }
}
