//! A release: from an image's digest to what clients get, or back to what they had.

use std::time::Duration;

use crate::{
    context::Context,
    digest::Digest,
    error::{Error, Result},
    protocol::{ReleaseId, Released, RevisionId},
    server::{Drift, Fate, Record, ServerFiles, slot_file},
    settings::Strategy,
    steps::server::{
        ImagePull, KeepPushed, Migrate, Pause, ReadFiles, ReadReleaseFiles, RemoveRelease,
        ServedHealth, SlotNow, WriteRelease,
    },
};

use super::{
    Server,
    look::{Seen, look},
    preflight::{backup_gate, preflight},
    settle::settle,
    slot::{end, give_back, mark, start, switch, wait_healthy, with_last_lines},
    upkeep::prune_after,
};

/// How long Nginx may take to give clients what was switched to.
const CONFIRMED_WITHIN: Duration = Duration::from_secs(15);

/// What is to be released.
#[derive(Debug, Clone)]
pub struct Order {
    /// The image.
    pub digest: Digest,
    /// What it was built from; its health has to name it.
    pub revision: RevisionId,
    /// What the client saw live: `Some(None)` nothing, `None` it does not matter.
    pub after: Option<Option<RevisionId>>,
    /// Whether files that were edited on the server are taken as they are.
    pub accept_drift: bool,
}

/// Releases an image: starts it beside what is live, gives it to clients when it is
/// healthy and is what was meant, and takes everything back otherwise.
///
/// Every step may be the last one before a kill: the next release begins by putting
/// right what this one has left.
///
/// # Errors
/// When a step fails; clients then get what they had before.
pub fn release(cx: &Context, server: &Server, order: &Order) -> Result<Released> {
    let seen = look(cx, server)?;
    let seen = settle(cx, server, seen)?;
    refuse_race(&seen, order)?;
    let files = cx.observe(ReadFiles::new(&server.layout))?;
    refuse_drift(cx, &files, order.accept_drift)?;
    if let Some(live) = is_live(cx, server, &seen, order, &files)? {
        cx.note(format!("{} is live already, from the same image and files", live.id));
        let (live, waits_for_latest) = (live.taken(), server.policy.moves_latest);
        return Ok(Released { live, before: None, unchanged: true, waits_for_latest });
    }
    let record = record(server, &seen, order, None)?;
    carry_out(cx, server, &seen, record, &files, None)
}

/// Gives clients a release again that was good: its image, its compose file, its
/// environment. Without a name, the last good one before the live one.
///
/// # Errors
/// When there is no such release, its image is gone, or the database's schema has
/// changed since and `accept_schema` is not set; and as [`release`].
pub fn rollback(
    cx: &Context,
    server: &Server,
    to: Option<&ReleaseId>,
    accept_schema: bool,
) -> Result<Released> {
    let seen = look(cx, server)?;
    let seen = settle(cx, server, seen)?;
    let live = seen.live().map(|record| record.id.clone());
    let target = match to {
        Some(id) => seen.records.get(id).ok_or_else(|| {
            Error::usage(format!("there is no release {id} on this server"))
                .hint("`cargo xtask releases` lists them")
        })?,
        None => seen.records.before(live.as_ref()).ok_or_else(|| {
            Error::refused("nothing good was live here before, so there is nothing to go back to")
        })?,
    };
    if Some(&target.id) == live.as_ref() {
        return Err(Error::refused(format!("{} is live already", target.id)));
    }
    if !target.was_good() {
        return Err(Error::refused(format!("{} was never healthy here", target.id))
            .hint("without an id, the last good one is taken"));
    }
    let files = cx.observe(ReadReleaseFiles::new(server.layout.release(&target.id)))?;
    let order = Order {
        digest: target.digest.clone(),
        revision: target.revision.clone(),
        after: None,
        accept_drift: true,
    };
    let of = target.of.clone().unwrap_or_else(|| target.id.clone());
    let mut record = record(server, &seen, &order, Some(of))?;
    record.image.clone_from(&target.image);
    let schema = Schema::of(&seen, target, accept_schema);
    schema.allows(seen.records.all.iter().rev().find_map(|one| one.schema_hash.as_ref()))?;
    carry_out(cx, server, &seen, record, &files, Some(&schema))
}

/// The database's schema that a release worked with.
struct Schema {
    release: ReleaseId,
    then: Option<String>,
    accepted: bool,
}

impl Schema {
    fn of(seen: &Seen, target: &Record, accepted: bool) -> Self {
        // A release's schema is what the one after it found.
        let mut later = seen.records.all.iter().filter(|record| record.id > target.id);
        let then = later.find_map(|record| record.schema_hash.clone());
        Self { release: target.id.clone(), then, accepted }
    }

