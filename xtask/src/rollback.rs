//! `cargo xtask rollback`.

use std::cell::RefCell;

use clap::{Arg, ArgMatches, Command};
use talia_pipeline::{
    Context, Error, ExitCode, Result, World,
    flows::{Rollback, look_back, rollback_backend},
    protocol::{ReleaseId, Role, Taken},
    report::console,
};

use crate::{
    asking::{Asking, still_meant, who, yes},
    cli,
    environment::{Target, env},
    session::print_plan,
    told,
};

pub(crate) fn command() -> Command {
    Command::new("rollback")
        .about("Give clients an earlier release again")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommand(crate::landing::rollback_command())
        .subcommand(
            Command::new("backend")
                .about("Give clients an earlier release again: its image, compose file and .env")
                .arg(env())
                .arg(cli::plan())
                .arg(
                    Arg::new("to")
                        .long("to")
                        .value_name("RELEASE")
                        .help("Which one; without it the last good one before the live one"),
                )
                .arg(cli::flag(
                    "accept-schema",
                    "Go back although the database's schema has changed since",
                ))
                .arg(yes())
                .arg(cli::no_color())
                .arg(cli::verbose())
                .after_help(
                    "Examples:\n  \
                     cargo xtask rollback backend --env sandbox\n  \
                     cargo xtask rollback backend --env production --to 20261124T081500Z-0123456789ab",
                ),
        )
}

pub(crate) fn run(matches: &ArgMatches, world: World) -> Result<ExitCode> {
    let matches = match matches.subcommand() {
        Some(("landing", matches)) => return crate::landing::rollback(matches, world),
        Some((_, matches)) => matches,
        None => return Err(Error::usage("no command is given")),
    };
    let to: Option<ReleaseId> = cli::text(matches, "to").map(str::parse).transpose()?;
    let target = Target::open(matches, world, Role::Deploy)?;
    let (session, name) = (&target.session, target.remote.environment());
    let asking = Asking::new(matches, &target)?;
    let by = who(&session.world);
    let seen: RefCell<Option<Taken>> = RefCell::new(None);
    let confirmed = RefCell::new(None);
    let flow = |cx: &Context| {
        let order = Rollback {
            remote: &target.remote,
            by: by.clone(),
            to: to.clone(),
            accept_schema: matches.get_flag("accept-schema"),
        };
        let live = look_back(cx, &order)?;
        still_meant(&confirmed.borrow(), &live.release)?;
        seen.replace(Some(live.clone()));
        rollback_backend(cx, &order, &live)
    };
    if matches.contains_id("plan") {
        return Ok(print_plan(matches, &session.pipeline("rollback", matches, false)?.plan(flow)?));
    }
    if asking.is_needed() {
        session.pipeline("rollback", matches, false)?.plan(flow)?;
        if let Some(taken) = seen.take() {
            let live = &taken;
            let to =
                to.as_ref().map_or("the last good release before it".into(), ToString::to_string);
            let live = format!("{} ({})", live.release, live.revision.short());
            asking.ask(&format!("Go back on {name} from {live} to {to}?"))?;
            confirmed.replace(Some(taken.release));
        }
    }
    let began = session.world.elapsed();
    let pipeline = session.pipeline("rollback", matches, true)?;
    let finished = session.guard(pipeline)?.state(session.state.clone()).run(flow);
    if let Ok(released) = &finished.result {
        let seconds = session.world.elapsed().saturating_sub(began).as_secs_f64();
        console::print(&told::rolled_back(released, name, seconds));
    }
    Ok(finished.exit_code)
}
