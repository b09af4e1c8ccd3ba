//! Which Debian or Ubuntu package brings which tool.

use std::collections::BTreeSet;

use crate::{
    error::{Error, Result},
    quote::quote,
    steps::install::Release,
    tool::Tool,
    world::System,
};

/// A package, as apt is asked for it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Package {
    /// `name` or `name=version`.
    pub(super) spec: String,
    /// The release that it is borrowed from, where it is not the machine's own.
    pub(super) from: Option<&'static str>,
}

impl Package {
    /// The name alone.
    pub(super) fn name(&self) -> String {
        self.spec.split('=').next().unwrap_or_default().to_owned()
    }
}

/// The packages of all these tools, each once.
pub(super) fn of_tools(tools: &[&str], release: &Release) -> Result<Vec<Package>> {
    let mut packages: Vec<Package> = Vec::new();
    for tool in tools {
        for package in of_tool(tool, release)? {
            if !packages.contains(&package) {
                packages.push(package);
            }
        }
    }
    Ok(packages)
}

fn of_tool(tool: &str, release: &Release) -> Result<Vec<Package>> {
    let own = |names: &[&str]| {
        names.iter().map(|name| Package { spec: (*name).to_owned(), from: None }).collect()
    };
    // Only recommended by the engine's package where it is one of its own.
    let client: &[&str] = if release.splits_client() { &["docker-cli"] } else { &[] };
    let plugin = |spec: &str| vec![Package { spec: spec.to_owned(), from: release.borrows_from() }];
    Ok(match tool {
        "docker" => own(&[&["docker.io"], client].concat()),
        // It cannot give containers a network without iptables.
        "docker-engine" => own(&[&["docker.io", "iptables"], client].concat()),
        "docker-buildx" | "docker-compose" if release.codename() == "bullseye" => {
            return Err(Error::preflight(format!(
                "{} has no {tool} that works here",
                release.codename()
            ))
            .hint("upgrade to Debian 12, or install the plugin as its makers tell"));
        }
        "docker-buildx" => plugin("docker-buildx"),
        // Ubuntu's `docker-compose` is version 1, another program.
        "docker-compose" if release.is_ubuntu() => own(&["docker-compose-v2"]),
        // Two releases may have it: never fall back to version 1.
        "docker-compose" => plugin("docker-compose=2.*"),
        // Without Debian's keys nothing on Ubuntu can be verified.
        "debootstrap" if release.is_ubuntu() => own(&["debootstrap", "debian-archive-keyring"]),
        other => {
            let system = System::Debian { root: true };
            let Some(name) = Tool::named(other).and_then(|tool| tool.package(system)) else {
                return Err(Error::preflight(format!("no package of this system brings {other}"))
                    .hint(format!("install {other} as its makers tell, then start again")));
            };
            own(&[name])
        }
    })
}

/// The same as commands for a person.
pub(super) fn commands(packages: &[Package]) -> Vec<String> {
    let quoted = |from: Option<&str>| -> Vec<String> {
        let chosen = packages.iter().filter(|package| package.from == from);
        chosen.map(|package| quote(&package.spec).into_owned()).collect()
    };
    let install = |specs: Vec<String>| {
        (!specs.is_empty())
            .then(|| format!("sudo apt-get install -y --no-install-recommends {}", specs.join(" ")))
    };
    let mut commands: Vec<String> = install(quoted(None)).into_iter().collect();
    let borrowed: BTreeSet<&str> = packages.iter().filter_map(|package| package.from).collect();
    for next in borrowed {
        commands.push(format!(
            "name {next} in /etc/apt/sources.list.d and, at priority 50, in /etc/apt/preferences.d; \
             `sudo apt-get update`"
        ));
        commands.extend(install(quoted(Some(next))));
    }
    commands
}

/// The names by which later commands ask for what these tools are.
pub(super) fn provided(tools: &[&str]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for tool in tools {
        let program = Tool::named(tool).map(|tool| tool.program);
        for name in std::iter::once(*tool).chain(program) {
            // A package brings the engine's program; that it runs is another step.
            if name != "docker-engine" && !names.iter().any(|other| other == name) {
                names.push(name.to_owned());
            }
        }
    }
    names
}
