//! The landing page as a value: what a tree holds, and what makes one the other.
//!
//! Pure: trees come in, plans and text go out.

mod agreement;
mod change;
mod changes;
mod difference;
mod encoded;
mod entry;
mod filter;
mod guards;
mod hashed;
mod kept;
mod listing;
mod local;
mod path;
mod plan;
#[cfg(test)]
mod plan_tests;
mod renames;
mod resolve;
mod rules;
mod size;
mod strategy;
mod totals;
mod tree;
mod tree_text;

pub use agreement::check_repeated;
pub use change::Change;
pub use changes::TreeChanges;
pub use difference::Difference;
pub use entry::{ContentHash, Entry};
pub use filter::{Filters, Pattern, Rule};
pub use guards::{Deletions, Facts, Guard, Guards, Limits, Overrides, Refused};
pub use kept::Kept;
pub use local::{IndexCounts, LocalIndex, Places, Problems};
pub use path::TreePath;
pub use plan::RsyncPlan;
pub use resolve::Leads;
pub use size::{Amount, size};
pub use strategy::LandingStrategy;
pub use totals::Totals;
pub use tree::Tree;
