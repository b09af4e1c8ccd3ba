//! What holds on a server: read from `/etc/talia/<environment>.toml` by its agent,
//! and from `[environments.<environment>.server]` by a client.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use camino::{Utf8Path, Utf8PathBuf};

use crate::error::Result;

use super::{
    Environment,
    findings::error,
    grammar,
    image_name::repository,
    landing::{LandingPolicy, landing},
    path::absolute,
    read::{In, LONGEST, all, path, plain, seconds},
    source::Source,
    syntax,
    table::Reader,
};

/// What holds for one environment on its server.
///
/// The server's own copy counts there: a client's request cannot name another
/// image repository, folder or host.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// `image`: the one repository that releases come from, without a tag.
    pub image: Option<String>,
    /// `folder`: compose file, `.env`, releases and backups. Default:
    /// `/opt/talia-backend`, with `-<environment>` behind it for all but production.
    pub folder: Utf8PathBuf,
    /// `web`: the landing page's live path. Default: `/var/www/talia-landing`, with
    /// `-<environment>` behind it for all but production.
    pub web: Utf8PathBuf,
    /// `host`: the name that clients use, which Nginx is asked for.
    pub host: Option<String>,
    /// `proxies`: what else that host's requests may be sent to, as `proxy_pass` says it,
    /// such as another app below a path of its own. Default: nothing.
    pub proxies: Vec<String>,
    /// `host_address`: where this server itself asks for it, an address and a port. Default:
    /// `127.0.0.1:443`.
    pub host_address: SocketAddr,
    /// `tls_ca`: a PEM file with the authority of that host's certificate, where it
    /// is none that the system knows.
    pub tls_ca: Option<Utf8PathBuf>,
    /// `service`: the compose file's service. Default: `api`.
    pub service: String,
    /// `app_uid`: the user that the app runs as in its container, who owns the
    /// folders of its socket and logs. Default: 10001.
    pub app_uid: u32,
    /// `strategy`: how a release takes the place of the one before.
    pub strategy: Strategy,
    /// `listen`: what the service listens on, behind Nginx.
    pub listen: Listen,
    /// `app_port`: what the app listens on in its container, with `listen = "port"`.
    /// Default: 8000.
    pub app_port: u16,
    /// `first_port`: the loopback ports of the two slots, with `listen = "port"`, this
    /// one and the next. Default: 8001.
    pub ports: [u16; 2],
    /// `[health]`: when a release counts as healthy.
    pub health: Health,
    /// `drain_seconds`: how long the old slot may end its requests. Default: 10.
    pub drain: Duration,
    /// `step_timeout_seconds`: any single step on the server, such as a dump. Default: 1800.
    pub step_timeout: Duration,
    /// `keep_releases`: how many releases stay on the server. Default: 5.
    pub keep_releases: usize,
    /// `moves_latest`: whether a release is what the tag `latest` names.
    pub moves_latest: bool,
    /// `migrate`: a command that runs in a one-off container of the new image
    /// before it starts. Default: none.
    pub migrate: Vec<String>,
    /// `secrets`: names in `.env` whose values nobody may see, beside those that look like
    /// secrets and the databases' URLs. Default: none.
    pub secrets: Vec<String>,
    /// `[backup]`: the database, and what must be proven before a release.
    pub backup: Backups,
    /// `[compose]`: what a compose file may ask of the host.
    pub compose: ComposeRights,
    /// `[landing]`: how the landing page is published.
    pub landing: LandingPolicy,
}

/// How a release takes the place of the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Strategy {
    /// `"slots"`: the new one starts beside the old one, then traffic switches.
    Slots,
    /// `"recreate"`: the old one ends, the new one starts. For a service that may
    /// not run twice; clients see the gap.
    Recreate,
}

/// What the service listens on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Listen {
    /// `"socket"`: a Unix socket; a switch is one rename, and Nginx is not reloaded.
    Socket,
    /// `"port"`: loopback ports and an included file; a switch reloads Nginx.
    Port,
}

/// `[health]`: when a release counts as healthy.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// `path`: answers 200 and names the revision. Default: `/api/health`.
    pub path: String,
    /// `answers`: how many in a row must be right. Default: 3.
    pub answers: u32,
    /// `interval_ms`: between two questions. Default: 500.
    pub interval: Duration,
    /// `timeout_ms`: for one answer. Default: 2000.
    pub timeout: Duration,
    /// `deadline_seconds`: for all of them, from the container's start. Default: 90.
    pub deadline: Duration,
    /// `stability_seconds`: how long it must then stay healthy. Default: 10.
    pub stability: Duration,
}

