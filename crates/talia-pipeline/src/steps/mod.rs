//! The steps: one file each, with its snapshots beside it.

pub mod backup;
pub mod cargo;
pub mod check;
pub mod git;
pub mod image;
pub mod install;
pub mod landing;
pub mod local;
pub mod python;
pub mod registry;
pub mod server;
pub mod ssh;
#[cfg(test)]
pub(crate) mod testing;
