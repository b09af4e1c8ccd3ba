//! `cargo xtask rollback`.

use std::cell::RefCell;

use clap::{Arg, ArgMatches, Command};
use talia_pipeline::{
    Context, Error, ExitCode, Plan, Result, World,
    flows::{Rollback, look_back, rollback_backend},
    protocol::{BackOutlook, ReleaseId, Role},
    report::console,
};

use crate::{
    asking::{Asking, still_meant, who, yes},
    cli,
    environment::{Target, env},
    session::{plan_code, print_plan},
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
    let seen: RefCell<Option<BackOutlook>> = RefCell::new(None);
    let confirmed = RefCell::new(None);
    let flow = |cx: &Context| {
        let order = Rollback {
            remote: &target.remote,
            by: by.clone(),
            to: to.clone(),
            accept_schema: matches.get_flag("accept-schema"),
        };
        let outlook = look_back(cx, &order)?;
        still_meant(&confirmed.borrow(), &meant(&outlook))?;
        seen.replace(Some(outlook.clone()));
        rollback_backend(cx, &order, &outlook)
    };
    if matches.contains_id("plan") {
        let plan = session.pipeline("rollback", matches, false)?.plan(flow);
        return print_outlook(matches, seen.take().as_ref(), plan);
    }
    if asking.is_needed() {
        session.pipeline("rollback", matches, false)?.plan(flow)?;
        if let Some(outlook) = seen.take() {
            console::print(&told::back_outlook(&outlook));
            asking.ask(&format!("Go back on {name}?"))?;
            confirmed.replace(Some(meant(&outlook)));
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

/// What a person says yes to: what is live, and what would be instead.
fn meant(outlook: &BackOutlook) -> (Option<ReleaseId>, Option<ReleaseId>) {
    let live = outlook.state.live.as_ref().map(|live| live.release.clone());
    (live, outlook.to.as_ref().map(|to| to.release.release.clone()))
}

/// Prints a plan, and where it leads to; where it would be refused, that alone.
fn print_outlook(
    matches: &ArgMatches,
    outlook: Option<&BackOutlook>,
    plan: Result<Plan>,
) -> Result<ExitCode> {
    let is_json = cli::text(matches, "plan") == Some("json");
    if let Some(outlook) = outlook.filter(|_| !is_json) {
        console::print(&format!("{}\n", told::back_outlook(outlook)));
    }
    let plan = plan?;
    if is_json {
        console::print(&format!("{}\n", plan.to_json_with("prospect", &outlook)));
        return Ok(plan_code(&plan));
    }
    let code = print_plan(matches, &plan);
    if let Some(outlook) = outlook {
        console::print(&format!("\non the server: {}", outlook.text));
    }
    Ok(code)
}
