//! What every flow on a server works with.

use std::time::Duration;

use crate::{
    protocol::{Slot, Who},
    server::{Layout, PushedFile, Record},
    settings::Policy,
    steps::server::Compose,
};

/// One environment on its server, and who asks for what is done.
#[derive(Debug, Clone)]
pub struct Server {
    /// Where things are.
    pub layout: Layout,
    /// What holds.
    pub policy: Policy,
    /// The time, in milliseconds since 1970, as a release is named and recorded.
    pub now_ms: u64,
    /// The run, which names its logs.
    pub run: String,
    /// Who asks.
    pub by: Who,
}

impl Server {
    /// The compose project of a slot, with the files of this release.
    pub(super) fn compose(&self, record: &Record, has_override: bool) -> Compose {
        let folder = self.layout.release(&record.id);
        let mut compose = Compose::new(self.layout.project(record.slot), folder)
            .docker_config(self.layout.docker_config());
        if has_override {
            compose = compose.with(PushedFile::Override.name());
        }
        compose.with(Record::SLOT_FILE)
    }

    /// How long a slot that is taken down may end its requests.
    pub(super) fn grace(&self) -> Duration {
        self.policy.drain.max(Duration::from_secs(10))
    }

    /// As Compose names what runs in a slot.
    pub(super) fn project(&self, slot: Slot) -> String {
        self.layout.project(slot)
    }
}