/// `[backup]`: the database, and what must be proven before a release.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backups {
    /// `database`: the name in `.env` that holds the database's URL; `"none"` where
    /// there is no database. Default: `DATABASE_URL`.
    pub database: Option<String>,
    /// `keep`: how many backups stay. Default: 7.
    pub keep: usize,
    /// `keep_days`: and those younger than this. Default: 14.
    pub keep_days: u64,
    /// `drill`: whether a backup must have been restored and compared before a
    /// release. Default: no.
    pub drill: bool,
    /// `scratch`: the name in `.env` of the URL of a server where a drill makes a
    /// database of its own, `talia_drill_<environment>`, and drops it again: environments of
    /// one name, on several hosts, need a server each. That user
    /// needs CREATEDB; and CREATEROLE where grants, default privileges, policies or user
    /// mappings of the dump name roles that are not there. Owners are not asked for.
    /// Without it, a throw-away cluster on the server itself.
    pub scratch: Option<String>,
    /// `exclude_schemas`: schemas that no backup has, such as those that a provider keeps
    /// for itself and that this user may not read. Default: none.
    pub exclude_schemas: Vec<String>,
}

/// `[compose]`: what a compose file may ask of the host. Nothing unless it is here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ComposeRights {
    /// `binds`: folders of the host that may be mounted, with all below them.
    pub binds: Vec<Utf8PathBuf>,
    /// `networks`: networks of the engine that may be joined, beside the environment's
    /// own, `talia-<environment>`.
    pub networks: Vec<String>,
    /// `capabilities`: what `cap_add` may name.
    pub capabilities: Vec<String>,
    /// `devices`: what `devices` may name.
    pub devices: Vec<Utf8PathBuf>,
    /// `privileged`: whether `privileged: true` is allowed, and `security_opt` that
    /// takes protection away.
    pub privileged: bool,
    /// `host_namespaces`: whether `network_mode: host`, `pid: host` and the like
    /// are allowed.
    pub host_namespaces: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            image: None,
            folder: "/opt/talia-backend".into(),
            web: "/var/www/talia-landing".into(),
            host: None,
            host_address: Self::HOST_ADDRESS,
            tls_ca: None,
            service: "api".to_owned(),
            app_uid: 10001,
            strategy: Strategy::Slots,
            listen: Listen::Socket,
            app_port: 8000,
            ports: [8001, 8002],
            health: Health::default(),
            drain: Duration::from_secs(10),
            step_timeout: Duration::from_secs(30 * 60),
            keep_releases: 5,
            moves_latest: false,
            migrate: Vec::new(),
            proxies: Vec::new(),
            secrets: Vec::new(),
            backup: Backups::default(),
            compose: ComposeRights::default(),
            landing: LandingPolicy::default(),
        }
    }
}

impl Default for Health {
    fn default() -> Self {
        Self {
            path: "/api/health".to_owned(),
            answers: 3,
            interval: Duration::from_millis(500),
            timeout: Duration::from_secs(2),
            deadline: Duration::from_secs(90),
            stability: Duration::from_secs(10),
        }
    }
}

impl Default for Backups {
    fn default() -> Self {
        Self {
            database: Some("DATABASE_URL".to_owned()),
            keep: 7,
            keep_days: 14,
            drill: false,
            scratch: None,
            exclude_schemas: Vec::new(),
        }
    }
}

impl Policy {
    /// Where a server asks its own Nginx, unless its policy says otherwise.
    pub const HOST_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 443);

    /// The loopback port of a slot, with `listen = "port"`: blue has the first one.
    pub fn port_of(&self, is_first: bool) -> u16 {
        self.ports[usize::from(!is_first)]
    }

    /// Reads a server's own policy, which names its environment as well.
    ///
    /// ```
    /// use talia_pipeline::settings::Policy;
    ///
    /// let text = "environment = \"staging\"\nimage = \"ghcr.io/talia/backend\"\n";
    /// let (environment, policy) = Policy::parse(text, "/etc/talia/staging.toml".into())?;
    /// assert_eq!((environment.as_deref(), policy.health.answers), (Some("staging"), 3));
    /// # Ok::<(), talia_pipeline::Error>(())
    /// ```
    ///
    /// # Errors
    /// Of kind [`Usage`](crate::ErrorKind::Usage), as [`super::Settings::parse`].
    pub fn parse(text: &str, shown_path: &Utf8Path) -> Result<(Option<String>, Self)> {
        let source = Source::new(shown_path, text);
        super::file::refuse_long(text.len() as u64, shown_path)?;
        let document = syntax::parse(text).map_err(|mistake| error(&[mistake], 0, &source))?;
        let known = Vec::new();
        let mut reader = Reader::new(text, &known);
        let read = reader.root(&document, |root| {
            let environment = plain(root.text("environment", grammar::environment));
            let named = Environment::named(environment.as_deref().unwrap_or_default());
            let default = if environment.is_some() { named.server } else { Self::default() };
            (environment, policy(root, &default))
        });
        reader.findings.into_result(read, &source)
    }
}

