//! The app's own records.

use crate::{
    context::Context,
    error::Result,
    protocol::{LogQuery, Slot},
    steps::server::{FollowLogs, ReadLogs},
};

use super::Server;

/// How many records of each slot come before the new ones.
const SHOWN_FIRST: u32 = 20;

/// The records of both slots that the query names, the oldest first. With `follow`,
/// they are told as they come, until the client goes away.
///
/// # Errors
/// When the logs cannot be read.
pub fn logs(cx: &Context, server: &Server, query: &LogQuery) -> Result<Vec<String>> {
    let folders = Slot::BOTH.map(|slot| server.layout.logs(slot));
    if query.follow {
        cx.run(FollowLogs::new(folders, SHOWN_FIRST))?;
        return Ok(Vec::new());
    }
    cx.observe(ReadLogs::new(folders, query, server.now_ms))
}
