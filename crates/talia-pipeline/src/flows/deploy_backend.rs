//! From a commit to a release that is live.

#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::Serialize;

use crate::{
    context::Context,
    digest::Digest,
    error::{Error, ErrorKind, Result},
    protocol::{
        Outlook, Refusal, ReleaseId, Released, Request, RevisionId, ServerState, Taken, Who,
    },
    steps::{
        git::{
            Ancestor,
            commits::{Commit, CommitsBetween},
        },
        registry::{CopiesExactly, ImageTag, MoveTag},
    },
};

use super::{
    Remote,
    commit::{Chosen, refuse_older},
    publish::{Publish, Registry, Tagged, build, choose, find, log_in},
    remote::run_id,
    server::LATEST_WITHIN,
};

/// How long after a release its move of `latest` may still begin.
const MOVE_BEGINS_WITHIN: Duration = Duration::from_secs(8);

// It is over before the server stops to hold its lock for it: nobody else is released yet.
const _: () = {
    let over = MOVE_BEGINS_WITHIN.as_secs() + MoveTag::WITHIN.as_secs();
    assert!(over < LATEST_WITHIN.as_secs());
};

/// What is to be deployed, and where.
#[derive(Debug, Clone)]
pub struct Deploy<'a> {
    /// The image, and which environment it is for.
    pub publish: Publish<'a>,
    /// The environment's server.
    pub remote: &'a Remote,
    /// Who asks.
    pub by: Who,
    /// Whether files that were edited on the server are taken as they are.
    pub accept_drift: bool,
}

/// What a deploy begins from. Nothing is changed to find it out.
#[derive(Debug, Clone, Serialize)]
pub struct Prospect {
    /// The commit that is meant.
    pub chosen: Chosen,
    /// The way into the registry.
    #[serde(skip)]
    pub registry: Registry,
    /// Its image, where the registry has it.
    pub there: Option<Digest>,
    /// What the server says; `None` where it has no agent.
    pub outlook: Option<Outlook>,
    /// What the commit has and the live one has not, newest first; `None` where nothing
    /// is live, or the live one is not in this clone.
    pub commits: Option<Vec<Commit>>,
}

/// What became of the tag `latest`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Latest {
    /// Nothing: this environment does not move it.
    NotOurs,
    /// It names the image already.
    Already,
    /// It names the image now.
    Moved,
    /// It names something else, for this reason.
    Stays(String),
}

/// How a deploy has ended.
#[derive(Debug, Clone)]
pub struct Deployed {
    /// The commit.
    pub revision: RevisionId,
    /// Its image.
    pub digest: Digest,
    /// Whether it was built for this.
    pub built: bool,
    /// What the agent answered; `None` where the server has none.
    pub released: Option<Released>,
    /// What became of `latest`.
    pub latest: Latest,
}

impl Prospect {
    /// What is live.
    pub fn live(&self) -> Option<&Taken> {
        self.outlook.as_ref()?.state.live.as_ref()
    }
}

/// Finds out what a deploy begins from: the commit, what the registry has of it, what
/// the server says to it. The first part of every deploy.
///
/// # Errors
/// When the commit may not go there, or when the registry or the server does not
/// answer.
pub fn look_ahead(cx: &Context, order: &Deploy<'_>) -> Result<Prospect> {
    order.remote.open(cx)?;
    let chosen = choose(cx, &order.publish)?;
    let registry = log_in(cx, &order.publish)?;
    let there = find(cx, &chosen, &registry)?;
    let (mut outlook, mut commits) = (None, None);
    if order.remote.has_agent() {
        let (digest, revision) = (there.clone(), chosen.revision.clone());
        let told = order.remote.plan(cx, digest, revision, order.accept_drift)?;
        if let Some(live) = &told.state.live {
            let (from, to) = (live.revision.commit(), chosen.revision.commit());
            commits = cx.probe(CommitsBetween::new(&order.publish.root, from, to))?;
        }
        outlook = Some(told);
    }
    Ok(Prospect { chosen, registry, there, outlook, commits })
}

/// Brings a commit to its server: builds and pushes its image where the registry does
/// not have it, has the agent release it, and moves `latest` while the agent still
/// holds the lock. Nothing is done where it is live already, and well.
///
/// # Errors
/// Refused when the commit is older than what is live, or when the server would refuse
/// it; whatever a step gives. A failed release has been taken back by the agent.
pub fn deploy_backend(cx: &Context, order: &Deploy<'_>, prospect: &Prospect) -> Result<Deployed> {
    let revision = &prospect.chosen.revision;
    let Some(outlook) = &prospect.outlook else { return by_script(cx, order, prospect) };
    let live = prospect.live();
    if let Some(live) = live {
        let back = format!("rollback backend --env {}", order.remote.environment());
        let is_kept = order.publish.environment.branch.is_some();
        refuse_older(cx, &order.publish.root, &live.revision, revision, is_kept, &back)?;
    }
    refuse(order.remote, &outlook.state, &outlook.refused)?;
    let (digest, built) = image(cx, order, prospect)?;
    let request = Request::Release {
        digest: digest.clone(),
        revision: revision.clone(),
        after: live.map(|live| live.revision.clone()),
        by: order.by.clone(),
        run: Some(run_id(cx)),
        accept_drift: order.accept_drift,
    };
    let hoped = hoped(order, prospect, &digest);
    let released: Released = order.remote.run(cx, request, hoped)?;
    let too_late = cx.elapsed() + MOVE_BEGINS_WITHIN;
    // It is live: what belongs to it is not left half done.
    let latest = cx.sheltered(|cx| {
        if !released.waits_for_latest {
            return Ok(Latest::NotOurs);
        }
        let (registry, chosen) = (&prospect.registry, &prospect.chosen);
        let latest = move_latest(cx, order, registry, chosen, &digest, Some(too_late))
            .unwrap_or_else(|error| {
                cx.note(format!("`latest` was not moved, the next deploy does it: {error}"));
                Latest::Stays(error.to_string())
            });
        if let Err(error) = order.remote.latest_moved(cx, &released.live.release) {
            cx.note(format!("the server frees its lock by itself within half a minute: {error}"));
        }
        Ok(latest)
    })?;
    let revision = revision.clone();
    Ok(Deployed { revision, digest, built, released: Some(released), latest })
}