/// Reads a policy; what it does not say is as in `default`.
pub(super) fn policy(server: In<'_, '_, '_, '_>, default: &Policy) -> Policy {
    let default = default.clone();
    Policy {
        image: plain(server.text("image", repository)),
        folder: path(server.text("folder", absolute)).unwrap_or(default.folder),
        web: path(server.text("web", absolute)).unwrap_or(default.web),
        host: plain(server.text("host", grammar::host)),
        proxies: all(server.texts("proxies", grammar::argument)).unwrap_or_default(),
        host_address: plain(server.text("host_address", grammar::socket_address))
            .and_then(|address| address.parse().ok())
            .unwrap_or(default.host_address),
        tls_ca: path(server.text("tls_ca", absolute)),
        service: plain(server.text("service", grammar::project_name)).unwrap_or(default.service),
        app_uid: server
            .whole("app_uid", 0..=65_533, "a user's number")
            .and_then(|uid| u32::try_from(uid).ok())
            .unwrap_or(default.app_uid),
        strategy: server
            .choice("strategy", &[("slots", Strategy::Slots), ("recreate", Strategy::Recreate)])
            .map_or(default.strategy, toml::Spanned::into_inner),
        listen: server
            .choice("listen", &[("socket", Listen::Socket), ("port", Listen::Port)])
            .map_or(default.listen, toml::Spanned::into_inner),
        app_port: port(server, "app_port", 1..=65_535).unwrap_or(default.app_port),
        ports: port(server, "first_port", 1024..=65_534)
            .map_or(default.ports, |first| [first, first + 1]),
        health: server.section("health", health),
        drain: seconds(server, "drain_seconds", 3600).unwrap_or(default.drain),
        step_timeout: seconds(server, "step_timeout_seconds", LONGEST)
            .unwrap_or(default.step_timeout),
        keep_releases: count(server, "keep_releases", 2..=100, "releases")
            .unwrap_or(default.keep_releases),
        moves_latest: server.flag("moves_latest").unwrap_or(default.moves_latest),
        migrate: all(server.texts("migrate", grammar::argument)).unwrap_or_default(),
        secrets: all(server.names("secrets", grammar::variable)).unwrap_or_default(),
        backup: server.section("backup", backups),
        compose: server.section("compose", compose),
        landing: server.section("landing", landing),
    }
}

pub(super) fn count(
    section: In<'_, '_, '_, '_>,
    key: &'static str,
    range: std::ops::RangeInclusive<u64>,
    unit: &str,
) -> Option<usize> {
    section.whole(key, range, unit).and_then(|count| usize::try_from(count).ok())
}

fn port(
    section: In<'_, '_, '_, '_>,
    key: &'static str,
    range: std::ops::RangeInclusive<u64>,
) -> Option<u16> {
    section.whole(key, range, "a port").and_then(|port| u16::try_from(port).ok())
}

fn milliseconds(section: In<'_, '_, '_, '_>, key: &'static str) -> Option<Duration> {
    section.whole(key, 10..=600_000, "milliseconds").map(Duration::from_millis)
}

fn health(health: In<'_, '_, '_, '_>) -> Health {
    let default = Health::default();
    Health {
        path: plain(health.text("path", grammar::url_path)).unwrap_or(default.path),
        answers: count(health, "answers", 1..=1000, "answers")
            .and_then(|count| u32::try_from(count).ok())
            .unwrap_or(default.answers),
        interval: milliseconds(health, "interval_ms").unwrap_or(default.interval),
        timeout: milliseconds(health, "timeout_ms").unwrap_or(default.timeout),
        deadline: seconds(health, "deadline_seconds", LONGEST).unwrap_or(default.deadline),
        stability: health
            .whole("stability_seconds", 0..=3600, "seconds")
            .map_or(default.stability, Duration::from_secs),
    }
}

fn backups(backup: In<'_, '_, '_, '_>) -> Backups {
    let default = Backups::default();
    let database = plain(backup.text("database", grammar::variable));
    Backups {
        database: match database.as_deref() {
            Some("none") => None,
            Some(_) => database,
            None => default.database,
        },
        keep: count(backup, "keep", 1..=10_000, "backups").unwrap_or(default.keep),
        keep_days: backup.whole("keep_days", 0..=36_500, "days").unwrap_or(default.keep_days),
        drill: backup.flag("drill").unwrap_or(default.drill),
        scratch: plain(backup.text("scratch", grammar::variable)),
        exclude_schemas: all(backup.texts("exclude_schemas", grammar::argument))
            .unwrap_or_default(),
    }
}

