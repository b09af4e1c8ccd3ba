//! `cargo xtask cancel`.

use clap::{ArgMatches, Command};
use talia_pipeline::{
    ExitCode, Result, World,
    protocol::{Cancelled, Role},
    report::console,
};

use crate::environment::{Target, changing};

pub(crate) fn command() -> Command {
    changing("cancel")
        .about("End the release that is running on a server, unless it has switched")
        .after_help("Examples:\n  cargo xtask cancel --env production")
}

pub(crate) fn run(matches: &ArgMatches, world: World) -> Result<ExitCode> {
    let target = Target::open(matches, world, Role::Deploy)?;
    let (said, code) = target.change("cancel", matches, |cx, remote| remote.cancel(cx))?;
    match said {
        Some(Cancelled::NothingRan) => console::print("nothing runs that could be cancelled\n"),
        Some(Cancelled::Undone) => console::print("it was taken back\n"),
        Some(Cancelled::Live(id)) => {
            console::print(&format!("{id} had switched already: it is live\n"))
        }
        None => {}
    }
    Ok(code)
}
