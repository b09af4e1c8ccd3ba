//! Trees on disk, a staging tree as an agent makes it, and rsync over each way there is.

use std::{
    collections::BTreeMap,
    fs::{self, File, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink},
    process::{Command, Output},
    time::{Duration, SystemTime},
};

use camino::{Utf8Path, Utf8PathBuf};
use talia_pipeline::{
    landing::{ContentHash, Entry, RsyncPlan, Tree, TreePath, check_repeated},
    parse::itemize::{Format, RsyncItemize},
};

use crate::support::{Temp, command, output, state_of, write};

/// What a test puts at a place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Thing {
    File {
        content: Vec<u8>,
        mode: u32,
        changed_days_ago: u64,
    },
    Folder {
        mode: u32,
    },
    Link(String),
    /// Another name of a file that stands before it.
    HardLink(String),
}

impl Thing {
    pub(crate) fn file(content: &str) -> Self {
        Self::File { content: content.into(), mode: 0o644, changed_days_ago: 0 }
    }

    pub(crate) fn folder() -> Self {
        Self::Folder { mode: 0o755 }
    }

    pub(crate) fn link(target: &str) -> Self {
        Self::Link(target.to_owned())
    }
}

/// Things at their places; a folder that is not named has the usual permissions.
pub(crate) type Things = BTreeMap<String, Thing>;

pub(crate) fn things<'n>(all: impl IntoIterator<Item = (&'n str, Thing)>) -> Things {
    all.into_iter().map(|(path, thing)| (path.to_owned(), thing)).collect()
}

/// Puts them below `root`, which is made.
pub(crate) fn put(root: &Utf8Path, things: &Things) {
    make_folder(root, 0o755);
    for (path, thing) in things {
        let place = root.join(path);
        for above in Utf8Path::new(path).ancestors().skip(1).collect::<Vec<_>>().iter().rev() {
            if !root.join(above).exists() {
                make_folder(&root.join(above), 0o755);
            }
        }
        match thing {
            Thing::Folder { mode } => make_folder(&place, *mode),
            Thing::Link(target) => symlink(target, &place).unwrap(),
            Thing::HardLink(other) => fs::hard_link(root.join(other), &place).unwrap(),
            Thing::File { content, mode, changed_days_ago } => {
                fs::write(&place, content).unwrap();
                fs::set_permissions(&place, Permissions::from_mode(*mode)).unwrap();
                let age = Duration::from_secs(changed_days_ago * 86_400);
                let file = File::open(&place).unwrap();
                file.set_modified(SystemTime::now() - age).unwrap();
            }
        }
    }
}

fn make_folder(path: &Utf8Path, mode: u32) {
    if !path.is_dir() {
        fs::create_dir(path).unwrap();
    }
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Every path below `root`, folders first.
pub(crate) fn paths(root: &Utf8Path) -> Vec<Utf8PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in folder.read_dir_utf8().unwrap() {
            let path = entry.unwrap().into_path();
            if fs::symlink_metadata(&path).unwrap().is_dir() {
                open.push(path.clone());
            }
            found.push(path);
        }
    }
    found.sort();
    found
}

/// What stands on the disk, with its permissions.
pub(crate) fn tree(root: &Utf8Path) -> Tree {
    let entry = |path: Utf8PathBuf| {
        let data = fs::symlink_metadata(&path).unwrap();
        let mode = data.mode() & 0o7777;
        let entry = if data.is_dir() {
            Entry::Folder { mode }
        } else if data.is_symlink() {
            Entry::link(path.read_link_utf8().unwrap())
        } else {
            let content = fs::read(&path).unwrap();
            Entry::File { size: data.len(), hash: ContentHash::of(&content), mode }
        };
        let place: TreePath = path.strip_prefix(root).unwrap().as_str().parse().unwrap();
        (place, entry)
    };
    paths(root).into_iter().map(entry).collect()
}

