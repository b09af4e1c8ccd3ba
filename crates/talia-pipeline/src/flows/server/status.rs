//! What is so now, for whoever asks.

use crate::{
    context::Context,
    error::Result,
    protocol::ServerState,
    server::{Drift, Record, holder},
    steps::server::{FreeDisk, ReadDrift, ReadRecords, ServedNow},
};

use super::{
    Server,
    look::{Seen, look},
};

/// Tells what runs, as the engine, Nginx and the disk say now. Changes nothing.
///
/// # Errors
/// When the engine does not answer.
pub fn status(cx: &Context, server: &Server) -> Result<ServerState> {
    let seen = look(cx, server)?;
    state(cx, server, &seen)
}

/// The records that are kept, the newest first. Changes nothing.
///
/// # Errors
/// When they cannot be listed.
pub fn releases(cx: &Context, server: &Server) -> Result<Vec<Record>> {
    let mut records = cx.observe(ReadRecords::new(&server.layout))?.all;
    records.reverse();
    Ok(records)
}

pub(super) fn state(cx: &Context, server: &Server, seen: &Seen) -> Result<ServerState> {
    let served = match &server.policy.host {
        Some(host) => {
            let ask = ServedNow::new(host, &server.policy.health).at(server.policy.host_address);
            cx.observe(ask.authority(server.policy.tls_ca.clone()))?
        }
        None => Err("the policy names no `host`".to_owned()),
    };
    let room = cx.observe(FreeDisk::new(server.layout.folder()))?;
    let drift = cx.observe(ReadDrift::new(&server.layout))?;
    Ok(ServerState {
        environment: server.layout.environment().clone(),
        at_ms: server.now_ms,
        live: seen.live().map(|record| record.taken()),
        served,
        slots: seen.containers.iter().map(|one| one.told()).collect(),
        lock: holder(&server.layout.lock())?,
        unfinished: seen.records.unfinished().next().map(|record| record.id.clone()),
        drift: drift.iter().map(Drift::told).collect(),
        maintenance: server.layout.maintenance().exists(),
        maintenance_reason: super::backup::maintenance_reason(server),
        backup: super::backup::last_backup(cx, server)?,
        free_bytes: room.bytes,
        landing: Some(super::landing::state(cx, server)?),
    })
}
