//! `cargo xtask deploy landing` and `cargo xtask rollback landing`.

use clap::{Arg, ArgMatches, Command};
use talia_pipeline::{
    Context, Error, ExitCode, Result, World,
    flows::{
        LandingDeploy, LandingDeployed, LandingDryRun, LandingProspect, LandingRollback,
        ToldChange, deploy_landing, diff_landing, landing_source, look_at_landing,
        look_back_at_landing, rollback_landing,
    },
    landing::{ContentHash, Filters, Guards, Overrides, size},
    parse::itemize::Item,
    protocol::{
        EnvironmentName, LandingReleased, LandingTaken, LandingVerified, ReleaseId, RevisionId,
        Role,
    },
    report::console,
    steps::landing::IndexTree,
};

use crate::{
    asking::{who, yes},
    change::{Change, carry_out},
    cli::{self, harmless},
    environment::{Target, env},
    text::{ago, rows},
};

/// The flags that let a guard pass, and what each is for.
const OVERRIDES: [(&str, &str); 9] = [
    ("allow-empty", "Publish a source without any file"),
    ("allow-missing", "Publish a source without a required file"),
    ("allow-large", "Publish files that are too large"),
    ("allow-secrets", "Publish what looks like a secret"),
    ("allow-junk", "Publish what looks like an editor's or a system's leftovers"),
    ("allow-links", "Publish links that leave the source"),
    ("allow-dirty", "Publish what git ignores"),
    ("allow-outside", "Publish a source that is not in the repository"),
    ("allow-unreadable", "Leave out what cannot be read"),
];

/// How many places are named where there is no plan to count them.
const ROWS: usize = 60;

pub(crate) fn deploy_command() -> Command {
    let command = Command::new("landing")
        .about("Make the landing page what its folder is, by a plan")
        .arg(env())
        .arg(cli::plan())
        .arg(yes())
        .arg(cli::flag("accept-drift", "Replace files that were edited on the server"))
        .arg(
            Arg::new("allow-deletions")
                .long("allow-deletions")
                .value_name("N")
                .value_parser(clap::value_parser!(u64))
                .help("Delete or rename up to so many files, however many that are"),
        );
    OVERRIDES
        .into_iter()
        .fold(command, |command, (name, help)| command.arg(cli::flag(name, help)))
        .arg(cli::report())
        .arg(cli::no_color())
        .arg(cli::verbose())
        .after_help(
            "Examples:\n  \
             cargo xtask deploy landing --env sandbox\n  \
             cargo xtask deploy landing --env production --plan   what would change",
        )
}

pub(crate) fn diff_command() -> Command {
    let landing = Command::new("landing")
        .about("Compare every text that a deploy would change with what is live")
        .arg(env())
        .arg(cli::no_color())
        .arg(cli::verbose())
        .after_help("Examples:\n  cargo xtask diff landing --env sandbox");
    Command::new("diff")
        .about("Compare what is here with what is live")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommand(landing)
}

pub(crate) fn rollback_command() -> Command {
    Command::new("landing")
        .about("Publish an earlier release of the landing page again")
        .arg(env())
        .arg(cli::plan())
        .arg(
            Arg::new("to")
                .long("to")
                .value_name("RELEASE")
                .help("Which one; without it the one before the live one"),
        )
        .arg(yes())
        .arg(cli::no_color())
        .arg(cli::verbose())
        .after_help("Examples:\n  cargo xtask rollback landing --env sandbox")
}

pub(crate) fn deploy(matches: &ArgMatches, world: World) -> Result<ExitCode> {
    let target = Target::open(matches, world, Role::Deploy)?;
    let order = LandingDeploy {
        accept_drift: matches.get_flag("accept-drift"),
        ..order(&target, overrides(matches))?
    };
    carry_out(&DeployLanding { order }, &target, matches)
}

struct DeployLanding<'a> {
    order: LandingDeploy<'a>,
}

impl Change for DeployLanding<'_> {
    type Prospect = LandingProspect;
    /// The commit, its files, and what they replace; without an agent, what rsync would do.
    type Meant = (RevisionId, ContentHash, Option<ContentHash>, Option<LandingDryRun>);
    type Outcome = LandingDeployed;

    const VERB: &'static str = "deploy";

    fn flow(
        &self,
        cx: &Context,
        looked: &dyn Fn(&LandingProspect) -> Result<()>,
    ) -> Result<LandingDeployed> {
        let prospect = look_at_landing(cx, &self.order)?;
        looked(&prospect)?;
        deploy_landing(cx, &self.order, &prospect)
    }

    fn meant(prospect: &LandingProspect) -> Self::Meant {
        let there = prospect.index.as_ref().map(|index| index.hash);
        let (revision, dry_run) = (prospect.chosen.revision.clone(), prospect.dry_run.clone());
        (revision, prospect.local.tree.hash(), there, dry_run)
    }

    fn question(&self, prospect: &LandingProspect) -> String {
        let environment = self.order.remote.environment();
        format!("Publish {} on {environment}?", prospect.chosen.revision.short())
    }

    fn told(&self, prospect: &LandingProspect) -> String {
        told(prospect)
    }

    fn done(&self, deployed: &LandingDeployed, prospect: &LandingProspect, seconds: f64) -> String {
        let environment = self.order.remote.environment();
        let short = prospect.chosen.revision.short();
        match &deployed.released {
            Some(released) => published(short, released, environment, seconds),
            None if prospect.is_live() => {
                format!(
                    "\n{short} is what {environment} has already: nothing to do, {seconds:.1} s\n"
                )
            }
            None => format!("\nthe files of {short} are on {environment}, {seconds:.1} s\n"),
        }
    }
}

