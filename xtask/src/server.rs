//! `cargo xtask server`: what stands on a server.

use clap::{Arg, ArgMatches, Command};
use talia_pipeline::{
    Error, ExitCode, Result, World,
    protocol::{Request, Role},
    report::console,
    steps::{cargo::AgentBuild, ssh::SshClose},
};

use crate::{
    cli,
    environment::{Target, changing},
};

/// What can be pushed, and when it counts.
const PUSHED: [(&str, &str); 3] = [
    ("compose", "The compose file; it counts from the next release on"),
    ("env", "The app's `.env`; it counts from the next release on"),
    ("site", "The Nginx site; it counts at once"),
];

pub(crate) fn command() -> Command {
    let group = |name, about| {
        Command::new(name)
            .about(about)
            .subcommand_required(true)
            .arg_required_else_help(true)
            .disable_help_subcommand(true)
    };
    let mut server = group("server", "Change what stands on a server, as its admin")
        .subcommand(changing("prune").about("Remove releases and images that are not kept"))
        .after_help(
            "Examples:\n  \
             cargo xtask server env push staging.env --env staging\n  \
             cargo xtask server agent install --env staging\n  \
             cargo xtask server prune --env production",
        );
    let file =
        Arg::new("file").value_name("FILE").help("A static binary; without it, one is built");
    let install = changing("install").about("Put an agent in the place of the one there").arg(file);
    server = server.subcommand(group("agent", "What answers on the server").subcommand(install));
    for (name, about) in PUSHED {
        let file = Arg::new("file").value_name("FILE").required(true).help("What is put there");
        let push = changing("push").about("Put this file on the server").arg(file);
        server = server.subcommand(group(name, about).subcommand(push));
    }
    server
}

pub(crate) fn run(matches: &ArgMatches, world: World) -> Result<ExitCode> {
    match matches.subcommand() {
        Some(("prune", matches)) => {
            let target = Target::open(matches, world, Role::Admin)?;
            let flow = target.change("prune", matches, |cx, remote| remote.prune(cx));
            flow.map(|(_, code)| code)
        }
        Some(("agent", matches)) => match matches.subcommand() {
            Some((_, matches)) => install_agent(matches, world),
            None => Err(Error::usage("no command is given")),
        },
        Some((what, matches)) => match matches.subcommand() {
            Some((_, matches)) => push(what, matches, world),
            None => Err(Error::usage("no command is given")),
        },
        None => Err(Error::usage("no command is given")),
    }
}

fn install_agent(matches: &ArgMatches, world: World) -> Result<ExitCode> {
    let built = cli::text(matches, "file").map(|file| world.directory().join(file));
    if let Some(file) = built.as_ref().filter(|file| !file.is_file()) {
        return Err(Error::usage(format!("there is no file {file}")));
    }
    let target = Target::open(matches, world, Role::Admin)?;
    let build = AgentBuild::new(&target.session.root, &target.session.target);
    let flow = target.carry_out("agent install", matches, |cx| {
        let file = match &built {
            Some(file) => file.clone(),
            None => cx.run(build.clone())?,
        };
        cx.finally(SshClose::new(target.remote.connection()));
        target.remote.install_agent(cx, &file)
    });
    let (version, code) = flow?;
    if let Some(version) = version {
        console::print(&format!("the agent of {} is {version}\n", target.remote.environment()));
    }
    Ok(code)
}

fn push(what: &str, matches: &ArgMatches, world: World) -> Result<ExitCode> {
    let request = match what {
        "compose" => Request::ComposePush,
        "env" => Request::EnvPush,
        _ => Request::SitePush,
    };
    let file = world.directory().join(cli::text(matches, "file").unwrap_or_default());
    let target = Target::open(matches, world, Role::Admin)?;
    let flow = target.change(&request.to_string(), matches, |cx, remote| {
        remote.push(cx, request.clone(), &file)
    });
    flow.map(|(_, code)| code)
}
