//! A release: from an image's digest to what clients get, or back to what they had.

use std::time::Duration;

use crate::{
    context::Context,
    digest::Digest,
    error::{Error, ErrorKind, Result},
    protocol::{ReleaseId, Released, RevisionId},
    server::{Fate, Record, ServerFiles, slot_file},
    settings::Strategy,
    steps::{
        image::ImagePresent,
        server::{
            ContainerLog, Containers, ImagePull, KeepPushed, MarkRelease, Migrate, Pause,
            ReadFiles, ReadReleaseFiles, ServedHealth, SlotDown, SlotHealth, SlotStable, SlotUp,
            Waited, WriteRelease,
        },
    },
};

use super::{
    Server,
    look::{Seen, look},
    preflight::{backup_gate, preflight},
    settle::{back, settle, switch},
    upkeep::prune_after,
};

/// The least round of questions before the container itself is looked at.
const ROUND: Duration = Duration::from_secs(3);
/// How long Nginx may take to give clients what was switched to.
const CONFIRMED_WITHIN: Duration = Duration::from_secs(15);
/// How many lines of a container that failed are shown.
const LAST_LINES: u32 = 20;

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
        let live = live.taken();
        return Ok(Released { live, before: None, unchanged: true, waits_for_latest: false });
    }
    let record = record(server, &seen, order, None)?;
    carry_out(cx, server, &seen, record, files)
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
        None => seen.records.last_good_before(live.as_ref()).ok_or_else(|| {
            Error::refused("no other release was ever good here, so there is none to go back to")
        })?,
    };
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
    schema_guard(&seen, target, accept_schema)?;
    carry_out(cx, server, &seen, record, files)
}

