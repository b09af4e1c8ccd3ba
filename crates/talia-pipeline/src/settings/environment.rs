//! Where releases go: `[environments.<name>]`.

use camino::Utf8PathBuf;

use super::{
    grammar,
    path::anywhere,
    policy::{Policy, policy},
    read::{In, path, plain},
};

/// One environment, as a client knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Environment {
    /// `address`: the server's name or address for SSH.
    pub address: Option<String>,
    /// `port`: its SSH port. Default: 22.
    pub port: u16,
    /// `user`: who may deploy. Default: `deploy`.
    pub user: String,
    /// `key`: the name in `[secrets]` of the deploy user's private key. Without it,
    /// what ssh-agent offers.
    pub key: Option<String>,
    /// `admin_user`: who may change files and data. Default: `talia-admin`.
    pub admin_user: String,
    /// `admin_key`: the name in `[secrets]` of that user's private key. Without it,
    /// what ssh-agent offers.
    pub admin_key: Option<String>,
    /// `known_hosts`: the file that pins the server's host keys, below the folder
    /// that holds `infra/`. Default: `infra/ssh/known_hosts`.
    pub known_hosts: Utf8PathBuf,
    /// `registry_user` and `registry_password`: who may push; the password is a
    /// name in `[secrets]`. Without them, the engine's own login.
    pub registry_user: Option<String>,
    /// See `registry_user`.
    pub registry_password: Option<String>,
    /// `agent`: `"none"` where the server has no agent and `infra/deploy.sh` is its
    /// forced command.
    pub agent: Agent,
    /// `branch`: only clean commits that this branch has are released. Default:
    /// `origin/main` for `production`; without one elsewhere, any commit is, and a
    /// tree that differs from its commit is marked.
    pub branch: Option<String>,
    /// `confirm`: whether a release is asked for on the terminal, and needs `--yes`
    /// without one. Default: for `production`.
    pub confirm: bool,
    /// `[environments.<name>.server]`: what holds on the server.
    pub server: Policy,
}

/// What answers on the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Agent {
    /// `"talia"`: `talia-agent`.
    Talia,
    /// `"none"`: `infra/deploy.sh`, which knows the literal commands alone.
    None,
}

impl Environment {
    /// What holds for an environment of this name when nothing is said.
    pub fn named(name: &str) -> Self {
        let is_production = name == "production";
        // Several may share one host.
        let own = if is_production { String::new() } else { format!("-{name}") };
        let server = Policy {
            folder: format!("/opt/talia-backend{own}").into(),
            web: format!("/var/www/talia-landing{own}").into(),
            moves_latest: is_production,
            ..Policy::default()
        };
        Self {
            address: None,
            port: 22,
            user: "deploy".to_owned(),
            key: None,
            admin_user: "talia-admin".to_owned(),
            admin_key: None,
            known_hosts: "infra/ssh/known_hosts".into(),
            registry_user: None,
            registry_password: None,
            agent: Agent::Talia,
            branch: is_production.then(|| "origin/main".to_owned()),
            confirm: is_production,
            server,
        }
    }
}

/// Reads the section of the environment of this name.
pub(super) fn environment(section: In<'_, '_, '_, '_>, name: &str) -> Environment {
    let default = Environment::named(name);
    let port = section.whole("port", 1..=65_535, "a port").and_then(|p| u16::try_from(p).ok());
    let agents = [("talia", Agent::Talia), ("none", Agent::None)];
    Environment {
        address: plain(section.text("address", grammar::host)),
        port: port.unwrap_or(default.port),
        user: plain(section.text("user", grammar::user)).unwrap_or(default.user),
        key: plain(section.text("key", grammar::variable)),
        admin_user: plain(section.text("admin_user", grammar::user)).unwrap_or(default.admin_user),
        admin_key: plain(section.text("admin_key", grammar::variable)),
        known_hosts: path(section.text("known_hosts", anywhere)).unwrap_or(default.known_hosts),
        registry_user: plain(section.text("registry_user", grammar::user)),
        registry_password: plain(section.text("registry_password", grammar::variable)),
        agent: section.choice("agent", &agents).map_or(default.agent, toml::Spanned::into_inner),
        branch: plain(section.text("branch", grammar::revision)).or(default.branch),
        confirm: section.flag("confirm").unwrap_or(default.confirm),
        server: section.section("server", |server| policy(server, &default.server)),
    }
}
