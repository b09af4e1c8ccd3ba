use camino::Utf8PathBuf;

/// An engine of this machine: where it keeps its state and where it listens.
///
/// ```
/// use talia_pipeline::steps::install::Engine;
///
/// assert_eq!(Engine::system().host(), None);
/// let host = Engine::private("/var/tmp/e").host();
/// assert_eq!(host.as_deref(), Some("unix:///var/tmp/e/docker.sock"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engine {
    folder: Option<Utf8PathBuf>,
    options: Vec<String>,
}

impl Engine {
    /// The machine's engine, in its usual places.
    pub fn system() -> Self {
        Self { folder: None, options: Vec::new() }
    }

    /// A second engine with everything below this folder, for a test. Give it a
    /// network of its own (`unshare --net`): in the first one's it takes away
    /// that one's bridge.
    pub fn private(folder: impl Into<Utf8PathBuf>) -> Self {
        Self { folder: Some(folder.into()), options: Vec::new() }
    }

    /// One more option of `dockerd`: `--bridge=none`.
    #[must_use]
    pub fn option(mut self, option: impl Into<String>) -> Self {
        self.options.push(option.into());
        self
    }

    /// Whether it is the machine's own.
    pub fn is_system(&self) -> bool {
        self.folder.is_none()
    }

    /// What `DOCKER_HOST` must be to reach it; `None` where nothing need be said.
    pub fn host(&self) -> Option<String> {
        self.folder.as_ref().map(|folder| format!("unix://{folder}/docker.sock"))
    }

    /// Where it listens.
    pub fn socket(&self) -> Utf8PathBuf {
        self.place("docker.sock", "/run/docker.sock")
    }
    /// Where it writes its process number.
    pub fn pid_file(&self) -> Utf8PathBuf {
        self.place("docker.pid", "/run/docker.pid")
    }
    /// Where the containerd that it starts writes its process number.
    pub fn containerd_pid_file(&self) -> Utf8PathBuf {
        self.place("exec/containerd/containerd.pid", "/run/docker/containerd/containerd.pid")
    }
    /// What it says, where no journal takes it.
    pub fn log(&self) -> Utf8PathBuf {
        self.place("dockerd.log", "/var/log/dockerd.log")
    }

    fn place(&self, below: &str, usual: &str) -> Utf8PathBuf {
        self.folder.as_ref().map_or_else(|| usual.into(), |folder| folder.join(below))
    }

    /// The options of `dockerd` that say all this.
    pub(super) fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![format!("--pidfile={}", self.pid_file())];
        if let (Some(folder), Some(host)) = (&self.folder, self.host()) {
            arguments.push(format!("--data-root={}", folder.join("data")));
            arguments.push(format!("--exec-root={}", folder.join("exec")));
            arguments.push(format!("--host={host}"));
        }
        arguments.extend(self.options.iter().cloned());
        arguments
    }
}
