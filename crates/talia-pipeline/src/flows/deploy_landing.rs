//! From a folder in git to a landing page that clients get.

#[cfg(test)]
mod tests;
mod without_agent;

pub use without_agent::{LandingDryRun, ToldChange};

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use crate::{
    context::Context,
    error::{Error, Result},
    landing::{
        Amount, Change, ContentHash, Deletions, Entry, Facts, Filters, Guards, LandingStrategy,
        LocalIndex, Refused, RsyncPlan, Tree, TreeChanges, TreePath,
    },
    parse::{
        git_status::{FileState, StatusEntry},
        itemize::Notice,
    },
    protocol::{LandingIndex, LandingReleased, LandingRequest, LandingTaken, ReleaseId, Who},
    settings::{Environment, Landing},
    step::Step,
    steps::{
        git::{RepositoryRoot, Uncommitted, WorkingTree},
        landing::{IndexTree, KeepIndex, KeepTree, KnownHash, KnownTree, Rsync, WriteChanges},
    },
};

use super::{
    Remote,
    commit::{Chosen, Wish, refuse_older},
};
use without_agent::without_agent;

/// What is to be published, and where.
#[derive(Debug, Clone)]
pub struct LandingDeploy<'a> {
    /// The folder that holds `infra/`.
    pub root: Utf8PathBuf,
    /// The folder that is published.
    pub source: Utf8PathBuf,
    /// The same, with what of it is not published and where its index is kept. Made once:
    /// it knows what it has read when the flow runs for the second time.
    pub index: IndexTree,
    /// Where it goes.
    pub environment: &'a Environment,
    /// The environment's server.
    pub remote: &'a Remote,
    /// Who asks.
    pub by: Who,
    /// Where the index is kept.
    pub cache: Utf8PathBuf,
    /// Where what this environment publishes is kept, so that its server need not tell it.
    pub known: Utf8PathBuf,
    /// A file of this run's own, for what the server is told.
    pub changes: Utf8PathBuf,
    /// Whether files that were edited on the server may be replaced.
    pub accept_drift: bool,
    /// What is refused.
    pub guards: Guards,
}

/// What a deploy of the landing page begins from. Nothing is changed to find it out.
#[derive(Debug, Clone, Serialize)]
pub struct LandingProspect {
    /// The commit that is meant.
    pub chosen: Chosen,
    /// What the guards refuse.
    pub refused: Vec<Refused>,
    /// The source, as it is here.
    #[serde(skip)]
    pub local: LocalIndex,
    /// The hash of the tree that [`LandingDeploy::known`] has.
    #[serde(skip)]
    pub known: Option<ContentHash>,
    /// What stands on the server; `None` where it has no agent.
    #[serde(skip)]
    pub index: Option<LandingIndex>,
    /// What is to be done; `None` where the server has no agent.
    pub plan: Option<RsyncPlan>,
    /// What rsync says that it would do, where the server has no agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<LandingDryRun>,
}

impl LandingProspect {
    /// Whether clients get all of it already.
    pub fn is_live(&self) -> bool {
        match (&self.index, &self.plan, &self.dry_run) {
            (Some(index), Some(plan), _) => {
                // Of a release that did not end all files may be there, and nobody knows
                // whether clients get them. Edits by hand that are in git now are drift.
                let is_it = |live: &LandingTaken| {
                    live.tree == plan.result().hash() || !index.drift.is_empty()
                };
                let is_live = index.live.as_ref().is_some_and(is_it);
                is_live && index.unfinished.is_none() && plan.is_empty()
            }
            (.., Some(dry_run)) => dry_run.is_empty(),
            _ => false,
        }
    }
}