    /// Says that the database has moved on, and wants to hear that it is known.
    fn allows(&self, now: Option<&String>) -> Result<()> {
        match (&self.then, now) {
            (Some(then), Some(now)) if then != now && !self.accepted => Err(Error::refused(
                format!("the database's schema has changed since {}", self.release),
            )
            .hint(
                "a rollback changes no data; if that release can work with it: `--accept-schema`",
            )),
            _ => Ok(()),
        }
    }
}

fn record(server: &Server, seen: &Seen, order: &Order, of: Option<ReleaseId>) -> Result<Record> {
    let image = server.policy.image.clone().ok_or_else(|| {
        Error::preflight(
            "the server's policy names no `image`, so nothing is released from anywhere",
        )
        .hint("set `image` in /etc/talia/<environment>.toml")
    })?;
    let mut id = ReleaseId::new(server.now_ms, &order.revision);
    // Two of one second.
    if seen.records.get(&id).is_some() {
        id = ReleaseId::new(server.now_ms + 1000, &order.revision);
    }
    Ok(Record {
        id,
        revision: order.revision.clone(),
        image,
        digest: order.digest.clone(),
        slot: seen.idle_slot(),
        by: server.by.clone(),
        began_ms: server.now_ms,
        of,
        before: seen.live().map(|live| live.id.clone()),
        backup: None,
        schema_hash: None,
        fate: Fate::Begun,
    })
}

/// Refuses what was decided on another state than this one.
fn refuse_race(seen: &Seen, order: &Order) -> Result<()> {
    let Some(after) = &order.after else { return Ok(()) };
    let live = seen.live().map(|record| &record.revision);
    if live == after.as_ref() || live == Some(&order.revision) {
        return Ok(());
    }
    let told = |revision: Option<&RevisionId>| {
        revision.map_or("nothing".to_owned(), |revision| revision.short().to_owned())
    };
    Err(Error::refused(format!(
        "{} is live, and this release was decided on when {} was",
        told(live),
        told(after.as_ref())
    ))
    .hint("somebody else has released meanwhile: look at `cargo xtask status`, then deploy again"))
}

fn refuse_drift(cx: &Context, files: &ServerFiles, accepted: bool) -> Result<()> {
    if files.drift.is_empty() {
        return Ok(());
    }
    let told: Vec<String> = files.drift.iter().map(Drift::told).collect();
    let told = told.join("; ");
    if accepted {
        cx.note(format!("{told}: taken as it is"));
        return Ok(());
    }
    Err(Error::refused(told).hint(
        "take it as it is with `--accept-drift`, or push the file that you mean: `cargo xtask server …`",
    ))
}

/// The live release, where it is this one in every respect and answers.
fn is_live<'s>(
    cx: &Context,
    server: &Server,
    seen: &'s Seen,
    order: &Order,
    files: &ServerFiles,
) -> Result<Option<&'s Record>> {
    let Some(live) = seen.live() else { return Ok(None) };
    let is_same = live.digest == order.digest && live.revision == order.revision;
    if !is_same || !live.was_good() || !seen.runs(&live.id) {
        return Ok(None);
    }
    let folder = server.layout.release(&live.id);
    let has_files = cx.probe(ReadReleaseFiles::new(folder))?.is_some_and(|with| {
        with.compose == files.compose && with.extra == files.extra && with.env == files.env
    });
    if !has_files {
        return Ok(None);
    }
    let ask = SlotNow::new(server.layout.socket(live.slot), &server.policy.health);
    // A wrong answer is one more reason to release it anew.
    let is_well = cx.observe(ask)?.as_ref() == Ok(&live.revision);
    Ok(is_well.then_some(live))
}

/// How far a release has come, so that it is known what is to be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reached {
    /// Nothing that clients get was touched.
    Beside,
    /// What was live was ended: `strategy = "recreate"`.
    Ended,
    /// Clients were sent to the new one.
    Switched,
}

/// What is started, and what it replaces.
struct Change<'a> {
    record: &'a Record,
    files: &'a ServerFiles,
    live: Option<&'a Record>,
    is_there: bool,
}

