//! Publishes what a transaction holds.

use crate::{
    context::Context,
    error::{Error, ErrorKind, Result},
    landing::TreePath,
    protocol::{LandingReleased, ReleaseId},
    server::{
        Fate,
        landing::{LandingSeen, VERSION_FILE},
    },
    steps::server::landing::{ForgetTransaction, ReadAnnounced, ReadLanding},
};

use super::{
    super::Server,
    abort::{forget, hold_rsync},
    begin::refuse_race,
    front::Front,
    publish::{Change, publish, take_back},
    settle::settle,
    switch::keep_folder,
    tidy::{mark, prune_and_stamp},
};

/// Publishes what the transaction of this id holds: once no rsync works in it, it is taken
/// back, compared with what was announced, completed, and switched to; then Nginx is asked
/// for every changed file. Where any of that fails, clients get what they had.
///
/// Asked again, after a connection was lost say, it does nothing more.
///
/// # Errors
/// Refused when there is no such transaction, an rsync still works, or what was sent is not
/// what was announced. A step error when clients do not get it. Of kind
/// [`ErrorKind::Unknown`] when it is live and cannot be recorded as that.
pub fn commit(cx: &Context, server: &Server, id: &ReleaseId) -> Result<LandingReleased> {
    let place = server.layout.landing();
    let seen = cx.observe(ReadLanding::new(&place))?;
    let Some(transaction) = seen.transaction.clone().filter(|open| open.id == *id) else {
        let seen = settle(cx, server, seen, None)?;
        return already(&seen, id);
    };
    let _no_rsync = hold_rsync(cx, server, "landing commit")?;
    let seen = LandingSeen { no_rsync: true, ..seen };
    let mut seen = settle(cx, server, seen, Some(id))?;
    if seen.live().is_some_and(|live| live.id == *id) {
        forget(cx, server, &mut seen)?;
    }
    if seen.transaction.is_none() {
        return already(&seen, id);
    }
    if let Err(error) = refuse_race(&seen, transaction.base.as_ref()) {
        cx.sheltered(|cx| forget(cx, server, &mut seen))?;
        return Err(error);
    }
    let (base, announced) = cx.observe_once(ReadAnnounced::new(&place, &transaction))?;
    let front = match Front::look(cx, server, &place) {
        Ok(front) => front,
        Err(error) => {
            cx.sheltered(|cx| forget(cx, server, &mut seen))?;
            return Err(error);
        }
    };
    let change = Change { transaction: &transaction, base: &base, announced: &announced };
    let published = match publish(cx, server, &mut seen, &change, &front) {
        Ok(published) => published,
        Err(error) => {
            let undone = cx.sheltered(|cx| take_back(cx, server, &transaction, &front, &error));
            return Err(match undone {
                Ok(()) => error,
                Err(second) => Error::all(vec![error, second]),
            });
        }
    };
    cx.sheltered(|cx| {
        mark(cx, server, &mut seen, published.record.clone()).map_err(|error| {
            Error::new(
                ErrorKind::Unknown,
                format!("clients get {id}, and its record says nothing of it: {error}"),
            )
            .hint("the next request looks at it and puts it right; free some disk first")
        })?;
        // It is live: what fails from here on is put right by the next request.
        let also: Vec<TreePath> = published.kept.iter().map(|(path, _)| path.clone()).collect();
        let tidied = keep_folder(cx, server, &mut seen, published.before.as_ref())
            .and_then(|()| cx.run(ForgetTransaction::new(&place)))
            .and_then(|()| front.remember(cx, &place))
            .and_then(|()| prune_and_stamp(cx, server, &mut seen, published.stamps, &also));
        if let Err(error) = tidied {
            cx.note(format!("the release is live; left to the next one: {error}"));
        }
        Ok(())
    })?;
    let version: TreePath = VERSION_FILE.parse()?;
    let kept =
        published.kept.iter().filter(|(path, entry)| **path != version && !entry.is_folder());
    let mut released = LandingReleased::new(published.record.taken());
    released.before = published.before.map(|before| before.taken());
    released.kept_assets = kept.count() as u64;
    released.verified = published.verified;
    released.reloaded = published.reloaded;
    Ok(released)
}

/// What has become of a transaction that is over.
fn already(seen: &LandingSeen, id: &ReleaseId) -> Result<LandingReleased> {
    match seen.records.get(id) {
        Some(record) if seen.live().is_some_and(|live| live.id == *id) => {
            let mut released = LandingReleased::new(record.taken());
            released.unchanged = true;
            Ok(released)
        }
        Some(record) => Err(match &record.fate {
            Fate::Undone { reason } => Error::refused(format!("{id} was undone: {reason}")),
            Fate::Begun | Fate::Live { .. } => {
                Error::refused(format!("{id} was live, and another one is now"))
            }
        }),
        None => Err(Error::refused(format!("there is no transaction {id}"))
            .hint("it was aborted, or another one took its place: deploy again")),
    }
}
