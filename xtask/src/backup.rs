//! `cargo xtask backup` and `cargo xtask drill`.

use clap::{Arg, ArgMatches, Command};
use talia_pipeline::{
    ExitCode, Result, World,
    landing::size,
    protocol::{BackupState, Drilled, Role},
    report::console,
    steps::backup::amount,
};

use crate::{
    cli::{self, harmless},
    environment::{Target, changing},
    text::rows,
};

pub(crate) fn command() -> Command {
    changing("backup")
        .about("Back a server's database up, and prove that the backup can be read")
        .after_help("Examples:\n  cargo xtask backup --env production")
}

pub(crate) fn drill_command() -> Command {
    changing("drill")
        .about("Restore a backup somewhere else and compare it")
        .arg(Arg::new("id").value_name("ID").help("Which backup; the last that counts without it"))
        .after_help("Examples:\n  cargo xtask drill --env production")
}

pub(crate) fn run(matches: &ArgMatches, world: World) -> Result<ExitCode> {
    let target = Target::open(matches, world, Role::Deploy)?;
    let (made, code) = target.change("backup", matches, |cx, remote| remote.backup(cx))?;
    if let Some(made) = made {
        console::print(&told(&made));
    }
    Ok(code)
}

pub(crate) fn drill(matches: &ArgMatches, world: World) -> Result<ExitCode> {
    let id = cli::text(matches, "id");
    let target = Target::open(matches, world, Role::Admin)?;
    let (drilled, code) = target.change("drill", matches, |cx, remote| remote.drill(cx, id))?;
    if let Some(drilled) = drilled {
        console::print(&told_drill(&drilled));
    }
    Ok(code)
}

fn told(made: &BackupState) -> String {
    let proven = if made.drilled_ms.is_some() { "read back and drilled" } else { "read back" };
    rows(&[
        ("backup", harmless(&made.id)),
        ("size", size(made.bytes)),
        ("proven", proven.to_owned()),
    ])
}

fn told_drill(drilled: &Drilled) -> String {
    let mut lines = vec![
        ("backup", harmless(&drilled.backup.id)),
        ("compared", amount(drilled.tables, drilled.rows)),
    ];
    lines.extend(drilled.not_drilled.iter().map(|what| ("not tried", harmless(what))));
    rows(&lines)
}
