//! The command line itself, and what every subcommand shares of it.

use clap::{Arg, ArgAction, ArgMatches, Command, error::ErrorKind, value_parser};
use talia_pipeline::{
    Error, ExitCode, Failure, Result, World,
    parse::terminal::{Colours, terminal_safe},
    report::console,
};

/// Runs the command that `argv` names.
pub(crate) fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            console::print_error(&describe(&error));
            error.exit_code()
        }
    }
}

fn run() -> Result<ExitCode> {
    let matches = match command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => {
            let text = error.render().to_string();
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            if asked {
                console::print(&text);
            } else {
                console::print_error(&text);
            }
            return Ok(if asked { ExitCode::Success } else { ExitCode::Usage });
        }
    };
    let world = World::real()?;
    match matches.subcommand() {
        Some(("backup", matches)) => crate::backup::run(matches, world),
        Some(("backups", matches)) => crate::backups::run(matches, world),
        Some(("cancel", matches)) => crate::cancel::run(matches, world),
        Some(("ci", matches)) => crate::ci::run(matches, world),
        Some(("coverage", matches)) => crate::coverage::run(matches, world),
        Some(("deploy", matches)) => crate::deploy::run(matches, world),
        Some(("diff", matches)) => crate::landing::diff(matches, world),
        Some(("doctor", matches)) => crate::doctor::run(matches, world),
        Some(("down", matches)) => crate::up::down(matches, world),
        Some(("drill", matches)) => crate::backup::drill(matches, world),
        Some(("logs", matches)) => crate::logs::run(matches, world),
        Some(("maintenance", matches)) => crate::maintenance::run(matches, world),
        Some(("releases", matches)) => crate::releases::run(matches, world),
        Some(("restore", matches)) => crate::restore::run(matches, world),
        Some(("rollback", matches)) => crate::rollback::run(matches, world),
        Some(("sandbox", matches)) => crate::sandbox::run(matches, world),
        Some(("selftest", matches)) => crate::selftest::run(matches, world),
        Some(("server", matches)) => crate::server::run(matches, world),
        Some(("status", matches)) => crate::status::run(matches, world),
        Some(("unlock", matches)) => crate::unlock::run(matches, world),
        Some(("up", matches)) => crate::up::run(matches, world),
        _ => Err(Error::usage("no command is given").hint("`cargo xtask --help` lists them")),
    }
}

/// The whole command line.
fn command() -> Command {
    Command::new("cargo xtask")
        .bin_name("cargo xtask")
        .about("Checks, builds and ships the Talia backend and its landing page.")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .after_help(
            "Exit codes:\n  \
             0 ok · 1 a step failed · 2 usage or settings · 3 something needed is missing\n  \
             4 refused by a guard · 5 state unknown · 130 interrupted\n\n\
             Start with:\n  cargo xtask ci --install",
        )
        .subcommand(crate::ci::command())
        .subcommand(crate::doctor::command())
        .subcommand(crate::coverage::command())
        .subcommand(crate::up::command())
        .subcommand(crate::up::down_command())
        .subcommand(crate::deploy::command())
        .subcommand(crate::landing::diff_command())
        .subcommand(crate::rollback::command())
        .subcommand(crate::sandbox::command())
        .subcommand(crate::status::command())
        .subcommand(crate::releases::command())
        .subcommand(crate::logs::command())
        .subcommand(crate::cancel::command())
        .subcommand(crate::unlock::command())
        .subcommand(crate::maintenance::command())
        .subcommand(crate::backups::command())
        .subcommand(crate::backup::command())
        .subcommand(crate::backup::drill_command())
        .subcommand(crate::restore::command())
        .subcommand(crate::server::command())
        .subcommand(crate::selftest::command())
}

/// An error for people, with what to do next.
pub(crate) fn describe(error: &Error) -> String {
    let mut text = String::new();
    for failure in error.failures() {
        let told = Failure::from(failure);
        text.push_str(&format!("error: {}\n", harmless(&told.message)));
        for line in &told.last_lines {
            text.push_str(&format!("  | {}\n", harmless(line)));
        }
        if let Some(hint) = told.hint {
            text.push_str(&format!("hint: {hint}\n"));
        }
    }
    text
}

/// What programs have said, so that it cannot move the cursor.
pub(crate) fn harmless(text: &str) -> String {
    terminal_safe(text.as_bytes(), Colours::Drop, 2000).into_owned()
}

/// `--root DIR`.
pub(crate) fn root() -> Arg {
    Arg::new("root")
        .long("root")
        .value_name("DIR")
        .value_parser(value_parser!(String))
        .help("Another project's folder; without a settings file everything is detected")
}

/// `--report FILE`.
pub(crate) fn report() -> Arg {
    Arg::new("report")
        .long("report")
        .value_name("FILE")
        .help("Write every event to a file, one JSON object a line")
}

/// `--install`.
pub(crate) fn install() -> Arg {
    flag(
        "install",
        "Bring in what is missing first: Debian and Ubuntu; elsewhere the commands are shown",
    )
}

/// `--no-color`.
pub(crate) fn no_color() -> Arg {
    flag("no-color", "No colour and no live view; NO_COLOR=1 does the same")
}

/// `-v`.
pub(crate) fn verbose() -> Arg {
    flag("verbose", "Show every command and all that it says").short('v')
}

/// `--json`.
pub(crate) fn json() -> Arg {
    flag("json", "Print one JSON object")
}

/// `--plan[=json]`.
pub(crate) fn plan() -> Arg {
    Arg::new("plan")
        .long("plan")
        .value_name("FORMAT")
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("text")
        .value_parser(["text", "json"])
        .help("Show what would run and change nothing")
}

/// A flag without a value.
pub(crate) fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

/// A number of at least 1.
pub(crate) fn number(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name(value)
        .value_parser(value_parser!(u32).range(1..=1_000_000))
        // So that the message about `-1` names this argument.
        .allow_negative_numbers(true)
        .help(help)
}

/// The text of an argument that may be left out.
pub(crate) fn text<'a>(matches: &'a ArgMatches, name: &str) -> Option<&'a str> {
    matches.get_one::<String>(name).map(String::as_str)
}
