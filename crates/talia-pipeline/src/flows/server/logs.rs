//! The app's own records.

use crate::{
    context::Context,
    error::Result,
    protocol::{LogQuery, Slot},
    server::LogTail,
    steps::server::ReadLogs,
};

use super::Server;

/// The app's records, and what is to be said of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Logged {
    /// The records, the oldest first.
    pub records: Vec<String>,
    /// What is not among them, though it was asked for.
    pub notes: Vec<String>,
}

/// The records of both slots that the query names. Changes nothing.
///
/// # Errors
/// When the logs cannot be read.
pub fn logs(cx: &Context, server: &Server, query: &LogQuery) -> Result<Logged> {
    let folders = Slot::BOTH.map(|slot| server.layout.logs(slot));
    let read = ReadLogs::new(folders.clone(), server.policy.app_uid, query, server.now_ms);
    let found = cx.observe(read)?;
    let mut notes: Vec<String> =
        found.passed_over.iter().map(|file| format!("not read: {file}")).collect();
    if found.left_out > 0 {
        notes.push(format!(
            "{} older records are left out: a shorter `--since` or a `--request-id` asks for less; \
             all of them are on the server, in {}",
            found.left_out,
            folders.map(String::from).join(" and ")
        ));
    }
    Ok(Logged { records: found.records, notes })
}

/// The records of both slots as they come.
pub fn log_tail(server: &Server) -> LogTail {
    LogTail::new(Slot::BOTH.map(|slot| server.layout.logs(slot)), server.policy.app_uid)
}
