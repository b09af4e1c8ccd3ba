//! The landing page on its server: what is published, what is kept, what is under way.
//!
//! - `<web's folder>/.talia-landing/<env>/releases/<id>/`: one tree each; the live path is
//!   a link to one of them.
//! - `<web's folder>/.talia-landing/<env>/staging/`: the tree of the open transaction.
//! - `<web's folder>/.talia-landing/<env>/spare/`: a tree that was pruned, to become the next
//!   staging tree.
//! - `/var/lib/talia/<env>/landing/`: records, the transaction, the lock, rsync's
//!   configuration; root's alone.

mod at_file;
mod beneath;
mod bring;
mod files;
mod folders;
mod hashing;
mod hidden;
mod interrupted;
mod place;
mod published;
mod record;
mod remove;
mod seen;
mod sharing;
mod spare;
mod staging;
mod stamps;
mod switch;
#[cfg(test)]
pub(crate) mod tests;
mod transaction;
mod walk;

pub use at_file::{AtFile, look_at};
pub use beneath::Owner;
pub use bring::{Side, bring_own, has_own};
pub use hidden::Own;
pub use place::{LandingPlace, VERSION_FILE};
pub use published::{Published, Wanted, published};
pub use record::{LandingRecord, LandingRecords, ReleaseTree, assets_to_keep};
pub use remove::remove_tree;
pub use seen::{AtWeb, LandingSeen};
pub use sharing::Needs;
pub use staging::{Made, Staged, Staging, Trusted, make_public, trusted};
pub use stamps::Stamps;
pub use switch::{move_found, switch, switch_from_folder, switch_to_folder, unswitch};
pub use transaction::Transaction;
pub use walk::{DEEPEST, Kind, Stamp, Standing, Walked, walk};
