use camino::{Utf8Path, Utf8PathBuf};
use talia_pipeline::{Error, Result, Stdin, templates::Role};

use crate::{
    Place,
    door::Door,
    facts::{DropletFacts, write_private},
    flows, server,
    steps::{ContainerStarted, ContainerStopped, Exec, Exited},
};

/// How a program on a droplet ended, and what it said.
pub type Said = Exited;

/// A server of a sandbox, in the hands of a test.
///
/// Every call runs one or two `docker` commands and waits for them.
#[derive(Debug, Clone)]
pub struct Droplet {
    place: Place,
    name: String,
    facts: DropletFacts,
    door: Door,
}

impl Droplet {
    pub(crate) fn new(place: &Place, name: &str, facts: DropletFacts, door: Door) -> Self {
        Self { place: place.clone(), name: name.to_owned(), facts, door }
    }

    /// Its name, which is its host name too.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its container.
    pub fn container(&self) -> String {
        self.place.container(&self.name)
    }

    /// The environments that it serves.
    pub fn environments(&self) -> &[String] {
        &self.facts.environments
    }

    /// The Unix user of a role in one of its environments.
    pub fn user(&self, environment: &str, role: Role) -> String {
        let at = self.facts.environments.iter().position(|name| name == environment);
        server::accounts(at.unwrap_or(0), environment).user(role).to_owned()
    }

    /// The port of its sshd on 127.0.0.1.
    pub fn ssh_port(&self) -> u16 {
        port(&self.facts.ssh_port)
    }
    /// The port of its Nginx on 127.0.0.1, without TLS.
    pub fn http_port(&self) -> u16 {
        port(&self.facts.http_port)
    }
    /// The port of its Nginx on 127.0.0.1, with TLS.
    pub fn https_port(&self) -> u16 {
        port(&self.facts.https_port)
    }

    pub(crate) fn door(&self) -> &Door {
        &self.door
    }
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }
    pub(crate) fn has_small_disk(&self) -> bool {
        self.facts.small_disk.is_some()
    }

    /// Runs a program as root, whatever its exit.
    ///
    /// # Errors
    /// When it cannot be started at all, or runs for more than a minute.
    pub fn exec(&self, program: impl IntoIterator<Item = impl Into<String>>) -> Result<Said> {
        self.door.run(&Exec::new(self.container(), program).any_exit())
    }

    /// Runs a program that has to succeed; gives what it said, without the last
    /// newline.
    ///
    /// # Errors
    /// When it ends with another exit than 0.
    pub fn said(&self, program: impl IntoIterator<Item = impl Into<String>>) -> Result<String> {
        let said = self.door.run(&Exec::new(self.container(), program))?;
        Ok(String::from_utf8_lossy(&said.stdout).trim_end().to_owned())
    }

    /// Runs a shell script as root that has to succeed.
    ///
    /// # Errors
    /// When it ends with another exit than 0.
    pub fn script(&self, script: &str) -> Result<String> {
        self.said(["sh", "-eu", "-c", script])
    }

    /// Writes a file of root's, whole: `0o644`.
    ///
    /// # Errors
    /// When its folder is not there.
    pub fn write(&self, path: &str, content: &[u8], mode: u32) -> Result<()> {
        // Bytes go by a file: a command's own text is text.
        let name = format!("write-{}-{:?}", std::process::id(), std::thread::current().id());
        let file = self.place.file(&name.replace(['(', ')'], "-"));
        write_private(&file, content)?;
        // At no moment does anybody find half of it, or none.
        let whole = "install --mode=\"$1\" --no-target-directory -- /dev/stdin \"$2.new\" \
                     && mv --no-target-directory -- \"$2.new\" \"$2\"";
        let mode = format!("{mode:04o}");
        let program = ["sh", "-eu", "-c", whole, "sh", &mode, path];
        let put = Exec::new(self.container(), program).stdin(Stdin::File(file.clone()));
        let written = self.door.run(&put.named(format!("write {path}")));
        drop(std::fs::remove_file(&file));
        written.map(drop)
    }

    /// Reads a file, of a megabyte at most.
    ///
    /// # Errors
    /// When it is not there.
    pub fn read(&self, path: &str) -> Result<Vec<u8>> {
        let said = self.door.run(&Exec::new(self.container(), ["cat", "--", path]))?;
        Ok(said.stdout)
    }

    /// Waits until all its services answer.
    ///
    /// # Errors
    /// When they do not within a minute, or one has failed.
    pub fn wait(&self) -> Result<()> {
        self.door.flow(|cx| flows::ready(cx, &self.container()))
    }

    /// Puts this static binary in the agent's place.
    ///
    /// # Errors
    /// When the droplet does not run.
    pub fn install_agent(&self, agent: &Utf8Path) -> Result<()> {
        let agent: Utf8PathBuf = agent.canonicalize_utf8().map_err(|cause| {
            Error::usage(format!("the agent {agent} cannot be opened")).caused_by(cause)
        })?;
        self.door.flow(|cx| flows::put_agent(cx, &self.container(), &agent))
    }

    /// Shuts it down as an administrator does.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn stop(&self) -> Result<()> {
        self.door.run(&ContainerStopped::new(self.container()))
    }

    /// Cuts its power.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn power_cut(&self) -> Result<()> {
        self.door.run(&ContainerStopped::new(self.container()).at_once())
    }

    /// Boots it and waits until its services answer. Its ports are the same.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(&self) -> Result<()> {
        let container = self.container();
        self.door.flow(|cx| {
            cx.run(ContainerStarted::new(&container))?;
            flows::ready(cx, &container)
        })
    }

    /// Shuts it down and boots it.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn reboot(&self) -> Result<()> {
        self.stop()?;
        self.start()
    }
}

/// A port is kept as text, because a plan has a hole for it.
fn port(text: &str) -> u16 {
    text.parse().unwrap_or_default()
}
