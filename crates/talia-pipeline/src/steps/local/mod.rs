//! The backend on this machine, as Docker Compose runs it.

mod compose;
mod files;
mod health;

pub use compose::{ComposeDown, ComposeUp, LocalProject};
pub use files::{ComposeFiles, FindComposeFiles};
pub use health::LocalHealth;
