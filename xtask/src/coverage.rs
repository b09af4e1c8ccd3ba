//! `cargo xtask coverage`.

use clap::{Arg, ArgMatches, Command};
use talia_pipeline::{
    ExitCode, Result, Step, World, flows, report::console, settings, steps::check::CoverageGate,
};

use crate::{cli, session::Session};

pub(crate) fn command() -> Command {
    Command::new("coverage")
        .about("Read a Cobertura report: totals, the worst files, changed lines")
        .arg(Arg::new("file").value_name("FILE").required(true).help("The coverage.xml"))
        .arg(cli::json())
        .arg(
            Arg::new("diff")
                .long("diff")
                .value_name("BASE")
                .help("Also tell the coverage of the lines that differ from this git revision"),
        )
        .after_help(
            "Examples:\n  \
             cargo xtask coverage coverage.xml\n  \
             cargo xtask coverage coverage.xml --diff origin/main\n  \
             cargo xtask coverage coverage.xml --json",
        )
}

pub(crate) fn run(matches: &ArgMatches, world: World) -> Result<ExitCode> {
    let session = Session::open(matches, world)?;
    let file = session.world.directory().join(cli::text(matches, "file").unwrap_or_default());
    let mut minima = settings::Coverage::default();
    let base = cli::text(matches, "diff");
    if let Some(base) = base {
        base.clone_into(&mut minima.base);
    }
    let root = session.world.directory().to_owned();
    let mut pipeline = session.pipeline("coverage", matches, false)?;
    let finished =
        pipeline.run(|cx| flows::coverage(cx, file.clone(), &root, &minima, base.is_some()));
    let judged = finished.result?;
    if matches.get_flag("json") {
        console::print(&format!("{}\n", judged.to_json()));
        return Ok(finished.exit_code);
    }
    let summary = CoverageGate::report(&file).worst(minima.worst).summary(&judged);
    console::print(&format!("{}\n\n{}", summary.line, summary.details.unwrap_or_default()));
    Ok(finished.exit_code)
}