fn carry_out(
    cx: &Context,
    server: &Server,
    seen: &Seen,
    mut record: Record,
    files: &ServerFiles,
    schema: Option<&Schema>,
) -> Result<Released> {
    let is_there = preflight(cx, server, &record, files)?;
    let backup = backup_gate(cx, server)?;
    record.backup = backup.as_ref().map(|backup| backup.id.clone());
    record.schema_hash = backup.and_then(|backup| backup.schema_hash);
    if let Some(schema) = schema {
        schema.allows(record.schema_hash.as_ref())?;
    }
    let slot_file = slot_file(&server.layout, &server.policy, &record, &files.env)?;
    let write = WriteRelease::new(&server.layout, record.clone(), files.clone(), slot_file);
    if let Err(error) = cx.run(write) {
        let folder = server.layout.release(&record.id);
        let removed = cx.sheltered(|cx| cx.run(RemoveRelease::new(folder)));
        return Err(with(error, removed));
    }
    let live = seen.live().cloned();
    let change = Change { record: &record, files, live: live.as_ref(), is_there };
    let mut reached = Reached::Beside;
    if let Err(error) = forward(cx, server, &change, &mut reached) {
        let error = with_last_lines(cx, server, &record, error);
        let undone = cx.sheltered(|cx| take_back(cx, server, seen, &change, reached, &error));
        return Err(with(error, undone));
    }
    cx.sheltered(|cx| {
        record = mark(cx, server, &record, Fate::Live { at_ms: server.now_ms })?;
        // It is live: what fails from here on is put right by the next request.
        tidied(cx, finish(cx, server, &record, files, live.as_ref()));
        tidied(cx, prune_after(cx, server, seen, &record));
        Ok(())
    })?;
    Ok(Released {
        live: record.taken(),
        before: live.map(|record| record.taken()),
        unchanged: false,
        waits_for_latest: server.policy.moves_latest,
    })
}

/// An error, and what went wrong when it was put right.
fn with(error: Error, put_right: Result<()>) -> Error {
    match put_right {
        Ok(()) => error,
        Err(second) => Error::all(vec![error, second]),
    }
}

fn tidied(cx: &Context, result: Result<()>) {
    if let Err(error) = result {
        cx.note(format!("the release is live; left to the next one: {error}"));
    }
}

/// From an image to what clients get.
fn forward(
    cx: &Context,
    server: &Server,
    change: &Change<'_>,
    reached: &mut Reached,
) -> Result<()> {
    let record = change.record;
    if !change.is_there {
        cx.run(ImagePull::new(record.reference(), server.layout.docker_config()))?;
    }
    let compose = server.compose(record, change.files);
    if !server.policy.migrate.is_empty() && record.of.is_none() {
        let (service, command) = (&server.policy.service, &server.policy.migrate);
        cx.run(Migrate::new(compose.clone(), service, command))?;
    }
    if let (Strategy::Recreate, Some(live)) = (server.policy.strategy, change.live) {
        cx.note("the service may not run twice: clients wait while it is replaced");
        *reached = Reached::Ended;
        end(cx, server, live.slot)?;
    }
    start(cx, compose, server)?;
    wait_healthy(cx, server, record, &server.policy.health)?;
    *reached = Reached::Switched;
    switch(cx, server, record.slot)?;
    // From here on, to finish is quicker than to go back.
    cx.sheltered(|cx| confirm(cx, server, record))
}

/// Asks as clients do, where they come in.
fn confirm(cx: &Context, server: &Server, record: &Record) -> Result<()> {
    let Some(host) = &server.policy.host else {
        cx.note("the policy names no `host`, so what Nginx serves is not asked");
        return Ok(());
    };
    let health = &server.policy.health;
    let needed = (health.interval + health.timeout) * health.answers.saturating_add(1);
    cx.run(
        ServedHealth::new(host, &record.revision, health, CONFIRMED_WITHIN.max(needed))
            .authority(server.policy.tls_ca.clone()),
    )
}

/// What follows once a release is live.
fn finish(
    cx: &Context,
    server: &Server,
    record: &Record,
    files: &ServerFiles,
    before: Option<&Record>,
) -> Result<()> {
    if let (Strategy::Slots, Some(before)) = (server.policy.strategy, before) {
        cx.run(Pause::new(format!("drain {}", before.slot), server.policy.drain))?;
        end(cx, server, before.slot)?;
    }
    // The files of a rollback are those of then; what was pushed since still counts.
    if record.of.is_none() {
        cx.run(KeepPushed::new(&server.layout, files))?;
    }
    Ok(())
}

/// Gives clients what they had, and takes the failed release away.
///
/// Where what they had is not well either, the failed one stays until the next request
/// has judged it.
fn take_back(
    cx: &Context,
    server: &Server,
    seen: &Seen,
    change: &Change<'_>,
    reached: Reached,
    error: &Error,
) -> Result<()> {
    let record = change.record;
    cx.group("take it back", |cx| {
        match (reached, change.live) {
            (Reached::Beside, _) | (_, None) => end(cx, server, record.slot)?,
            (_, Some(live)) if server.policy.strategy == Strategy::Recreate => {
                // Both may not run at once.
                end(cx, server, record.slot)?;
                give_back(cx, server, live, false)?;
            }
            (Reached::Ended, Some(_)) => end(cx, server, record.slot)?,
            (Reached::Switched, Some(live)) => {
                give_back(cx, server, live, seen.runs(&live.id))?;
                end(cx, server, record.slot)?;
            }
        }
        let reason = error.to_string();
        mark(cx, server, record, Fate::Undone { reason }).map(drop)
    })
}
