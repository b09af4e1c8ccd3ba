//! The landing page on its server: a release of it is begun, filled by rsync, committed.

mod abort;
mod begin;
mod checks;
mod commit;
mod error_pages;
mod front;
mod look;
mod publish;
mod rollback;
mod settle;
mod switch;
#[cfg(test)]
mod tests;
mod tidy;
mod verify;

pub use super::Server;
pub use abort::{abort, abort_open};
pub use begin::{LandingOrder, begin};
pub use commit::commit;
pub use look::{index, read, releases, state};
pub use rollback::{LandingBackOrder, rollback};
pub use settle::{settle, settle_now};