fn compose(compose: In<'_, '_, '_, '_>) -> ComposeRights {
    let paths = |texts: Option<Vec<toml::Spanned<String>>>| -> Vec<Utf8PathBuf> {
        all(texts).unwrap_or_default().into_iter().map(Into::into).collect()
    };
    ComposeRights {
        binds: paths(compose.names("binds", absolute)),
        networks: all(compose.names("networks", grammar::project_name)).unwrap_or_default(),
        capabilities: all(compose.names("capabilities", grammar::variable)).unwrap_or_default(),
        devices: paths(compose.names("devices", absolute)),
        privileged: compose.flag("privileged").unwrap_or(false),
        host_namespaces: compose.flag("host_namespaces").unwrap_or(false),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::landing::Reload, *};
    use crate::landing::LandingStrategy;

    fn parse(text: &str) -> Result<Policy> {
        Policy::parse(text, Utf8Path::new("/etc/talia/x.toml")).map(|(_, policy)| policy)
    }

    #[test]
    fn an_empty_policy_says_the_defaults() {
        assert_eq!(parse("").unwrap(), Policy::default());
    }

    #[test]
    fn everything_can_be_said() {
        let policy = parse(
            "environment = \"staging\"\nimage = \"ghcr.io/talia/backend\"\n\
             folder = \"/opt/talia-backend-staging\"\nhost = \"staging.talia.example\"\n\
             host_address = \"[2001:db8::1]:8443\"\n\
             strategy = \"recreate\"\nlisten = \"port\"\nfirst_port = 9001\napp_port = 80\n\
             moves_latest = true\nmigrate = [\"alembic\", \"upgrade\", \"head\"]\n\
             secrets = [\"WEBHOOK\"]\nproxies = [\"http://127.0.0.1:3000\"]\n\
             [health]\ninterval_ms = 200\nstability_seconds = 0\n\
             [backup]\ndatabase = \"none\"\ndrill = true\nexclude_schemas = [\"auth\"]\n\
             [compose]\nbinds = [\"/srv/media\"]\nhost_namespaces = true\n\
             [landing]\nstrategy = \"in-place\"\nreload = \"always\"\nprotected = []\n\
             keep_releases = 2\nkeep_assets = 0\nidle_seconds = 5\nlinks_out = true\n",
        )
        .unwrap();
        assert_eq!((policy.strategy, policy.listen), (Strategy::Recreate, Listen::Port));
        assert_eq!((policy.ports, policy.app_port), ([9001, 9002], 80));
        assert_eq!(policy.secrets, ["WEBHOOK"]);
        assert_eq!(policy.proxies, ["http://127.0.0.1:3000"]);
        assert_eq!(policy.host_address.to_string(), "[2001:db8::1]:8443");
        assert_eq!(policy.backup.database, None);
        assert_eq!(policy.backup.exclude_schemas, ["auth"]);
        assert!(policy.compose.host_namespaces && !policy.compose.privileged);
        assert_eq!(policy.health.interval, Duration::from_millis(200));
        let landing = LandingPolicy {
            strategy: LandingStrategy::InPlace,
            keep_releases: 2,
            keep_assets: 0,
            protected: Vec::new(),
            links_out: true,
            reload: Reload::Always,
            idle: Duration::from_secs(5),
        };
        assert_eq!(policy.landing, landing);
    }

    #[test]
    fn what_would_be_dangerous_is_refused_with_its_place() {
        for bad in [
            "folder = \"opt\"",
            "folder = \"/opt/../etc\"",
            "folder = \"/\"",
            "image = \"ghcr.io/talia/backend:latest\"",
            "host = \"a b\"",
            "host_address = \"203.0.113.5\"",
            "host_address = \"talia.example:443\"",
            "host_address = \"203.0.113.5:0\"",
            "host_address = \"[fe80::1%2]:443\"",
            "[health]\npath = \"api\"",
            "[health]\npath = \"/a b\"",
            "[compose]\nprivileged = \"yes\"",
            "keep_releases = 1",
            "[landing]\nprotected = [\"../etc\"]",
            "[landing]\nprotected = [\"/.well-known\"]",
            "[landing]\nstrategy = \"recreate\"",
            "servce = \"api\"",
        ] {
            let error = parse(bad).expect_err(bad);
            assert!(error.to_string().contains("/etc/talia/x.toml:"), "{bad}: {error}");
        }
    }
}