/// Says that the database has moved on, and wants to hear that it is known.
fn schema_guard(seen: &Seen, target: &Record, accepted: bool) -> Result<()> {
    // A release's schema is what the one after it found.
    let hashes: Vec<&Record> =
        seen.records.all.iter().filter(|record| record.id > target.id).collect();
    let then = hashes.iter().find_map(|record| record.schema_hash.as_ref());
    let now = hashes.iter().rev().find_map(|record| record.schema_hash.as_ref());
    match (then, now) {
        (Some(then), Some(now)) if then != now && !accepted => Err(Error::refused(format!(
            "the database's schema has changed since {}",
            target.id
        ))
        .hint("a rollback changes no data; if that release can work with it: `--accept-schema`")),
        _ => Ok(()),
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
    let told: Vec<String> = files.drift.iter().map(crate::server::Drift::told).collect();
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
    let runs = seen
        .in_slot(live.slot)
        .any(|one| one.is_running() && one.release.as_ref() == Some(&live.id));
    if !runs || live.digest != order.digest || live.revision != order.revision || !live.was_good() {
        return Ok(None);
    }
    let folder = server.layout.release(&live.id);
    let same = cx.probe(ReadReleaseFiles::new(folder))?.is_some_and(|with| {
        with.compose == files.compose && with.extra == files.extra && with.env == files.env
    });
    Ok(same.then_some(live))
}

fn carry_out(
    cx: &Context,
    server: &Server,
    seen: &Seen,
    mut record: Record,
    files: ServerFiles,
) -> Result<Released> {
    preflight(cx, server, &record, &files)?;
    if cx.probe(ImagePresent::new(record.reference()))?.is_none() {
        cx.run(ImagePull::new(record.reference(), server.layout.docker_config()))?;
    }
    let backup = backup_gate(cx, server)?;
    record.backup = backup.as_ref().map(|backup| backup.id.clone());
    record.schema_hash = backup.and_then(|backup| backup.schema_hash);
    let slot_file = slot_file(&server.layout, &server.policy, &record, &files.env)?;
    cx.run(WriteRelease::new(&server.layout, record.clone(), files, slot_file))?;

    let live = seen.live().cloned();
    let mut switched = false;
    let tried = (|| {
        if server.policy.strategy == Strategy::Recreate
            && let Some(live) = &live
        {
            cx.note("the service may not run twice: clients wait while it is replaced");
            cx.run(SlotDown::new(server.project(live.slot), server.grace()))?;
        }
        start(cx, server, &record)?;
        healthy(cx, server, &record)?;
        switched = true;
        switch(cx, server, record.slot)?;
        // From here on, to finish is quicker than to go back.
        cx.sheltered(|cx| confirm(cx, server, &record))
    })();
    if let Err(error) = tried {
        let error = with_last_lines(cx, server, &record, error);
        let undone = cx.sheltered(|cx| take_back(cx, server, seen, record, switched, &error));
        return Err(match undone {
            Ok(()) => error,
            Err(second) => Error::all(vec![error, second]),
        });
    }
    cx.sheltered(|cx| {
        record.fate = Fate::Live { at_ms: server.now_ms };
        cx.run(MarkRelease::new(&server.layout, record.clone()))?;
        cx.run(KeepPushed::new(&server.layout))?;
        if let Some(before) = live.as_ref().filter(|before| before.slot != record.slot) {
            cx.run(Pause::new(format!("drain {}", before.slot), server.policy.drain))?;
            cx.run(SlotDown::new(server.project(before.slot), server.grace()))?;
        }
        prune_after(cx, server, seen, &record)
    })?;
    Ok(Released {
        live: record.taken(),
        before: live.map(|record| record.taken()),
        unchanged: false,
        waits_for_latest: server.policy.moves_latest,
    })
}

/// Starts a release in its slot, from its own files.
pub(super) fn start(cx: &Context, server: &Server, record: &Record) -> Result<()> {
    let folder = server.layout.release(&record.id);
    let has_override = folder.join(crate::server::PushedFile::Override.name()).exists();
    let compose = server.compose(record, has_override);
    if !server.policy.migrate.is_empty() && record.fate == Fate::Begun && record.of.is_none() {
        cx.run(Migrate::new(compose.clone(), &server.policy.service, &server.policy.migrate))?;
    }
    cx.run(SlotUp::new(compose, &server.policy.service))
}

/// Waits until the release is healthy and stays so; a container that ends is not
/// waited for.
fn healthy(cx: &Context, server: &Server, record: &Record) -> Result<()> {
    let (health, socket) = (&server.policy.health, server.layout.socket(record.slot));
    let round = ROUND.max(health.interval * (health.answers + 2));
    let rounds = health.deadline.as_millis().div_ceil(round.as_millis()).max(1);
    let mut last = String::new();
    for _ in 0..rounds {
        match cx.run(SlotHealth::new(&socket, &record.revision, health, round))? {
            Waited::Healthy => {
                if health.stability.is_zero() {
                    return Ok(());
                }
                return cx.run(SlotStable::new(&socket, &record.revision, health));
            }
            Waited::NotYet(reason) => last = reason,
        }
        let containers = cx.run(Containers::new(server.layout.environment().as_str()))?;
        let own = containers.iter().find(|one| one.release.as_ref() == Some(&record.id));
        match own {
            None => return Err(Error::step("the container of the release has gone")),
            Some(own) if !own.is_running() => {
                return Err(Error::step(format!("the container has ended: {}", own.status)));
            }
            Some(_) => {}
        }
    }
    Err(Error::step(format!("not healthy within {} s: {last}", health.deadline.as_secs())))
}

/// Asks as clients do, where they come in.
fn confirm(cx: &Context, server: &Server, record: &Record) -> Result<()> {
    let Some(host) = &server.policy.host else {
        cx.note("the policy names no `host`, so what Nginx serves is not asked");
        return Ok(());
    };
    cx.run(
        ServedHealth::new(host, &record.revision, &server.policy.health, CONFIRMED_WITHIN)
            .authority(server.policy.tls_ca.clone()),
    )
}

/// What the container said last, where the error does not say more.
fn with_last_lines(cx: &Context, server: &Server, record: &Record, error: Error) -> Error {
    if error.kind() == ErrorKind::Interrupted {
        return error;
    }
    let said = cx.sheltered(|cx| {
        let containers = cx.run(Containers::new(server.layout.environment().as_str()))?;
        match containers.into_iter().find(|one| one.release.as_ref() == Some(&record.id)) {
            Some(own) => cx.run(ContainerLog::new(own.id, LAST_LINES)),
            None => Ok(Vec::new()),
        }
    });
    match said {
        Ok(said) if !said.is_empty() => error.tail(said),
        _ => error,
    }
}

/// Gives clients what they had, and takes the failed release away.
fn take_back(
    cx: &Context,
    server: &Server,
    seen: &Seen,
    record: Record,
    switched: bool,
    error: &Error,
) -> Result<()> {
    let reason = error.to_string();
    cx.group("take it back", |cx| {
        if switched {
            back(cx, server, seen, &record)?;
        }
        cx.run(SlotDown::new(server.project(record.slot), server.grace()))?;
        let recreated = server.policy.strategy == Strategy::Recreate && !switched;
        if let Some(live) = seen.live().filter(|_| recreated) {
            start(cx, server, live)?;
        }
        let fate = Fate::Undone { reason };
        cx.run(MarkRelease::new(&server.layout, Record { fate, ..record }))
    })
}
