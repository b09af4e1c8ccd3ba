//! Where a slot's service answers.

use camino::Utf8PathBuf;

use crate::{
    protocol::Slot,
    settings::{Listen, Policy},
};

use super::Layout;

/// Where a slot's service answers on its server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// At a Unix socket.
    Socket(Utf8PathBuf),
    /// At a port of 127.0.0.1.
    Port(u16),
}

impl Endpoint {
    /// That of a slot, as the policy has it.
    ///
    /// ```
    /// use talia_pipeline::{
    ///     protocol::Slot,
    ///     server::{Endpoint, Layout},
    ///     settings::Policy,
    /// };
    ///
    /// let (_, policy) = Policy::parse("listen = \"port\"", "policy.toml".into())?;
    /// let layout = Layout::new(&"staging".parse()?, &policy);
    /// assert_eq!(Endpoint::of(&layout, &policy, Slot::Green), Endpoint::Port(8002));
    /// # Ok::<(), talia_pipeline::Error>(())
    /// ```
    pub fn of(layout: &Layout, policy: &Policy, slot: Slot) -> Self {
        match policy.listen {
            Listen::Socket => Self::Socket(layout.socket(slot)),
            Listen::Port => Self::Port(policy.port_of(slot == Slot::Blue)),
        }
    }
}
