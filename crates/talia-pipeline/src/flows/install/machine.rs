use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    steps::install::Engine,
    world::{System, World},
};

use super::base::Base;

/// Where working folders are made: on disk, as an image is larger than the memory
/// that `/tmp` often is.
const WORK: &str = "/var/tmp";
/// How their names begin; the number of the process follows.
pub(super) const PREFIX: &str = "talia-install-";

/// What [`super::install`] must know about this machine and may be told about it.
///
/// ```
/// use talia_pipeline::{World, flows::install::Machine};
///
/// let world = World::fixed("/srv/app", [("SSL_CERT_FILE", "/srv/own.pem")]);
/// let machine = Machine::new(&world).base_image("talia-base:test");
/// # let _ = machine;
/// ```
#[derive(Debug, Clone)]
pub struct Machine {
    system: System,
    search: String,
    directory: Utf8PathBuf,
    certificates: Option<Utf8PathBuf>,
    docker_host: Option<String>,
    engine: Engine,
    stop_engine: bool,
    base: Base,
    work: Utf8PathBuf,
    process: u32,
}

impl Machine {
    /// This one: its system, `PATH`, `SSL_CERT_FILE` and `DOCKER_HOST`.
    pub fn new(world: &World) -> Self {
        Self {
            system: world.system(),
            search: world.variable("PATH").unwrap_or("/usr/bin:/bin").to_owned(),
            directory: world.directory().to_owned(),
            certificates: world.variable("SSL_CERT_FILE").map(Utf8PathBuf::from),
            docker_host: world.variable("DOCKER_HOST").map(str::to_owned),
            engine: Engine::system(),
            stop_engine: false,
            base: Base::default(),
            work: WORK.into(),
            process: std::process::id(),
        }
    }

    /// Cares for another engine than the machine's own.
    #[must_use]
    pub fn with_engine(mut self, engine: Engine) -> Self {
        self.engine = engine;
        self
    }

    /// Stops an engine that [`super::install`] had to start when the flow that
    /// called it ends, however it ends. For a self-test.
    #[must_use]
    pub fn stop_engine_at_the_end(mut self) -> Self {
        self.stop_engine = true;
        self
    }

    /// The name of the base image; `talia-base:bookworm` unless set.
    #[must_use]
    pub fn base_image(mut self, image: impl Into<String>) -> Self {
        self.base.image = image.into();
        self
    }

    /// The archive of Debian packages that the base image is made from; the one
    /// of the machine's own apt unless set. An Ubuntu machine must be told one.
    #[must_use]
    pub fn archive(mut self, address: impl Into<String>) -> Self {
        self.base.archive = Some(address.into());
        self
    }

    /// Makes working folders elsewhere than in `/var/tmp`. Devices and programs
    /// must be allowed there, and 700 MB must be free.
    #[must_use]
    pub fn work_in(mut self, folder: impl Into<Utf8PathBuf>) -> Self {
        self.work = folder.into();
        self
    }

    /// As if the process had this number, which is part of names.
    #[cfg(test)]
    pub(super) fn with_process(mut self, process: u32) -> Self {
        self.process = process;
        self
    }

    /// As if it were another system.
    #[cfg(test)]
    pub(super) fn with_system(mut self, system: System) -> Self {
        self.system = system;
        self
    }

    pub(super) fn system(&self) -> System {
        self.system
    }
    pub(super) fn search(&self) -> &str {
        &self.search
    }
    pub(super) fn directory(&self) -> &Utf8Path {
        &self.directory
    }
    pub(super) fn docker_host(&self) -> Option<&str> {
        self.docker_host.as_deref()
    }
    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }
    pub(super) fn stops_engine(&self) -> bool {
        self.stop_engine
    }
    pub(super) fn base(&self) -> &Base {
        &self.base
    }
    pub(super) fn work(&self) -> &Utf8Path {
        &self.work
    }

    /// Where the certificates are that this machine trusts, the likeliest first.
    pub(super) fn bundles(&self) -> Vec<Utf8PathBuf> {
        let usual = Utf8PathBuf::from("/etc/ssl/certs/ca-certificates.crt");
        let own = self.certificates.iter().filter(|own| **own != usual).cloned();
        own.chain([usual.clone()]).collect()
    }

    /// A working folder of this run alone.
    pub(super) fn scratch(&self, name: &str) -> Utf8PathBuf {
        self.work.join(format!("{PREFIX}{}-{name}", self.process))
    }
}