fn order(target: &Target, overrides: Overrides) -> Result<LandingDeploy<'_>> {
    let session = &target.session;
    let settings = &session.settings.landing;
    let source = landing_source(&session.root, settings)?;
    let filters = Filters::new(settings.filters.iter().cloned());
    let cache = session.state.dir().join("landing.index");
    let known = format!("landing-{}.tree", target.remote.environment());
    Ok(LandingDeploy {
        root: session.root.clone(),
        index: IndexTree::new(&source, filters, session.world.now_ms()).cache(&cache),
        source,
        environment: &target.environment,
        remote: &target.remote,
        by: who(&session.world),
        cache,
        known: session.state.dir().join(known),
        changes: target.private.path().join("landing-changes.json"),
        accept_drift: false,
        guards: Guards { limits: settings.limits.clone(), overrides },
    })
}

/// Compares the source with what is live.
pub(crate) fn diff(matches: &ArgMatches, world: World) -> Result<ExitCode> {
    let Some((_, matches)) = matches.subcommand() else {
        return Err(Error::usage("no command is given"));
    };
    let target = Target::open(matches, world, Role::Deploy)?;
    let order = order(&target, Overrides::default())?;
    let pipeline = target.session.pipeline("diff", matches, false)?;
    let finished = target.session.guard(pipeline)?.run(|cx| diff_landing(cx, &order));
    let (_, files) = finished.result?;
    if files.is_empty() {
        console::print("No file differs from what is live.\n");
    }
    for file in files {
        let lines = file.diff.lines().map(|line| format!("{}\n", harmless(line)));
        console::print(&lines.collect::<String>());
    }
    Ok(ExitCode::Success)
}

fn overrides(matches: &ArgMatches) -> Overrides {
    Overrides {
        deletions: matches.get_one("allow-deletions").copied(),
        empty: matches.get_flag("allow-empty"),
        missing: matches.get_flag("allow-missing"),
        large: matches.get_flag("allow-large"),
        secrets: matches.get_flag("allow-secrets"),
        junk: matches.get_flag("allow-junk"),
        links: matches.get_flag("allow-links"),
        dirty: matches.get_flag("allow-dirty"),
        outside: matches.get_flag("allow-outside"),
        unreadable: matches.get_flag("allow-unreadable"),
    }
}

/// What a deploy begins from, and what it would change.
fn told(prospect: &LandingProspect) -> String {
    let mut lines = Vec::new();
    match &prospect.index {
        Some(index) => {
            lines.push((
                "live",
                match &index.live {
                    Some(live) => {
                        let revision = live.revision.as_ref().map(RevisionId::to_string);
                        format!("{} {}", live.release, revision.unwrap_or_default())
                    }
                    None => "no release".to_owned(),
                },
            ));
            lines.extend(index.drift.iter().map(|drift| ("drift", harmless(&drift.told()))));
            lines.extend(index.notes.iter().map(|note| ("note", harmless(note))));
            if let Some(open) = &index.transaction {
                lines.push(("open", format!("{} by {}", open.id, open.by)));
            }
        }
        None => lines.push(("live", "unknown: the server has no agent".to_owned())),
    }
    lines.push(("next", prospect.chosen.revision.to_string()));
    let counts = &prospect.local.counts;
    lines.push((
        "files",
        format!(
            "{}, {}; {} read now, {} hidden by filters",
            counts.files,
            size(prospect.local.tree.bytes()),
            counts.read_files,
            counts.hidden
        ),
    ));
    lines.extend(prospect.refused.iter().map(|refused| ("refused", harmless(&refused.what))));
    let plan = match (&prospect.plan, &prospect.dry_run) {
        (Some(plan), _) => format!("\n{plan}"),
        (None, Some(dry_run)) => format!("\n{}", would(dry_run)),
        (None, None) => String::new(),
    };
    format!("{}{plan}", rows(&lines))
}

