//! The same folder, published as people do it without us: rsync over ssh into what Nginx
//! serves.

use std::{
    fs,
    process::{Command, Stdio},
};

use camino::Utf8Path;

use crate::{
    kit::{Site, output, said},
    support::{Temp, unique},
};

const USER: &str = "plain";

/// A user who may write to a published folder.
pub(crate) struct Plain<'a> {
    site: &'a Site,
    temp: Temp,
    folder: String,
}

impl<'a> Plain<'a> {
    /// Lets a new user in, with a key of its own and a shell, and gives it this folder.
    pub(crate) fn new(site: &'a Site, folder: &str) -> Self {
        let plain = Self { site, temp: Temp::new(), folder: folder.to_owned() };
        let key = plain.key();
        let make = ["-q", "-t", "ed25519", "-N", "", "-f", key.as_str()];
        said(Command::new("ssh-keygen").args(make));
        let public = fs::read_to_string(format!("{key}.pub")).unwrap();
        let script = format!(
            "id {USER} > /dev/null 2>&1 || useradd --create-home --shell /bin/sh {USER}; \
             rm -rf {folder}; install -d -o {USER} {folder}; \
             install -d -o {USER} -m 0700 ~{USER}/.ssh; \
             printf '%s\\n' '{}' > ~{USER}/.ssh/authorized_keys; \
             chown {USER} ~{USER}/.ssh/authorized_keys",
            public.trim()
        );
        site.droplet.script(&script).unwrap();
        plain
    }

    fn key(&self) -> camino::Utf8PathBuf {
        self.temp.path().join("key")
    }

    /// What ssh is started with, up to the host.
    fn words(&self, options: &[&str]) -> Vec<String> {
        let quoted = |path: &Utf8Path| format!("\"{path}\"");
        let known_hosts = quoted(&self.site.sandbox.known_hosts());
        let (key, port) = (quoted(&self.key()), self.site.droplet.ssh_port().to_string());
        let mut words = vec!["ssh".to_owned(), "-F".into(), "/dev/null".into()];
        for option in [
            "BatchMode=yes",
            "IdentitiesOnly=yes",
            "StrictHostKeyChecking=yes",
            &format!("UserKnownHostsFile={known_hosts}"),
            &format!("IdentityFile={key}"),
            &format!("Port={port}"),
            &format!("User={USER}"),
        ]
        .into_iter()
        .chain(options.iter().copied())
        {
            words.extend(["-o".to_owned(), option.to_owned()]);
        }
        words
    }

    /// `ssh host` with a command.
    pub(crate) fn ssh(&self, options: &[&str], command: &[&str]) -> Command {
        let words = self.words(options);
        let mut ssh = Command::new(&words[0]);
        ssh.args(&words[1..]).arg("127.0.0.1").args(command);
        ssh
    }

    /// Opens a connection that others can share.
    pub(crate) fn shared(&self) -> Shared<'_> {
        let socket = std::env::temp_dir().join(format!("talia-{}", unique()));
        let shared = Shared { plain: self, option: format!("ControlPath={}", socket.display()) };
        // In the background it would hold a pipe open.
        let mut master = self.ssh(&[&shared.option, "ControlMaster=yes"], &[]);
        let master = master.args(["-N", "-f"]).stdin(Stdio::null()).stderr(Stdio::null());
        assert!(output(master).status.success(), "no connection");
        shared
    }

    /// `rsync -ai --checksum --delete`, from what is in a folder to what is published; gives
    /// what it tells, a line each.
    #[track_caller]
    pub(crate) fn rsync(&self, source: &Utf8Path, more: &[&str]) -> Vec<String> {
        let shell: Vec<String> = self.words(&[]).iter().map(|word| format!("'{word}'")).collect();
        let mut rsync = Command::new("rsync");
        rsync.args(["-ai", "--checksum", "--delete"]).args(more);
        rsync.args(["-e", &shell.join(" "), "--"]);
        rsync.args([format!("{source}/"), format!("127.0.0.1:{}/", self.folder)]);
        let told = output(rsync.env("LC_ALL", "C.UTF-8"));
        assert!(told.status.success(), "{told:?}");
        String::from_utf8(told.stdout).unwrap().lines().map(str::to_owned).collect()
    }
}

/// One connection for several commands; ended when dropped.
pub(crate) struct Shared<'a> {
    plain: &'a Plain<'a>,
    option: String,
}

impl Shared<'_> {
    /// `ssh host` with a command.
    pub(crate) fn ssh(&self, command: &[&str]) -> Command {
        self.plain.ssh(&[&self.option], command)
    }
}

impl Drop for Shared<'_> {
    fn drop(&mut self) {
        drop(self.plain.ssh(&[&self.option], &[]).args(["-O", "exit"]).output());
    }
}

impl Drop for Plain<'_> {
    fn drop(&mut self) {
        let script =
            format!("pkill -u {USER} || :; userdel --remove {USER}; rm -rf {}", self.folder);
        drop(self.site.droplet.script(&script));
    }
}
