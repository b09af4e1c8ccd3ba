//! The app's own records.

use crate::{
    context::Context,
    error::Result,
    protocol::{LogQuery, Slot},
    server::LogTail,
    steps::server::ReadLogs,
};

use super::Server;

/// The records of both slots that the query names, the oldest first. Changes nothing. What
/// is too much for one answer is named in front of them, in lines that are no records.
///
/// # Errors
/// When the logs cannot be read.
pub fn logs(cx: &Context, server: &Server, query: &LogQuery) -> Result<Vec<String>> {
    let folders = Slot::BOTH.map(|slot| server.layout.logs(slot));
    let read = ReadLogs::new(folders, server.policy.app_uid, query, server.now_ms);
    let found = cx.observe(read)?;
    let is_asked = query.since.is_some() || query.request_id.is_some();
    let mut told = Vec::new();
    for file in &found.passed_over {
        cx.note(format!("not read: {file}"));
        if is_asked {
            told.push(format!("… not read: {file}"));
        }
    }
    if found.left_out > 0 {
        let folders = Slot::BOTH.map(|slot| server.layout.logs(slot).to_string());
        told.push(format!(
            "… {} older records are left out: a shorter `--since` or a `--request-id` asks for less; \
             all of them are on the server, in {}",
            found.left_out,
            folders.join(" and ")
        ));
    }
    told.extend(found.records);
    Ok(told)
}

/// The records of both slots as they come.
pub fn log_tail(server: &Server) -> LogTail {
    LogTail::new(Slot::BOTH.map(|slot| server.layout.logs(slot)), server.policy.app_uid)
}