/// What rsync says that it would do, in the marks of a plan.
fn would(dry_run: &LandingDryRun) -> String {
    let row = |(item, change): (&Item, ToldChange)| {
        let mark = match change {
            ToldChange::Deleted => '-',
            ToldChange::Added => '+',
            ToldChange::Changed | ToldChange::Replaced => '~',
        };
        let slash = if item.is_folder() { "/" } else { "" };
        format!("{mark} {}{slash}\n", item.name)
    };
    let changes = dry_run.changes();
    let more = match changes.len().saturating_sub(ROWS) {
        0 => String::new(),
        more => format!("and {more} more\n"),
    };
    changes.take(ROWS).map(row).collect::<String>() + &more
}

fn published(
    short: &str,
    released: &LandingReleased,
    name: &EnvironmentName,
    seconds: f64,
) -> String {
    let mut lines = vec![("  before", before(released.before.as_ref()))];
    lines.push(("  verified", seen(&released.verified)));
    if released.kept_assets > 0 {
        lines.push(("  kept", format!("{} assets of earlier releases", released.kept_assets)));
    }
    let release = &released.live.release;
    format!("\n{short} is live on {name} as {release}, {seconds:.1} s\n{}", rows(&lines))
}

/// What clients get, as the server has asked for it.
fn seen(verified: &LandingVerified) -> String {
    if let Some(reason) = &verified.skipped {
        return harmless(reason);
    }
    let bytes = size(verified.bytes);
    let mut told = format!("{} files, {bytes} as clients get them", verified.files);
    let counts = [
        (verified.gone, "gone"),
        (verified.fallback.len() as u64, "gone and answered by another page"),
        (verified.unasked, "gone and not asked for"),
        (verified.error_pages, "in place of an error"),
        (verified.unverified.len() as u64, "not seen"),
        (verified.hidden.len() as u64, "hidden (dot files)"),
    ];
    // What is gone is told always.
    for (count, what) in counts.into_iter().filter(|(count, what)| *count > 0 || *what == "gone") {
        told.push_str(&format!("; {count} {what}"));
    }
    told
}

fn before(before: Option<&LandingTaken>) -> String {
    before.map_or("nothing".to_owned(), |before| before.release.to_string())
}

pub(crate) fn rollback(matches: &ArgMatches, world: World) -> Result<ExitCode> {
    let to: Option<ReleaseId> = cli::text(matches, "to").map(str::parse).transpose()?;
    let target = Target::open(matches, world, Role::Deploy)?;
    let world = &target.session.world;
    let order = LandingRollback { remote: &target.remote, by: who(world), to };
    carry_out(&RollbackLanding { order, now_ms: world.now_ms() }, &target, matches)
}

struct RollbackLanding<'a> {
    order: LandingRollback<'a>,
    now_ms: u64,
}

impl Change for RollbackLanding<'_> {
    type Prospect = LandingTaken;
    /// What is live.
    type Meant = ReleaseId;
    type Outcome = LandingReleased;

    const VERB: &'static str = "rollback";

    fn flow(
        &self,
        cx: &Context,
        looked: &dyn Fn(&LandingTaken) -> Result<()>,
    ) -> Result<LandingReleased> {
        let live = look_back_at_landing(cx, &self.order)?;
        looked(&live)?;
        rollback_landing(cx, &self.order, &live)
    }

    fn meant(live: &LandingTaken) -> ReleaseId {
        live.release.clone()
    }

    fn question(&self, _: &LandingTaken) -> String {
        format!("Go back on {}?", self.order.remote.environment())
    }

    fn told(&self, live: &LandingTaken) -> String {
        let to = self.order.to.as_ref().map_or("the one before".to_owned(), ToString::to_string);
        let since = ago(self.now_ms, live.at_ms);
        rows(&[("live", format!("{}, {since}", live.release)), ("next", to)])
    }

    fn done(&self, released: &LandingReleased, _: &LandingTaken, seconds: f64) -> String {
        let revision = released.live.revision.as_ref();
        let what = revision.map_or("what was there first", RevisionId::short);
        published(what, released, self.order.remote.environment(), seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verified(text: &str) -> String {
        seen(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn what_was_seen_is_told_in_one_line() {
        assert_eq!(
            verified(r#"{"files":2,"bytes":4500}"#),
            "2 files, 4.5 kB as clients get them; 0 gone"
        );
        assert_eq!(
            verified(
                r#"{"files":2,"bytes":4500,"gone":3,"unasked":4,"fallback":["a","b"],
                "hidden":[".htaccess"],"error_pages":1,"unverified":["50x.html"]}"#
            ),
            "2 files, 4.5 kB as clients get them; 3 gone; 2 gone and answered by another page; 4 \
             gone and not asked for; 1 in place of an error; 1 not seen; 1 hidden (dot files)"
        );
        assert_eq!(verified(r#"{"files":0,"bytes":0,"skipped":"no host"}"#), "no host");
    }
}
