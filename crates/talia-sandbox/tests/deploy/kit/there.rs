//! What is on a droplet of an environment, whatever its agent says.

use talia_pipeline::templates::LivePort;

use super::{Site, Version};

/// A container of a release, as the engine shows it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Container {
    pub(crate) slot: String,
    pub(crate) revision: String,
    pub(crate) state: String,
    pub(crate) id: String,
}

/// What is on a droplet of an environment.
#[derive(Debug)]
pub(super) struct There {
    pub(super) containers: Vec<Container>,
    /// Containers that belong to no environment: what a killed release may leave.
    pub(super) strays: Vec<String>,
    link: String,
    port: String,
}

impl There {
    /// The slot that Nginx is led to, as the disk says.
    pub(super) fn slot(&self) -> &str {
        let says = |port: u16| self.port.contains(&format!("proxy_pass http://127.0.0.1:{port}"));
        match self.port.as_str() {
            "" => self.link.trim_end_matches("/api.sock"),
            left if left.contains(" is left") => left,
            _ if says(8001) => "blue",
            _ if says(8002) => "green",
            other => other,
        }
    }
}

impl Site {
    /// Every container of the environment, running or not.
    pub(crate) fn containers(&self) -> Vec<Container> {
        self.there().containers
    }

    /// What engine and disk say, in one question.
    pub(super) fn there(&self) -> There {
        let port_before = format!("/var/lib/talia/{}/port.before", self.environment);
        let link = format!("/var/lib/talia/{}/sock/api.sock", self.environment);
        let script = format!(
            "docker ps --all --no-trunc --format '{{{{.Label \"talia.environment\"}}}}|\
             {{{{.Label \"talia.slot\"}}}} {{{{.Label \"talia.revision\"}}}} {{{{.State}}}} {{{{.ID}}}}|\
             {{{{.Names}}}}'; echo ---; readlink -- {link} || :; echo ---; \
             if test -e {port_before}; then echo {port_before} is left; fi; \
             if test -e {0}; then cat -- {0}; fi",
            self.port_file()
        );
        let said = self.droplet.script(&script).unwrap() + "\n";
        let [engine, link, port] = said.splitn(3, "---\n").collect::<Vec<_>>()[..] else {
            panic!("{said}")
        };
        let (mut containers, mut strays) = (Vec::new(), Vec::new());
        for line in engine.lines() {
            let [environment, own, name] = line.split('|').collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            let mut words = own.split(' ').map(str::to_owned);
            let mut word = || words.next().unwrap_or_default();
            let container = Container { slot: word(), revision: word(), state: word(), id: word() };
            if environment.is_empty() {
                strays.push(name.to_owned());
            } else if environment == self.environment {
                containers.push(container);
            }
        }
        There { containers, strays, link: link.trim().to_owned(), port: port.trim().to_owned() }
    }

    /// Whether a version's container answers on its socket, whatever it says.
    pub(crate) fn has_started(&self, version: &Version) -> bool {
        let containers = self.containers();
        let own = containers.iter().find(|one| one.revision == version.revision.as_str());
        let Some(slot) = own.map(|own| &own.slot) else { return false };
        let socket = format!("/var/lib/talia/{}/sock/{slot}/api.sock", self.environment);
        let ask = ["curl", "--silent", "--max-time", "2", "--unix-socket", &socket, "http://api/"];
        self.droplet.exec(ask).unwrap().exit == 0
    }

    /// The file that names the live slot's port.
    pub(crate) fn port_file(&self) -> String {
        LivePort::path(&self.environment)
    }
}
