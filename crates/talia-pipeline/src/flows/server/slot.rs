//! What is done with one slot: start it, wait for it, end it.

use std::time::Duration;

use crate::{
    context::Context,
    error::{Error, ErrorKind, Result},
    protocol::Slot,
    server::{Fate, Record},
    settings::Health,
    steps::server::{
        Compose, Container, ContainerLog, ContainerOf, ContainerRestarts, MarkRelease,
        ReadReleaseFiles, SlotDown, SlotHealth, SlotStable, SlotUp, Waited,
    },
};

use super::{Server, switch::switch};

/// How long is asked before the container itself is looked at.
const ROUND: Duration = Duration::from_secs(3);
/// What ends without a client gets no longer than this.
const UNSERVED_GRACE: Duration = Duration::from_secs(1);
/// How many lines of a container that failed are shown.
const LAST_LINES: u32 = 20;

/// Starts a release in its slot, from its own files.
pub(super) fn start(cx: &Context, compose: Compose, server: &Server) -> Result<()> {
    cx.run(SlotUp::new(compose, &server.policy.service))
}

/// Starts a release again that was started before.
pub(super) fn restart(cx: &Context, server: &Server, record: &Record) -> Result<()> {
    let files = cx.observe(ReadReleaseFiles::new(server.layout.release(&record.id)))?;
    start(cx, server.compose(record, &files), server)
}

/// Waits until a release is healthy and stays so; a container that ends is not waited
/// for.
pub(super) fn wait_healthy(
    cx: &Context,
    server: &Server,
    record: &Record,
    health: &Health,
) -> Result<()> {
    let at = || server.endpoint(record.slot);
    let (until, mut in_a_row) = (cx.elapsed() + health.deadline, 0);
    // A new container has not ended yet; one that runs for long may have, some day.
    let restarts = match record.fate {
        Fate::Begun => Some(0),
        _ => match container(cx, server, record)? {
            Some(own) => cx.run(ContainerRestarts::new(own.id)).ok(),
            None => None,
        },
    };
    loop {
        // An engine that does not answer takes its time, too.
        let left = until.saturating_sub(cx.elapsed());
        let ask = SlotHealth::new(at(), &record.revision, health, ROUND.min(left));
        match cx.run(ask.after(in_a_row))? {
            Waited::Healthy => break,
            Waited::NotYet { reason, in_a_row: so_far } => {
                in_a_row = so_far;
                // Why it is not healthy, if it has ended.
                still_runs(cx, server, record, restarts)?;
                // The next round begins an interval later.
                if cx.elapsed() + health.interval >= until {
                    let within = health.deadline.as_secs();
                    return Err(Error::step(format!("not healthy within {within} s: {reason}")));
                }
            }
        }
    }
    if !health.stability.is_zero() {
        cx.run(SlotStable::new(at(), &record.revision, health))?;
        still_runs(cx, server, record, restarts)?;
    }
    Ok(())
}

/// Fails where the container has ended, even if it was started again since. An engine
/// that does not answer is no reason to give up: it may be restarting.
fn still_runs(cx: &Context, server: &Server, record: &Record, restarts: Option<u32>) -> Result<()> {
    let own = match container(cx, server, record) {
        Ok(own) => own.ok_or_else(|| Error::step("the container of the release has gone"))?,
        Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
        Err(error) => {
            cx.note(format!("the engine does not answer: {error}"));
            return Ok(());
        }
    };
    if !own.is_running() {
        return Err(Error::step(format!("the container has ended: {}", own.status)));
    }
    match cx.run(ContainerRestarts::new(&own.id)) {
        Ok(now) if restarts.is_some_and(|before| now > before) => {
            Err(Error::step("the container has ended, and was started again"))
        }
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::Interrupted => Err(error),
        Err(error) => {
            cx.note(format!("the engine does not answer: {error}"));
            Ok(())
        }
    }
}

fn container(cx: &Context, server: &Server, record: &Record) -> Result<Option<Container>> {
    let environment = server.layout.environment().as_str();
    cx.run(ContainerOf::new(environment, &record.id, record.slot))
}

/// The error, and behind its own last lines those of the release's container.
pub(super) fn with_last_lines(
    cx: &Context,
    server: &Server,
    record: &Record,
    error: Error,
) -> Error {
    if error.kind() == ErrorKind::Interrupted {
        return error;
    }
    let said = cx.sheltered(|cx| match container(cx, server, record)? {
        Some(own) => cx.run(ContainerLog::new(own.id, LAST_LINES)),
        None => Ok(Vec::new()),
    });
    let lines = [error.last_lines(), said.as_deref().unwrap_or_default()].concat();
    error.tail(lines)
}

/// Gives clients a release that was good: starts it where it does not run, and switches
/// when it answers.
pub(super) fn give_back(cx: &Context, server: &Server, record: &Record, runs: bool) -> Result<()> {
    if !runs {
        restart(cx, server, record)?;
    }
    answers_again(cx, server, record)?;
    switch(cx, server, record.slot)
}

/// Waits until a release that was good answers.
pub(super) fn answers_again(cx: &Context, server: &Server, record: &Record) -> Result<()> {
    // Its answers were counted when it went live; each second of them is an outage now.
    let once = Health { answers: 1, stability: Duration::ZERO, ..server.policy.health.clone() };
    wait_healthy(cx, server, record, &once)
}

/// Ends what runs in a slot that no client ever got: nobody's request is under way.
pub(super) fn end_unserved(cx: &Context, server: &Server, slot: Slot) -> Result<()> {
    cx.run(SlotDown::new(server.layout.project(slot), UNSERVED_GRACE))
}

/// Ends what runs in a slot, after the requests that are under way.
pub(super) fn end(cx: &Context, server: &Server, slot: Slot) -> Result<()> {
    cx.run(SlotDown::new(server.layout.project(slot), server.grace()))
}

/// Records what has become of a release.
pub(super) fn mark(cx: &Context, server: &Server, record: &Record, fate: Fate) -> Result<Record> {
    let record = Record { fate, ..record.clone() };
    cx.run(MarkRelease::new(&server.layout, record.clone()))?;
    Ok(record)
}
