//! A landing page's source, and the client that releases it.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{OpenOptionsExt as _, symlink},
    process::{Command, Output, Stdio},
};

use camino::{Utf8Path, Utf8PathBuf};
use talia_pipeline::{
    landing::{ContentHash, Entry, Tree, TreeChanges},
    protocol::{
        LandingBegun, LandingIndex, LandingReleased, LandingRequest, ReleaseId, Request, RevisionId,
    },
    templates::Role,
};

use super::crawler;
use crate::{
    kit::{Asking, Said, Site, output},
    support::{Temp, unique},
};

/// What is released next, and the connection that all requests share.
pub(crate) struct Page<'a> {
    pub(crate) site: &'a Site,
    temp: Temp,
    /// Short, and without a blank: sockets and rsync's `-e` want that.
    short: Utf8PathBuf,
}

impl<'a> Page<'a> {
    pub(crate) fn new(site: &'a Site) -> Self {
        let short = Utf8PathBuf::from_path_buf(std::env::temp_dir()).unwrap();
        let short = short.join(format!("talia-{}", unique()));
        fs::create_dir(&short).unwrap();
        let page = Self { site, temp: Temp::new(), short };
        fs::create_dir(page.source()).unwrap();
        // rsync names the user, the host and its own command.
        let ssh = page.ssh(Role::Deploy);
        let words = std::iter::once(ssh.get_program()).chain(ssh.get_args());
        let quoted: Vec<String> =
            words.map(|word| format!("'{}'", word.to_str().unwrap())).collect();
        let script = format!(
            "#!/bin/sh\nwhile [ \"$1\" != rsync ]; do shift; done\nexec {} \"$*\"\n",
            quoted.join(" ")
        );
        // Once for all that follows; in the foreground it would hold a request's streams.
        for role in [Role::Deploy, Role::Admin] {
            let mut master = page.site.ssh(role, &["-o", &page.socket(role), "-M", "-N", "-f"]);
            let said = output(master.stdin(Stdio::null()).stderr(Stdio::null()));
            assert!(said.status.success(), "{said:?}");
        }
        let mut options = fs::File::options();
        let mut file = options.write(true).create(true).mode(0o755).open(page.rsh()).unwrap();
        file.write_all(script.as_bytes()).unwrap();
        page
    }

    pub(crate) fn rsh(&self) -> Utf8PathBuf {
        self.short.join("ssh")
    }

    pub(crate) fn source(&self) -> Utf8PathBuf {
        self.temp.path().join("src")
    }

    /// What a client is started with, on the shared connection.
    fn ssh(&self, role: Role) -> Command {
        self.site.ssh(role, &["-o", &self.socket(role)])
    }

    fn socket(&self, role: Role) -> String {
        format!("ControlPath={}/{role}", self.short)
    }

    /// Starts to ask, and waits for nothing.
    pub(crate) fn begin(&self, request: LandingRequest, stdin: &[u8]) -> Asking {
        let mut ssh = self.ssh(Role::Deploy);
        ssh.arg(Request::Landing(request).to_string());
        Asking::start(ssh, stdin)
    }

    #[track_caller]
    pub(crate) fn ask(&self, request: LandingRequest) -> Said {
        self.begin(request, &[]).wait()
    }

    /// Any other request.
    #[track_caller]
    pub(crate) fn request(&self, role: Role, request: &Request) -> Said {
        self.begin_request(role, request).wait()
    }

    pub(crate) fn begin_request(&self, role: Role, request: &Request) -> Asking {
        let mut ssh = self.ssh(role);
        ssh.arg(request.to_string());
        Asking::start(ssh, &[])
    }

    /// Makes the source anew: these files alone, and links where a text begins with `->`.
    pub(crate) fn write(&self, files: &[(&str, &str)]) {
        fs::remove_dir_all(self.source()).unwrap();
        fs::create_dir(self.source()).unwrap();
        for (name, text) in files {
            let path = self.source().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            match text.strip_prefix("->") {
                Some(target) => symlink(target, &path).unwrap(),
                None => fs::write(&path, text).unwrap(),
            }
        }
    }

