//! `cargo xtask sandbox`.

use std::ffi::OsStr;

use clap::{Arg, ArgMatches, Command};
use talia_pipeline::{
    Context, Error, ExitCode, Pipeline, Result, World, process::become_program, report::console,
    steps::cargo::AgentBuild, templates::Role,
};
use talia_sandbox::{Place, Sandbox, Status, Wish, down, put_agents, status, up};

use crate::{
    cli,
    session::{Session, print_plan},
};

pub(crate) fn command() -> Command {
    let part = |name, about| Command::new(name).about(about).arg(name_of_sandbox());
    Command::new("sandbox")
        .about("A whole server, a registry and a database on this machine, to try a deploy")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommand(
            part("up", "Bring it up; what was stopped is started again")
                .arg(
                    Arg::new("agent").long("agent").value_name("FILE").help(
                        "A static binary to put on the server as its agent; built without it",
                    ),
                )
                .arg(cli::plan())
                .arg(cli::no_color())
                .arg(cli::verbose()),
        )
        .subcommand(
            part("down", "Take it down; nothing is left of it")
                .arg(cli::plan())
                .arg(cli::no_color())
                .arg(cli::verbose()),
        )
        .subcommand(part("status", "Tell what runs, and at which ports"))
        .subcommand(
            part("ssh", "Open a root shell on the server, or run a command there").arg(
                Arg::new("command")
                    .value_name("COMMAND")
                    .num_args(0..)
                    .trailing_var_arg(true)
                    .help("What is run in place of the shell"),
            ),
        )
        .after_help(
            "Examples:\n  \
             cargo xtask sandbox up\n  \
             cargo xtask deploy backend --env sandbox\n  \
             cargo xtask sandbox down\n  \
             cargo xtask sandbox up --name two      a second one, as --env sandbox-two",
        )
}

fn name_of_sandbox() -> Arg {
    Arg::new("name")
        .long("name")
        .value_name("NAME")
        .default_value(Place::DEFAULT)
        .help("Which one; several may be up at once")
}

pub(crate) fn run(matches: &ArgMatches, world: World) -> Result<ExitCode> {
    let Some((what, matches)) = matches.subcommand() else {
        return Err(Error::usage("no command is given"));
    };
    let session = Session::open(matches, world)?;
    let place = Place::new(&session.state, cli::text(matches, "name").unwrap_or(Place::DEFAULT))?;
    match what {
        "up" => bring_up(&session, &place, matches),
        "down" => {
            let flow = |cx: &Context| down(cx, &place);
            if matches.contains_id("plan") {
                return print_plan(matches, &quiet(&session, matches)?, flow);
            }
            Ok(loud(&session, matches)?.run(flow).exit_code)
        }
        "status" => {
            let status = quiet(&session, matches)?.run(|cx| status(cx, &place)).result?;
            console::print(&told(&place, &status));
            Ok(ExitCode::Success)
        }
        _ => {
            let command = matches.get_many::<String>("command").into_iter().flatten();
            open_shell(&session, &place, command.map(String::as_str).collect())
        }
    }
}

/// Becomes a shell on the server; comes back only where that fails.
fn open_shell(session: &Session, place: &Place, command: Vec<&str>) -> Result<ExitCode> {
    let (sandbox, world) = (Sandbox::open(place, &session.world)?, &session.world);
    let Some(droplet) = sandbox.droplets().into_iter().next() else {
        return Err(Error::usage("the sandbox has no server"));
    };
    let docker = world.find_program("docker").ok_or_else(|| {
        Error::preflight("there is no docker").hint("`cargo xtask doctor` tells what is missing")
    })?;
    let container = droplet.container();
    let terminal: &[&str] = if console::can_ask() { &["--tty"] } else { &[] };
    let shell = if command.is_empty() { vec!["bash"] } else { command };
    let args = [&["exec", "--interactive"], terminal, &[container.as_str()], &shell].concat();
    let args: Vec<&OsStr> = args.iter().map(OsStr::new).collect();
    let cause = become_program(docker.as_std_path(), &args, world.child_environment());
    Err(Error::step(format!("{docker} cannot be started")).caused_by(cause))
}

fn bring_up(session: &Session, place: &Place, matches: &ArgMatches) -> Result<ExitCode> {
    let wish = Wish::new(place);
    let built = cli::text(matches, "agent").map(|agent| session.world.directory().join(agent));
    if let Some(agent) = built.as_ref().filter(|agent| !agent.is_file()) {
        return Err(Error::usage(format!("there is no agent {agent}"))
            .hint("name a static binary with `--agent FILE`"));
    }
    let build = AgentBuild::new(&session.root, &session.target);
    let flow = |cx: &Context| {
        let agent = |cx: &Context| match &built {
            Some(agent) => Ok(agent.clone()),
            None => cx.run(build.clone()),
        };
        let (agent, ()) = cx.join(agent, |cx| up(cx, place, &wish))?;
        put_agents(cx, place, &wish.clone().agent(agent))
    };
    if matches.contains_id("plan") {
        return print_plan(matches, &quiet(session, matches)?, flow);
    }
    let finished = loud(session, matches)?.run(flow);
    if finished.result.is_ok() {
        console::print(&how_to_go_on(&Sandbox::open(place, &session.world)?));
    }
    Ok(finished.exit_code)
}

fn quiet(session: &Session, matches: &ArgMatches) -> Result<Pipeline> {
    session.pipeline("sandbox", matches, false)
}

fn loud(session: &Session, matches: &ArgMatches) -> Result<Pipeline> {
    let pipeline = session.pipeline("sandbox", matches, true)?;
    Ok(session.guard(pipeline)?.state(session.state.clone()))
}

fn how_to_go_on(sandbox: &Sandbox) -> String {
    let place = sandbox.place();
    let environment = place.environment();
    let mut text = format!("\nThe sandbox {} is up.\n", place.name());
    for droplet in sandbox.droplets() {
        let host = sandbox.host_name(&environment);
        let port = droplet.https_port();
        text.push_str(&format!(
            "  curl --cacert {} --connect-to {host}:443:127.0.0.1:{port} https://{host}/api/health\n  \
             ssh -i {} -o UserKnownHostsFile={} -p {} {}@127.0.0.1 status\n",
            sandbox.ca(),
            sandbox.key(&environment, Role::Deploy),
            sandbox.known_hosts(),
            droplet.ssh_port(),
            droplet.user(&environment, Role::Deploy),
        ));
    }
    text.push_str(&format!(
        "Go on with:\n  cargo xtask deploy backend --env {environment}\n\
         Take it down with:\n  cargo xtask sandbox down --name {}\n",
        place.name()
    ));
    text
}

fn told(place: &Place, status: &Status) -> String {
    if status.parts.is_empty() {
        return format!("The sandbox {} is not there.\n", place.name());
    }
    let mut text = String::new();
    if !status.complete {
        text.push_str("It was not made to the end: `cargo xtask sandbox up` makes it anew.\n");
    }
    for part in &status.parts {
        let state = if part.running { "runs" } else { "stopped" };
        let ports: Vec<String> =
            part.ports.iter().map(|(what, port)| format!("{what} 127.0.0.1:{port}")).collect();
        let line = format!("{:<10} {state:<8} {}", part.name, ports.join("  "));
        text.push_str(&format!("{}\n", line.trim_end()));
    }
    text
}
