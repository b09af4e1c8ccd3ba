//! Back to a release that was good.

use crate::{
    context::Context,
    digest::Digest,
    error::{Error, Result},
    protocol::{Accepted, BackOutlook, ReleaseId, Released, Request, RevisionId, Taken, Who},
};

use super::{Remote, deploy_backend::refuse, remote::run_id};

/// Where to go back to, and on which server.
#[derive(Debug, Clone)]
pub struct Rollback<'a> {
    /// The environment's server.
    pub remote: &'a Remote,
    /// Who asks.
    pub by: Who,
    /// The release; without it, the last good one before the live one.
    pub to: Option<ReleaseId>,
    /// What it may be in spite of.
    pub accepted: Accepted,
}

/// What a rollback begins from, and leads to, as the server says. Its first part; nothing
/// is changed to find it out.
///
/// # Errors
/// Refused where the server has no agent; as [`Remote::observe`].
pub fn look_back(cx: &Context, order: &Rollback<'_>) -> Result<BackOutlook> {
    if !order.remote.has_agent() {
        return Err(Error::refused("a server without an agent keeps no releases to go back to")
            .hint("revert the commit, and deploy that"));
    }
    order.remote.open(cx)?;
    let (to, accepted) = (order.to.clone(), order.accepted);
    order.remote.observe(cx, Request::RollbackPlan { to, accepted })
}

/// Has the agent give clients an earlier release again: its image, its compose file,
/// its environment. `latest` stays where it is.
///
/// # Errors
/// Refused where nothing is live, or when the server would refuse it; what the agent says.
/// A rollback that failed has been taken back by the agent.
pub fn rollback_backend(
    cx: &Context,
    order: &Rollback<'_>,
    outlook: &BackOutlook,
) -> Result<Released> {
    let Some(live) = &outlook.state.live else {
        return Err(Error::refused("nothing is live there, so there is nothing to go back from"));
    };
    refuse(order.remote, &outlook.state, &outlook.refused)?;
    let to = outlook.to.as_ref().map(|to| &to.release);
    let hoped = Taken {
        release: ReleaseId::planned(),
        revision: to.map_or_else(RevisionId::planned, |to| to.revision.clone()),
        digest: to.map_or_else(Digest::planned, |to| to.digest.clone()),
        slot: None,
        at_ms: 0,
        by: order.by.clone(),
    };
    let hoped = Released {
        live: hoped,
        before: Some(live.clone()),
        unchanged: false,
        waits_for_latest: false,
    };
    let request = Request::Rollback {
        to: order.to.clone(),
        from: live.release.clone(),
        by: order.by.clone(),
        run: Some(run_id(cx)),
        accepted: order.accepted,
    };
    order.remote.run(cx, request, hoped)
}
