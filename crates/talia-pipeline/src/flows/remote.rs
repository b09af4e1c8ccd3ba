//! A server's agent, as a client asks it.

mod ask;
mod heard;
mod landing;
mod requests;
#[cfg(test)]
pub(in crate::flows) mod tests;

use std::time::Duration;

use camino::Utf8Path;
use serde::de::DeserializeOwned;

use crate::{
    command_line::Effect,
    context::Context,
    error::{Error, ErrorKind, Result},
    private::PrivateFolder,
    protocol::{Cancelled, EnvironmentName, Hello, Request, Role, RunId, Version, Whose},
    secret::SecretValue,
    settings::{Agent, Environment},
    steps::ssh::{Connection, SshClose, SshRequest},
};

use ask::Ask;

/// How long the client stays with a change, at most. The agent has limits of its own,
/// and a server that has gone is noticed by ssh.
const LONG: Duration = Duration::from_secs(6 * 60 * 60);
/// The exit of `infra/deploy.sh` for what it refuses.
const REFUSED: i32 = 4;
/// What it says where another one holds its lock.
const HELD: &str = "another deploy works here";
/// How long an interrupted client waits for the server to take a release back: what is
/// left of the seven seconds that it has in all.
const CANCELLED_WITHIN: Duration = Duration::from_secs(4);

/// What names this run to an agent.
pub(super) fn run_id(cx: &Context) -> RunId {
    cx.run_id().and_then(|run| run.parse().ok()).unwrap_or_else(RunId::planned)
}

/// An environment's server, reached over one pinned connection as one of its roles.
///
/// A flow begins with [`Remote::open`]; then it asks: [`Remote::observe`] for what
/// changes nothing, [`Remote::run`] for what does. What happens on the server is told
/// as it happens ([`Event::Remote`](crate::Event::Remote)), what fails there is an
/// error of the same kind here.
///
/// A lost connection in the middle of a change is an error of kind
/// [`Unknown`](ErrorKind::Unknown): the agent finishes or reverts by itself, and
/// `status` tells which. An interrupt in the middle of a release has it cancelled: this
/// one, by its run, and not another one's.
///
/// ```no_run
/// use talia_pipeline::{
///     Error, Pipeline, World, flows::Remote, private::PrivateFolder, protocol::Role,
///     settings::Settings,
/// };
///
/// let world = World::real()?;
/// let text = "[environments.staging]\naddress = \"staging.example\"\n";
/// let settings = Settings::parse(text, Settings::PATH.into())?;
/// let private = PrivateFolder::new(&world)?;
/// let (name, environment) = ("staging".parse()?, &settings.environments["staging"]);
/// let no_key = |name: &str| Err(Error::preflight(format!("there is no {name}")));
/// let root = "/srv/app".into();
/// let remote = Remote::new(&name, environment, Role::Deploy, &private, root, no_key)?;
/// let state = Pipeline::new("status", "/srv/app", world)
///     .run(|cx| {
///         remote.open(cx)?;
///         remote.status(cx)
///     })
///     .result?;
/// assert_eq!(state.environment, name);
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Remote {
    connection: Connection,
    environment: EnvironmentName,
    role: Role,
    has_agent: bool,
}

impl Remote {
    /// The server of this environment, asked in this role. The key comes from `secret`,
    /// by its name, and lies in `private` for this run; `root` is what a relative
    /// `known_hosts` is below.
    ///
    /// Once, before the flow: a flow runs twice.
    ///
    /// # Errors
    /// A usage error when the settings have no address; whatever `secret` says.
    pub fn new(
        name: &EnvironmentName,
        environment: &Environment,
        role: Role,
        private: &PrivateFolder,
        root: &Utf8Path,
        secret: impl FnOnce(&str) -> Result<SecretValue>,
    ) -> Result<Self> {
        let Some(address) = &environment.address else {
            return Err(Error::usage(format!("the environment {name} has no `address`"))
                .hint(format!("name its server: [environments.{name}] address = \"…\"")));
        };
        let (user, key) = match role {
            Role::Deploy => (&environment.user, &environment.key),
            Role::Admin => (&environment.admin_user, &environment.admin_key),
        };
        let socket = private.socket(&format!("{user}@{address}:{}", environment.port))?;
        let known_hosts = root.join(&environment.known_hosts);
        let mut connection =
            Connection::new(address, user, known_hosts, socket).port(environment.port);
        if let Some(key) = key {
            let file = private.file(&format!("{}-key", role.name()), &secret(key)?)?;
            connection = connection.key_file(file, key);
        }
        let has_agent = environment.agent == Agent::Talia;
        Ok(Self { has_agent, ..Self::at(connection, name.clone(), role) })
    }

