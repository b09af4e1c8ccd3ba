//! What an agent does on its server. Every one of these is an ordinary flow: a plan is
//! the same function recorded.

mod agent;
mod backup;
mod carry_out;
mod compose_check;
mod files;
mod host;
pub mod landing;
mod logs;
mod look;
mod outlook;
mod preflight;
mod release;
mod rollback;
mod settle;
mod slot;
mod status;
mod switch;
mod upkeep;

pub use agent::install_agent;
pub use backup::{backup_now, backups, drill_now, restore, restore_plan};
pub use files::{env_names, push};
pub use host::Server;
pub use logs::{Logged, log_tail, logs};
pub use look::{Seen, look};
pub use outlook::difference;
pub use release::{Order, release};
pub use rollback::{BackOrder, earlier, rollback};
pub use settle::{settle, settle_all};
pub use status::{releases, status};
pub(super) use upkeep::LATEST_WITHIN;
pub use upkeep::{hold_for_latest, maintenance, prune};
