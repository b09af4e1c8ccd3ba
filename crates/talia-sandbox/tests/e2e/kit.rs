//! What the tests share: one sandbox, made once and taken down with the last of them.

use std::{
    env, fs,
    process::{Command, Output, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use camino::Utf8PathBuf;
use talia_pipeline::{Pipeline, State, World, templates::Role};
use talia_sandbox::{Droplet, DropletWish, Place, Sandbox, Wish, down, up};

/// What brings in every tool that a test may lack.
const INSTALL: &str = "`cargo xtask selftest --install` brings it in";

/// A state folder of a test's own, and the sandboxes in it; all of it goes when dropped.
pub(crate) struct Yard {
    folder: Utf8PathBuf,
    names: Vec<&'static str>,
}

impl Yard {
    pub(crate) fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
        let folder = Utf8PathBuf::from_path_buf(env::temp_dir()).unwrap();
        let folder = folder.join(format!("talia e2e {}-{now}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self { folder, names: Vec::new() }
    }

    pub(crate) fn place(&self, name: &str) -> Place {
        Place::new(&State::new(&self.folder), name).unwrap()
    }

    /// Brings one up; with a second droplet whose disk is small, where that is asked.
    pub(crate) fn up(&mut self, name: &'static str, small: bool) -> Sandbox {
        self.names.push(name);
        let place = self.place(name);
        let mut wish = Wish::new(&place);
        if small {
            let environment = place.environment();
            let second = DropletWish::new("small").environment(environment).environment("staging");
            wish = wish.droplet(second.small_disk(300));
        }
        let world = World::real().unwrap();
        let mut pipeline = Pipeline::new("up", "/", world.clone());
        pipeline.run(|cx| up(cx, &place, &wish)).result.unwrap();
        Sandbox::open(&place, &world).unwrap()
    }

    pub(crate) fn down(&self, name: &str) {
        let place = self.place(name);
        let mut pipeline = Pipeline::new("down", "/", World::real().unwrap());
        pipeline.run(|cx| down(cx, &place)).result.unwrap();
    }

    /// What an engine still has of a sandbox.
    pub(crate) fn left(&self, name: &str) -> String {
        let labels = self.place(name).labels();
        let ls = |kind: &[&str]| {
            let filters = labels.iter().map(|label| format!("--filter=label={label}"));
            let args = kind.iter().map(|word| (*word).to_owned()).chain(filters);
            said(Command::new("docker").args(args))
        };
        ls(&["container", "ls", "--all", "--quiet"])
            + &ls(&["network", "ls", "--quiet"])
            + &ls(&["volume", "ls", "--quiet"])
    }
}

impl Drop for Yard {
    fn drop(&mut self) {
        for name in &self.names {
            // Nothing may hide a test's own failure.
            let place = self.place(name);
            let Ok(world) = World::real() else { continue };
            drop(Pipeline::new("down", "/", world).run(|cx| down(cx, &place)).result);
        }
        drop(fs::remove_dir_all(&self.folder));
    }
}

/// One test works on the shared sandbox at a time.
static TURN: Mutex<()> = Mutex::new(());

pub(crate) fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn output(command: &mut Command) -> Output {
    let name = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null());
    command.output().unwrap_or_else(|error| panic!("{name} cannot be started ({error}): {INSTALL}"))
}

/// Runs a program that has to succeed; gives what it says.
pub(crate) fn said(command: &mut Command) -> String {
    let output = output(command);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{stdout}{stderr}", output.status);
    stdout
}

/// A request through ssh: the exit, and what was said on standard error.
pub(crate) fn ssh(
    sandbox: &Sandbox,
    droplet: &Droplet,
    key: Role,
    user: &str,
    more: &[&str],
) -> (Option<i32>, String) {
    let environment = sandbox.place().environment();
    let mut command = Command::new("ssh");
    command
        .args(["-F", "/dev/null", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes"])
        .args(["-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=3"])
        // A path with blanks is quoted in an option's value.
        .args(["-o", &format!("UserKnownHostsFile=\"{}\"", sandbox.known_hosts())])
        .args(["-i", sandbox.key(&environment, key).as_str()])
        .args(["-p", &droplet.ssh_port().to_string()])
        .arg(format!("{user}@127.0.0.1"))
        .args(more);
    let output = output(&mut command);
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// What Nginx answers to a path: the status, the headers and the body.
pub(crate) fn https(sandbox: &Sandbox, droplet: &Droplet, path: &str) -> String {
    let host = sandbox.host_name(&sandbox.place().environment());
    let mut command = Command::new("curl");
    command
        .args(["--silent", "--show-error", "--include", "--max-time", "5"])
        .args(["--cacert", sandbox.ca().as_str()])
        .args(["--connect-to", &format!("{host}:443:127.0.0.1:{}", droplet.https_port())])
        .arg(format!("https://{host}{path}"));
    said(&mut command)
}
