use std::time::Duration;

use camino::Utf8PathBuf;
use talia_pipeline::{Action, CommandLine, Step};

/// Makes a container, which does not run yet.
///
/// - Command: `docker container create --name=… … -- IMAGE`.
/// - Exits: 0.
/// - Touches: the engine's containers and volumes.
/// - Errors: there is one of this name.
/// - Source: docker-create(1).
///
/// ```
/// use talia_pipeline::Step;
/// use talia_sandbox::steps::ContainerMade;
///
/// let step = ContainerMade::new("c", "image:1").network("n").alias("db");
/// assert_eq!(step.label(), "make the container c");
/// ```
#[derive(Debug, Clone)]
pub struct ContainerMade {
    name: String,
    image: String,
    options: Vec<(&'static str, String)>,
}

impl ContainerMade {
    /// Of this name, from this image.
    pub fn new(name: impl Into<String>, image: impl Into<String>) -> Self {
        Self { name: name.into(), image: image.into(), options: Vec::new() }
    }

    /// Labels it.
    #[must_use]
    pub fn labels(self, labels: impl IntoIterator<Item = impl Into<String>>) -> Self {
        labels.into_iter().fold(self, |made, label| made.option("--label", label))
    }

    /// Puts it into this network.
    #[must_use]
    pub fn network(self, network: impl Into<String>) -> Self {
        self.option("--network", network)
    }

    /// Gives it another name in its network.
    #[must_use]
    pub fn alias(self, alias: impl Into<String>) -> Self {
        self.option("--network-alias", alias)
    }

    /// Its own name for itself.
    #[must_use]
    pub fn host_name(self, name: impl Into<String>) -> Self {
        self.option("--hostname", name)
    }

    /// Lets a port of this machine's loopback lead to a port of its own.
    #[must_use]
    pub fn publish(self, port: &str, inside: u16) -> Self {
        self.option("--publish", format!("127.0.0.1:{port}:{inside}"))
    }

    /// Reads variables from a file, so that no argument has them.
    #[must_use]
    pub fn variables(self, file: impl Into<Utf8PathBuf>) -> Self {
        self.option("--env-file", file.into())
    }

    /// Keeps this folder on a volume of its own that carries these labels.
    #[must_use]
    pub fn volume(self, folder: &str, labels: &[String]) -> Self {
        let labels: String = labels.iter().map(|label| format!(",volume-label={label}")).collect();
        self.option("--mount", format!("type=volume,destination={folder}{labels}"))
    }

    /// Keeps this folder in memory; a restart empties it.
    #[must_use]
    pub fn memory(self, folder: &str, options: &str) -> Self {
        self.option("--tmpfs", format!("{folder}:{options}"))
    }

    /// Makes it a server of its own, which has control groups, mounts and networks to
    /// itself: with these rights over them, no more. `--privileged` would let it at
    /// the machine's own settings and devices as well.
    #[must_use]
    pub fn server(self, capabilities: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let made = self
            .option("--cgroupns", "private")
            .option("--security-opt", "seccomp=unconfined")
            .option("--security-opt", "apparmor=unconfined")
            .option("--sysctl", "net.ipv4.ip_forward=1");
        capabilities.into_iter().fold(made, Self::capability)
    }

    /// Gives it a right that containers have not.
    #[must_use]
    pub fn capability(self, name: impl Into<String>) -> Self {
        self.option("--cap-add", name)
    }

    fn option(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.options.push((name, value.into()));
        self
    }
}

impl Step for ContainerMade {
    type Output = ();

    fn label(&self) -> String {
        format!("make the container {}", self.name)
    }

    fn action(&self) -> Action<'_, ()> {
        let line = CommandLine::new("docker").args(["container", "create"]);
        let line = line.option("--name", &self.name);
        let options = self.options.iter();
        let line = options.fold(line, |line, (name, value)| line.option(name, value));
        let line = line
            .operand(&self.image)
            .requires("docker-engine")
            .timeout(Duration::from_secs(60))
            .purpose("a part of the sandbox");
        Action::command(line, |_| Ok(()))
    }

    fn assume(&self) {}
}

/// Starts a container.
///
/// - Command: `docker container start -- NAME`.
/// - Exits: 0.
/// - Touches: the container. At most 60 seconds.
/// - Errors: a port that it publishes is taken.
/// - Source: docker-start(1).
///
/// ```
/// use talia_pipeline::Step;
/// use talia_sandbox::steps::ContainerStarted;
///
/// assert_eq!(ContainerStarted::new("c").label(), "start c");
/// ```
#[derive(Debug, Clone)]
pub struct ContainerStarted {
    name: String,
}

impl ContainerStarted {
    /// The container of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }
}

impl Step for ContainerStarted {
    type Output = ();

    fn label(&self) -> String {
        format!("start {}", self.name)
    }

    fn action(&self) -> Action<'_, ()> {
        let line = CommandLine::new("docker")
            .args(["container", "start"])
            .operand(&self.name)
            .timeout(Duration::from_secs(60))
            .purpose("start a part of the sandbox");
        Action::command(line, |_| Ok(()))
    }

    fn assume(&self) {}
}

