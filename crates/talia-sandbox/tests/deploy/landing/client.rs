//! The real client where a release is no rename: in place by the agent, and by
//! `infra/deploy.sh` on a server without one.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt as _, symlink},
    process::Command,
    time::Duration,
};

use camino::Utf8PathBuf;
use talia_pipeline::templates::{DeployScript, Role};

use super::page::Page;
use crate::kit::{Asking, Project, Ran, Said, Site, Yard, said, seen, until, words};

/// Every file that is published, with the hash of what it holds.
const FILES: &str = "find . -path ./.well-known -prune -o -name .talia-version.json -o -type f \
                     -print0 | LC_ALL=C sort -z | xargs -0 sha256sum";
/// Everything of a folder, so that a touch shows.
const STATE: &str = "find . -printf '%p %i %M %u %s %T@ %C@ %l\\n' | LC_ALL=C sort";
/// A page as somebody has left it, with a file that Nginx cannot read.
pub(super) const BY_HAND: &str = "mkdir -p .well-known old; echo old > index.html; printf own > .well-known/own; \
                       for n in 1 2 3 4; do echo $n > same-$n.html; done; chmod 600 same-1.html; \
                       printf gone > old/gone.html";

/// A project whose landing page goes to one environment of the droplet.
pub(super) struct Client<'a> {
    pub(super) page: Page<'a>,
    pub(super) project: Project,
}

impl<'a> Client<'a> {
    pub(super) fn new(site: &'a Site, agent: &str) -> Self {
        let (name, droplet) = (&site.environment, &site.droplet);
        let settings = format!(
            "\n[environments.{name}]\naddress = \"127.0.0.1\"\nport = {}\nuser = \"{}\"\n\
             key = \"SITE_KEY\"\nknown_hosts = \"{}\"\nagent = \"{agent}\"\n\
             [secrets.files]\nSITE_KEY = \"{}\"\n",
            droplet.ssh_port(),
            droplet.user(name, Role::Deploy),
            site.sandbox.known_hosts(),
            site.sandbox.key(name, Role::Deploy),
        );
        Self { page: Page::new(site), project: Project::with(site, &settings) }
    }