/// How many files would go from their places: of a renamed one nobody finds the old URL.
/// A hashed asset that is served on has not gone.
fn deletions(plan: &RsyncPlan, index: &LandingIndex) -> Deletions {
    let count = |amount: &Amount| amount.files + amount.links;
    let is_asset = |(path, change): &(&TreePath, &Change)| match change {
        Change::Deleted { before: Entry::File { .. } } => path.is_hashed(),
        Change::Renamed { from, .. } => from.is_hashed(),
        _ => false,
    };
    let served_on = match index.keeps_assets {
        true => plan.changes().filter(is_asset).count() as u64,
        false => 0,
    };
    let totals = plan.totals();
    let gone = [&totals.deleted, &totals.replaced, &totals.renamed];
    let deleted = gone.into_iter().map(count).sum::<u64>() - served_on;
    let stays = [&totals.changed, &totals.mode_changed, &totals.link_changed];
    let of =
        deleted + served_on + stays.into_iter().chain([&totals.unchanged]).map(count).sum::<u64>();
    Deletions { deleted, of }
}

/// Finds out what a deploy begins from: the commit, the source, what the server has. The
/// first part of every deploy; it reads no file that is as it was.
///
/// # Errors
/// When the commit may not go there, when the source cannot be read, or when the server
/// does not answer.
pub fn look_at_landing(cx: &Context, order: &LandingDeploy<'_>) -> Result<LandingProspect> {
    let mut local = order.remote.open_beside(cx, order.index.clone())?;
    if order.guards.overrides.unreadable {
        let left_out;
        (local, left_out) = local.without_unreadable();
        if !left_out.is_empty() {
            cx.note(format!("left out, because it cannot be read: {left_out}"));
        }
    }
    let repository = cx.observe(RepositoryRoot::new(&order.root))?;
    if let Some(refused) = order.guards.outside(&local, &repository) {
        return Err(refused.into());
    }
    let is_outside = !local.is_in(&repository);
    let known = match order.remote.has_agent() {
        true => cx.observe_once(KnownHash::new(&order.known))?,
        false => None,
    };
    let branch = order.environment.branch.as_deref();
    let (mut index, uncommitted, differs) = match branch {
        _ if is_outside => {
            cx.note(
                "the source is not in the repository: what is published is marked as no commit's",
            );
            // Git has nothing to tell of it.
            let ask = RepositoryRoot::new(&order.root);
            (beside_index(cx, order, known, &local, ask)?.0, Vec::new(), false)
        }
        Some(_) => {
            let ask = Uncommitted::new(&repository, local.source.as_str());
            let (index, uncommitted) = beside_index(cx, order, known, &local, ask)?;
            let is_known = |entry: &StatusEntry| entry.state != FileState::Ignored;
            let differs = uncommitted.iter().any(is_known);
            (index, uncommitted, differs)
        }
        None => {
            let ask = WorkingTree::new(&order.source);
            let (index, differs) = beside_index(cx, order, known, &local, ask)?;
            (index, Vec::new(), differs)
        }
    };
    let wish = Wish::new(&order.root, &order.source).branch(branch).differs(differs);
    let mut chosen = wish.choose(cx)?;
    if is_outside {
        chosen.revision = chosen.revision.dirty();
    }
    let refused = |deletions| {
        let (index, repository) = (&local, repository.as_path());
        order.guards.refusals(&Facts { index, repository, uncommitted: &uncommitted, deletions })
    };
    let Some(index) = &mut index else {
        let dry_run = LandingDryRun::ask(cx, order, &local)?;
        let refused = refused(dry_run.deletions(&local));
        return Ok(LandingProspect {
            refused,
            chosen,
            local,
            known,
            index: None,
            plan: None,
            dry_run: Some(dry_run),
        });
    };
    if index.tree.is_none() && index.hash != local.tree.hash() {
        let known = KnownTree::new(&order.known, index.hash, &local.tree);
        index.tree = Some(cx.observe_once(known)?);
    }
    let plan = plan(index, &local)?;
    let refused = refused(deletions(&plan, index));
    Ok(LandingProspect {
        refused,
        chosen,
        local,
        known,
        index: Some(index.clone()),
        plan: Some(plan),
        dry_run: None,
    })
}

/// What is published, and meanwhile what git says of the source; the one alone where nobody
/// tells the other.
fn beside_index<S>(
    cx: &Context,
    order: &LandingDeploy<'_>,
    known: Option<ContentHash>,
    local: &LocalIndex,
    git: S,
) -> Result<(Option<LandingIndex>, S::Output)>
where
    S: Step<Output: Clone + 'static>,
{
    if !order.remote.has_agent() {
        return Ok((None, cx.observe_once(git)?));
    }
    let known = known.or_else(|| Some(local.tree.hash()));
    let (index, said) = order.remote.landing_index_beside(cx, known, git)?;
    Ok((Some(index), said))
}

