//! `cargo xtask up` and `cargo xtask down`: the backend on this machine.

use clap::{ArgMatches, Command};
use talia_pipeline::{
    Context, ExitCode, Result, World,
    flows::{Local, local_down, local_up},
    report::console,
    settings::Environment,
};

use crate::{
    cli,
    session::{Session, print_plan},
};

pub(crate) fn command() -> Command {
    common("up")
        .about("Build the backend and start it on this machine")
        .after_help(
            "Its own compose file and override are used, with the port that they publish; or \
             infra/compose/local.yml where\nit has none, at 127.0.0.1:8000.\n\nExamples:\n  cargo xtask up\n  cargo xtask up --plan",
        )
}

pub(crate) fn down_command() -> Command {
    common("down").about("End what `cargo xtask up` has started; volumes stay")
}

fn common(name: &'static str) -> Command {
    Command::new(name).arg(cli::plan()).arg(cli::no_color()).arg(cli::verbose())
}

pub(crate) fn run(matches: &ArgMatches, world: World) -> Result<ExitCode> {
    let session = Session::open(matches, world)?;
    let flow = |cx: &Context| local_up(cx, &local(&session, cx)?);
    let (started, code) = ran("up", &session, matches, flow)?;
    if let Some(started) = started {
        let told = match started.answers {
            Some((address, revision)) => {
                format!("The backend ({revision}) answers at:\n  {address}/api/docs\n")
            }
            None => "The backend's containers are well; it was not asked by a port.\n".to_owned(),
        };
        console::print(&format!("\n{told}End it with:\n  cargo xtask down\n"));
    }
    Ok(code)
}

pub(crate) fn down(matches: &ArgMatches, world: World) -> Result<ExitCode> {
    let session = Session::open(matches, world)?;
    let flow = |cx: &Context| local_down(cx, &local(&session, cx)?);
    ran("down", &session, matches, flow).map(|(_, code)| code)
}

fn ran<T: Send>(
    name: &str,
    session: &Session,
    matches: &ArgMatches,
    flow: impl Fn(&Context) -> Result<T>,
) -> Result<(Option<T>, ExitCode)> {
    if matches.contains_id("plan") {
        let pipeline = session.pipeline(name, matches, false)?.state(session.state.clone());
        return Ok((None, print_plan(matches, &pipeline, flow)?));
    }
    let pipeline = session.pipeline(name, matches, true)?;
    let finished = session.guard(pipeline)?.state(session.state.clone()).run(flow);
    Ok((finished.result.ok(), finished.exit_code))
}

fn local<'a>(session: &'a Session, cx: &Context) -> Result<Local<'a>> {
    let environments = &session.settings.environments;
    let own = environments.get("local").cloned().unwrap_or_else(|| Environment::named("local"));
    Ok(Local {
        root: session.root.clone(),
        backend: session.backend(cx)?,
        settings: &session.settings.backend,
        service: (own.server.service, own.server.app_port),
        health: own.server.health.path,
        state: &session.state,
    })
}