    pub(super) fn source(&self) -> Utf8PathBuf {
        self.project.root().join("infra/reference/landing/src")
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.source().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.source().join(name)).unwrap();
    }

    /// What is published first: much of what is there, and files that are only for
    /// their owner.
    pub(super) fn first(&self) {
        self.write("index.html", "<!doctype html><p>one</p>\n");
        self.write("about us/ü.html", "about");
        self.write("shut/in.html", "in");
        for n in 1..=4 {
            self.write(&format!("same-{n}.html"), &format!("{n}\n"));
        }
        let close = |name: &str, mode| {
            fs::set_permissions(self.source().join(name), Permissions::from_mode(mode)).unwrap();
        };
        close("shut/in.html", 0o600);
        close("same-1.html", 0o600);
        close("shut", 0o700);
    }

    /// Something new, changed, renamed and deleted.
    pub(super) fn second(&self) {
        self.write("new/-n ü.html", "new");
        self.write("index.html", "<!doctype html><p>two</p>\n");
        let at = |name: &str| self.source().join(name);
        fs::rename(at("same-2.html"), at("renamed.html")).unwrap();
        self.remove("shut/in.html");
        fs::remove_dir(at("shut")).unwrap();
    }

    fn run(&self, more: &[&str]) -> Ran {
        let deploy = ["deploy", "landing", "--env", &self.page.site.environment];
        self.project.run(&[&deploy, more].concat())
    }

    /// Everything of the web folder.
    fn state(&self) -> String {
        self.page.script(&format!("cd {}; {STATE}", self.page.web()))
    }

    /// What is published is the source, and clients may read all of it.
    #[track_caller]
    fn is_published(&self) {
        let web = self.page.web();
        let own = said(Command::new("sh").args(["-c", FILES]).current_dir(self.source()));
        assert_eq!(self.page.script(&format!("cd {web}; {FILES}")), own);
        let closed = "find . -path ./.well-known -prune -o -type d ! -perm 755 -print -o -type f \
                      ! -perm 644 -print";
        assert_eq!(self.page.script(&format!("cd {web}; {closed}")), "", "not for all to read");
        let page = fs::read_to_string(self.source().join("index.html")).unwrap();
        assert_eq!(self.page.served("/"), (200, page));
        assert_eq!(self.page.served("/same-1.html"), (200, "1\n".into()));
        assert_eq!(self.page.served("/about%20us/%C3%BC.html"), (200, "about".into()));
        assert_eq!(self.page.served("/.well-known/own"), (200, "own".into()));
    }

    /// A plan, a refusal, and what is done already: all of it leaves the server alone.
    #[track_caller]
    fn changes_nothing(&self, told: &str, run: impl FnOnce() -> Ran) {
        let before = self.state();
        let ran = run();
        let (stdout, stderr) = (&ran.stdout, &ran.stderr);
        assert!(stdout.contains(told) || stderr.contains(told), "{told} in\n{stdout}{stderr}");
        assert_eq!(self.state(), before, "{told}");
    }

    /// What both kinds of servers do alike: a first deploy, changes, nothing, refusals.
    fn goes_through(&self) {
        self.first();
        self.changes_nothing("old/gone.html", || self.run(&["--plan"]).ended(0));
        self.run(&[]).ended(0);
        self.is_published();
        assert_eq!(self.page.served("/shut/in.html"), (200, "in".into()));
        assert_eq!(self.page.served("/old/gone.html").0, 404);
        self.changes_nothing("nothing to do", || self.run(&[]).ended(0));

        self.second();
        self.changes_nothing("renamed.html", || self.run(&["--plan"]).ended(0));
        self.changes_nothing("--allow-deletions", || {
            // More than a third, however a rename counts.
            self.remove("same-3.html");
            self.remove("same-4.html");
            self.run(&[]).ended(4)
        });
        self.run(&["--allow-deletions", "4"]).ended(0);
        self.is_published();
        assert_eq!(self.page.served("/renamed.html"), (200, "2\n".into()));
        assert_eq!(self.page.served("/same-2.html").0, 404);

        self.write("backup.key", "-----BEGIN PRIVATE KEY-----\n");
        self.changes_nothing("--allow-secrets", || self.run(&[]).ended(4));
        self.remove("backup.key");
    }

    /// FAULT 22: nothing is deleted by a source that is not what was meant.
    fn keeps_what_is_published(&self, how: &str) {
        let (source, aside) = (self.source(), self.project.target().join("aside"));
        let refused = |injected: &str, told: &str| {
            let mut refusal = String::new();
            self.changes_nothing(told, || {
                let ran = self.run(&["--yes"]).ended(4);
                let told = ran.told().lines().find(|line| line.contains(told)).map(str::to_owned);
                let told = told.unwrap().replace(source.as_str(), "SOURCE");
                refusal = told.trim().trim_start_matches("✗ flow: ").to_owned();
                ran
            });
            let files = self.page.script(&format!("find {} -type f | wc -l", self.page.web()));
            seen(
                "22",
                &format!("landing page {how}: {injected}"),
                format!("exit 4: {}; all {files} files are as before", words(&refusal)),
            );
            refusal
        };
        symlink("../../secret", source.join("out")).unwrap();
        refused("a link that leaves the source", "a link that leaves it: `out -> ../../secret`");
        self.remove("out");
        fs::rename(&source, &aside).unwrap();
        fs::create_dir(&source).unwrap();
        refused("an empty source", "there is no file in");
        self.write("other.html", "<!doctype html><p>another page</p>\n");
        let refusal = refused("100 % would be deleted", "files on the server would be deleted");
        // What is the server's own is never deleted.
        let published = self.page.script(&format!("cd {}; {FILES}", self.page.web()));
        let all = format!("{} of ", published.lines().count());
        assert!(refusal.starts_with(&all), "all of {published}: {refusal}");
        fs::remove_dir_all(&source).unwrap();
        fs::rename(aside, source).unwrap();
        self.changes_nothing("nothing to do", || self.run(&[]).ended(0));
    }
}

/// A server whose forced command is `infra/deploy.sh`, until this is dropped.
struct ByScript<'a>(&'a Site);

impl<'a> ByScript<'a> {
    fn new(page: &Page<'a>) -> Self {
        let site = page.site;
        let (name, path) = (&site.environment, DeployScript::PATH);
        let user = site.droplet.user(name, Role::Deploy);
        let script = DeployScript::new(name).folder(site.folder()).web(page.web()).user(&user);
        site.droplet.write(path, script.render().as_bytes(), 0o755).unwrap();
        let own = Self(site);
        own.forced(&format!("s|ForceCommand .* gate {name} deploy|ForceCommand {path}|"));
        page.script(&format!("chown -R {user}: {0}; chown root: {0}/.well-known/own", page.web()));
        until("the script answers", Duration::from_secs(10), || {
            own.asks("nothing").stderr.contains("deploy.sh: ")
        });
        own
    }

