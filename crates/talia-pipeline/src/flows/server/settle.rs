//! Puts right what a killed agent, a reboot or a hand has left: from any state, to one
//! served version and nothing beside it.

use std::time::Duration;

use crate::{
    context::Context,
    error::{ErrorKind, Result},
    server::{Fate, Record},
    settings::{Health, Strategy},
    steps::server::RemoveRelease,
};

use super::{
    Server,
    backup::mend_restore,
    files::mend_push,
    look::{Seen, look},
    slot::{end, end_unserved, give_back, mark, restart, wait_healthy},
    switch::{mend_switch, switch},
};

/// How long a release that does not run, or that nobody has judged, may take to show
/// that it is well.
const PROOF: Duration = Duration::from_secs(15);

/// As [`settle`], by itself: after a reboot, say.
///
/// # Errors
/// As [`settle`].
pub fn settle_all(cx: &Context, server: &Server) -> Result<()> {
    let seen = look(cx, server)?;
    settle(cx, server, seen).map(drop)
}

/// Ends or finishes what was left unfinished, and takes away what no client gets.
///
/// - A release that had not been switched to is undone.
/// - One that had been is live if it is healthy, else the one before is live again.
/// - A live one that does not run is started.
/// - Whatever runs in the slot that clients do not get is ended; but where it is well
///   and the live one is not, clients get it again.
///
/// Nothing is done where nothing was left; so it may run before everything. A release
/// that is broken and has nothing before it stays as it is: the next one may mend it.
///
/// # Errors
/// When a step fails; what was served before is still served.
pub fn settle(cx: &Context, server: &Server, seen: Seen) -> Result<Seen> {
    mend_push(cx, server)?;
    mend_restore(cx, server)?;
    for folder in &seen.records.torn {
        // A kill came before its record, or while it was removed.
        cx.run(RemoveRelease::new(folder))?;
    }
    for (folder, reason) in &seen.records.broken {
        // A newer agent's record may only look broken to this one: it stays.
        cx.note(format!("{folder} has no record that can be read: {reason}"));
    }
    mend_switch(cx, server, &seen)?;
    if is_settled(&seen) {
        return Ok(seen);
    }
    cx.group("put right what was left", |cx| {
        let mut seen = seen;
        undo_unswitched(cx, server, &mut seen)?;
        find_live(cx, server, &mut seen)?;
        judge(cx, server, &mut seen)?;
        revive(cx, server, &seen)?;
        clear_idle(cx, server, &mut seen)?;
        Ok(seen)
    })
}

fn is_settled(seen: &Seen) -> bool {
    let is_lost = seen.live_slot.is_none() && !seen.containers.is_empty();
    let is_down = seen.live().is_some_and(|live| !is_up(seen, live));
    let is_stray = seen.in_slot(seen.idle_slot()).next().is_some();
    seen.records.unfinished().next().is_none() && !is_lost && !is_down && !is_stray
}

/// Whether the engine runs a release, or is about to.
fn is_up(seen: &Seen, record: &Record) -> bool {
    seen.container(&record.id).is_some_and(|one| one.is_running() || one.state == "restarting")
}

fn undo_unswitched(cx: &Context, server: &Server, seen: &mut Seen) -> Result<()> {
    let linked = seen.live().map(|record| record.id.clone());
    let unfinished: Vec<Record> = seen.records.unfinished().cloned().collect();
    for record in unfinished.iter().filter(|record| Some(&record.id) != linked.as_ref()) {
        cx.note(format!("{} was never switched to: it is undone", record.id));
        // Where clients get this slot, it holds another release.
        if seen.container(&record.id).is_some() && seen.live_slot != Some(record.slot) {
            end_unserved(cx, server, record.slot)?;
            seen.ended(record.slot);
        }
        let reason = "its agent ended before the switch".to_owned();
        seen.recorded(&mark(cx, server, record, Fate::Undone { reason })?);
    }
    Ok(())
}

/// Where nothing names a live slot, and a good release runs: that one.
fn find_live(cx: &Context, server: &Server, seen: &mut Seen) -> Result<()> {
    if seen.live_slot.is_some() {
        return Ok(());
    }
    let good = seen.records.all.iter().rev().find(|one| one.was_good() && seen.runs(&one.id));
    let Some(good) = good.cloned() else { return Ok(()) };
    cx.note(format!("nothing names a live slot, and {} runs: clients get it", good.id));
    switch(cx, server, good.slot)?;
    seen.live_slot = Some(good.slot);
    Ok(())
}

