//! Forgets a transaction.

use crate::{
    context::Context,
    error::{Error, Result},
    landing::LandingStrategy,
    protocol::{LandingAborted, ReleaseId},
    server::landing::LandingSeen,
    steps::server::landing::{
        CheckPlace, CloseTree, EndRsync, ForgetTransaction, ReadAnnounced, ReadLanding,
        RemoveStaging,
    },
};

use super::{super::Server, begin::hidden, settle::settle, tidy::restamp};

/// Forgets the transaction of this id, and ends its rsync. What is published stays as it
/// is.
///
/// # Errors
/// Refused when it is live already.
pub fn abort(cx: &Context, server: &Server, id: &ReleaseId) -> Result<LandingAborted> {
    let place = server.layout.landing();
    let seen = cx.observe(ReadLanding::new(&place))?;
    if seen.live().is_some_and(|live| live.id == *id) {
        return Err(Error::refused(format!("{id} is live already, so it is not aborted"))
            .hint("`cargo xtask rollback landing` publishes the one before it again"));
    }
    if seen.transaction.as_ref().is_none_or(|transaction| transaction.id != *id) {
        settle(cx, server, seen, None)?;
        return Ok(LandingAborted::NothingOpen);
    }
    abort_open(cx, server)
}

/// The same for whichever transaction is open.
///
/// # Errors
/// When a step fails.
pub fn abort_open(cx: &Context, server: &Server) -> Result<LandingAborted> {
    let place = server.layout.landing();
    let mut seen = cx.observe(ReadLanding::new(&place))?;
    if seen.transaction.is_none() {
        return Ok(LandingAborted::NothingOpen);
    }
    cx.observe(CheckPlace::new(&place))?;
    cx.run(EndRsync::new(place.rsync_lock()))?;
    forget(cx, server, &mut seen)?;
    settle(cx, server, seen, None)?;
    Ok(LandingAborted::Aborted)
}

/// Takes away what a transaction has: its tree, or rsync's hold on the live folder.
pub(super) fn forget(cx: &Context, server: &Server, seen: &mut LandingSeen) -> Result<()> {
    let place = server.layout.landing();
    let Some(transaction) = &seen.transaction else { return Ok(()) };
    match transaction.strategy {
        LandingStrategy::Release => {
            cx.run(RemoveStaging::new(&place))?;
            seen.has_staging = false;
        }
        LandingStrategy::InPlace => {
            let announced = cx.probe(ReadAnnounced::new(&place, transaction))?;
            let (_, announced) = announced.unwrap_or_default();
            cx.run(CloseTree::new(place.web(), &hidden(server, &announced)))?;
        }
    }
    cx.run(ForgetTransaction::new(&place))?;
    seen.transaction = None;
    restamp(cx, server, seen)
}
