use std::time::Duration;

use talia_pipeline::{Action, CommandLine, Step};

/// Makes a network.
///
/// - Command: `docker network create --label=… -- NAME`.
/// - Exits: 0.
/// - Touches: the engine's networks.
/// - Errors: there is one of this name; no range of addresses is free.
/// - Source: docker-network-create(1).
///
/// ```
/// use talia_pipeline::Step;
/// use talia_sandbox::steps::NetworkMade;
///
/// assert_eq!(NetworkMade::new("talia-x", ["a=b"]).label(), "make the network talia-x");
/// ```
#[derive(Debug, Clone)]
pub struct NetworkMade {
    name: String,
    labels: Vec<String>,
}

impl NetworkMade {
    /// Of this name, with these labels.
    pub fn new(
        name: impl Into<String>,
        labels: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        Self { name: name.into(), labels: labels.into_iter().map(Into::into).collect() }
    }
}

impl Step for NetworkMade {
    type Output = ();

    fn label(&self) -> String {
        format!("make the network {}", self.name)
    }

    fn action(&self) -> Action<'_, ()> {
        let line = CommandLine::new("docker").args(["network", "create"]);
        let line = self.labels.iter().fold(line, |line, label| line.option("--label", label));
        let line = line
            .operand(&self.name)
            .requires("docker-engine")
            .timeout(Duration::from_secs(30))
            .purpose("a network of the sandbox's own");
        Action::command(line, |_| Ok(()))
    }

    fn assume(&self) {}
}

/// Takes a container out of its network, or puts it back.
///
/// - Command: `docker network disconnect -- NETWORK CONTAINER`, or `connect`.
/// - Exits: 0.
/// - Touches: the container's network; published ports go and come with it.
/// - Errors: it is in that state already.
/// - Source: docker-network-disconnect(1), docker-network-connect(1).
///
/// ```
/// use talia_pipeline::Step;
/// use talia_sandbox::steps::Connected;
///
/// assert_eq!(Connected::new("n", "c", false).label(), "take c out of its network");
/// ```
#[derive(Debug, Clone)]
pub struct Connected {
    network: String,
    container: String,
    connected: bool,
}

impl Connected {
    /// Whether this container is to be in this network.
    pub fn new(network: impl Into<String>, container: impl Into<String>, connected: bool) -> Self {
        Self { network: network.into(), container: container.into(), connected }
    }
}

impl Step for Connected {
    type Output = ();

    fn label(&self) -> String {
        match self.connected {
            true => format!("put {} back into its network", self.container),
            false => format!("take {} out of its network", self.container),
        }
    }

    fn action(&self) -> Action<'_, ()> {
        let line = CommandLine::new("docker")
            .args(["network", if self.connected { "connect" } else { "disconnect" }])
            .operand(&self.network)
            .operand(&self.container)
            .timeout(Duration::from_secs(30))
            .purpose("cut or mend the line to a server");
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
        check("network_made__minimal", &NetworkMade::new("n", ["a=b"]));
    }
    #[test]
    fn made_everything() {
        check("network_made__everything", &NetworkMade::new("n", ["a=b", "c=d"]));
    }
    #[test]
    fn made_hostile() {
        check("network_made__hostile", &NetworkMade::new("-n it's", ["-a=\"ü\n"]));
    }
    #[test]
    fn connected_minimal() {
        check("connected__minimal", &Connected::new("n", "c", true));
    }
    #[test]
    fn connected_cut() {
        check("connected__cut", &Connected::new("n", "c", false));
    }
    #[test]
    fn connected_hostile() {
        check("connected__hostile", &Connected::new("-n", "-it's\nü", true));
    }
}
