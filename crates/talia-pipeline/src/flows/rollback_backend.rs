//! Back to a release that was good.

use crate::{
    context::Context,
    digest::Digest,
    error::{Error, Result},
    protocol::{ReleaseId, Released, Request, RevisionId, Taken, Who},
};

use super::Remote;

/// Where to go back to, and on which server.
#[derive(Debug, Clone)]
pub struct Rollback<'a> {
    /// The environment's server.
    pub remote: &'a Remote,
    /// Who asks.
    pub by: Who,
    /// The release; without it, the last good one before the live one.
    pub to: Option<ReleaseId>,
    /// Whether it is known that the database's schema has changed since.
    pub accept_schema: bool,
}

/// What is live before a rollback. Its first part.
///
/// # Errors
/// Refused where the server has no agent, or where nothing is live.
pub fn look_back(cx: &Context, order: &Rollback<'_>) -> Result<Taken> {
    if !order.remote.has_agent() {
        return Err(Error::refused("a server without an agent keeps no releases to go back to")
            .hint("revert the commit, and deploy that"));
    }
    order.remote.open(cx)?;
    order
        .remote
        .status(cx)?
        .live
        .ok_or_else(|| Error::refused("nothing is live there, so there is nothing to go back from"))
}

/// Has the agent give clients an earlier release again: its image, its compose file,
/// its environment. `latest` stays where it is.
///
/// # Errors
/// What the agent says. A rollback that failed has been taken back by the agent.
pub fn rollback_backend(cx: &Context, order: &Rollback<'_>, live: &Taken) -> Result<Released> {
    let hoped = Taken {
        release: ReleaseId::planned(),
        revision: RevisionId::planned(),
        digest: Digest::planned(),
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
        accept_schema: order.accept_schema,
    };
    order.remote.run(cx, request, hoped)
}
