//! Where everything of one environment lies on its server.

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    protocol::{EnvironmentName, ReleaseId, Slot},
    settings::Policy,
    templates,
};

use super::landing::LandingPlace;

/// The paths of one environment.
///
/// ```
/// use talia_pipeline::{protocol::Slot, server::Layout, settings::Policy};
///
/// let layout = Layout::new(&"staging".parse()?, &Policy::default());
/// assert_eq!(layout.live_socket(), "/var/lib/talia/staging/sock/api.sock");
/// assert_eq!(layout.project(Slot::Blue), "talia-staging-blue");
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    environment: EnvironmentName,
    folder: Utf8PathBuf,
    web: Utf8PathBuf,
    root: Utf8PathBuf,
}

impl Layout {
    /// Where the agent is; it and every folder above it belong to root.
    pub const AGENT: &str = templates::AGENT;

    /// Where the policies of all environments of a host are.
    pub const POLICIES: &str = "/etc/talia";

    /// The paths of this environment.
    pub fn new(environment: &EnvironmentName, policy: &Policy) -> Self {
        Self {
            environment: environment.clone(),
            folder: policy.folder.clone(),
            web: policy.web.clone(),
            root: Utf8PathBuf::from("/"),
        }
    }

    /// The same below another root, for tests.
    #[must_use]
    pub fn below(mut self, root: &Utf8Path) -> Self {
        self.folder = root.join(self.folder.as_str().trim_start_matches('/'));
        self.web = root.join(self.web.as_str().trim_start_matches('/'));
        root.clone_into(&mut self.root);
        self
    }

    /// A server's own policy for an environment.
    pub fn policy(environment: &EnvironmentName) -> Utf8PathBuf {
        format!("{}/{environment}.toml", Self::POLICIES).into()
    }

    /// The environment's name.
    pub fn environment(&self) -> &EnvironmentName {
        &self.environment
    }

    /// The backend's folder.
    pub fn folder(&self) -> &Utf8Path {
        &self.folder
    }

    /// The registry login for pulls, as `DOCKER_CONFIG`.
    pub fn docker_config(&self) -> Utf8PathBuf {
        self.root.join(format!("etc/talia/{}/docker", self.environment))
    }

    /// The compose file.
    pub fn compose_file(&self) -> Utf8PathBuf {
        self.folder.join("docker-compose.yml")
    }

    /// What is added to the compose file on this server, if anything.
    pub fn compose_override(&self) -> Utf8PathBuf {
        self.folder.join("compose.override.yml")
    }

    /// The service's environment.
    pub fn env_file(&self) -> Utf8PathBuf {
        self.folder.join(".env")
    }

    /// The files as they were pushed, to tell what was edited since.
    pub fn pushed(&self) -> Utf8PathBuf {
        self.folder.join("pushed")
    }

    /// While this file is there, an Nginx site is being tried; it holds the one before.
    pub fn tried_site(&self) -> Utf8PathBuf {
        self.pushed().join("site.before")
    }

    /// All releases.
    pub fn releases(&self) -> Utf8PathBuf {
        self.folder.join("releases")
    }

    /// One release: its record, and the files that it runs with.
    pub fn release(&self, id: &ReleaseId) -> Utf8PathBuf {
        self.releases().join(id.as_str())
    }

    /// Database dumps.
    pub fn backups(&self) -> Utf8PathBuf {
        self.folder.join("backups")
    }

    /// Where a database of a drill's own lives while it is tried.
    pub fn drill(&self) -> Utf8PathBuf {
        self.own().join("drill")
    }

    /// What was done, by whom, as events.
    pub fn journal(&self) -> Utf8PathBuf {
        self.folder.join("journal.jsonl")
    }

    /// Held by whoever changes something.
    pub fn lock(&self) -> Utf8PathBuf {
        self.folder.join("lock")
    }

    /// The logs of the agent's steps.
    pub fn state(&self) -> Utf8PathBuf {
        self.own().join("state")
    }

    /// Where a compose file is tried before it is put anywhere.
    pub fn scratch(&self) -> Utf8PathBuf {
        self.state().join("compose-try")
    }

    /// The folder of a slot's socket; a reboot must not empty it.
    pub fn socket_folder(&self, slot: Slot) -> Utf8PathBuf {
        self.own().join("sock").join(slot.name())
    }

    /// A slot's socket.
    pub fn socket(&self, slot: Slot) -> Utf8PathBuf {
        self.socket_folder(slot).join("api.sock")
    }

    /// The link that names the live slot's socket, which Nginx proxies to.
    pub fn live_socket(&self) -> Utf8PathBuf {
        self.own().join("sock/api.sock")
    }

    /// The file that names the live slot's port, with `listen = "port"`; an Nginx site
    /// includes it.
    pub fn live_port(&self) -> Utf8PathBuf {
        let path = templates::LivePort::path(self.environment.as_str());
        self.root.join(path.trim_start_matches('/'))
    }

    /// What that file says when this port is live.
    pub fn live_port_text(&self, port: u16) -> String {
        templates::LivePort::new(self.environment.as_str(), port).render()
    }

    /// While this file is there, Nginx may not have read the one that names the live
    /// slot's port; it holds the one before.
    pub fn port_before(&self) -> Utf8PathBuf {
        self.own().join("port.before")
    }

    /// While this file is there, clients get the maintenance page.
    pub fn maintenance(&self) -> Utf8PathBuf {
        self.own().join("maintenance")
    }

    /// The landing page.
    pub fn landing(&self) -> LandingPlace {
        let own = self.own().join("landing");
        LandingPlace::new(self.root.clone(), self.web.clone(), own, self.environment.as_str())
    }

    /// The app's logs in a slot.
    pub fn logs(&self, slot: Slot) -> Utf8PathBuf {
        self.root.join(format!("var/log/talia/{}/{slot}", self.environment))
    }

    /// The Nginx site.
    pub fn nginx_site(&self) -> Utf8PathBuf {
        self.root.join(format!("etc/nginx/sites-available/talia-{}.conf", self.environment))
    }

    /// The compose project of a slot.
    pub fn project(&self, slot: Slot) -> String {
        format!("{}-{slot}", self.base_project())
    }

    /// The compose project of whatever no release touches.
    pub fn base_project(&self) -> String {
        format!("talia-{}", self.environment)
    }

    fn own(&self) -> Utf8PathBuf {
        self.root.join("var/lib/talia").join(self.environment.as_str())
    }
}
