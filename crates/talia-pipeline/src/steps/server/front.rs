//! Where clients come in.

use std::net::SocketAddr;

use camino::Utf8PathBuf;

use crate::{command_line::CommandLine, settings::Policy};

/// The name that clients use, where this server itself asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Front {
    pub(super) host: String,
    pub(super) address: SocketAddr,
    /// Trusted instead of the system's authorities.
    pub(super) authority: Option<Utf8PathBuf>,
}

impl Front {
    pub(super) fn new(host: impl Into<String>) -> Self {
        Self { host: host.into(), address: Policy::HOST_ADDRESS, authority: None }
    }

    /// Leads curl there, whatever name and port a URL or an answer has.
    ///
    /// Source: curl(1), *--connect-to*.
    pub(super) fn lead(&self, line: CommandLine) -> CommandLine {
        let line = line.args(["--connect-to".to_owned(), format!("::{}", self.address)]);
        match &self.authority {
            Some(authority) => line.args(["--cacert", authority.as_str()]),
            None => line,
        }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.host)
    }
}
