//! The landing page as a value: what a tree holds, and what makes one the other.
//!
//! Pure: trees come in, plans and text go out.

mod changes;
mod entry;
mod path;
mod strategy;
mod tree;

pub use changes::TreeChanges;
pub use entry::{ContentHash, Entry};
pub use path::TreePath;
pub use strategy::LandingStrategy;
pub use tree::Tree;