    /// Changes what sshd is told of this environment.
    fn forced(&self, edit: &str) {
        let conf = format!("/etc/ssh/sshd_config.d/talia-{}.conf", self.0.environment);
        drop(self.0.droplet.script(&format!("sed -i '{edit}' {conf} && systemctl reload ssh")));
    }

    fn asks(&self, request: &str) -> Said {
        let mut ssh = self.0.ssh(Role::Deploy, &[]);
        ssh.arg(request);
        Asking::start(ssh, &[]).wait()
    }
}

impl Drop for ByScript<'_> {
    fn drop(&mut self) {
        let (name, path) = (&self.0.environment, DeployScript::PATH);
        let agent = talia_pipeline::templates::AGENT;
        self.forced(&format!(
            "s|ForceCommand {path}|ForceCommand /usr/bin/sudo -n {agent} gate {name} deploy|"
        ));
    }
}

pub(crate) fn a_client_deploys_without_an_agent(yard: &Yard) {
    let site = yard.ports();
    let client = Client::new(&site, "none");
    client.page.by_hand(BY_HAND);
    let server = ByScript::new(&client.page);
    client.goes_through();
    client.keeps_what_is_published("by deploy.sh");

    // What it cannot do is said.
    symlink("index.html", client.source().join("latest")).unwrap();
    let ran = client.run(&[]).ended(0);
    for told in ["files of two versions", "no rollback", "links lead nowhere"] {
        assert!(ran.stdout.contains(told), "{told} in {}", ran.stdout);
    }
    assert_eq!(client.page.served("/latest").0, 404);
    let (rollback, diff) = (["rollback", "landing"], ["diff", "landing"]);
    for command in [rollback, diff] {
        let command = [&command[..], &["--env", &site.environment]].concat();
        client.changes_nothing("without an agent", || client.project.run(&command).ended(4));
    }

    // It brings files as the client does, and does nothing else.
    let options = "--log-format=%i --delete-delay --delay-updates . ./";
    for request in [
        "rsync --server --sender -lprce.iLsfxCIvu . ./".to_owned(),
        format!("rsync --server -logDtprce.iLsfxCIvu {options}"),
        format!("rsync --server -lprce.iLsfxCIvu --super {options}"),
        format!("rsync --server -lprce.iLsfxCIvu;id {options}"),
        format!("rsync --server -lprce.iLsfxCIvu {options}\nid"),
        "rsync --server -lprce.iLsfxCIvu --log-format=%i --delete-delay --delay-updates . ../"
            .into(),
    ] {
        let said = server.asks(&request);
        assert_eq!(said.exit, Some(4), "{request}: {said:?}");
        assert!(said.stderr.contains("a landing deploy and nothing else"), "{request}: {said:?}");
    }
}

pub(crate) fn a_client_deploys_in_place(yard: &Yard) {
    let site = yard.ports();
    let client = Client::new(&site, "talia");
    client.page.by_hand(BY_HAND);
    let policy = site.before(&format!("/etc/talia/{}.toml", site.environment));
    client.page.script(&format!(
        "sed -i 's/^\\[landing\\]/[landing]\\nstrategy = \"in-place\"/' {}",
        policy.path()
    ));
    // Published beside what is the server's own, and what could be no part of a release.
    let well_known = format!("{}/.well-known", client.page.web());
    client.page.script(&format!("mkdir {well_known}/sub; mkfifo {well_known}/sub/pipe"));
    client.write(".well-known/security.txt", "contact");
    client.goes_through();
    client.keeps_what_is_published("in place");
    assert_eq!(client.page.served("/shut/in.html").0, 404);
    assert_eq!(client.page.served("/.well-known/security.txt"), (200, "contact".into()));
    assert_eq!(client.page.script(&format!("ls {well_known}/sub")), "pipe");
    let socket = format!("{}/pipe", client.page.web());
    client.page.script(&format!("mkfifo {socket}"));
    client.write("index.html", "<!doctype html><p>beside</p>\n");
    client.changes_nothing("cannot be published", || client.run(&[]).ended(4));
    client.page.script(&format!("rm {socket}"));

    // An edit by hand is noticed, and lost only where that is wanted.
    client.page.script(&format!("echo edited >> {}/index.html", client.page.web()));
    client.write("index.html", "<!doctype html><p>three</p>\n");
    client.changes_nothing("--accept-drift", || client.run(&[]).ended(4));
    client.run(&["--accept-drift"]).ended(0);
    client.is_published();
    let rollback = ["rollback", "landing", "--env", &site.environment];
    client.changes_nothing("in place", || client.project.run(&rollback).ended(4));
    drop(policy);
}
