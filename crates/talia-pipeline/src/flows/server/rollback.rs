//! Back to a release that was good.

use crate::{
    context::Context,
    error::{Error, ErrorKind, Result},
    protocol::{Accepted, Earlier, ImageAt, ReleaseId, Released, ServerState},
    server::Record,
    steps::{
        image::ImagePresent,
        server::{ImageOffered, ReadReleaseFiles},
    },
};

use super::{
    Server,
    backup::schema_since,
    carry_out::carry_out,
    look::{Seen, look},
    release::{Order, record},
    settle::settle,
    status::state,
};

/// Where a rollback is to lead, and from where.
#[derive(Debug, Clone)]
pub struct BackOrder {
    /// Which release; without it, the last good one before the live one.
    pub to: Option<ReleaseId>,
    /// What the client saw live.
    pub from: ReleaseId,
    /// What it may be in spite of.
    pub accepted: Accepted,
}

/// Gives clients a release again that was good: its image, its compose file, its
/// environment. Without a name, the last good one before the live one.
///
/// Asked again, after a connection was lost say, it leads no further back: what was
/// live is compared with what the client saw.
///
/// # Errors
/// When there is no such release, its image is gone, or the database's schema has
/// changed since and that is not accepted; and as [`release`](super::release).
pub fn rollback(cx: &Context, server: &Server, order: &BackOrder) -> Result<Released> {
    let before = look(cx, server)?;
    let was_live = before.live().map(|record| record.id.clone());
    let seen = settle(cx, server, before)?;
    if let Some(live) = seen.live().filter(|live| live.id != order.from) {
        let is_back = was_live.as_ref() == Some(&order.from)
            || live.of.is_some() && live.before.as_ref() == Some(&order.from);
        if is_back && order.to.as_ref().is_none_or(|to| leads_to(live, to)) {
            cx.note(format!("{} was given back already", live.id));
            let live = live.taken();
            return Ok(Released { live, before: None, unchanged: true, waits_for_latest: false });
        }
        return Err(Error::refused(format!(
            "{} is live, and this rollback was decided on when {} was",
            live.id, order.from
        ))
        .hint("somebody else has released meanwhile: look at `cargo xtask status`"));
    }
    let live = seen.live().map(|record| record.id.clone());
    let target = target(&seen, order.to.as_ref())?;
    if Some(&target.id) == live.as_ref() {
        return Err(Error::refused(format!("{} is live already", target.id)));
    }
    if !target.was_good() {
        return Err(Error::refused(format!("{} was never healthy here", target.id))
            .hint("without an id, the last good one is taken"));
    }
    let files = cx.observe(ReadReleaseFiles::new(server.layout.release(&target.id)))?;
    let accepted = order.accepted;
    let order = Order {
        digest: target.digest.clone(),
        revision: target.revision.clone(),
        after: None,
        accept_drift: true,
    };
    let of = target.of.clone().unwrap_or_else(|| target.id.clone());
    let mut record = record(server, &seen, &order, Some(of))?;
    record.image.clone_from(&target.image);
    let way = WayBack::of(cx, server, &seen, target, accepted)?;
    way.allows(way.now.as_ref())?;
    carry_out(cx, server, &seen, record, &files, Some(&way))
}

/// The release that is meant.
fn target<'s>(seen: &'s Seen, to: Option<&ReleaseId>) -> Result<&'s Record> {
    match to {
        Some(id) => seen.records.get(id).ok_or_else(|| {
            Error::usage(format!("there is no release {id} on this server"))
                .hint("`cargo xtask releases` lists them")
        }),
        None => seen.records.before(seen.live().map(|live| &live.id)).ok_or_else(|| {
            Error::refused("nothing good was live here before, so there is nothing to go back to")
                .hint("deploy a commit that works: `cargo xtask deploy backend --revision COMMIT`")
        }),
    }
}

/// The state of the server, and where a rollback leads to, if anywhere. Changes nothing.
///
/// # Errors
/// When the engine does not answer.
pub fn earlier(
    cx: &Context,
    server: &Server,
    to: Option<&ReleaseId>,
) -> Result<(ServerState, Option<Earlier>)> {
    let seen = look(cx, server)?;
    let state = state(cx, server, &seen)?;
    let Ok(target) = target(&seen, to) else { return Ok((state, None)) };
    let image = match cx.probe(ImagePresent::new(target.reference()))? {
        Some(_) => ImageAt::Server,
        None => {
            let ask = ImageOffered::new(target.reference(), server.layout.docker_config());
            match cx.observe(ask) {
                Ok(()) => ImageAt::Registry,
                Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
                Err(error) => ImageAt::Gone(error.to_string()),
            }
        }
    };
    let way = WayBack::of(cx, server, &seen, target, Accepted::default())?;
    let changed = way.has_changed(way.now.as_ref());
    Ok((state, Some(Earlier::new(target.taken(), image, changed))))
}

fn leads_to(live: &Record, to: &ReleaseId) -> bool {
    live.id == *to || live.of.as_ref() == Some(to)
}

/// What a rollback leads to, as far as the database is concerned.
pub(super) struct WayBack {
    release: ReleaseId,
    /// The schema that the release worked with.
    then: Option<String>,
    /// The schema that a backup has found since the live release is live: only then had it
    /// made its own.
    now: Option<String>,
    pub(super) accepted: Accepted,
}

impl WayBack {
    fn of(
        cx: &Context,
        server: &Server,
        seen: &Seen,
        target: &Record,
        accepted: Accepted,
    ) -> Result<Self> {
        // A release's schema is what the one after it found.
        let mut later = seen.records.all.iter().filter(|record| record.id > target.id);
        let then = later.find_map(|record| record.schema_hash.clone());
        let now = match seen.live() {
            Some(live) => schema_since(cx, server, live.since_ms())?,
            None => None,
        };
        Ok(Self { release: target.id.clone(), then, now, accepted })
    }

    /// The same where no backup is made that would tell.
    pub(super) fn allows_unseen(&self) -> Result<()> {
        if self.accepted.schema || self.now.is_some() {
            return Ok(());
        }
        Err(Error::refused(format!(
            "without a backup nobody can tell whether the database's schema has changed since {}",
            self.release
        ))
        .hint("if that release can work with whatever it is now: `--accept-schema` as well"))
    }

    /// Says that the database has moved on, and wants to hear that it is known.
    pub(super) fn allows(&self, now: Option<&String>) -> Result<()> {
        if self.accepted.schema || self.has_changed(now) != Some(true) {
            return Ok(());
        }
        Err(Error::refused(format!("the database's schema has changed since {}", self.release))
            .hint(
                "a rollback changes no data; if that release can work with it: `--accept-schema`",
            ))
    }

    /// Whether it is another one now, where both are known.
    fn has_changed(&self, now: Option<&String>) -> Option<bool> {
        Some(self.then.as_ref()? != now?)
    }
}
