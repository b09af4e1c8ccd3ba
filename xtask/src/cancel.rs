//! `cargo xtask cancel`.

use clap::{Arg, ArgMatches, Command};
use talia_pipeline::{
    ExitCode, Result, World,
    protocol::{Area, Cancelled, Role},
    report::console,
};

use crate::{
    cli,
    environment::{Target, changing},
};

pub(crate) fn command() -> Command {
    changing("cancel")
        .about("End the release that is running on a server, unless it has switched")
        .arg(
            Arg::new("area")
                .value_name("WHICH")
                .value_parser(Area::BOTH.map(Area::name))
                .help("Whose release; needed only where both run"),
        )
        .after_help(
            "Examples:\n  \
             cargo xtask cancel --env production\n  \
             cargo xtask cancel landing --env production",
        )
}

pub(crate) fn run(matches: &ArgMatches, world: World) -> Result<ExitCode> {
    let target = Target::open(matches, world, Role::Deploy)?;
    let area = cli::text(matches, "area")
        .and_then(|named| Area::BOTH.into_iter().find(|area| area.name() == named));
    let (said, code) = target.change("cancel", matches, |cx, remote| remote.cancel(cx, area))?;
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
