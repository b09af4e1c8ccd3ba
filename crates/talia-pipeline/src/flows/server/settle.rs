//! Puts right what a killed agent, a reboot or a hand has left: from any state, to one
//! served version and nothing beside it.

use std::time::Duration;

use crate::{
    context::Context,
    error::Result,
    protocol::Slot,
    server::{Fate, Record},
    steps::server::{MarkRelease, SlotDown, SlotHealth, SwitchSlot, Waited},
};

use super::{
    Server,
    look::{Seen, look, look_again},
    release::start,
};

/// How long a release that was switched to already may take to show that it is well.
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
/// - Whatever runs in the slot that clients do not get is ended.
///
/// Nothing is done where nothing was left; so it may run before everything.
///
/// # Errors
/// When a step fails; what was served before is still served.
pub fn settle(cx: &Context, server: &Server, seen: Seen) -> Result<Seen> {
    let unfinished: Vec<Record> = seen.records.unfinished().cloned().collect();
    let idle = seen.idle_slot();
    let stray = seen.in_slot(idle).next().is_some();
    if unfinished.is_empty() && !stray {
        return Ok(seen);
    }
    cx.group("put right what was left", |cx| {
        for record in unfinished {
            if seen.live_slot == Some(record.slot) && seen.live().is_some_and(|r| r.id == record.id)
            {
                judge(cx, server, &seen, record)?;
            } else {
                cx.note(format!("{} was never switched to: it is undone", record.id));
                undo(cx, server, &seen, record, "its agent ended before the switch")?;
            }
        }
        let now = look_again(cx, server)?;
        let idle = now.idle_slot();
        if now.in_slot(idle).next().is_some() {
            cx.note(format!("{idle} still runs, and no client gets it: it is ended"));
            cx.run(SlotDown::new(server.project(idle), server.grace()))?;
        }
        for (folder, reason) in &now.records.broken {
            // A newer agent's record may only look broken to this one: it stays.
            cx.note(format!("{folder} has no record that can be read: {reason}"));
        }
        look_again(cx, server)
    })
}

/// A release that was switched to, and nobody has said that it is well.
fn judge(cx: &Context, server: &Server, seen: &Seen, record: Record) -> Result<()> {
    let socket = server.layout.socket(record.slot);
    let ask = SlotHealth::new(socket, &record.revision, &server.policy.health, PROOF);
    let reason = match cx.run(ask) {
        Ok(Waited::Healthy) => {
            cx.note(format!("{} had been switched to and is healthy: it is live", record.id));
            let fate = Fate::Live { at_ms: server.now_ms };
            return cx.run(MarkRelease::new(&server.layout, Record { fate, ..record }));
        }
        Ok(Waited::NotYet(reason)) => reason,
        Err(error) if cx.is_cancelled() => return Err(error),
        Err(error) => error.to_string(),
    };
    cx.note(format!("{} had been switched to and is not healthy: it is undone", record.id));
    back(cx, server, seen, &record)?;
    undo(cx, server, seen, record, &format!("its agent ended, and it was not healthy: {reason}"))
}

/// Gives clients what they had before this release; nothing, where it was the first.
pub(super) fn back(cx: &Context, server: &Server, seen: &Seen, record: &Record) -> Result<()> {
    let Some(before) = seen.records.last_good_before(Some(&record.id)) else { return Ok(()) };
    let runs = seen
        .in_slot(before.slot)
        .any(|one| one.is_running() && one.release.as_ref() == Some(&before.id));
    if before.slot == record.slot {
        // It can only be started where the failed one is.
        cx.run(SlotDown::new(server.project(record.slot), server.grace()))?;
    }
    if !runs {
        start(cx, server, before)?;
    }
    switch(cx, server, before.slot)
}

/// Makes a slot live.
pub(super) fn switch(cx: &Context, server: &Server, slot: Slot) -> Result<()> {
    cx.run(SwitchSlot::new(server.layout.live_socket(), slot))
}

/// Takes a release away that clients do not get, and records why.
pub(super) fn undo(
    cx: &Context,
    server: &Server,
    seen: &Seen,
    record: Record,
    reason: &str,
) -> Result<()> {
    let runs = |one: &crate::steps::server::Container| one.release.as_ref() == Some(&record.id);
    if seen.containers.iter().any(runs) {
        cx.run(SlotDown::new(server.project(record.slot), server.grace()))?;
    }
    let fate = Fate::Undone { reason: reason.to_owned() };
    cx.run(MarkRelease::new(&server.layout, Record { fate, ..record }))
}
