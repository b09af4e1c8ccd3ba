//! The backend on this machine, as Docker Compose runs it.

mod compose;
mod containers;
mod files;
mod health;

pub use compose::{ComposeDown, ComposeUp, LocalProject};
pub use containers::{ComposePs, ContainersHealthy};
pub use files::{ComposeFiles, FindComposeFiles};
pub use health::LocalHealth;
