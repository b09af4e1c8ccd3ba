//! `cargo xtask restore`.

use clap::{Arg, ArgMatches, Command};
use talia_pipeline::{
    Error, ExitCode, Result, World,
    flows::{Dependents, Remote},
    protocol::{Restored, Role},
    report::console,
};

use crate::{
    cli::{self, harmless},
    environment::{Target, changing},
    text::rows,
};

pub(crate) fn command() -> Command {
    changing("restore")
        .about("Make a server's database what it was in a backup")
        .arg(Arg::new("id").value_name("ID").required(true).help("Which backup"))
        .arg(cli::flag("accept-database", "Restore it though it was made of another database"))
        .arg(cli::flag(
            "drop-dependents",
            "Drop what is newer and depends on what is replaced: views, foreign keys, columns of its \
             types; what of it is in schemas that backups leave out is in no backup",
        ))
        .arg(cli::flag("yes", "Do not ask; needed where nobody can be asked"))
        .after_help(
            "What is there now is backed up first.\n\n\
             Examples:\n  cargo xtask restore 20261124T030000Z --env staging",
        )
}

pub(crate) fn run(matches: &ArgMatches, world: World) -> Result<ExitCode> {
    let id = cli::text(matches, "id").unwrap_or_default();
    let (is_sure, is_plan) = (matches.get_flag("yes"), matches.contains_id("plan"));
    if !is_sure && !is_plan && !console::can_ask() {
        return Err(Error::usage("a restore is asked for on a terminal, and this is none")
            .hint("say `--yes`; what is in the database is then overwritten"));
    }
    let target = Target::open(matches, world, Role::Admin)?;
    if !is_sure && !is_plan {
        let outlook = target.ask(matches, |cx, remote| remote.restore_plan(cx, id))?;
        for line in outlook.text.lines() {
            console::print(&format!("{}\n", harmless(line)));
        }
        let database = harmless(&outlook.database);
        if !console::ask(&format!("Overwrite {database} with the backup {id}?")) {
            return Err(Error::refused("nothing was done: it was not confirmed"));
        }
    }
    let other = matches.get_flag("accept-database");
    let dependents = match matches.get_flag("drop-dependents") {
        true => Dependents::Drop,
        false => Dependents::Refuse,
    };
    let restore = |cx: &_, remote: &Remote| remote.restore(cx, id, other, dependents);
    let (done, code) = target.change("restore", matches, restore)?;
    if let Some(done) = done {
        console::print(&told(&done));
    }
    Ok(code)
}

fn told(done: &Restored) -> String {
    let mut lines = vec![
        ("restored", format!("{} from {}", harmless(&done.database), harmless(&done.backup.id))),
        ("before", format!("{}, a backup of what was there", harmless(&done.before.id))),
    ];
    lines.extend(done.dropped.iter().map(|what| ("dropped", harmless(what))));
    lines.extend(done.differences.iter().map(|what| ("differs", harmless(what))));
    rows(&lines)
}
