//! Puts right what a killed agent has left.

use crate::{
    context::Context,
    error::{ErrorKind, Result},
    landing::LandingStrategy,
    protocol::ReleaseId,
    server::{
        Fate,
        landing::{AtWeb, LandingRecord, LandingSeen},
    },
    steps::server::{
        RemoveRelease,
        landing::{PrepareLanding, ReadLanding, ReadReleaseTree, RemoveStaging},
    },
};

use super::{
    super::Server,
    abort::forget,
    publish::forget_unfound,
    switch::{keep_folder, switch_back, switch_to},
    tidy::{mark, restamp},
    verify::Switched,
};

/// Ends or finishes what was left unfinished, and takes away what nobody needs.
///
/// - The folder that was live before the first release is kept as one.
/// - A release that had not been switched to is undone.
/// - One that had been is live if clients get it, else the one before is live again.
/// - A transaction that has no whole tree is forgotten; that of `keep` stays, because it is
///   about to be committed.
///
/// Nothing is done where nothing was left; so it may run before everything.
///
/// # Errors
/// When a step fails; what was served before is still served.
pub fn settle(
    cx: &Context,
    server: &Server,
    seen: LandingSeen,
    keep: Option<&ReleaseId>,
) -> Result<LandingSeen> {
    for (path, reason) in &seen.records.broken {
        // A newer agent's record may only look broken to this one: it stays.
        cx.note(format!("{path} is no record that can be read: {reason}"));
    }
    if is_settled(&seen) {
        return Ok(seen);
    }
    cx.group("put right what was left", |cx| {
        let mut seen = seen;
        cx.run(PrepareLanding::new(&server.layout.landing()))?;
        find_folder(cx, server, &mut seen)?;
        undo_unswitched(cx, server, &mut seen)?;
        find_live(cx, server, &mut seen)?;
        judge(cx, server, &mut seen)?;
        clear(cx, server, &mut seen, keep)?;
        restamp(cx, server, &seen)?;
        Ok(seen)
    })
}

/// The same for what is so now, and for whoever wants no more of it.
///
/// # Errors
/// As [`settle`].
pub fn settle_now(cx: &Context, server: &Server) -> Result<()> {
    let seen = cx.observe(ReadLanding::new(&server.layout.landing()))?;
    settle(cx, server, seen, None).map(drop)
}

fn is_settled(seen: &LandingSeen) -> bool {
    let is_lost = matches!(seen.web, AtWeb::Release(_)) && seen.live().is_none();
    seen.strays.is_empty()
        && torn(seen).is_empty()
        && unfound(seen).is_none()
        && !seen.has_switched_folder
        && seen.records.unfinished().next().is_none()
        && !is_lost
        && !is_half_open(seen)
        && (seen.has_staging == needs_staging(seen))
}

/// Trees without a record.
fn torn(seen: &LandingSeen) -> Vec<ReleaseId> {
    let broken = |id: &ReleaseId| {
        seen.records.broken.iter().any(|(path, _)| path.as_str().contains(id.as_str()))
    };
    let has_none = |id: &&ReleaseId| seen.records.get(id).is_none() && !broken(id);
    seen.trees.iter().filter(has_none).cloned().collect()
}

/// A record of a folder made by hand that is still where it was.
fn unfound(seen: &LandingSeen) -> Option<&LandingRecord> {
    let is_unfound = |one: &&LandingRecord| one.revision.is_none() && !seen.has_tree(&one.id);
    seen.records.all.iter().find(is_unfound).filter(|_| seen.web == AtWeb::Folder)
}

fn is_half_open(seen: &LandingSeen) -> bool {
    seen.transaction.as_ref().is_some_and(|transaction| !transaction.is_open)
}

fn needs_staging(seen: &LandingSeen) -> bool {
    let strategy = seen.transaction.as_ref().map(|transaction| transaction.strategy);
    strategy == Some(LandingStrategy::Release)
}

/// A folder that was switched from, or was about to be.
fn find_folder(cx: &Context, server: &Server, seen: &mut LandingSeen) -> Result<()> {
    if seen.has_switched_folder {
        let linked = match &seen.web {
            AtWeb::Release(id) => seen.records.get(id).and_then(|linked| linked.before.clone()),
            _ => None,
        };
        let before = linked.and_then(|before| seen.records.get(&before)).cloned();
        cx.note("the folder that was live before the first release is kept as one");
        keep_folder(cx, server, seen, before.as_ref())?;
    }
    forget_unfound(cx, server, seen)
}

