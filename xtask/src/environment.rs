//! `--env NAME`: which server is meant, and what a run needs to reach it.

use std::fs;

use clap::{Arg, ArgMatches, Command};
use talia_pipeline::{
    Context, Error, ExitCode, Result, World,
    flows::Remote,
    private::PrivateFolder,
    protocol::{EnvironmentName, Role},
    secret::{SecretValue, Secrets},
    settings::{Agent, Environment, Settings},
};
use talia_sandbox::{Place, Sandbox};

use crate::{
    cli,
    session::{Session, print_plan},
};

/// The environment that a sandbox without a name serves.
const SANDBOX: &str = "sandbox";

/// `--env NAME`, which has no default: nobody should have to know where a command goes
/// that does not say it.
pub(crate) fn env() -> Arg {
    Arg::new("env")
        .long("env")
        .value_name("NAME")
        .help("Whose server: an environment of the settings, or `sandbox`")
}

/// A command that changes something on a server, with what all of those take.
pub(crate) fn changing(name: &'static str) -> Command {
    Command::new(name).arg(env()).arg(cli::plan()).arg(cli::no_color()).arg(cli::verbose())
}

/// A session about one environment's server.
pub(crate) struct Target {
    pub(crate) session: Session,
    pub(crate) environment: Environment,
    pub(crate) remote: Remote,
    /// Keys and sockets of this run; gone with it.
    pub(crate) private: PrivateFolder,
}

impl Target {
    /// Finds the environment that `--env` names, and makes its key ready.
    pub(crate) fn open(matches: &ArgMatches, world: World, role: Role) -> Result<Self> {
        let mut session = Session::open(matches, world)?;
        let (name, environment) = environment(&mut session, matches)?;
        let private = PrivateFolder::new(&session.world)?;
        let secret = |name: &str| secret(&session, name);
        let root = &session.root;
        let remote = Remote::new(&name, &environment, role, &private, root, secret)?;
        Ok(Self { session, environment, remote, private })
    }

    /// Asks what changes nothing, without telling of the way to the answer.
    pub(crate) fn ask<T: Send>(
        &self,
        matches: &ArgMatches,
        question: impl Fn(&Context, &Remote) -> Result<T>,
    ) -> Result<T> {
        let pipeline = self.session.pipeline("ask", matches, false)?;
        self.session.guard(pipeline)?.run(|cx| self.opened(cx, &question)).result
    }

    /// Runs what changes something and tells of it, or shows its plan. Nothing is given
    /// where it has failed: that is told by then.
    pub(crate) fn change<T: Send>(
        &self,
        what: &str,
        matches: &ArgMatches,
        flow: impl Fn(&Context, &Remote) -> Result<T>,
    ) -> Result<(Option<T>, ExitCode)> {
        self.carry_out(what, matches, |cx| self.opened(cx, &flow))
    }

    /// As [`Target::change`], for a flow that greets nobody.
    pub(crate) fn carry_out<T: Send>(
        &self,
        what: &str,
        matches: &ArgMatches,
        flow: impl Fn(&Context) -> Result<T>,
    ) -> Result<(Option<T>, ExitCode)> {
        if matches.try_contains_id("plan").unwrap_or(false) {
            let pipeline = self.session.pipeline(what, matches, false)?;
            return Ok((None, print_plan(matches, &pipeline, flow)?));
        }
        let pipeline = self.session.pipeline(what, matches, true)?;
        let finished = self.session.guard(pipeline)?.run(flow);
        Ok((finished.result.ok(), finished.exit_code))
    }

    pub(crate) fn opened<T>(
        &self,
        cx: &Context,
        flow: impl Fn(&Context, &Remote) -> Result<T>,
    ) -> Result<T> {
        if self.environment.agent == Agent::None {
            let name = self.remote.environment();
            return Err(Error::usage(format!("the server of {name} has no agent to ask"))
                .hint("without an agent there are `cargo xtask deploy` and what ssh gives"));
        }
        self.remote.open(cx)?;
        flow(cx, &self.remote)
    }
}

/// The environment that `--env` names: the settings have it, or it is a sandbox's,
/// whose own settings are added to the session's.
fn environment(
    session: &mut Session,
    matches: &ArgMatches,
) -> Result<(EnvironmentName, Environment)> {
    let Some(asked) = cli::text(matches, "env") else {
        return Err(Error::usage("no environment is named: `--env NAME` has no default")
            .hint(known(&session.settings)));
    };
    let unknown = || {
        Error::usage(format!("there is no environment {asked:?}")).hint(known(&session.settings))
    };
    let name: EnvironmentName = asked.parse().map_err(|_| unknown())?;
    if let Some(environment) = session.settings.environments.get(asked) {
        return Ok((name, environment.clone()));
    }
    let place = Place::of_environment(&session.state, asked)?.ok_or_else(unknown)?;
    let own = Sandbox::open(&place, &session.world)?.settings()?;
    let environment = own.environments.get(asked).cloned().ok_or_else(|| {
        Error::usage(format!("no server of the sandbox {} serves {asked}", place.name()))
    })?;
    session.settings.secrets.files.extend(own.secrets.files);
    Ok((name, environment))
}

/// Which environments there are.
fn known(settings: &Settings) -> String {
    let mut names: Vec<&str> = settings.environments.keys().map(String::as_str).collect();
    if !names.contains(&SANDBOX) {
        names.push(SANDBOX);
    }
    format!("there are: {}", names.join(", "))
}

/// The value of the secret of this name.
fn secret(session: &Session, name: &str) -> Result<SecretValue> {
    let variable = |name: &str| session.world.variable_os(name);
    let read = |path: &camino::Utf8Path| fs::read(session.root.join(path));
    let secrets = Secrets::resolve(session.secrets(), &variable, &read);
    secrets.value(name).cloned()
}
