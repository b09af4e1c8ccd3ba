//! What is so on the server now, as the engine and the disk say.

use crate::{
    context::Context,
    error::Result,
    protocol::{ReleaseId, Slot},
    server::{Fate, Record, Records},
    steps::server::{Container, Containers, LiveSlot, ReadRecords},
};

use super::Server;

/// What a flow begins from. A flow that changes it says so here, too: so its plan knows
/// what will be so by then.
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

    /// The release that clients get: what the container in their slot is labelled with;
    /// where there is none, what was put there last, unless it was undone.
    pub fn live(&self) -> Option<&Record> {
        let slot = self.live_slot?;
        match self.in_slot(slot).find_map(|one| one.release.as_ref()) {
            Some(release) => self.records.get(release),
            None => self.newest_in(slot),
        }
    }

    /// The release that clients get, where its record cannot be read: a newer agent may
    /// have written it.
    pub(super) fn unreadable(&self) -> Option<&ReleaseId> {
        let release = self.in_slot(self.live_slot?).find_map(|one| one.release.as_ref());
        release.filter(|release| self.records.get(release).is_none())
    }

    /// The newest release of a slot that was not undone.
    pub(super) fn newest_in(&self, slot: Slot) -> Option<&Record> {
        let mut newest = self.records.all.iter().rev();
        newest.find(|one| one.slot == slot && !matches!(one.fate, Fate::Undone { .. }))
    }

    /// Where the next release goes.
    pub fn idle_slot(&self) -> Slot {
        self.live_slot.map_or(Slot::Blue, Slot::other)
    }

    /// The container of a release.
    pub(super) fn container(&self, id: &ReleaseId) -> Option<&Container> {
        self.containers.iter().find(|one| one.release.as_ref() == Some(id))
    }

    /// Whether a release runs, as far as the engine says.
    pub(super) fn runs(&self, id: &ReleaseId) -> bool {
        self.container(id).is_some_and(Container::is_running)
    }

    /// A slot was ended.
    pub(super) fn ended(&mut self, slot: Slot) {
        self.containers.retain(|one| one.slot != Some(slot));
    }

    /// A release was recorded as this.
    pub(super) fn recorded(&mut self, record: &Record) {
        match self.records.all.iter_mut().find(|one| one.id == record.id) {
            Some(known) => known.clone_from(record),
            None => self.records.all.push(record.clone()),
        }
    }
}

/// Asks the engine and the disk.
///
/// # Errors
/// When the engine does not answer, or the records cannot be listed.
pub fn look(cx: &Context, server: &Server) -> Result<Seen> {
    Ok(Seen {
        live_slot: cx.observe(LiveSlot::new(&server.layout, &server.policy))?,
        containers: cx.observe(Containers::new(server.layout.environment().as_str()))?,
        records: cx.observe(ReadRecords::new(&server.layout))?,
    })
}
