//! `cargo xtask selftest`.

use clap::{ArgMatches, Command};
use talia_pipeline::{
    Context, ExitCode, Result, World,
    flows::{
        self,
        install::{BASE_IMAGE, Installed},
    },
    preflight,
    report::console,
};

use crate::{
    cli,
    session::{Session, print_plan},
};

/// What the tests start for themselves, each on a port of its own, and its clients.
const SERVERS: &[&str] = &["ssh", "sshd", "docker-registry", "htpasswd"];

pub(crate) fn command() -> Command {
    Command::new("selftest")
        .about("Check this workspace itself: format, lints, tests, documentation")
        .arg(cli::install())
        .arg(cli::flag(
            "fast",
            "Leave out the documentation, its tests, and the tests with real tools and sandboxes",
        ))
        .arg(
            cli::flag(
                "soak",
                "Instead: many releases under load, and what they lose; see it with -v",
            )
            .conflicts_with("fast"),
        )
        .arg(cli::plan())
        .arg(cli::number("timeout", "SECONDS", "End the whole run after this time"))
        .arg(cli::no_color())
        .arg(cli::verbose())
        .after_help(
            "With --install: where systemd runs, Debian's packages of sshd and of the registry \
             also start services of\ntheir own (ports 22 and 5000), which no test uses: \
             `systemctl disable --now ssh docker-registry` ends them.\n\n\
             Examples:\n  cargo xtask selftest --install\n  cargo xtask selftest --fast\n  \
             cargo xtask selftest --soak -v",
        )
}

pub(crate) fn run(matches: &ArgMatches, world: World) -> Result<ExitCode> {
    let session = Session::open(matches, world)?;
    let fast = matches.get_flag("fast");
    let soak = matches.get_flag("soak");
    let flow = |cx: &Context| match soak {
        true => flows::soak(cx, &session.root),
        false => flows::selftest(cx, &session.root, fast),
    };
    if matches.contains_id("plan") {
        let pipeline = session.pipeline("selftest", matches, false)?;
        return print_plan(matches, &pipeline, flow);
    }
    let mut installed = Installed::default();
    if matches.get_flag("install") {
        let tools = [preflight::TOOLS, SERVERS, &["strace", "postgresql", BASE_IMAGE]].concat();
        match session.install(matches, &tools)? {
            Ok(done) => installed = done,
            Err(code) => return Ok(code),
        }
    }
    let pipeline = session.pipeline("selftest", matches, true)?;
    let finished = session.guard(pipeline)?.run(flow);
    // An engine that was started for the tests alone ends with them.
    if let Some(engine) = installed.engine() {
        let mut pipeline = session.pipeline("clean up", matches, false)?;
        pipeline.run(|cx| cx.run(engine.stop())).result?;
    }
    if let Ok(report) = &finished.result {
        let sum = |count: fn(&flows::SelftestReport) -> u64| count(report);
        let passed = sum(|report| report.tests.iter().map(|(_, counts)| counts.passed).sum());
        let failed = sum(|report| report.tests.iter().map(|(_, counts)| counts.failed).sum());
        console::print(&format!("{passed} passed, {failed} failed\n"));
    }
    Ok(finished.exit_code)
}
