//! `cargo xtask maintenance`.

use clap::{Arg, ArgMatches, Command};
use talia_pipeline::{ExitCode, Result, World, protocol::Role};

use crate::{
    cli,
    environment::{Target, changing},
};

pub(crate) fn command() -> Command {
    changing("maintenance")
        .about("Give a server's clients a page that says to come back, or take it away")
        .arg(
            Arg::new("switch")
                .value_name("on|off")
                .required(true)
                .value_parser(["on", "off"])
                .help("The health endpoint stays open"),
        )
        .after_help("Examples:\n  cargo xtask maintenance on --env production")
}

pub(crate) fn run(matches: &ArgMatches, world: World) -> Result<ExitCode> {
    let on = cli::text(matches, "switch") == Some("on");
    let target = Target::open(matches, world, Role::Admin)?;
    let flow = target.change("maintenance", matches, |cx, remote| remote.maintenance(cx, on));
    flow.map(|(_, code)| code)
}