    /// The same for whoever has a connection already: to a server with an agent.
    pub fn at(connection: Connection, environment: EnvironmentName, role: Role) -> Self {
        Self { connection, environment, role, has_agent: true }
    }

    /// Whether an agent answers there; otherwise `infra/deploy.sh` does.
    pub fn has_agent(&self) -> bool {
        self.has_agent
    }

    /// The environment's name.
    pub fn environment(&self) -> &EnvironmentName {
        &self.environment
    }

    /// Whom and where it asks: `deploy@talia.example`.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Greets the agent, and has the connection closed when the flow or group ends.
    ///
    /// # Errors
    /// As [`Remote::hello`], where there is an agent.
    pub fn open(&self, cx: &Context) -> Result<()> {
        cx.finally(SshClose::new(&self.connection));
        if self.has_agent {
            self.hello(cx)?;
        }
        Ok(())
    }

    /// Asks the agent who it is, and whether both understand each other.
    ///
    /// # Errors
    /// Preflight when the agent is of another version, or not there; refused when the
    /// key leads to another environment or another role.
    pub fn hello(&self, cx: &Context) -> Result<Hello> {
        self.greeted(self.observe(cx, Request::Hello(Version::own()))?)
    }

    /// Whether it is the agent that is meant, and one that is understood.
    fn greeted(&self, hello: Hello) -> Result<Hello> {
        let (own, environment, server) = (Version::own(), &self.environment, &self.connection);
        if !own.understands(hello.version) {
            let (there, newer) = (hello.version, own < hello.version);
            let error = Error::preflight(format!(
                "the agent of {server} is {there}, this client is {own}: they do not understand \
                 each other"
            ));
            return Err(error.hint(if newer {
                format!("take a checkout of {there} or its neighbour")
            } else {
                format!(
                    "`cargo xtask server agent install --env {environment}` brings it here; where \
                     a server has several environments, root copies it there"
                )
            }));
        }
        if hello.environment != *environment {
            let there = &hello.environment;
            return Err(Error::refused(format!(
                "{server} serves the environment {there}, not {environment}"
            ))
            .hint(format!("correct `address`, `user` or `key` of [environments.{environment}]")));
        }
        let role = self.role.name();
        if hello.role != role {
            return Err(Error::refused(format!(
                "the key {} is that of the role {}, not {role}",
                server.key().name(),
                hello.role
            ))
            .hint(format!("correct the keys of [environments.{environment}]")));
        }
        Ok(hello)
    }

    /// Asks what changes nothing. One answer a run, for the plan as well.
    ///
    /// # Errors
    /// A usage error for a request that changes something; what the agent says.
    pub fn observe<T: DeserializeOwned + Clone + Send>(
        &self,
        cx: &Context,
        request: Request,
    ) -> Result<T> {
        cx.observe(Ask::question(self.ssh(&request))).map_err(|error| self.located(error))
    }

    /// Asks for a change; a plan goes on with the answer that is hoped for. An interrupt
    /// in a release or rollback has the agent cancel it.
    ///
    /// # Errors
    /// What the agent says. Unknown when the connection breaks meanwhile, or when
    /// nobody could tell how a cancelled one has ended.
    pub fn run<T: DeserializeOwned + Clone + Send>(
        &self,
        cx: &Context,
        request: Request,
        hoped: T,
    ) -> Result<T> {
        let ask = Ask::change(self.ssh(&request), hoped);
        self.finished(cx, &request, cx.run(ask))
    }

    fn ssh(&self, request: &Request) -> SshRequest {
        let ssh = |effect| SshRequest::new(&self.connection, request.to_string(), effect);
        if request.is_read_only() { ssh(Effect::Read) } else { ssh(Effect::Remote).timeout(LONG) }
    }

