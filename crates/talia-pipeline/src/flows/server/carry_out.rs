//! From an image's digest to what clients get, and back where that fails.

use std::time::Duration;

use crate::{
    context::Context,
    error::{Error, ErrorKind, Result},
    protocol::Released,
    server::{Fate, Record, ServerFiles, slot_file},
    settings::Strategy,
    steps::{
        image::ImagePresent,
        server::{
            ImagePull, KeepPushed, MarkRelease, Migrate, Pause, RemoveRelease, ServedHealth,
            WriteRelease,
        },
    },
};

use super::{
    Server,
    backup::backup_gate,
    compose_check::refuse_compose,
    look::Seen,
    preflight::preflight,
    rollback::WayBack,
    slot::{
        answers_again, end, end_unserved, give_back, mark, restart, start, wait_healthy,
        with_last_lines,
    },
    switch::{may_be_switched, switch},
    upkeep::prune_after,
};

/// How long Nginx may take to give clients what was switched to.
const CONFIRMED_WITHIN: Duration = Duration::from_secs(15);

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

/// Does what a record says. What clients get is as before where it fails; where it is
/// live and cannot be recorded as that, the error is of kind [`ErrorKind::Unknown`].
pub(super) fn carry_out(
    cx: &Context,
    server: &Server,
    seen: &Seen,
    mut record: Record,
    files: &ServerFiles,
    back: Option<&WayBack>,
) -> Result<Released> {
    let is_there = preflight(cx, server, &record, files)?;
    let backup = match back {
        Some(way) if way.accepted.no_backup => {
            cx.skip("the database is not backed up, as was asked");
            if server.policy.backup.database.is_some() {
                way.allows_unseen()?;
            }
            None
        }
        Some(_) => backup_gate(cx, server, &files.env_path).map_err(without_backup)?,
        None => backup_gate(cx, server, &files.env_path)?,
    };
    record.backup = backup.as_ref().map(|backup| backup.id.clone());
    record.schema_hash = backup.and_then(|backup| backup.schema_hash);
    if let Some(way) = back {
        way.allows(record.schema_hash.as_ref())?;
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
    let at_ms = match forward(cx, server, &change, &mut reached) {
        Ok(at_ms) => at_ms,
        Err(error) => {
            let error = with_last_lines(cx, server, &record, error);
            let undone = cx.sheltered(|cx| take_back(cx, server, seen, &change, reached, &error));
            return Err(with(error, undone));
        }
    };
    cx.sheltered(|cx| {
        record = mark(cx, server, &record, Fate::Live { at_ms }).map_err(|error| {
            let told =
                format!("clients get {}, and its record says nothing of it: {error}", record.id);
            Error::new(ErrorKind::Unknown, told)
                .hint("the next request looks at it and puts it right; free some disk first")
        })?;
        // It is live: what fails from here on is put right by the next request.
        // The files of a rollback are those of then; what was pushed since still counts.
        if record.of.is_none() {
            tidied(cx, cx.run(KeepPushed::new(&server.layout, files)));
        }
        if let (Strategy::Slots, Some(before)) = (server.policy.strategy, &live) {
            tidied(cx, end_before(cx, server, before));
        }
        tidied(cx, prune_after(cx, server, seen, &record));
        Ok(())
    })?;
    Ok(Released {
        live: record.taken(),
        before: live.map(|record| record.taken()),
        unchanged: false,
        waits_for_latest: server.policy.moves_latest && record.of.is_none(),
    })
}

/// A backup that fails must not keep clients from what was good: the way without it.
fn without_backup(error: Error) -> Error {
    if error.kind() == ErrorKind::Interrupted {
        return error;
    }
    let way = "to go back without a backup: `--accept-no-backup`";
    let hint = error.hint_text().map_or_else(|| way.to_owned(), |hint| format!("{hint}; {way}"));
    error.hint(hint)
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

/// From an image to what clients get. Gives the time of the switch.
fn forward(
    cx: &Context,
    server: &Server,
    change: &Change<'_>,
    reached: &mut Reached,
) -> Result<u64> {
    let record = change.record;
    // Until its record was written, a neighbour's prune could not know that it is needed.
    let is_there = change.is_there && cx.run(ImagePresent::new(record.reference())).is_ok();
    if !is_there {
        cx.run(ImagePull::new(record.reference(), server.layout.docker_config()))?;
    }
    let compose = server.compose(record, change.files);
    // With the very files and values that are about to be used.
    refuse_compose(cx, server, compose.clone())?;
    if !server.policy.migrate.is_empty() && record.of.is_none() {
        let (service, command) = (&server.policy.service, &server.policy.migrate);
        cx.run(Migrate::new(compose.clone(), service, command))?;
    }
    if let (Strategy::Recreate, Some(live)) = (server.policy.strategy, change.live) {
        cx.note("the service may not run twice: clients get errors while it is replaced");
        *reached = Reached::Ended;
        end(cx, server, live.slot)?;
    }
    start(cx, compose, server)?;
    wait_healthy(cx, server, record, &server.policy.health)?;
    // A disk that has filled up meanwhile is found while clients have what they had.
    cx.run(MarkRelease::new(&server.layout, record.clone()))?;
    let switched = switch(cx, server, record.slot);
    if switched.is_ok() || may_be_switched(server) {
        *reached = Reached::Switched;
    }
    switched?;
    let at_ms = server.goes_live_ms(cx);
    // From here on, to finish is quicker than to go back.
    cx.sheltered(|cx| confirm(cx, server, record))?;
    Ok(at_ms)
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
            .at(server.policy.host_address)
            .authority(server.policy.tls_ca.clone()),
    )
}

/// Ends what was live before, once its requests are over.
fn end_before(cx: &Context, server: &Server, before: &Record) -> Result<()> {
    cx.run(Pause::new(format!("drain {}", before.slot), server.policy.drain))?;
    end(cx, server, before.slot)
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
        served_as_before(cx, server, seen, change, reached).map_err(|error| match reached {
            Reached::Beside => error,
            Reached::Ended | Reached::Switched => Error::new(
                ErrorKind::Unknown,
                format!("clients may not get what they had: {error}"),
            )
            .hint(
                "`cargo xtask status` tells what is served; the next request puts right what it can",
            ),
        })?;
        let reason = error.to_string();
        mark(cx, server, record, Fate::Undone { reason }).map(drop)
    })
}

/// Gives clients what they had, and ends the slot that failed.
fn served_as_before(
    cx: &Context,
    server: &Server,
    seen: &Seen,
    change: &Change<'_>,
    reached: Reached,
) -> Result<()> {
    let slot = change.record.slot;
    match (reached, change.live) {
        (Reached::Beside, _) | (_, None) => end_unserved(cx, server, slot),
        (Reached::Ended, Some(live)) => {
            // Both may not run at once; and clients were never sent to the new one.
            end(cx, server, slot)?;
            restart(cx, server, live)?;
            answers_again(cx, server, live)
        }
        (Reached::Switched, Some(live)) if server.policy.strategy == Strategy::Recreate => {
            end(cx, server, slot)?;
            give_back(cx, server, live, false)
        }
        (Reached::Switched, Some(live)) => {
            give_back(cx, server, live, seen.runs(&live.id))?;
            end(cx, server, slot)
        }
    }
}