fn image(cx: &Context, order: &Deploy<'_>, prospect: &Prospect) -> Result<(Digest, bool)> {
    match &prospect.there {
        Some(digest) => Ok((digest.clone(), false)),
        None => {
            let (chosen, registry) = (&prospect.chosen, &prospect.registry);
            Ok((build(cx, &order.publish, chosen, registry)?, true))
        }
    }
}

/// The literal way, for a server without an agent: what `latest` names is run.
fn by_script(cx: &Context, order: &Deploy<'_>, prospect: &Prospect) -> Result<Deployed> {
    cx.note(
        "this server has no agent: clients see a gap, nobody waits for the new version to be \
         healthy, nothing is backed up or taken back, and there is no rollback",
    );
    let (chosen, registry) = (&prospect.chosen, &prospect.registry);
    let refused = |reason: &str| {
        Error::refused(format!("the server runs what `latest` names: {reason}"))
            .hint("name that commit or a later one with `--revision`")
    };
    let now = registry.tagged(cx, &ImageTag::latest())?;
    if let Some(reason) = keeps_latest(cx, order, chosen, now.as_ref())? {
        return Err(refused(&reason));
    }
    let (digest, built) = image(cx, order, prospect)?;
    let latest = move_latest(cx, order, registry, chosen, &digest, None)?;
    if let Latest::Stays(reason) = &latest {
        return Err(refused(reason));
    }
    order.remote.script(cx, "deploy")?;
    Ok(Deployed { revision: chosen.revision.clone(), digest, built, released: None, latest })
}

/// Refuses what the server would refuse, before anything is done for it.
pub(super) fn refuse(remote: &Remote, state: &ServerState, refused: &[Refusal]) -> Result<()> {
    if let Some(holder) = &state.lock {
        return Err(Error::refused(format!(
            "{} works on this server: {} (process {}, run {})",
            holder.by, holder.doing, holder.pid, holder.run
        ))
        .hint(remote.addressed(&holder.advice())));
    }
    let refusals = refused.iter().map(|refusal| {
        let kind = ErrorKind::of_exit_code(refusal.exit_code);
        let error = Error::new(kind, format!("the server says: {}", refusal.message));
        match &refusal.hint {
            Some(hint) => error.hint(remote.addressed(hint)),
            None => error,
        }
    });
    let refusals: Vec<Error> = refusals.collect();
    if refusals.is_empty() { Ok(()) } else { Err(Error::all(refusals)) }
}

/// Points `latest` at the image, never back in the history of git; nothing where it is
/// too late by the time its registry has said what it is at.
fn move_latest(
    cx: &Context,
    order: &Deploy<'_>,
    registry: &Registry,
    chosen: &Chosen,
    digest: &Digest,
    too_late: Option<Duration>,
) -> Result<Latest> {
    let latest = ImageTag::latest();
    let now = registry.tagged_now(cx, &latest)?;
    if now.as_ref().is_some_and(|now| now.manifest.is_or_lists(digest)) {
        return Ok(Latest::Already);
    }
    if let Some(reason) = keeps_latest(cx, order, chosen, now.as_ref())? {
        cx.note(format!("`latest` stays: {reason}"));
        return Ok(Latest::Stays(reason));
    }
    let exactly = cx.observe(CopiesExactly)?;
    if too_late.is_some_and(|too_late| cx.elapsed() > too_late) {
        return Err(Error::step("the registry took too long to say what it is at"));
    }
    let step = MoveTag::new(&registry.repository, latest, digest.clone()).exactly(exactly);
    cx.run(registry.with_login(step, MoveTag::config, MoveTag::credential))?;
    Ok(Latest::Moved)
}

/// Why `latest`, which is at `now`, may not name this commit, if it may not.
fn keeps_latest(
    cx: &Context,
    order: &Deploy<'_>,
    chosen: &Chosen,
    now: Option<&Tagged>,
) -> Result<Option<String>> {
    let Some(before) = now.and_then(|now| now.revision.as_ref()) else { return Ok(None) };
    let (root, revision) = (&order.publish.root, chosen.revision.commit());
    match cx.observe(Ancestor::new(root, before.commit(), revision)) {
        Ok(true) => Ok(None),
        Ok(false) => Ok(Some(format!("it names {}, which is not older", before.short()))),
        Err(error) if error.kind() == ErrorKind::Usage => {
            let short = before.short();
            Ok(Some(format!("it names {short}, which this clone does not have: `git fetch` it")))
        }
        Err(error) => Err(error),
    }
}

/// The answer that a plan goes on with.
fn hoped(order: &Deploy<'_>, prospect: &Prospect, digest: &Digest) -> Released {
    let live = Taken {
        release: ReleaseId::planned(),
        revision: prospect.chosen.revision.clone(),
        digest: digest.clone(),
        slot: None,
        at_ms: 0,
        by: order.by.clone(),
    };
    let waits_for_latest = order.publish.environment.server.moves_latest;
    let before = prospect.live().cloned();
    Released { live, before, unchanged: false, waits_for_latest }
}
