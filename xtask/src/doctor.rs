//! `cargo xtask doctor`.

use clap::{ArgMatches, Command};
use talia_pipeline::{ExitCode, Result, World, preflight, report::console};

use crate::{cli, session::Session};

pub(crate) fn command() -> Command {
    Command::new("doctor")
        .about("Tell which of the needed programs are there, and how to install the others")
        .arg(cli::json())
        .arg(cli::root())
        .after_help("Examples:\n  cargo xtask doctor\n  cargo xtask doctor --json")
}

pub(crate) fn run(matches: &ArgMatches, world: World) -> Result<ExitCode> {
    let session = Session::open(matches, world)?;
    let pipeline = session.pipeline("doctor", matches, false)?;
    let found = pipeline.look_up(preflight::TOOLS)?;
    if matches.get_flag("json") {
        console::print(&format!("{}\n", preflight::to_json(&found)));
    } else {
        let lines: String = found.iter().map(|requirement| format!("{requirement}\n")).collect();
        console::print(&lines);
    }
    let missing = found.iter().any(|requirement| requirement.problem().is_some());
    if missing && !matches.get_flag("json") {
        console::print("\n`cargo xtask ci --install` brings in what is missing.\n");
    }
    Ok(if missing { ExitCode::Preflight } else { ExitCode::Success })
}
