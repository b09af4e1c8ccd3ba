//! The app's own records, once or as they come.

use std::{io, time::Duration};

use talia_pipeline::{
    Error, Event, ExitCode, Result, Stream,
    flows::server::{log_tail, logs},
    parse::app_log,
    protocol::LogQuery,
    secret::Masker,
};

use crate::serve::Ask;

/// How many records of each slot come before the new ones.
const SHOWN_FIRST: usize = 20;
/// How long nothing is looked for.
const NAP: Duration = Duration::from_millis(300);
/// After so many naps without a record something is written all the same: only so is
/// it seen that the client has gone.
const QUIET: u32 = 10;

impl Ask<'_> {
    /// Tells the records; what the app should not have logged is masked.
    pub(crate) fn logs(&self, query: &LogQuery) -> Result<ExitCode> {
        let server = self.server(self.role());
        let mut pipeline = self.pipeline(&self.site.signals);
        let masker = Masker::new(pipeline.secret_values());
        if query.follow {
            return self.follow(query, &masker);
        }
        pipeline = pipeline.report(self.feed.report());
        let finished = pipeline.run(|cx| logs(cx, &server, query));
        let Ok(logged) = finished.result else { return Ok(finished.exit_code) };
        self.note(logged.notes);
        let records: Vec<_> = logged.records.iter().map(|record| masker.mask(record)).collect();
        Ok(self.tell(&records))
    }

    /// Beside the records, and none of them.
    fn note(&self, notes: Vec<String>) {
        for text in notes {
            self.feed.tell(&Event::Note { text });
        }
    }

    /// Tells the records as they come, until the client goes away or ends it.
    fn follow(&self, query: &LogQuery, masker: &Masker) -> Result<ExitCode> {
        let server = self.server(self.role());
        let cannot = |cause: io::Error| Error::step("the logs cannot be read").caused_by(cause);
        let mut tail = log_tail(&server);
        let id = query.request_id.as_ref().map(AsRef::as_ref);
        let is_asked =
            |line: &str| id.is_none_or(|id| app_log::read(line).request_id.as_deref() == Some(id));
        let is_own = |line: &&String| is_asked(line);
        let last = tail.last(SHOWN_FIRST).map_err(cannot)?;
        let mut lines: Vec<String> = last.iter().filter(is_own).cloned().collect();
        if id.is_some() || query.since.is_some() {
            // What was asked for may be further back.
            let mut pipeline = self.pipeline(&self.site.signals);
            let logged = pipeline.run(|cx| logs(cx, &server, query)).result?;
            self.note(logged.notes);
            lines = logged.records;
        }
        let mut quiet = 0;
        while !self.site.signals.is_cancelled() && !self.feed.is_gone() {
            for line in &lines {
                let event = Event::Output {
                    id: "logs".to_owned(),
                    stream: Stream::Stdout,
                    text: masker.mask(line).into_owned(),
                };
                // Nobody but the client is kept waiting by one that reads slowly.
                if !self.feed.tell_in_turn(&event, || self.site.signals.is_cancelled()) {
                    return Ok(ExitCode::Success);
                }
            }
            quiet = if lines.is_empty() { quiet + 1 } else { 0 };
            if quiet == QUIET {
                self.feed.tell(&Event::Progress { id: "logs".to_owned(), text: String::new() });
                quiet = 0;
            }
            std::thread::sleep(NAP);
            lines = tail.more().map_err(cannot)?;
            lines.retain(|line| is_asked(line));
        }
        Ok(ExitCode::Success)
    }
}