    /// A page that names an asset, and the asset, both of this version.
    pub(crate) fn version(&self, version: &str) {
        let asset = asset(version);
        let page = format!("<!doctype html><link href=\"/{asset}\"><p>{version}</p>\n");
        self.write(&[
            ("index.html", &page),
            (&asset, version),
            ("about us/ü.html", "about"),
            (&format!("only-in-{version}.html"), version),
            ("latest", "->index.html"),
        ]);
    }

    pub(crate) fn tree(&self) -> Tree {
        let mut tree = Tree::default();
        add(&self.source(), "", &mut tree);
        tree
    }

    #[track_caller]
    pub(crate) fn index(&self, own: Option<ContentHash>) -> LandingIndex {
        self.ask(LandingRequest::Index(own)).answer()
    }

    /// What opens a transaction for the source, from what is published.
    pub(crate) fn order(&self, index: &LandingIndex, by: &str) -> (LandingRequest, Vec<u8>) {
        let tree = self.tree();
        let published = index.tree.clone().unwrap_or_else(|| tree.clone());
        let changes = TreeChanges::between(&published, &tree);
        let request = LandingRequest::Begin {
            tree: tree.hash(),
            revision: revision(),
            after: index.live.as_ref().map(|live| live.release.clone()),
            by: by.parse().unwrap(),
            accept_drift: false,
        };
        (request, serde_json::to_vec(&changes).unwrap())
    }

    #[track_caller]
    pub(crate) fn open(&self) -> Said {
        let (request, changes) = self.order(&self.index(None), "test");
        self.begin(request, &changes).wait()
    }

    #[track_caller]
    pub(crate) fn opened(&self) -> ReleaseId {
        let begun: LandingBegun = self.open().answer();
        assert_eq!(begun.module, "staging");
        begun.transaction
    }

    /// rsync with these arguments, before source and place.
    pub(crate) fn rsync(&self, arguments: &[&str], source: &str, module: &str) -> Output {
        let mut rsync = Command::new("rsync");
        rsync.arg("-e").arg(self.rsh()).args(arguments).args(["--", source]);
        output(rsync.arg(format!("server::{module}")).env("LC_ALL", "C.UTF-8"))
    }

    /// What a client does, and what rsync says of it.
    pub(crate) fn push(&self) -> Output {
        self.rsync(&PUSH, &format!("{}/", self.source()), "staging/")
    }

    #[track_caller]
    pub(crate) fn pushed(&self) -> Vec<String> {
        let said = self.push();
        assert!(said.status.success(), "{said:?}");
        let mut lines: Vec<String> =
            String::from_utf8(said.stdout).unwrap().lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }

    #[track_caller]
    pub(crate) fn commit(&self, id: &ReleaseId) -> Said {
        self.ask(LandingRequest::Commit(id.clone()))
    }

    /// Releases the source, whatever comes of it.
    #[track_caller]
    pub(crate) fn release(&self) -> Said {
        let id = self.opened();
        self.pushed();
        self.commit(&id)
    }

    /// Releases the source, and has to succeed.
    #[track_caller]
    pub(crate) fn released(&self) -> LandingReleased {
        let said = self.release();
        assert_eq!(said.exit, Some(0), "{}\n{:#?}", said.failure(), said);
        let released: LandingReleased = said.answer();
        assert_eq!(released.live.tree, self.tree().hash());
        released
    }

    /// Has this version live, whatever a test has left.
    #[track_caller]
    pub(crate) fn have(&self, version: &str) {
        self.site.no_faults();
        let ended = self.request(Role::Admin, &Request::Unlock);
        assert_eq!(ended.exit, Some(0), "{ended:#?}");
        let cancelled = self.request(Role::Deploy, &Request::Cancel { area: None, whose: None });
        assert_eq!(cancelled.exit, Some(0), "{cancelled:#?}");
        self.version(version);
        let index = self.index(Some(self.tree().hash()));
        if index.tree.is_some() || index.live.is_none() {
            self.released();
        }
        self.is_settled_at(version);
    }

