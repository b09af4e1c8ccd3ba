//! Another version of the agent.

use crate::{
    context::Context,
    error::{Error, Result},
    protocol::Version,
    server::Layout,
    steps::server::{AgentVersion, SwapAgent, WriteAgent},
};

use super::Server;

/// Puts a binary in the agent's place, once it has told its version on this server. The
/// next request is answered by it.
///
/// # Errors
/// When it does not run here, or is no agent: the one before stays.
pub fn install_agent(cx: &Context, server: &Server, content: Vec<u8>) -> Result<Version> {
    if !content.starts_with(b"\x7fELF") {
        return Err(Error::usage("what came on standard input is no program for Linux"));
    }
    // Two environments of one host share the agent.
    let new = format!("{}.{}", Layout::AGENT, server.layout.environment());
    cx.run(WriteAgent::new(&new, content))?;
    let version = cx.run(AgentVersion::new(&new))?;
    cx.run(SwapAgent::new(new, Layout::AGENT))?;
    Ok(version)
}
