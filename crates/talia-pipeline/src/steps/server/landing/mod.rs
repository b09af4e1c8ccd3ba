//! What an agent does with the landing page: one file for each thing.

mod complete;
mod fetch;
mod look;
mod nginx;
mod own;
mod place;
mod record;
mod rsync;
mod staging;
mod switch;
#[cfg(test)]
mod tests;
mod transaction;

pub use complete::{CompleteStaging, KeepAssets};
pub use fetch::{Fetch, FetchServed, Fetched, Served};
pub use look::{
    ReadAnnounced, ReadLanding, ReadLandingFile, ReadOpenTransaction, ReadPublished,
    ReadReleaseTree,
};
pub use nginx::{KeepNginx, NginxConfiguration, NginxNow};
pub use own::BringOwn;
pub use place::{CheckPlace, PrepareLanding};
pub use record::{ForgetLanding, MarkLanding, StampLanding, WriteLanding};
pub use rsync::{EndRsync, HoldRsync, RsyncVersion};
pub use staging::{BecomeRelease, CloseTree, MakeStaging, OpenTree, ReadStaged, RemoveStaging};
pub use switch::{MoveFound, SwitchLanding, UnswitchLanding};
pub use transaction::{ForgetTransaction, OpenTransaction, ShutTransaction, WriteTransaction};
