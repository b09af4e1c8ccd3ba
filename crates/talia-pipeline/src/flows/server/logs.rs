//! The app's own records.

use crate::{
    context::Context,
    error::Result,
    protocol::{LogQuery, Slot},
    server::LogTail,
    steps::server::ReadLogs,
};

use super::Server;

/// The records of both slots that the query names, the oldest first. Changes nothing.
///
/// # Errors
/// When the logs cannot be read.
pub fn logs(cx: &Context, server: &Server, query: &LogQuery) -> Result<Vec<String>> {
    let folders = Slot::BOTH.map(|slot| server.layout.logs(slot));
    let read = ReadLogs::new(folders, server.policy.app_uid, query, server.now_ms);
    let found = cx.observe(read)?;
    for file in found.passed_over {
        cx.note(format!("not read: {file}"));
    }
    Ok(found.records)
}

/// The records of both slots as they come.
pub fn log_tail(server: &Server) -> LogTail {
    LogTail::new(Slot::BOTH.map(|slot| server.layout.logs(slot)), server.policy.app_uid)
}