    /// What an interrupt or a lost connection means for a request that changes
    /// something.
    fn finished<T>(&self, cx: &Context, request: &Request, result: Result<T>) -> Result<T> {
        result.map_err(|error| {
            let was_interrupted = error.kind() == ErrorKind::Interrupted && cx.is_cancelled();
            match request {
                Request::Release { by, run, .. } | Request::Rollback { by, run, .. }
                    if was_interrupted =>
                {
                    let own = Whose { by: by.clone(), run: run.clone() };
                    self.cancelled(cx, own, error.step_label().unwrap_or_default())
                }
                _ if was_interrupted => error.hint(format!(
                    "the server goes on with what it has begun: `{}` tells how it ends",
                    self.status_command()
                )),
                _ => self.located(error),
            }
        })
    }

    /// Has the agent take back what this run has asked for, and nothing else.
    fn cancelled(&self, cx: &Context, own: Whose, label: &str) -> Error {
        let request = Request::Cancel { area: None, whose: Some(own) };
        let ssh = self.ssh(&request).timeout(CANCELLED_WITHIN);
        let answer = cx.sheltered(|cx| cx.run(Ask::change(ssh, Cancelled::Undone)));
        let (kind, message) = match answer {
            Ok(Cancelled::Undone) => {
                (ErrorKind::Interrupted, "interrupted; the server took it back".to_owned())
            }
            Ok(Cancelled::Live(release)) => {
                (ErrorKind::Interrupted, format!("interrupted, but {release} was live by then"))
            }
            Ok(Cancelled::NothingRan) => (
                ErrorKind::Unknown,
                "interrupted; nothing of this ran on the server yet, and it may begin still"
                    .to_owned(),
            ),
            Err(error) => (
                ErrorKind::Unknown,
                format!("interrupted, and the server has not said that it took it back: {error}"),
            ),
        };
        let hint = format!("`{}` tells what is live", self.status_command());
        Error::new(kind, message).hint(hint).in_step(label)
    }

    fn status_command(&self) -> String {
        format!("cargo xtask status --env {}", self.environment)
    }

    /// Names the environment in the commands of an error's hints.
    fn located(&self, error: Error) -> Error {
        if error.kind() == ErrorKind::Unknown && error.failures().len() == 1 {
            let command = self.status_command();
            return error.hint(format!("state unknown: ask `{command}` once the server is back"));
        }
        error.map_hints(&|hint| self.addressed(&hint))
    }

    /// A hint that can be copied: an agent names commands without an environment, because
    /// its client knows it by a name of its own.
    pub(super) fn addressed(&self, hint: &str) -> String {
        // Commands stand between backticks.
        let parts = hint.split('`').enumerate().map(|(nth, part)| {
            let is_command = nth % 2 == 1 && part.starts_with("cargo xtask ");
            match is_command && !part.contains(" --env ") {
                true => format!("{part} --env {}", self.environment),
                false => part.to_owned(),
            }
        });
        parts.collect::<Vec<_>>().join("`")
    }

    /// Runs a literal command of a server without an agent.
    ///
    /// # Errors
    /// As [`SshRequest`].
    pub fn script(&self, cx: &Context, request: &str) -> Result<()> {
        let step = SshRequest::new(&self.connection, request, Effect::Remote);
        let answer = cx.run(step.accept([0, REFUSED]).timeout(LONG)).map_err(|error| {
            if error.kind() == ErrorKind::Interrupted || error.kind() == ErrorKind::Unknown {
                let server = &self.connection;
                return error.hint(format!(
                    "`{request}` goes on there: ask `ssh -p {} {server} status` with the same key \
                     how it ends",
                    server.port_number()
                ));
            }
            error
        })?;
        if answer.exit() == REFUSED {
            let said = answer.last_lines(3);
            return Err(match said.iter().any(|line| line.contains(HELD)) {
                true => Error::refused("another deploy works on that server")
                    .hint("wait until it has ended, then deploy again"),
                false => Error::refused(format!("that server's script refuses `{request}`"))
                    .hint("its /usr/local/lib/talia/deploy.sh and that of infra/ may differ"),
            }
            .tail(said));
        }
        Ok(())
    }
}
