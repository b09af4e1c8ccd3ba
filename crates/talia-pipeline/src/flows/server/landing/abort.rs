//! Forgets a transaction.

use crate::{
    context::Context,
    error::{Error, Result},
    landing::LandingStrategy,
    protocol::{LandingAborted, LockHolder, ReleaseId},
    server::{
        Lock,
        landing::{LandingSeen, Transaction},
    },
    steps::server::landing::{
        CheckPlace, CloseTree, EndRsync, ForgetTransaction, HoldRsync, ReadAnnounced, ReadLanding,
        RemoveStaging, ShutTransaction,
    },
};

use super::{super::Server, begin::own, settle::settle, tidy::restamp};

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
    forget(cx, server, &mut seen)?;
    settle(cx, server, seen, None)?;
    Ok(LandingAborted::Aborted)
}

/// Takes rsync's lock: as long as it is held, no rsync works.
pub(super) fn hold_rsync(cx: &Context, server: &Server, doing: &str) -> Result<Option<Lock>> {
    let holder = LockHolder {
        pid: 0,
        doing: doing.to_owned(),
        by: server.by.clone(),
        run: server.run.clone(),
        since_ms: server.now_ms,
    };
    cx.run(HoldRsync::new(server.layout.landing().rsync_lock(), holder))
}

/// Takes away what a transaction has: its tree, or rsync's hold on the live folder. Its
/// rsync is ended first, and no other one is let in.
pub(super) fn forget(cx: &Context, server: &Server, seen: &mut LandingSeen) -> Result<()> {
    let place = server.layout.landing();
    let Some(transaction) = &seen.transaction else { return Ok(()) };
    let mut held = None;
    if !seen.no_rsync {
        if transaction.is_open {
            cx.run(ShutTransaction::new(&place, transaction))?;
        }
        cx.run(EndRsync::new(place.rsync_lock()))?;
        held = hold_rsync(cx, server, "landing abort")?;
    }
    match transaction.strategy {
        LandingStrategy::Release => {
            cx.run(RemoveStaging::new(&place))?;
            seen.has_staging = false;
        }
        LandingStrategy::InPlace => take_folder_back(cx, server, transaction)?,
    }
    let is_live = seen.live().is_some_and(|live| live.id == transaction.id);
    let is_left = transaction.strategy == LandingStrategy::InPlace && !is_live;
    cx.run(ForgetTransaction::new(&place).interrupted(is_left))?;
    drop(held);
    seen.transaction = None;
    restamp(cx, server, seen)
}

/// Takes the live folder back from rsync, which is not at work. Where that fails, the
/// transaction has to stay: it alone tells that the folders are not root's. It is shut by
/// then, so that the next change takes them back, and no rsync is let in until that.
pub(super) fn take_folder_back(
    cx: &Context,
    server: &Server,
    transaction: &Transaction,
) -> Result<()> {
    let place = server.layout.landing();
    let announced = cx.probe(ReadAnnounced::new(&place, transaction))?;
    let (_, announced) = announced.unwrap_or_default();
    let closed = cx.run(CloseTree::new(place.web(), own(server, &announced)).live(true));
    let Err(error) = closed else { return Ok(()) };
    match cx.run(ShutTransaction::new(&place, transaction)) {
        Ok(()) => Err(error),
        Err(second) => Err(Error::all(vec![error, second])),
    }
}
