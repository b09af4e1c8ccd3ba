//! What every flow on a server works with.

use std::time::Duration;

use crate::{
    context::Context,
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
    /// When it was asked, in milliseconds since 1970, as a release is named by.
    pub now_ms: u64,
    /// The run, which names its logs.
    pub run: String,
    /// Who asks.
    pub by: Who,
}

impl Server {
    /// The time by now, in milliseconds since 1970, as what clients get from now on is
    /// recorded with: minutes may have passed since it was asked for.
    pub(super) fn goes_live_ms(&self, cx: &Context) -> u64 {
        // A clock that was put back makes nothing live before it has begun.
        cx.now_ms().max(self.now_ms)
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Pipeline, World};

    #[test]
    fn what_takes_long_is_live_from_its_switch_on_and_not_from_its_begin() {
        let policy = Policy::default();
        let layout = Layout::new(&"staging".parse().unwrap(), &policy);
        let (run, by) = ("run".to_owned(), "ana".parse().unwrap());
        let mut server = Server { layout, policy, now_ms: 7, run, by };
        let world = World::real().unwrap();
        let (began, later) = (world.now_ms(), world.now_ms() + 3_600_000);
        let asked = |server: &Server| {
            let mut pipeline = Pipeline::new("release", "/", world.clone());
            pipeline.run(|cx| Ok(server.goes_live_ms(cx))).result.unwrap()
        };
        assert!(asked(&server) >= began);
        server.now_ms = later;
        assert_eq!(asked(&server), later);
    }
}
