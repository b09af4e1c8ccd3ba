//! A real sshd on a loopback port, with a forced command.

use std::{
    fs::{self, File},
    net::TcpStream,
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use camino::{Utf8Path, Utf8PathBuf};
use talia_pipeline::{
    Effect, ErrorKind, Finished, Pipeline, Stdin, World,
    private::PrivateFolder,
    secret::{Secret, SecretValue},
    steps::ssh::{Connection, SshClose, SshRequest},
};

use crate::{
    alone,
    arguments::Arguments,
    support::{Temp, command, free_port, said, started, unique, wait_until, write},
};

const SSHD: &str = "/usr/sbin/sshd";
const KEY: &str = "TALIA_REAL_DEPLOY_KEY";

/// What the server does, whatever it is asked for.
const COMMAND: &str = r#"#!/bin/sh
case "$SSH_ORIGINAL_COMMAND" in
  environment) env ;;
  read) cat ;;
  wait) : > "$0.waits"; sleep 30 ;;
  refuse) echo "no such thing" >&2; exit 4 ;;
  release*) echo '{"event":"note","text":"pulling"}'; : > "$0.waits"; exec sleep 30 ;;
  "cancel by ana@laptop") echo '{"event":"answered","answer":"undone"}' ;;
  *) echo "asked for $SSH_ORIGINAL_COMMAND" ;;
esac
"#;

/// A server of this test's own; it and all its sessions are gone when dropped.
pub(crate) struct Sshd {
    child: Child,
    port: u16,
    folder: Temp,
    user: String,
}

impl Sshd {
    pub(crate) fn start() -> Self {
        let folder = Temp::new();
        let path = folder.path().to_owned();
        for name in ["host", "user", "other"] {
            let file = path.join(name);
            let args = ["-q", "-t", "ed25519", "-N", "", "-C", "talia-test", "-f"];
            said(command("ssh-keygen").args(args).arg(&file));
        }
        fs::copy(path.join("user.pub"), path.join("authorized")).unwrap();
        folder.write("command", COMMAND);
        said(command("chmod").args(["755", path.join("command").as_str()]));
        let user = said(command("id").arg("-un")).trim().to_owned();
        // As root sshd wants the folder that its package makes at every start.
        if user == "root" {
            fs::create_dir_all("/run/sshd").unwrap();
        }
        let port = free_port();
        folder.write("config", &configuration(&path, port));
        let log = File::create(path.join("log")).unwrap();
        let mut sshd = command(SSHD);
        sshd.args(["-D", "-e", "-f", path.join("config").as_str()]);
        let child = started(sshd.stdout(Stdio::null()).stderr(log));
        let server = Self { child, port, folder, user };
        let up = || TcpStream::connect(("127.0.0.1", port)).is_ok();
        assert!(wait_until(Duration::from_secs(10), up), "{}", server.log());
        server.pin("pins", "host");
        server.pin("wrong pins", "other");
        server.folder.write("no pins", "");
        server
    }

    pub(crate) fn path(&self, name: &str) -> Utf8PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a known-hosts file with this key.
    fn pin(&self, file: &str, key: &str) {
        let public = fs::read_to_string(self.path(&format!("{key}.pub"))).unwrap();
        self.folder.write(file, &format!("[127.0.0.1]:{} {public}", self.port));
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }

    /// How many clients have been let in.
    fn accepted(&self) -> usize {
        self.log().matches("Accepted publickey").count()
    }

    /// The processes that serve a connection.
    fn sessions(&self) -> Vec<String> {
        let id = self.child.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        children.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
    }

    pub(crate) fn kill_sessions(&self) {
        for session in self.sessions() {
            drop(command("kill").args(["-KILL", &session]).output());
        }
    }

    pub(crate) fn connection(
        &self,
        pins: &str,
        key: &Utf8Path,
        private: &PrivateFolder,
    ) -> Connection {
        let socket = private.socket(&format!("{pins} {key}")).unwrap();
        Connection::new("127.0.0.1", &self.user, self.path(pins), socket)
            .port(self.port)
            .key_file(key, KEY)
            .connect_timeout(Duration::from_secs(3))
    }

