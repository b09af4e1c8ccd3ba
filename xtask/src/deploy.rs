//! `cargo xtask deploy`.

use clap::{Arg, ArgMatches, Command};
use talia_pipeline::{
    Context, Error, ExitCode, Result, World,
    digest::Digest,
    flows::{Deploy, Deployed, Prospect, deploy_backend, look_ahead, publish::Publish},
    protocol::{ReleaseId, RevisionId, Role},
    steps::registry::DockerConfig,
};

use crate::{
    asking::{who, yes},
    change::{Change, carry_out},
    cli,
    environment::{Target, env},
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
    carry_out(&DeployBackend { target: &target, matches }, &target, matches)
}

struct DeployBackend<'a> {
    target: &'a Target,
    matches: &'a ArgMatches,
}

impl Change for DeployBackend<'_> {
    type Prospect = Prospect;
    /// The commit, its image where there is one, what it replaces.
    type Meant = (RevisionId, Option<Digest>, Option<ReleaseId>);
    type Outcome = Deployed;

    const VERB: &'static str = "deploy";

    fn flow(&self, cx: &Context, looked: &dyn Fn(&Prospect) -> Result<()>) -> Result<Deployed> {
        let session = &self.target.session;
        let order = Deploy {
            publish: Publish {
                root: session.root.clone(),
                backend: session.backend(cx)?,
                settings: &session.settings.backend,
                environment: &self.target.environment,
                state: &session.state,
                revision: cli::text(self.matches, "revision").map(str::to_owned),
                docker: self.target.private.path().join("docker"),
                own_docker: DockerConfig::of_user(&session.world),
            },
            remote: &self.target.remote,
            by: who(&session.world),
            accept_drift: self.matches.get_flag("accept-drift"),
        };
        let prospect = look_ahead(cx, &order)?;
        looked(&prospect)?;
        deploy_backend(cx, &order, &prospect)
    }

    fn meant(prospect: &Prospect) -> Self::Meant {
        let live = prospect.live().map(|live| live.release.clone());
        (prospect.chosen.revision.clone(), prospect.there.clone(), live)
    }

    fn question(&self, prospect: &Prospect) -> String {
        let environment = self.target.remote.environment();
        format!("Release {} to {environment}?", prospect.chosen.revision.short())
    }

    fn told(&self, prospect: &Prospect) -> String {
        told::prospect(prospect)
    }

    fn on_server(prospect: &Prospect) -> Option<&str> {
        prospect.outlook.as_ref().map(|outlook| outlook.text.as_str())
    }

    fn done(&self, deployed: &Deployed, _: &Prospect, seconds: f64) -> String {
        told::deployed(deployed, self.target.remote.environment(), seconds)
    }
}
