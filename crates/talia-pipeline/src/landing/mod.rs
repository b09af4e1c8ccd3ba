//! The landing page as a value: what a tree holds, and what makes one the other.
//!
//! Pure: trees come in, plans and text go out.

mod entry;
mod filter;
mod guards;
mod local;
mod path;
mod tree;

pub use entry::{ContentHash, Entry};
pub use filter::{Filters, Pattern, Rule};
pub use guards::{Deletions, Facts, Guard, Guards, Limits, Overrides, Refused};
pub use local::{IndexCounts, LocalIndex, Places, Problems};
pub use path::TreePath;
pub use tree::Tree;
