//! `cargo xtask rollback`.

use clap::{Arg, ArgMatches, Command};
use talia_pipeline::{
    Context, Error, ExitCode, Result, World,
    flows::{Rollback, look_back, rollback_backend},
    protocol::{Accepted, BackOutlook, ReleaseId, Released, Role},
};

use crate::{
    asking::{who, yes},
    change::{Change, carry_out},
    cli,
    environment::{Target, env},
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
                .arg(cli::flag(
                    "accept-no-backup",
                    "Go back without a backup of the database, where none can be made",
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
    let order = Rollback {
        remote: &target.remote,
        by: who(&target.session.world),
        to,
        accepted: Accepted {
            schema: matches.get_flag("accept-schema"),
            no_backup: matches.get_flag("accept-no-backup"),
        },
    };
    carry_out(&RollbackBackend { order }, &target, matches)
}

struct RollbackBackend<'a> {
    order: Rollback<'a>,
}

impl Change for RollbackBackend<'_> {
    type Prospect = BackOutlook;
    /// What is live, and what would be instead.
    type Meant = (Option<ReleaseId>, Option<ReleaseId>);
    type Outcome = Released;

    const VERB: &'static str = "rollback";

    fn flow(&self, cx: &Context, looked: &dyn Fn(&BackOutlook) -> Result<()>) -> Result<Released> {
        let outlook = look_back(cx, &self.order)?;
        looked(&outlook)?;
        rollback_backend(cx, &self.order, &outlook)
    }

    fn meant(outlook: &BackOutlook) -> Self::Meant {
        let live = outlook.state.live.as_ref().map(|live| live.release.clone());
        (live, outlook.to.as_ref().map(|to| to.release.release.clone()))
    }

    fn question(&self, _: &BackOutlook) -> String {
        format!("Go back on {}?", self.order.remote.environment())
    }

    fn told(&self, outlook: &BackOutlook) -> String {
        told::back_outlook(outlook)
    }

    fn on_server(outlook: &BackOutlook) -> Option<&str> {
        Some(&outlook.text)
    }

    fn done(&self, released: &Released, _: &BackOutlook, seconds: f64) -> String {
        told::rolled_back(released, self.order.remote.environment(), seconds)
    }
}