/// What is published of a folder: its own permissions are not.
pub(crate) fn published(root: &Utf8Path) -> Tree {
    let entry = |(path, entry)| match entry {
        Entry::Folder { .. } => (path, Entry::folder()),
        Entry::File { size, hash, .. } => (path, Entry::file(size, hash)),
        link => (path, link),
    };
    tree(root).into_iter().map(entry).collect()
}

/// Makes a staging tree of what is live, as an agent does: fresh folders, the same
/// files under a second name, and a copy of each whose permissions are not those of
/// what is published.
pub(crate) fn stage(live: &Utf8Path, staging: &Utf8Path) {
    make_folder(staging, Entry::FOLDER_MODE);
    for path in paths(live) {
        let to = staging.join(path.strip_prefix(live).unwrap());
        let data = fs::symlink_metadata(&path).unwrap();
        if data.is_dir() {
            make_folder(&to, Entry::FOLDER_MODE);
        } else if data.is_symlink() {
            symlink(path.read_link_utf8().unwrap(), &to).unwrap();
        } else if data.mode() & 0o7777 == Entry::FILE_MODE {
            fs::hard_link(&path, &to).unwrap();
        } else {
            fs::write(&to, fs::read(&path).unwrap()).unwrap();
            fs::set_permissions(&to, Permissions::from_mode(Entry::FILE_MODE)).unwrap();
        }
    }
}

/// `nobody`, on every Linux.
const RSYNC_USER: u32 = 65534;

/// How rsync gets to the staging tree.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Way {
    /// On this machine.
    Local,
    /// To a daemon that knows this one folder, started behind a remote shell. Where these
    /// tests are root's, as an agent is, it shuts itself in that folder and is somebody
    /// who owns the staging tree's folders and none of its files.
    Daemon,
}

impl Way {
    /// Whether links get there that leave the tree: a daemon that is not shut in makes
    /// others of them.
    pub(crate) fn brings_links_that_leave(self) -> bool {
        self == Self::Local || is_root()
    }
}

/// A source, a live release, and the staging tree that is made of it.
pub(crate) struct Bench {
    folder: Temp,
    way: Way,
    /// What rsync may delete and transfer, as its filter rules.
    rules: Vec<String>,
    /// What its daemon does not see, a pattern a line.
    hidden: String,
}

impl Bench {
    pub(crate) fn new(local: &Things, server: &Things) -> Self {
        let (folder, hidden) = (Temp::new(), String::new());
        let bench = Self { folder, way: Way::Local, rules: Vec::new(), hidden };
        put(&bench.local(), local);
        put(&bench.live(), server);
        stage(&bench.live(), &bench.staging());
        bench
    }

    pub(crate) fn way(mut self, way: Way) -> Self {
        self.way = way;
        if way == Way::Daemon && is_root() {
            let staging = self.staging();
            for path in paths(&staging).iter().chain([&staging]) {
                if fs::symlink_metadata(path).unwrap().is_dir() {
                    chown(path, Some(RSYNC_USER), Some(RSYNC_USER)).unwrap();
                }
            }
        }
        self
    }

    /// With these arguments in front of everything else.
    pub(crate) fn rules(mut self, rules: Vec<String>) -> Self {
        self.rules = rules;
        self
    }

    /// With a daemon that does not see these.
    pub(crate) fn hidden(mut self, patterns: &str) -> Self {
        self.hidden = patterns.to_owned();
        self
    }

    pub(crate) fn local(&self) -> Utf8PathBuf {
        self.folder.path().join("local")
    }

    pub(crate) fn live(&self) -> Utf8PathBuf {
        self.folder.path().join("live")
    }

    pub(crate) fn staging(&self) -> Utf8PathBuf {
        self.folder.path().join("staging")
    }

    /// Runs rsync with these options besides those of every run.
    pub(crate) fn rsync(&self, options: &[&str]) -> Output {
        self.rsync_in("C.UTF-8", options)
    }