    /// One request that has to fail, and its error.
    fn fails(&self, pins: &str, key: &str) -> talia_pipeline::Error {
        let private = PrivateFolder::new(&World::real().unwrap()).unwrap();
        let server = self.connection(pins, &self.path(key), &private);
        let secret = || Stdin::Text("a secret for the server".into());
        alone(self.folder.path(), || {
            SshRequest::new(&server, "read", Effect::Remote).stdin(secret())
        })
        .result
        .map(|answer| answer.stdout().into_owned())
        .unwrap_err()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.kill_sessions();
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn configuration(folder: &Utf8Path, port: u16) -> String {
    format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey \"{folder}/host\"\n\
         AuthorizedKeysFile \"{folder}/authorized\"\nPidFile none\nUsePAM no\nStrictModes no\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n\
         AllowTcpForwarding yes\nAcceptEnv *\nLogLevel VERBOSE\n\
         ForceCommand \"{folder}/command\"\n"
    )
}

#[test]
fn requests_share_one_connection_that_is_closed_at_the_end() {
    let sshd = Sshd::start();
    let world = World::real().unwrap();
    let private = PrivateFolder::new(&world).unwrap();
    let text = fs::read_to_string(sshd.path("user")).unwrap();
    // As it comes out of a secret store: without the last newline.
    let value = SecretValue::new(text.trim_end());
    let key = private.file("key", &value).unwrap();
    let server = sshd.connection("pins", &key, &private);
    let secret = format!("t0ken-{}-canary", unique());
    let watch = Arguments::watch(&secret);
    let line_of_key = text.lines().nth(2).unwrap().to_owned();
    let watch_key = Arguments::watch(&line_of_key);
    let world = world.with("TALIA_REAL_STDIN", secret.as_str()).with("LC_TALIA", "sent");
    let world = world.with("TALIA_UNSENT", "sent");
    let finished = Pipeline::new("requests", sshd.folder.path(), world)
        .secrets([Secret::variable("TALIA_REAL_STDIN"), Secret::given(KEY, value.clone())])
        .run(|cx| {
            cx.finally(SshClose::new(&server));
            let ask = |request: &str| SshRequest::new(&server, request, Effect::Read);
            let status = cx.observe(ask("status 'a b'; $HOME"))?.stdout().into_owned();
            let environment = cx.run(ask("environment"))?.stdout().into_owned();
            let read = ask("read").stdin(Stdin::Secret("TALIA_REAL_STDIN".into()));
            let read = cx.run(read)?.stdout().into_owned();
            let refused = cx.run(ask("refuse").accept([0, 4]))?.exit();
            let plain = cx.run(ask("read").stdin(Stdin::Text("two\nlines".into())))?;
            Ok((status, environment, read, refused, plain.stdout().into_owned()))
        });
    assert_eq!(watch.seen(), [""; 0]);
    assert_eq!(watch_key.seen(), [""; 0]);
    let (status, environment, read, refused, plain) = finished.result.unwrap();
    assert_eq!(status, "asked for status 'a b'; $HOME\n");
    assert_eq!((read.as_str(), refused, plain.as_str()), ("***", 4, "two\nlines"));
    for sent in ["LC_TALIA", "TALIA_UNSENT", "LC_ALL", &secret] {
        assert!(!environment.contains(sent), "{sent}: {environment}");
    }
    assert_eq!(sshd.accepted(), 1, "{}", sshd.log());
    let left: Vec<_> = private.path().read_dir_utf8().unwrap().collect();
    assert_eq!(left.len(), 1, "the key alone, no socket: {left:?}");
    assert!(wait_until(Duration::from_secs(5), || sshd.sessions().is_empty()));
    // Closing what is closed already is nothing.
    alone(sshd.folder.path(), || SshClose::new(&server)).result.unwrap();
    let folder = private.path().to_owned();
    drop(private);
    assert!(!folder.exists());
}

#[test]
fn a_changed_or_unknown_host_key_is_a_hard_stop() {
    let sshd = Sshd::start();
    for (pins, says) in
        [("wrong pins", "another one than"), ("no pins", "has no key"), ("not there", "has no key")]
    {
        let error = sshd.fails(pins, "user");
        assert_eq!(error.kind(), ErrorKind::Refused, "{pins}: {error}");
        assert!(error.to_string().contains(says), "{pins}: {error}");
        assert!(error.to_string().contains(sshd.path(pins).as_str()), "{pins}: {error}");
        assert!(error.hint_text().unwrap().contains("ssh-key"), "{pins}");
    }
    assert_eq!(sshd.accepted(), 0, "nobody was let in: {}", sshd.log());
}

#[test]
fn a_key_that_is_refused_missing_broken_or_open_is_named() {
    let sshd = Sshd::start();
    sshd.folder.write("broken", "no key\n");
    fs::copy(sshd.path("user"), sshd.path("open")).unwrap();
    said(command("chmod").args(["600", sshd.path("broken").as_str()]));
    said(command("chmod").args(["644", sshd.path("open").as_str()]));
    for (key, says) in [
        ("other", "does not accept the key"),
        ("nothing", "does not exist"),
        ("broken", "no private key that ssh can read"),
        ("open", "others may read"),
    ] {
        let error = sshd.fails("pins", key);
        assert_eq!(error.kind(), ErrorKind::Preflight, "{key}: {error}");
        assert!(error.to_string().contains(says), "{key}: {error}");
        assert!(error.to_string().contains(KEY), "{key}: {error}");
    }
    assert_eq!(sshd.accepted(), 0);
}

#[test]
fn a_server_that_is_down_and_a_connection_that_breaks_are_two_things() {
    let sshd = Sshd::start();
    let private = PrivateFolder::new(&World::real().unwrap()).unwrap();
    let server = sshd.connection("pins", &sshd.path("user"), &private);
    let ask = |server: &Connection, request: &str| -> Finished<_> {
        let (server, request) = (server.clone(), request.to_owned());
        alone(sshd.folder.path(), move || SshRequest::new(&server, &request, Effect::Remote))
    };
    let waits = sshd.path("command.waits");
    for first in [true, false] {
        drop(fs::remove_file(&waits));
        let began = Instant::now();
        let finished = thread::scope(|scope| {
            scope.spawn(|| {
                assert!(wait_until(Duration::from_secs(10), || waits.exists()));
                sshd.kill_sessions();
            });
            if first {
                return ask(&server, "wait");
            }
            // The connection is one that an earlier request has opened.
            let mut both = Pipeline::new("two", sshd.folder.path(), World::real().unwrap());
            both.run(|cx| {
                cx.run(SshRequest::new(&server, "status", Effect::Read))?;
                cx.run(SshRequest::new(&server, "wait", Effect::Remote))
            })
        });
        assert_eq!(finished.exit_code.code(), 5, "{:?}", finished.result);
        let error = finished.result.unwrap_err();
        assert!(error.hint_text().unwrap().contains("cargo xtask status"), "{error}");
        assert!(began.elapsed() < Duration::from_secs(10));
    }
    // The dead connection's socket is in nobody's way.
    assert_eq!(ask(&server, "again").result.unwrap().stdout(), "asked for again\n");
    alone(sshd.folder.path(), || SshClose::new(&server)).result.unwrap();
    let down = server.clone().port(free_port());
    let finished = ask(&down, "status");
    assert_eq!(finished.exit_code.code(), 3);
    let error = finished.result.unwrap_err();
    assert!(error.to_string().contains("cannot be reached"), "{error}");
}

#[test]
fn a_named_configuration_is_read_and_cannot_weaken_anything() {
    let sshd = Sshd::start();
    let private = PrivateFolder::new(&World::real().unwrap()).unwrap();
    let touched = sshd.path("touched");
    let host = fs::read_to_string(sshd.path("host.pub")).unwrap();
    sshd.folder.write("host line", &format!("[127.0.0.1]:{} {host}", sshd.port));
    let user = &sshd.user;
    let (key, pins) = (sshd.path("user"), sshd.path("host line"));
    // ssh itself does not quote this path for a jump.
    let config = private.path().join("config");
    write(
        &config,
        &format!(
            "Host inner\n  HostName 127.0.0.1\n  ProxyJump jump\n\
             Host jump\n  HostName 127.0.0.1\n  Port {}\n  User {user}\n  IdentityFile \"{key}\"\n\
             \x20 UserKnownHostsFile \"{pins}\"\n\
             Host 127.0.0.1 inner\n  StrictHostKeyChecking no\n  UserKnownHostsFile \"{pins}\"\n\
             \x20 KnownHostsCommand /bin/cat \"{pins}\"\n  NoHostAuthenticationForLocalhost yes\n\
             \x20 PermitLocalCommand yes\n  LocalCommand /usr/bin/touch \"{touched}\"\n\
             \x20 RemoteCommand status\n  RequestTTY force\n  ForwardAgent yes\n  SendEnv *\n",
            sshd.port
        ),
    );
    let server = |host: &str, pins: &str| {
        let socket = private.socket(&format!("{host} {pins}")).unwrap();
        Connection::new(host, user, sshd.path(pins), socket)
            .port(sshd.port)
            .key_file(&key, KEY)
            .config(&config)
    };
    let ask = |server: &Connection| {
        let server = server.clone();
        let mut pipeline = Pipeline::new("one", sshd.folder.path(), World::real().unwrap());
        pipeline.run(|cx| {
            cx.finally(SshClose::new(&server));
            cx.run(SshRequest::new(&server, "mine", Effect::Read))
        })
    };
    for (host, pins) in
        [("127.0.0.1", "no pins"), ("127.0.0.1", "wrong pins"), ("inner", "no pins")]
    {
        let error = ask(&server(host, pins)).result.unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::Refused,
            "{host} {pins}: {error} {:?}",
            error.last_lines()
        );
    }
    for host in ["127.0.0.1", "inner"] {
        let answer = ask(&server(host, "pins")).result.unwrap();
        assert_eq!(answer.stdout(), "asked for mine\n", "{host}");
    }
    assert!(!touched.exists(), "no command was run here");
}
