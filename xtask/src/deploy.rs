//! `cargo xtask deploy`.

use std::cell::RefCell;

use clap::{Arg, ArgMatches, Command};
use talia_pipeline::{
    Context, Error, ExitCode, Pipeline, Plan, Result, World,
    digest::Digest,
    flows::{Deploy, Prospect, deploy_backend, look_ahead, publish::Publish},
    protocol::{ReleaseId, RevisionId, Role},
    report::console,
    steps::registry::DockerConfig,
};

use crate::{
    asking::{Asking, still_meant, who, yes},
    cli,
    environment::{Target, env},
    session::{plan_code, print_plan},
    told,
};

pub(crate) fn command() -> Command {
    Command::new("deploy")
        .about("Bring a commit to a server")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommand(crate::landing::deploy_command())
        .subcommand(
            Command::new("backend")
                .about("Build the backend's image once, push it, and have the server release it")
                .arg(env())
                .arg(cli::plan())
                .arg(
                    Arg::new("revision")
                        .long("revision")
                        .value_name("COMMIT")
                        .help("The commit, in any of git's ways; what is checked out without it"),
                )
                .arg(yes())
                .arg(cli::flag(
                    "accept-drift",
                    "Take files that were edited on the server as they are",
                ))
                .arg(cli::report())
                .arg(cli::no_color())
                .arg(cli::verbose())
                .after_help(
                    "Examples:\n  \
                     cargo xtask deploy backend --env sandbox             what is checked out\n  \
                     cargo xtask deploy backend --env production --plan   what would be done\n  \
                     cargo xtask deploy backend --env production --revision v1.2 --yes",
                ),
        )
}

pub(crate) fn run(matches: &ArgMatches, world: World) -> Result<ExitCode> {
    let matches = match matches.subcommand() {
        Some(("landing", matches)) => return crate::landing::deploy(matches, world),
        Some((_, matches)) => matches,
        None => return Err(Error::usage("no command is given")),
    };
    let target = Target::open(matches, world, Role::Deploy)?;
    let (session, name) = (&target.session, target.remote.environment());
    let asking = Asking::new(matches, &target)?;
    let by = who(&session.world);
    let seen: RefCell<Option<Prospect>> = RefCell::new(None);
    let confirmed = RefCell::new(None);
    let flow = |cx: &Context| {
        let order = Deploy {
            publish: Publish {
                root: session.root.clone(),
                backend: session.backend(cx)?,
                settings: &session.settings.backend,
                environment: &target.environment,
                state: &session.state,
                revision: cli::text(matches, "revision").map(str::to_owned),
                docker: target.private.path().join("docker"),
                own_docker: DockerConfig::of_user(&session.world),
            },
            remote: &target.remote,
            by: by.clone(),
            accept_drift: matches.get_flag("accept-drift"),
        };
        let prospect = look_ahead(cx, &order)?;
        still_meant(&confirmed.borrow(), &meant(&prospect))?;
        seen.replace(Some(prospect.clone()));
        deploy_backend(cx, &order, &prospect)
    };
    let quiet = || -> Result<Pipeline> {
        let pipeline = session.pipeline("deploy", matches, false)?;
        Ok(session.guard(pipeline)?.state(session.state.clone()))
    };
    if matches.contains_id("plan") {
        let plan = quiet()?.plan(flow);
        return print_prospect(matches, seen.take().as_ref(), plan);
    }
    if asking.is_needed() {
        quiet()?.plan(flow)?;
        if let Some(prospect) = seen.take() {
            console::print(&told::prospect(&prospect));
            let short = prospect.chosen.revision.short();
            asking.ask(&format!("Release {short} to {name}?"))?;
            confirmed.replace(Some(meant(&prospect)));
        }
    }
    let began = session.world.elapsed();
    let pipeline = session.pipeline("deploy", matches, true)?;
    let finished = session.guard(pipeline)?.state(session.state.clone()).run(flow);
    if let Ok(deployed) = &finished.result {
        let seconds = session.world.elapsed().saturating_sub(began).as_secs_f64();
        console::print(&told::deployed(deployed, name, seconds));
    }
    Ok(finished.exit_code)
}

/// What a person says yes to: the commit, its image where there is one, what it replaces.
fn meant(prospect: &Prospect) -> (RevisionId, Option<Digest>, Option<ReleaseId>) {
    let live = prospect.live().map(|live| live.release.clone());
    (prospect.chosen.revision.clone(), prospect.there.clone(), live)
}

/// Prints a plan, and what it begins from; where it would be refused, that alone.
fn print_prospect(
    matches: &ArgMatches,
    prospect: Option<&Prospect>,
    plan: Result<Plan>,
) -> Result<ExitCode> {
    let is_json = cli::text(matches, "plan") == Some("json");
    let plan = match (plan, prospect) {
        (Ok(plan), _) => plan,
        (Err(error), Some(prospect)) if !is_json => {
            console::print(&told::prospect(prospect));
            return Err(error);
        }
        (Err(error), _) => return Err(error),
    };
    if is_json {
        console::print(&format!("{}\n", plan.to_json_with("prospect", &prospect)));
        return Ok(plan_code(&plan));
    }
    if let Some(prospect) = prospect {
        console::print(&format!("{}\n", told::prospect(prospect)));
    }
    let code = print_plan(matches, &plan);
    if let Some(outlook) = prospect.and_then(|prospect| prospect.outlook.as_ref()) {
        console::print(&format!("\non the server: {}", outlook.text));
    }
    Ok(code)
}