/// A release that was switched to, and nobody has said whether it is well.
fn judge(cx: &Context, server: &Server, seen: &mut Seen) -> Result<()> {
    let Some(record) = seen.live().filter(|live| live.fate == Fate::Begun).cloned() else {
        return Ok(());
    };
    let Some(reason) = unwell(cx, server, &record)? else {
        cx.note(format!("{} had been switched to and is healthy: it is live", record.id));
        let live = mark(cx, server, &record, Fate::Live { at_ms: server.now_ms })?;
        seen.recorded(&live);
        return Ok(());
    };
    let before = record.before.as_ref().and_then(|before| seen.records.get(before)).cloned();
    let Some(before) = before.filter(|before| before.slot != record.slot) else {
        cx.note(format!("{} is not healthy, and nothing was live before it", record.id));
        return Ok(());
    };
    cx.note(format!("{} had been switched to and is not healthy: it is undone", record.id));
    if server.policy.strategy == Strategy::Recreate {
        // Both may not run at once.
        end(cx, server, record.slot)?;
        seen.ended(record.slot);
    }
    match give_back(cx, server, &before, seen.runs(&before.id)) {
        Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
        Err(error) => {
            cx.note(format!("{} is not healthy either: {error}", before.id));
            return Ok(());
        }
        Ok(()) => {}
    }
    seen.live_slot = Some(before.slot);
    if seen.in_slot(record.slot).next().is_some() {
        end(cx, server, record.slot)?;
        seen.ended(record.slot);
    }
    let reason = format!("its agent ended, and it was not healthy: {reason}");
    seen.recorded(&mark(cx, server, &record, Fate::Undone { reason })?);
    Ok(())
}

/// Why a release is not well, if it is not.
fn unwell(cx: &Context, server: &Server, record: &Record) -> Result<Option<String>> {
    let health = &server.policy.health;
    let proof = Health {
        deadline: PROOF.min(health.deadline),
        stability: Duration::ZERO,
        ..health.clone()
    };
    match wait_healthy(cx, server, record, &proof) {
        Ok(()) => Ok(None),
        Err(error) if error.kind() == ErrorKind::Interrupted => Err(error),
        Err(error) => Ok(Some(error.to_string())),
    }
}

/// The live release, where the engine does not run it.
fn revive(cx: &Context, server: &Server, seen: &Seen) -> Result<()> {
    let Some(live) = seen.live().filter(|live| !is_up(seen, live)) else { return Ok(()) };
    cx.note(format!("{} is live and does not run: it is started", live.id));
    let revived = restart(cx, server, live).and_then(|()| unwell(cx, server, live));
    let reason = match revived {
        Ok(None) => return Ok(()),
        Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
        Ok(Some(reason)) => reason,
        Err(error) => error.to_string(),
    };
    // What comes next may be the release that mends it.
    cx.note(format!("{} is not healthy: {reason}", live.id));
    Ok(())
}

/// What runs where no client gets it.
fn clear_idle(cx: &Context, server: &Server, seen: &mut Seen) -> Result<()> {
    let idle = seen.idle_slot();
    if seen.in_slot(idle).next().is_none() {
        return Ok(());
    }
    let spare = seen.newest_in(idle).filter(|one| one.was_good() && seen.runs(&one.id)).cloned();
    if let Some(spare) = spare {
        let reason = match seen.live() {
            Some(live) => unwell(cx, server, live)?,
            None if seen.unreadable().is_some_and(|live| seen.runs(live)) => None,
            None => Some("it is gone".to_owned()),
        };
        if let Some(reason) = reason
            && unwell(cx, server, &spare)?.is_none()
        {
            cx.note(format!(
                "the live release is not healthy ({reason}), and {} is: clients get it again",
                spare.id
            ));
            switch(cx, server, idle)?;
            if let Some(sick) = seen.live().cloned() {
                seen.recorded(&mark(cx, server, &sick, Fate::Undone { reason })?);
            }
            seen.live_slot = Some(idle);
        }
    }
    let idle = seen.idle_slot();
    if seen.in_slot(idle).next().is_some() {
        cx.note(format!("{idle} runs, and no client gets it: it is ended"));
        end(cx, server, idle)?;
        seen.ended(idle);
    }
    Ok(())
}
