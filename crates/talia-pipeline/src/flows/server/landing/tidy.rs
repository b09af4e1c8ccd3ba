//! What follows once a release is live.

use crate::{
    context::Context,
    error::Result,
    landing::TreePath,
    protocol::ReleaseId,
    server::{
        Fate,
        landing::{LandingRecord, LandingSeen, Stamps},
    },
    steps::server::landing::{ForgetLanding, MarkLanding, ReadPublished, StampLanding},
};

use super::super::Server;

/// Records what has become of a release.
pub(super) fn mark(
    cx: &Context,
    server: &Server,
    seen: &mut LandingSeen,
    record: LandingRecord,
) -> Result<LandingRecord> {
    cx.run(MarkLanding::new(&server.layout.landing(), record.clone()))?;
    recorded(seen, record.clone());
    Ok(record)
}

/// Has it among the records.
pub(super) fn recorded(seen: &mut LandingSeen, record: LandingRecord) {
    let all = &mut seen.records.all;
    match all.binary_search_by(|one| one.id.cmp(&record.id)) {
        Ok(at) => all[at] = record,
        Err(at) => all.insert(at, record),
    }
}

/// Takes a release away. Whether files have lost names.
pub(super) fn drop_release(
    cx: &Context,
    server: &Server,
    seen: &mut LandingSeen,
    id: &ReleaseId,
) -> Result<bool> {
    let have_lost = cx.run(ForgetLanding::new(&server.layout.landing(), id))?;
    seen.records.all.retain(|record| record.id != *id);
    seen.trees.remove(id);
    Ok(have_lost)
}

/// Removes what is not kept, then takes the live files for what is known of them: those
/// that went were other names of some. `also` are those that the release keeps of others,
/// and what has got other names for it.
pub(super) fn prune_and_stamp(
    cx: &Context,
    server: &Server,
    seen: &mut LandingSeen,
    stamps: Stamps,
    also: &[TreePath],
) -> Result<()> {
    let place = server.layout.landing();
    let Some(live) = seen.live().cloned() else { return Ok(()) };
    let keep = server.policy.landing.keep_releases;
    let gone: Vec<ReleaseId> = seen
        .records
        .beyond(keep, Some(&live.id))
        .into_iter()
        .filter(|record| record.fate != Fate::Begun)
        .map(|record| record.id.clone())
        .collect();
    let mut have_lost = false;
    for id in &gone {
        have_lost |= drop_release(cx, server, seen, id)?;
    }
    let Some(root) = seen.root(&place) else { return Ok(()) };
    let step = StampLanding::new(&place, &live.id, root, stamps).also(also);
    cx.run(if have_lost { step } else { step.only(Some(Vec::new())) })
}

/// Takes the live files for what is known of them again, where others of their names have
/// gone. What else has changed of them is not known any more.
pub(super) fn restamp(cx: &Context, server: &Server, seen: &LandingSeen) -> Result<()> {
    let place = server.layout.landing();
    let (Some(live), Some(root)) = (seen.live(), seen.root(&place)) else { return Ok(()) };
    let protected = &server.policy.landing.protected;
    let now = cx.run(ReadPublished::new(&place, &root, Some(live), protected).kept())?;
    cx.run(StampLanding::new(&place, &live.id, root, now.stamps))
}