fn plan(index: &LandingIndex, local: &LocalIndex) -> Result<RsyncPlan> {
    let (there, filters) = (there(index, local), filters(index, local));
    match index.strategy {
        LandingStrategy::InPlace => {
            let LandingIndex { protected, standing, .. } = index;
            RsyncPlan::beside(there, &local.tree, &filters, protected, standing)
        }
        LandingStrategy::Release => RsyncPlan::filtered(there, &local.tree, &filters),
    }
}

/// How a deploy of the landing page has ended.
#[derive(Debug, Clone)]
pub struct LandingDeployed {
    /// What the agent answered; `None` where nothing was to be done, or nobody answers.
    pub released: Option<LandingReleased>,
}

/// Makes the landing page what the source is: opens a transaction on the server, has rsync
/// bring the files to where no client gets them, compares what it reports with the plan,
/// and has the agent publish them. Nothing is done where all of it is live already.
///
/// # Errors
/// Refused when the commit is older than what is live, or edited files would be lost;
/// whatever a step gives. Until the agent has published it, clients get what they had.
pub fn deploy_landing(
    cx: &Context,
    order: &LandingDeploy<'_>,
    prospect: &LandingProspect,
) -> Result<LandingDeployed> {
    if !prospect.refused.is_empty() {
        return Err(Error::all(prospect.refused.iter().cloned().map(Error::from).collect()));
    }
    let (Some(index), Some(plan)) = (&prospect.index, &prospect.plan) else {
        return without_agent(cx, order, prospect);
    };
    let live = index.live.as_ref();
    if let Some(revision) = live.and_then(|live| live.revision.as_ref()) {
        let back = format!("rollback landing --env {}", order.remote.environment());
        let is_kept = order.environment.branch.is_some();
        let to = &prospect.chosen.revision;
        refuse_older(cx, &order.root, revision, to, is_kept, &back)?;
    }
    if prospect.is_live() {
        keep(cx, order, prospect)?;
        return Ok(LandingDeployed { released: None });
    }
    refuse_drift(order, index)?;
    // What is kept proves itself, however the release ends.
    let publish = |cx: &Context| publish(cx, order, prospect, index, plan);
    let (released, ()) = cx.join(publish, |cx| keep(cx, order, prospect))?;
    Ok(LandingDeployed { released: Some(released) })
}

/// Opens a transaction, fills it, and has it published.
fn publish(
    cx: &Context,
    order: &LandingDeploy<'_>,
    prospect: &LandingProspect,
    index: &LandingIndex,
    plan: &RsyncPlan,
) -> Result<LandingReleased> {
    let changes = TreeChanges::between(there(index, &prospect.local), plan.result());
    cx.run(WriteChanges::new(&order.changes, changes))?;
    let begin = LandingRequest::Begin {
        tree: plan.result().hash(),
        revision: prospect.chosen.revision.clone(),
        after: index.live.as_ref().map(|live| live.release.clone()),
        by: order.by.clone(),
        accept_drift: order.accept_drift,
    };
    let begun = order.remote.landing_begin(cx, begin, &order.changes, index.strategy)?;
    let transaction = &begun.transaction;
    if let Err(error) = bring(cx, order, &prospect.local, index, plan) {
        if let Err(second) = order.remote.landing_abort(cx, transaction) {
            cx.note(format!("the server forgets what was begun by itself: {second}"));
        }
        return Err(error);
    }
    let (revision, by) = (prospect.chosen.revision.clone(), order.by.clone());
    let hoped = LandingReleased::planned(plan.result().hash(), revision, by);
    order.remote.landing_commit(cx, transaction, hoped)
}

/// What the source says, and what is the server's own.
fn filters(index: &LandingIndex, local: &LocalIndex) -> Filters {
    local.filters.clone().with_protected(&index.protected)
}

fn there<'a>(index: &'a LandingIndex, local: &'a LocalIndex) -> &'a Tree {
    index.tree.as_ref().unwrap_or(&local.tree)
}

