//! What keeps a server in order.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    context::Context,
    error::Result,
    protocol::ReleaseId,
    server::{Layout, Record, Records},
    steps::server::{HoldLock, ImageRemove, ReadNeighbours, RemoveRelease, SetMaintenance},
};

use super::{
    Server,
    backup::mend_restore,
    look::{Seen, look},
};

/// How long a client may take to move the registry's `latest`.
pub(in crate::flows) const LATEST_WITHIN: Duration = Duration::from_secs(30);

/// Gives clients a page that says to come back, or takes it away, also one that a killed
/// restore has left. Health stays open.
///
/// # Errors
/// When the file cannot be changed.
pub fn maintenance(cx: &Context, server: &Server, on: bool) -> Result<()> {
    if !on {
        mend_restore(cx, server)?;
    }
    cx.run(SetMaintenance::new(server.layout.maintenance(), on))
}

/// Leaves something behind that holds the lock while a client moves `latest`.
///
/// # Errors
/// When it cannot be started.
pub fn hold_for_latest(cx: &Context) -> Result<()> {
    cx.run(HoldLock::new(LATEST_WITHIN))
}

/// Removes releases that are not kept, and images that none of any environment needs.
///
/// # Errors
/// When a folder cannot be removed.
pub fn prune(cx: &Context, server: &Server) -> Result<()> {
    let seen = look(cx, server)?;
    let live = seen.live().map(|record| record.id.clone());
    prune_records(cx, server, &seen.records, live.as_ref())
}

/// After a release: as [`prune`], with the new record among the others.
pub(super) fn prune_after(
    cx: &Context,
    server: &Server,
    seen: &Seen,
    record: &Record,
) -> Result<()> {
    let mut records = seen.records.clone();
    records.all.push(record.clone());
    prune_records(cx, server, &records, Some(&record.id))
}

fn prune_records(
    cx: &Context,
    server: &Server,
    records: &Records,
    live: Option<&ReleaseId>,
) -> Result<()> {
    let gone: Vec<Record> =
        records.beyond(server.policy.keep_releases, live).into_iter().cloned().collect();
    if gone.is_empty() {
        return Ok(());
    }
    let is_gone = |record: &Record| gone.iter().any(|one| one.id == record.id);
    let mut needed: BTreeSet<String> =
        records.all.iter().filter(|record| !is_gone(record)).map(Record::reference).collect();
    // Another environment on this host may run, or go back to, the same image.
    needed.extend(cx.observe(ReadNeighbours::new(Layout::POLICIES, &server.layout))?);
    let mut removed = BTreeSet::new();
    for record in &gone {
        let reference = record.reference();
        if !needed.contains(&reference) && removed.insert(reference.clone()) {
            cx.run(ImageRemove::new(reference))?;
        }
        cx.run(RemoveRelease::new(server.layout.release(&record.id)))?;
    }
    Ok(())
}
