//! `cargo xtask cancel`.

use clap::{ArgMatches, Command};
use talia_pipeline::{ExitCode, Result, World, protocol::Role, report::console};

use crate::{
    cli,
    environment::{Target, changing},
};

pub(crate) fn command() -> Command {
    changing("cancel")
        .about("End the release that is running on a server, unless it has switched")
        .after_help("Examples:\n  cargo xtask cancel --env production")
}

pub(crate) fn run(matches: &ArgMatches, world: World) -> Result<ExitCode> {
    let target = Target::open(matches, world, Role::Deploy)?;
    let (said, code) = target.change("cancel", matches, |cx, remote| remote.cancel(cx))?;
    if let Some(said) = said {
        console::print(&format!("{}\n", cli::harmless(&said)));
    }
    Ok(code)
}