/// Has rsync bring the files, and compares what it reports with the plan.
fn bring(
    cx: &Context,
    order: &LandingDeploy<'_>,
    local: &LocalIndex,
    index: &LandingIndex,
    plan: &RsyncPlan,
) -> Result<()> {
    let all = || filters(index, local).rsync_arguments();
    let arguments = plan.narrow_arguments().unwrap_or_else(all);
    let rsync = Rsync::new(order.remote.connection(), &local.source);
    let rsync = rsync.filters(arguments).planned(plan);
    let report = cx.run(match index.strategy {
        LandingStrategy::InPlace => rsync.in_place(),
        LandingStrategy::Release => rsync,
    })?;
    for notice in report.notices() {
        if let Notice::Other(text) = notice {
            cx.note(format!("rsync says: {text}"));
        }
    }
    Ok(())
}

/// Refuses to replace what was edited on the server, unless that is wanted.
fn refuse_drift(order: &LandingDeploy<'_>, index: &LandingIndex) -> Result<()> {
    if order.accept_drift || index.drift.is_empty() {
        return Ok(());
    }
    let told: Vec<String> = index.drift.iter().take(10).map(|drift| drift.told()).collect();
    let more = match index.drift.len() - told.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let lost = match index.strategy {
        LandingStrategy::Release => "the release with them is kept on the server",
        LandingStrategy::InPlace => "they are lost then",
    };
    Err(Error::refused(format!("{}{more}", told.join(", "))).hint(format!(
        "bring those edits into git first, or replace them: `--accept-drift`; {lost}"
    )))
}

/// The next deploy reads no file again, and knows what is published by then.
fn keep(cx: &Context, order: &LandingDeploy<'_>, prospect: &LandingProspect) -> Result<()> {
    if prospect.local.cache.is_some() {
        cx.run(KeepIndex::new(&order.cache, &prospect.local))?;
    }
    match &prospect.plan {
        Some(plan) if prospect.known != Some(plan.result().hash()) => {
            cx.run(KeepTree::new(&order.known, plan.result()))
        }
        _ => Ok(()),
    }
}

/// Where to go back to, and on which server.
#[derive(Debug, Clone)]
pub struct LandingRollback<'a> {
    /// The environment's server.
    pub remote: &'a Remote,
    /// Who asks.
    pub by: Who,
    /// The release; without it, the one before the live one.
    pub to: Option<ReleaseId>,
}

/// What is live before a rollback of the landing page. Its first part.
///
/// # Errors
/// Refused where the server has no agent, or where no release is live.
pub fn look_back_at_landing(cx: &Context, order: &LandingRollback<'_>) -> Result<LandingTaken> {
    if !order.remote.has_agent() {
        return Err(Error::refused("a server without an agent keeps no releases to go back to")
            .hint("revert the commit, and deploy that"));
    }
    order.remote.open(cx)?;
    let kept = order.remote.landing_releases(cx)?;
    let live = kept.into_iter().find(|release| release.is_live);
    live.map(|release| release.taken)
        .ok_or_else(|| Error::refused("no release is live there, so there is none to go back from"))
}

/// Has the agent publish an earlier release of the landing page again.
///
/// # Errors
/// What the agent says.
pub fn rollback_landing(
    cx: &Context,
    order: &LandingRollback<'_>,
    live: &LandingTaken,
) -> Result<LandingReleased> {
    let mut hoped = live.clone();
    hoped.release = ReleaseId::planned();
    hoped.by = order.by.clone();
    let (to, from) = (order.to.clone(), live.release.clone());
    order.remote.landing_rollback(cx, to, from, order.by.clone(), LandingReleased::new(hoped))
}

/// The folder that settings name, below the one that holds `infra/`.
///
/// # Errors
/// A usage error when they name none.
pub fn landing_source(root: &Utf8Path, settings: &Landing) -> Result<Utf8PathBuf> {
    settings.source.as_ref().map(|source| root.join(source)).ok_or_else(|| {
        Error::usage("the settings name no landing page")
            .hint("set `source` in [landing]: the folder that is published")
    })
}
