//! `cargo xtask ci`.

use std::{collections::BTreeSet, fs};

use camino::Utf8Path;
use clap::{Arg, ArgMatches, Command};
use talia_pipeline::{
    Context, Error, ExitCode, Result, World,
    flows::{Ci, CiReport, Part, ci, install::BASE_IMAGE},
    preflight,
};

use crate::{
    cli,
    session::{Session, print_plan},
};

pub(crate) fn command() -> Command {
    Command::new("ci")
        .about("Check the backend: environment, lint, tests, coverage, image")
        .arg(
            Arg::new("part")
                .value_name("PART")
                .num_args(0..)
                .value_parser(Part::ALL.map(Part::name))
                .help("What to check, each with what it needs first; everything without one"),
        )
        .arg(cli::root())
        .arg(cli::plan())
        .arg(cli::install())
        .arg(cli::report())
        .arg(
            Arg::new("artifacts")
                .long("artifacts")
                .value_name("DIR")
                .help("Copy coverage.xml and junit.xml to this folder"),
        )
        .arg(cli::flag("fail-fast", "End everything at the first failure"))
        .arg(cli::number("jobs", "N", "How many steps may run at once"))
        .arg(cli::number("timeout", "SECONDS", "End the whole run after this time"))
        .arg(cli::no_color())
        .arg(cli::verbose())
        .after_help(
            "Examples:\n  \
             cargo xtask ci                       everything\n  \
             cargo xtask ci lint test             lint and tests alone\n  \
             cargo xtask ci --plan                what would run\n  \
             cargo xtask ci --root ../other-app   another project, without settings",
        )
}

pub(crate) fn run(matches: &ArgMatches, world: World) -> Result<ExitCode> {
    let session = Session::open(matches, world)?;
    let asked: BTreeSet<Part> = matches
        .get_many::<String>("part")
        .into_iter()
        .flatten()
        .filter_map(|name| Part::ALL.into_iter().find(|part| part.name() == name))
        .collect();
    let parts = if asked.is_empty() { Part::ALL.into() } else { asked };
    let flow = |cx: &Context| -> Result<CiReport> {
        let root = session.backend(cx)?;
        let settings = &session.settings.backend;
        ci(cx, &Ci { root, settings, state: &session.state, parts: parts.clone() })
    };
    if matches.contains_id("plan") {
        let pipeline = session.pipeline("ci", matches, false)?.state(session.state.clone());
        return print_plan(matches, &pipeline, flow);
    }
    if matches.get_flag("install") {
        let plan = session.pipeline("ci", matches, false)?.plan(flow)?;
        let mut tools: Vec<&str> = plan.requirements().iter().map(|need| need.name()).collect();
        tools.retain(|tool| preflight::TOOLS.contains(tool));
        // What the plan asks for by itself: a revision, and a base to build on.
        tools.push("git");
        if parts.contains(&Part::Image) {
            tools.extend(["docker-buildx", BASE_IMAGE]);
        }
        if let Err(code) = session.install(matches, &tools)? {
            return Ok(code);
        }
    }
    let pipeline = session.pipeline("ci", matches, true)?;
    let mut pipeline = session.guard(pipeline)?.state(session.state.clone());
    let finished = pipeline.run(flow);
    if let Some(folder) = cli::text(matches, "artifacts") {
        keep_artifacts(&session, &session.world.directory().join(folder))?;
    }
    Ok(finished.exit_code)
}

/// Copies the reports of this run; one that was not made is not there.
fn keep_artifacts(session: &Session, folder: &Utf8Path) -> Result<()> {
    let cannot = |cause: std::io::Error| {
        Error::step(format!("the reports cannot be copied to {folder}")).caused_by(cause)
    };
    fs::create_dir_all(folder).map_err(cannot)?;
    for name in ["coverage.xml", "junit.xml"] {
        match fs::copy(session.state.report(name), folder.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(cannot(error));
            }
            _ => {}
        }
    }
    Ok(())
}
