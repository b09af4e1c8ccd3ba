//! What is so on the server now, as the engine and the disk say.

use crate::{
    context::Context,
    error::Result,
    protocol::Slot,
    server::{Record, Records},
    steps::server::{Container, Containers, LiveSlot, ReadRecords},
};

use super::Server;

/// What a flow begins from.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Seen {
    /// The slot that clients get.
    pub live_slot: Option<Slot>,
    /// Every container of a release.
    pub containers: Vec<Container>,
    /// Every record.
    pub records: Records,
}

impl Seen {
    /// The containers in a slot.
    pub fn in_slot(&self, slot: Slot) -> impl Iterator<Item = &Container> {
        self.containers.iter().filter(move |one| one.slot == Some(slot))
    }

    /// The release that clients get: what runs in the live slot, else what was put
    /// there last.
    pub fn live(&self) -> Option<&Record> {
        let slot = self.live_slot?;
        let running = self.in_slot(slot).find_map(|one| self.records.get(one.release.as_ref()?));
        let recorded = self.records.all.iter().rev();
        let mut recorded = recorded.filter(|record| record.slot == slot && record.was_good());
        running.or_else(|| recorded.next())
    }

    /// Where the next release goes.
    pub fn idle_slot(&self) -> Slot {
        self.live_slot.map_or(Slot::Blue, Slot::other)
    }
}

/// Asks the engine and the disk.
///
/// # Errors
/// When the engine does not answer, or the records cannot be listed.
pub fn look(cx: &Context, server: &Server) -> Result<Seen> {
    Ok(Seen {
        live_slot: cx.observe(LiveSlot::new(server.layout.live_socket()))?,
        containers: cx.observe(Containers::new(server.layout.environment().as_str()))?,
        records: cx.observe(ReadRecords::new(&server.layout))?,
    })
}

/// Asks again after something was changed; an observation would give the first answer.
pub(super) fn look_again(cx: &Context, server: &Server) -> Result<Seen> {
    Ok(Seen {
        live_slot: cx.run(LiveSlot::new(server.layout.live_socket()))?,
        containers: cx.run(Containers::new(server.layout.environment().as_str()))?,
        records: cx.run(ReadRecords::new(&server.layout))?,
    })
}
