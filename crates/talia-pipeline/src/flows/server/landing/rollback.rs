//! Publishes a kept release again.

use crate::{
    context::Context,
    error::{Error, Result},
    landing::{LandingStrategy, TreePath},
    protocol::{LandingReleased, ReleaseId},
    server::{
        Fate,
        landing::{LandingRecord, LandingSeen},
    },
    steps::server::landing::{
        BringOwn, KeepAssets, PrepareLanding, ReadLanding, ReadPublished, ReadReleaseTree,
    },
};

use super::{
    super::Server,
    checks::some,
    front::Front,
    settle::settle,
    switch::switch_to,
    tidy::{mark, prune_and_stamp, restamp},
    verify::Switched,
};

/// Where a rollback is to lead, and from where.
#[derive(Debug, Clone)]
pub struct LandingBackOrder {
    /// Which release; without it, the one before the live one.
    pub to: Option<ReleaseId>,
    /// What the client saw live.
    pub from: ReleaseId,
}

/// Publishes a kept release again, by one rename; then Nginx is asked for every file in
/// which both differ. Where clients do not get it, they get what they had.
///
/// Asked again, after a connection was lost say, it leads no further back: what is live is
/// compared with what the client saw.
///
/// # Errors
/// Refused when there is no such release, or its files were changed by hand since; a step
/// error when clients do not get it.
pub fn rollback(
    cx: &Context,
    server: &Server,
    order: &LandingBackOrder,
) -> Result<LandingReleased> {
    let place = server.layout.landing();
    let seen = cx.observe(ReadLanding::new(&place))?;
    let mut seen = settle(cx, server, seen, None)?;
    let Some(live) = seen.live().cloned() else {
        return Err(Error::refused("no release is live, so there is nothing to go back from"));
    };
    if live.strategy == LandingStrategy::InPlace {
        return Err(Error::refused(
            "the landing page is released in place, so nothing is kept to go back to",
        )
        .hint("deploy the older revision again"));
    }
    let target = target(&seen, order, &live)?;
    if target.id == live.id {
        cx.note(format!("{} was given back already", live.id));
        let mut released = LandingReleased::new(live.taken());
        released.unchanged = true;
        return Ok(released);
    }
    let protected = &server.policy.landing.protected;
    let root = place.release(&target.id);
    let kept = cx.observe(ReadPublished::new(&place, root, Some(&target), protected).kept())?;
    if !kept.drift.is_empty() {
        return Err(Error::refused(format!("the files of {} were changed by hand", target.id))
            .tail(some(kept.drift.iter().map(|drift| drift.told())))
            .hint("deploy its revision again instead"));
    }
    let now = cx.observe(ReadReleaseTree::new(&place, &target.id))?;
    let before = cx.observe(ReadReleaseTree::new(&place, &live.id))?;
    cx.run(PrepareLanding::new(&place))?;
    let assets = cx.run(KeepAssets::new(&place, &target.id, &live.id))?;
    let also: Vec<TreePath> = assets.iter().map(|(path, _)| path.clone()).collect();
    let (from, to) = (place.release(&live.id), place.release(&target.id));
    cx.run(BringOwn::new(&place, (from, &live.id), (to, &target.id), protected))?;
    let front = Front::look(cx, server, &place)?;
    let switched = |cx: &Context, seen: &mut LandingSeen| {
        switch_to(cx, server, seen, &target.id, None)?;
        let at_ms = server.goes_live_ms(cx);
        // From here on, to finish is quicker than to go back.
        cx.sheltered(|cx| {
            let reloaded = front.reload(cx)?;
            let switched = Switched {
                before: &before.tree,
                now: &now.tree,
                kept: &assets,
                protected,
                reloaded,
            };
            Ok((switched.verify(cx, server)?, reloaded, at_ms))
        })
    };
    let (verified, reloaded, at_ms) = match switched(cx, &mut seen) {
        Ok(done) => done,
        Err(error) => {
            let back = cx.sheltered(|cx| {
                switch_to(cx, server, &mut seen, &live.id, None)?;
                front.reload(cx)?;
                restamp(cx, server, &seen)
            });
            return Err(match back {
                Ok(()) => error,
                Err(second) => Error::all(vec![error, second]),
            });
        }
    };
    let record = LandingRecord { fate: Fate::Live { at_ms }, by: server.by.clone(), ..target };
    cx.sheltered(|cx| {
        mark(cx, server, &mut seen, record.clone())?;
        let tidied = front
            .remember(cx, &place)
            .and_then(|()| prune_and_stamp(cx, server, &mut seen, kept.stamps, &also));
        if let Err(error) = tidied {
            cx.note(format!("the release is live; left to the next one: {error}"));
        }
        Ok(())
    })?;
    let mut released = LandingReleased::new(record.taken());
    released.before = Some(live.taken());
    released.verified = verified;
    released.reloaded = reloaded;
    Ok(released)
}

/// The release that is to be published again; the live one where it was already.
fn target(
    seen: &LandingSeen,
    order: &LandingBackOrder,
    live: &LandingRecord,
) -> Result<LandingRecord> {
    let before = match &order.to {
        Some(to) => seen.records.get(to).ok_or_else(|| {
            Error::usage(format!("there is no release {to} of the landing page on this server"))
        })?,
        None => seen.records.before(&order.from).ok_or_else(|| {
            Error::refused("nothing was live before it, so there is nothing to go back to")
        })?,
    };
    if before.id != live.id && live.id != order.from {
        return Err(Error::refused(format!(
            "{} is live, and this rollback was decided on when {} was",
            live.id, order.from
        ))
        .hint("somebody else has released meanwhile: look at `cargo xtask status`"));
    }
    if !before.was_good() || !(seen.has_tree(&before.id) || before.id == live.id) {
        return Err(Error::refused(format!("{} cannot be published again", before.id))
            .hint("without an id, the one before the live one is taken"));
    }
    Ok(before.clone())
}