fn undo_unswitched(cx: &Context, server: &Server, seen: &mut LandingSeen) -> Result<()> {
    let place = server.layout.landing();
    let linked = seen.live().map(|live| live.id.clone());
    let unfinished: Vec<LandingRecord> = seen.records.unfinished().cloned().collect();
    for record in unfinished.into_iter().filter(|record| Some(&record.id) != linked.as_ref()) {
        let (what, reason) = match record.strategy {
            LandingStrategy::Release => ("was never switched to", "before the switch"),
            LandingStrategy::InPlace => ("may be in place in part", "before it was verified"),
        };
        cx.note(format!("{} {what}: it is undone", record.id));
        cx.run(RemoveRelease::new(place.release(&record.id)))?;
        seen.trees.remove(&record.id);
        let fate = Fate::Undone { reason: format!("its agent ended {reason}") };
        mark(cx, server, seen, LandingRecord { fate, ..record })?;
    }
    Ok(())
}

/// Where the live path names a release that is not there: the newest good one.
fn find_live(cx: &Context, server: &Server, seen: &mut LandingSeen) -> Result<()> {
    if !matches!(seen.web, AtWeb::Release(_)) || seen.live().is_some() {
        return Ok(());
    }
    let is_whole = |one: &&LandingRecord| one.was_good() && seen.has_tree(&one.id);
    let Some(good) = seen.records.all.iter().rev().find(is_whole).cloned() else { return Ok(()) };
    cx.note(format!("the live path names a release that is not there: {} is live", good.id));
    switch_to(cx, server, seen, &good.id, None)
}

/// A release that was switched to, and nobody has said whether clients get it.
fn judge(cx: &Context, server: &Server, seen: &mut LandingSeen) -> Result<()> {
    let Some(record) = seen.unsaid().cloned() else { return Ok(()) };
    let place = server.layout.landing();
    let tree = cx.run(ReadReleaseTree::new(&place, &record.id))?;
    let before = match &record.before {
        Some(before) => cx.run(ReadReleaseTree::new(&place, before))?,
        None => Default::default(),
    };
    let protected = &server.policy.landing.protected;
    let switched = Switched {
        before: &before.tree,
        now: &tree.tree,
        kept: &tree.kept,
        protected,
        // Its agent may have reloaded Nginx, or was about to.
        reloaded: true,
    };
    let fate = match switched.verify(cx, server) {
        Ok(_) => {
            cx.note(format!("{} had been switched to, and clients get it: it is live", record.id));
            Fate::Live { at_ms: server.now_ms }
        }
        Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
        Err(error) => {
            cx.note(format!("{} had been switched to, and clients do not get it", record.id));
            switch_back(cx, server, seen, Some(&record))?;
            cx.run(RemoveRelease::new(place.release(&record.id)))?;
            seen.trees.remove(&record.id);
            Fate::Undone { reason: format!("its agent ended, and clients did not get it: {error}") }
        }
    };
    if seen.transaction.as_ref().is_some_and(|transaction| transaction.id == record.id) {
        forget(cx, server, seen)?;
    }
    mark(cx, server, seen, LandingRecord { fate, ..record })?;
    Ok(())
}

/// What nobody needs.
fn clear(
    cx: &Context,
    server: &Server,
    seen: &mut LandingSeen,
    keep: Option<&ReleaseId>,
) -> Result<()> {
    let place = server.layout.landing();
    for id in torn(seen) {
        // A kill came while it was removed.
        cx.run(RemoveRelease::new(place.release(&id)))?;
        seen.trees.remove(&id);
    }
    for stray in std::mem::take(&mut seen.strays) {
        cx.run(RemoveRelease::new(stray))?;
    }
    let is_kept = seen.transaction.as_ref().is_some_and(|open| Some(&open.id) == keep);
    let is_lost = needs_staging(seen) && !seen.has_staging;
    if is_lost || (is_half_open(seen) && !is_kept) {
        cx.note("a transaction was left without a whole tree: it is forgotten");
        forget(cx, server, seen)?;
    }
    if seen.has_staging && !needs_staging(seen) {
        cx.run(RemoveStaging::new(&place))?;
        seen.has_staging = false;
    }
    Ok(())
}
