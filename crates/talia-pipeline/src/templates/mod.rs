//! The server's own files as text: what sshd, sudo, Nginx, compose and systemd read.
//!
//! Each is a value that renders itself, the same text for the same input. They are
//! written on a server by whoever provisions it; the reference project's stand under
//! `infra/`, and a test compares them.

mod accounts;
mod compose;
mod deploy_script;
mod live_port;
mod local_compose;
mod nginx;
mod rsyncd;
mod sshd;
mod sudoers;
mod systemd;
#[cfg(test)]
mod testing;

pub use accounts::{AGENT, Accounts, Role};
pub use compose::Compose;
pub use deploy_script::DeployScript;
pub use live_port::LivePort;
pub use local_compose::LocalCompose;
pub use nginx::Nginx;
pub use rsyncd::Rsyncd;
pub use sshd::{Sshd, authorized_key};
pub use sudoers::Sudoers;
pub use systemd::{BackupTimer, BootService};
