use camino::Utf8PathBuf;
use talia_pipeline::{Error, Result, World, settings::Settings, templates::Role};

use crate::{
    Droplet, Place,
    door::Door,
    facts::{Facts, REGISTRY_USER},
    server, settings,
    steps::{ContainerStarted, ContainerStopped},
};

/// A sandbox that is up: where its parts are, and what opens them.
#[derive(Debug, Clone)]
pub struct Sandbox {
    place: Place,
    facts: Facts,
    door: Door,
}

/// How its registry is reached, by the same address on this machine and in every
/// droplet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registry {
    /// `127.0.0.1:PORT`.
    pub address: String,
    /// `127.0.0.1:PORT/talia/backend`.
    pub repository: String,
    /// Who may push and pull.
    pub user: String,
    /// The password; [`Sandbox::registry_password`] is a file of it.
    pub password: String,
}

impl Sandbox {
    /// Opens a sandbox that is up. Nothing is asked or changed.
    ///
    /// # Errors
    /// A preflight error, with the command that brings it up, where it is not.
    pub fn open(place: &Place, world: &World) -> Result<Self> {
        match Facts::read(place)? {
            Some(facts) if facts.complete => {
                Ok(Self { place: place.clone(), facts, door: Door::new(world) })
            }
            _ => Err(Error::preflight(format!("the sandbox {} is not up", place.name()))
                .hint(format!("`{}`", place.up_command()))),
        }
    }

    /// Its environment and the secrets that this names, as a project's settings have
    /// them.
    ///
    /// # Errors
    /// A preflight error, with the command that mends it, where another version of this
    /// program brought it up.
    pub fn settings(&self) -> Result<Settings> {
        let path = self.place.file(settings::FILE);
        let text = std::fs::read_to_string(&path).map_err(|cause| {
            Error::preflight(format!("the sandbox {} has no settings", self.place.name()))
                .caused_by(cause)
                .hint(format!("`{}`", self.place.up_command()))
        })?;
        Settings::parse(&text, &path)
    }

    /// Which one it is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The file with the registry's password alone.
    pub fn registry_password(&self) -> Utf8PathBuf {
        self.place.file("registry_password")
    }

    /// How images get to its servers.
    pub fn registry(&self) -> Registry {
        Registry {
            repository: self.facts.repository(),
            address: self.facts.registry(),
            user: REGISTRY_USER.to_owned(),
            password: self.facts.registry_password.clone(),
        }
    }

    /// Where its servers find the database; `db` is no name on this machine.
    pub fn database_url(&self) -> String {
        self.facts.database_url()
    }

    /// The token that Twilio's webhooks are signed with.
    pub fn twilio_token(&self) -> &str {
        &self.facts.twilio_token
    }

    /// The private key of a role in an environment: `deploy_key`, `admin_key`.
    pub fn key(&self, environment: &str, role: Role) -> Utf8PathBuf {
        self.place.file(&server::key_name(&self.place, environment, role))
    }

    /// The host keys of its droplets, as ssh reads them.
    pub fn known_hosts(&self) -> Utf8PathBuf {
        self.place.file("known_hosts")
    }

    /// The certificate that vouches for all its public names.
    pub fn ca(&self) -> Utf8PathBuf {
        self.place.file("tls_cert.pem")
    }

    /// The public name of an environment, which only its certificate knows: give
    /// 127.0.0.1 for it by hand (`curl --connect-to`).
    pub fn host_name(&self, environment: &str) -> String {
        server::host_name(environment)
    }

    /// One of its servers.
    ///
    /// # Errors
    /// A usage error where there is none of this name.
    pub fn droplet(&self, name: &str) -> Result<Droplet> {
        let Some(facts) = self.facts.droplets.get(name) else {
            let names: Vec<&str> = self.facts.droplets.keys().map(String::as_str).collect();
            return Err(Error::usage(format!("there is no droplet {name}"))
                .hint(format!("there are: {}", names.join(", "))));
        };
        Ok(Droplet::new(&self.place, name, facts.clone(), self.door.clone()))
    }

    /// All its servers, in the order of their names.
    pub fn droplets(&self) -> Vec<Droplet> {
        let droplets = self.facts.droplets.iter();
        let door = || self.door.clone();
        droplets
            .map(|(name, facts)| Droplet::new(&self.place, name, facts.clone(), door()))
            .collect()
    }

    /// Stops a part at once: `registry`, `db`.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn stop(&self, part: &str) -> Result<()> {
        self.door.run(&ContainerStopped::new(self.place.container(part)).at_once())
    }

    /// Starts a part that was stopped, and waits until it answers.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(&self, part: &str) -> Result<()> {
        let container = self.place.container(part);
        self.door.flow(|cx| {
            cx.run(ContainerStarted::new(&container))?;
            crate::flows::ready(cx, &container)
        })
    }
}