    #[track_caller]
    pub(crate) fn rollback(&self, to: Option<ReleaseId>) -> Said {
        let from = self.index(None).live.unwrap().release;
        self.ask(LandingRequest::Rollback { to, from, by: "test".parse().unwrap() })
    }

    /// The status and the text that a client gets.
    pub(crate) fn served(&self, path: &str) -> (u16, String) {
        let answer = self.site.target().get(path).unwrap();
        (answer.status, String::from_utf8_lossy(&answer.body).into_owned())
    }

    /// Clients get this version whole, nothing is under way, and nothing is left over.
    #[track_caller]
    pub(crate) fn is_settled_at(&self, version: &str) {
        assert_eq!(self.served(&format!("/{}", asset(version))), (200, version.to_owned()));
        let (status, page) = self.served("/");
        assert!(status == 200 && page.contains(&format!("<p>{version}</p>")), "{status} {page}");
        let index = self.index(None);
        let told = format!("{index:#?}");
        assert!(index.transaction.is_none() && index.unfinished.is_none(), "{told}");
        assert_eq!(index.drift, [], "{told}");
        let (_, own) = self.served("/.talia-version.json");
        assert!(own.contains(index.live.unwrap().release.as_str()), "{own}");
        let trees = self.trees();
        let user = self.site.droplet.user(&self.site.environment, Role::Deploy);
        let script = format!(
            "ls -d {trees}/staging {trees}/switch {}/fetched/* 2> /dev/null || :; \
             find {trees} -user {user}",
            self.own()
        );
        assert_eq!(self.script(&script), "", "something is left over");
    }

    #[track_caller]
    pub(crate) fn script(&self, script: &str) -> String {
        self.site.droplet.script(script).unwrap()
    }

    /// The live path.
    pub(crate) fn web(&self) -> String {
        live_folder(self.site)
    }

    pub(crate) fn trees(&self) -> String {
        format!("/var/www/.talia-landing/{}", self.site.environment)
    }

    pub(crate) fn own(&self) -> String {
        format!("/var/lib/talia/{}/landing", self.site.environment)
    }

    /// Has nothing published but a folder with these files, as somebody has made it.
    #[track_caller]
    pub(crate) fn by_hand(&self, script: &str) {
        let (web, trees, own) = (self.web(), self.trees(), self.own());
        self.script(&format!("rm -rf {web} {trees} {own}; mkdir {web}; cd {web}; {script}"));
    }
}

impl Drop for Page<'_> {
    fn drop(&mut self) {
        for role in [Role::Deploy, Role::Admin] {
            let mut ssh = Command::new("ssh");
            ssh.args(["-F", "/dev/null", "-o", &self.socket(role), "-O", "exit", "server"]);
            drop(ssh.output());
        }
        drop(fs::remove_dir_all(&self.short));
    }
}

/// What Nginx serves.
pub(crate) fn live_folder(site: &Site) -> String {
    site.folder().replace("/opt/talia-backend", "/var/www/talia-landing")
}

/// As the client does it.
pub(crate) const PUSH: [&str; 7] = [
    "-8",
    "--recursive",
    "--links",
    "--checksum",
    "--delete",
    "--delete-delay",
    "--out-format=%i %n",
];

pub(crate) fn revision() -> RevisionId {
    "0123456789abcdef0123456789abcdef01234567".parse().unwrap()
}

/// The asset of a version.
pub(crate) fn asset(version: &str) -> String {
    crawler::asset("app", "css", version.as_bytes())
}

fn add(folder: &Utf8Path, above: &str, tree: &mut Tree) {
    for entry in folder.read_dir_utf8().unwrap() {
        let path = entry.unwrap().into_path();
        let name = format!("{above}{}", path.file_name().unwrap());
        let data = fs::symlink_metadata(&path).unwrap();
        let entry = if data.is_dir() {
            add(&path, &format!("{name}/"), tree);
            Entry::folder()
        } else if data.is_symlink() {
            Entry::link(path.read_link_utf8().unwrap())
        } else {
            Entry::file(data.len(), ContentHash::of(&fs::read(&path).unwrap()))
        };
        tree.insert(name.parse().unwrap(), entry);
    }
}
