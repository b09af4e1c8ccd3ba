//! What every flow on a server works with.

use std::time::Duration;

use crate::{
    protocol::{Slot, Who},
    server::{Endpoint, Layout, PushedFile, Record, ServerFiles},
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
    /// The compose project of a release, with all files that it is made from.
    pub(super) fn compose(&self, record: &Record, files: &ServerFiles) -> Compose {
        let folder = self.layout.release(&record.id);
        let mut compose = Compose::new(self.layout.project(record.slot), folder)
            .docker_config(self.layout.docker_config());
        if files.extra.is_some() {
            compose = compose.with(PushedFile::Override.name());
        }
        compose.with(Record::SLOT_FILE)
    }

    /// Where a slot's service answers.
    pub(super) fn endpoint(&self, slot: Slot) -> Endpoint {
        Endpoint::of(&self.layout, &self.policy, slot)
    }

    /// How long a slot that is taken down may end its requests.
    pub(super) fn grace(&self) -> Duration {
        self.policy.drain.max(Duration::from_secs(10))
    }
}