/// Stops a container, as a machine is shut down, or as the power fails.
///
/// - Command: `docker container stop --time=20 -- NAME`, or `docker container kill --
///   NAME`.
/// - Exits: 0.
/// - Touches: the container. At most 60 seconds.
/// - Source: docker-stop(1), docker-kill(1).
///
/// ```
/// use talia_pipeline::Step;
/// use talia_sandbox::steps::ContainerStopped;
///
/// assert_eq!(ContainerStopped::new("c").label(), "shut c down");
/// assert_eq!(ContainerStopped::new("c").at_once().label(), "cut the power of c");
/// ```
#[derive(Debug, Clone)]
pub struct ContainerStopped {
    name: String,
    at_once: bool,
}

impl ContainerStopped {
    /// The container of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), at_once: false }
    }

    /// Without asking.
    #[must_use]
    pub fn at_once(mut self) -> Self {
        self.at_once = true;
        self
    }
}

impl Step for ContainerStopped {
    type Output = ();

    fn label(&self) -> String {
        match self.at_once {
            true => format!("cut the power of {}", self.name),
            false => format!("shut {} down", self.name),
        }
    }

    fn action(&self) -> Action<'_, ()> {
        let line = CommandLine::new("docker").arg("container");
        let line = if self.at_once { line.arg("kill") } else { line.args(["stop", "--time=20"]) };
        let line = line
            .operand(&self.name)
            .timeout(Duration::from_secs(60))
            .purpose("stop a part of the sandbox");
        Action::command(line, |_| Ok(()))
    }

    fn assume(&self) {}
}

/// Copies a file of this machine into a container, which need not run.
///
/// - Command: `docker container cp -- FROM CONTAINER:TO`.
/// - Exits: 0.
/// - Touches: the file in the container, which then is root's.
/// - Source: docker-cp(1).
///
/// ```
/// use talia_pipeline::Step;
/// use talia_sandbox::steps::FileCopied;
///
/// assert_eq!(FileCopied::new("/srv/a", "c", "/etc/a").label(), "copy a into c");
/// ```
#[derive(Debug, Clone)]
pub struct FileCopied {
    from: Utf8PathBuf,
    container: String,
    to: String,
}

impl FileCopied {
    /// This file, into this container, to this path there.
    pub fn new(
        from: impl Into<Utf8PathBuf>,
        container: impl Into<String>,
        to: impl Into<String>,
    ) -> Self {
        Self { from: from.into(), container: container.into(), to: to.into() }
    }
}

impl Step for FileCopied {
    type Output = ();

    fn label(&self) -> String {
        format!("copy {} into {}", self.from.file_name().unwrap_or_default(), self.container)
    }

    fn action(&self) -> Action<'_, ()> {
        let line = CommandLine::new("docker")
            .args(["container", "cp"])
            .operand(self.from.as_str())
            .operand(format!("{}:{}", self.container, self.to))
            .timeout(Duration::from_secs(60))
            .purpose("give a server its files");
        Action::command(line, |_| Ok(()))
    }

    fn assume(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    #[test]
    fn made_minimal() {
        check("container_made__minimal", &ContainerMade::new("c", "image:1"));
    }
    #[test]
    fn made_everything() {
        let step = ContainerMade::new("c", "image:1")
            .labels(["a=b", "c=d"])
            .network("n")
            .alias("db")
            .host_name("droplet")
            .publish("12345", 22)
            .variables("/srv/x/variables")
            .volume("/opt", &["a=b".into(), "c=d".into()])
            .memory("/run", "size=10m")
            .server(["SYS_ADMIN", "NET_ADMIN"]);
        check("container_made__everything", &step);
    }
    #[test]
    fn made_hostile() {
        let step = ContainerMade::new("-c it's", "-i$(id)").host_name("\"ü\n");
        check("container_made__hostile", &step);
    }
    #[test]
    fn started_minimal() {
        check("container_started__minimal", &ContainerStarted::new("c"));
    }
    #[test]
    fn started_hostile() {
        check("container_started__hostile", &ContainerStarted::new("-it's\nü"));
    }
    #[test]
    fn stopped_minimal() {
        check("container_stopped__minimal", &ContainerStopped::new("c"));
    }
    #[test]
    fn stopped_everything() {
        check("container_stopped__everything", &ContainerStopped::new("c").at_once());
    }
    #[test]
    fn stopped_hostile() {
        check("container_stopped__hostile", &ContainerStopped::new("-it's\nü"));
    }
    #[test]
    fn copied_minimal() {
        check("file_copied__minimal", &FileCopied::new("/a", "c", "/a"));
    }
    #[test]
    fn copied_everything() {
        let step = FileCopied::new("/srv/x/provision.tar", "c", "/var/lib/provision.tar");
        check("file_copied__everything", &step);
    }
    #[test]
    fn copied_hostile() {
        check("file_copied__hostile", &FileCopied::new("-a\nü", "-c", "it's $(id)"));
    }
}