    /// The same with another locale than that of a deploy.
    pub(crate) fn rsync_in(&self, locale: &str, options: &[&str]) -> Output {
        // A new file gets the permissions that are sent, without those of the umask.
        let script = "umask 022; exec rsync \"$@\"";
        let mut run = command("sh");
        run.args(["-c", script, "rsync"]).env("LC_ALL", locale);
        run.args(["-rl", "--checksum", "--delete", "--delete-delay", "--chmod=D755,F644"]);
        run.args(&self.rules).args(options);
        let to = match self.way {
            Way::Local => format!("{}/", self.staging()),
            Way::Daemon => {
                self.arrange_daemon(&mut run);
                "server::staging/".to_owned()
            }
        };
        output(run.args(["--", &format!("{}/", self.local()), &to]))
    }

    /// A remote shell that starts the daemon, whatever it is asked for.
    fn arrange_daemon(&self, run: &mut Command) {
        let (settings, shell) =
            (self.folder.path().join("rsyncd.conf"), self.folder.path().join("shell"));
        let (staging, hidden) = (self.staging(), self.folder.path().join("hidden"));
        write(&hidden, &self.hidden);
        // Nobody but root may become somebody.
        let who = format!("uid = {RSYNC_USER}\ngid = {RSYNC_USER}\n");
        let text = format!(
            "use chroot = {}\nmunge symlinks = no\n[staging]\npath = {staging}\nread only = no\n\
             write only = yes\nexclude from = {hidden}\n{}",
            is_root(),
            if is_root() { &who } else { "" },
        );
        write(&settings, &text);
        let config = format!("--config={settings}");
        let script = format!("#!/bin/sh\numask 022\nexec rsync --server --daemon '{config}' .\n");
        write(&shell, &script);
        fs::set_permissions(&shell, Permissions::from_mode(0o755)).unwrap();
        // Only with this option is `::` reached over a shell.
        run.arg(format!("--rsh='{shell}'"));
    }

    /// Runs rsync as a deploy does; gives what it reports.
    pub(crate) fn report(&self, options: &[&str]) -> RsyncItemize {
        let format = format!("--out-format={}", Format::LengthAndName.argument());
        let done = self.rsync(&[&["--8-bit-output", &format], options].concat());
        let complaint = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success() && complaint.is_empty(), "{}: {complaint}", done.status);
        RsyncItemize::parse(&done.stdout, Format::LengthAndName).unwrap()
    }

    /// Checks that a dry run, a real run and the disk are all as planned.
    pub(crate) fn proves(&self, plan: &RsyncPlan) {
        let live = state_of(&self.live());
        let dry = self.report(&["--dry-run"]);
        plan.check_report(&dry).unwrap();
        let done = self.report(&[]);
        plan.check_report(&done).unwrap();
        check_repeated(&dry, &done).unwrap();
        plan.check_staged(&tree(&self.staging())).unwrap();
        assert_eq!(state_of(&self.live()), live, "what is live is never written to");
        // What stays is the same file, with the same time.
        for (path, entry) in plan.result().iter() {
            let is_file = matches!(entry, Entry::File { .. });
            let was_there = tree_entry(&self.live(), path).as_ref() == Some(entry);
            if is_file && was_there && plan.change(path).is_none() {
                let number = |root: Utf8PathBuf| {
                    fs::symlink_metadata(root.join(path.as_str())).unwrap().ino()
                };
                assert_eq!(number(self.live()), number(self.staging()), "{path}");
            }
        }
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// What stands at one place on the disk.
fn tree_entry(root: &Utf8Path, path: &TreePath) -> Option<Entry> {
    let place = root.join(path.as_str());
    let data = fs::symlink_metadata(&place).ok()?;
    let content = data.is_file().then(|| fs::read(&place).unwrap())?;
    let hash = ContentHash::of(&content);
    Some(Entry::File { size: data.len(), hash, mode: data.mode() & 0o7777 })
}
