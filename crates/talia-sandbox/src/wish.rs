use camino::{Utf8Path, Utf8PathBuf};

use crate::Place;

/// What [`crate::up`] is asked for.
///
/// ```
/// use talia_pipeline::State;
/// use talia_sandbox::{DropletWish, Place, Wish};
///
/// let place = Place::new(&State::new("/srv/target/talia/app"), "default")?;
/// let wish = Wish::new(&place)
///     .agent("/srv/target/talia-agent")
///     .droplet(DropletWish::new("second").environment("staging"));
/// # let _ = wish;
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Wish {
    droplets: Vec<DropletWish>,
    agent: Option<Utf8PathBuf>,
}

impl Wish {
    /// One droplet, `droplet`, that serves the sandbox's own environment.
    pub fn new(place: &Place) -> Self {
        let droplet = DropletWish::new("droplet").environment(place.environment());
        Self { droplets: vec![droplet], agent: None }
    }

    /// Puts this static binary on every droplet as its agent.
    #[must_use]
    pub fn agent(mut self, agent: impl Into<Utf8PathBuf>) -> Self {
        self.agent = Some(agent.into());
        self
    }

    /// One droplet more.
    #[must_use]
    pub fn droplet(mut self, droplet: DropletWish) -> Self {
        self.droplets.push(droplet);
        self
    }

    /// These droplets and no other.
    #[must_use]
    pub fn droplets(mut self, droplets: impl IntoIterator<Item = DropletWish>) -> Self {
        self.droplets = droplets.into_iter().collect();
        self
    }

    pub(crate) fn all(&self) -> &[DropletWish] {
        &self.droplets
    }
    pub(crate) fn binary(&self) -> Option<&Utf8Path> {
        self.agent.as_deref()
    }
}

/// One server of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropletWish {
    pub(crate) name: String,
    pub(crate) environments: Vec<String>,
    pub(crate) small_disk: Option<u32>,
}

impl DropletWish {
    /// A server of this name, which is its host name too.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), environments: Vec::new(), small_disk: None }
    }

    /// Serves this environment too. The first one has the plain names of users and
    /// folders, every other one has its own in them.
    #[must_use]
    pub fn environment(mut self, environment: impl Into<String>) -> Self {
        self.environments.push(environment.into());
        self
    }

    /// Keeps `/opt`, `/var/www` and the engine's data in memory, each in this many
    /// megabytes, so that a disk can be full. A reboot empties them.
    #[must_use]
    pub fn small_disk(mut self, megabytes: u32) -> Self {
        self.small_disk = Some(megabytes);
        self
    }
}
