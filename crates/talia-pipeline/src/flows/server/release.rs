//! A release: whether it may be, and whether it has to be.

use crate::{
    context::Context,
    digest::Digest,
    error::{Error, Result},
    protocol::{ReleaseId, Released, RevisionId},
    server::{Drift, Fate, Record, ServerFiles},
    steps::server::{KeepPushed, ReadFiles, ReadReleaseFiles, SlotNow},
};

use super::{
    Server,
    carry_out::carry_out,
    look::{Seen, look},
    settle::settle,
};

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
    // What the client saw is what is so before anything is put right.
    refuse_race(&seen, order)?;
    let seen = settle(cx, server, seen)?;
    let files = cx.observe(ReadFiles::new(&server.layout))?;
    refuse_drift(cx, &files, order.accept_drift)?;
    if let Some(live) = is_live(cx, server, &seen, order, &files)? {
        cx.note(format!("{} is live already, from the same image and files", live.id));
        if !files.drift.is_empty() {
            // A kill may have come between the release and this.
            cx.run(KeepPushed::new(&server.layout, &files))?;
        }
        let (live, waits_for_latest) = (live.taken(), server.policy.moves_latest);
        return Ok(Released { live, before: None, unchanged: true, waits_for_latest });
    }
    let record = record(server, &seen, order, None)?;
    carry_out(cx, server, &seen, record, &files, None)
}

/// The record of what is about to be done.
pub(super) fn record(
    server: &Server,
    seen: &Seen,
    order: &Order,
    of: Option<ReleaseId>,
) -> Result<Record> {
    let image = server.policy.image.clone().ok_or_else(|| {
        Error::preflight(
            "the server's policy names no `image`, so nothing is released from anywhere",
        )
        .hint("set `image` in /etc/talia/<environment>.toml")
    })?;
    if let Some(live) = seen.unreadable() {
        let folder = server.layout.release(live);
        return Err(Error::refused(format!(
            "{live} is live, and its record cannot be read: there would be no way back to it"
        ))
        .hint(format!(
            "install the agent again that has written it, `cargo xtask server agent install`; \
             or put {folder}/record.json right"
        )));
    }
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
    let push = files.drift.iter().filter_map(|drift| drift.file.push_command());
    let push: Vec<String> = push.map(|command| format!("`{command} FILE`")).collect();
    let push = if push.is_empty() {
        String::new()
    } else {
        format!(", or push what you mean: {}", push.join(", "))
    };
    Err(Error::refused(told).hint(format!("take it as it is with `--accept-drift`{push}")))
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
    let ask = SlotNow::new(server.endpoint(live.slot), &server.policy.health);
    // A wrong answer is one more reason to release it anew.
    let is_well = cx.observe(ask)?.as_ref() == Ok(&live.revision);
    Ok(is_well.then_some(live))
}
