//! Requests to a server over one pinned, multiplexed ssh connection.
//!
//! The user's ssh configuration is not read unless the settings name it: where a
//! deploy goes and whom it trusts is decided by what stands in the command.

mod close;
mod connection;
mod failure;
mod request;

pub use close::SshClose;
pub use connection::{Connection, Key};
pub(crate) use failure::{OWN_FAILURE, failure};
pub use request::SshRequest;
