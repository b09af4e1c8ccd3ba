//! The landing page's source, on this machine.

mod cache;
mod hash;
mod index;
mod keep;
mod stamp;
mod walk;

pub use index::IndexTree;
pub use keep::KeepIndex;
