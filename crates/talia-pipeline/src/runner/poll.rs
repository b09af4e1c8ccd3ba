//! A command that is run again and again, until its answer is the one waited for.

use std::time::Duration;

use crate::{
    command_line::CommandLine,
    error::{Error, ErrorKind, Result},
    event::Event,
    process::Cancel,
    step::{Answer, Pace, Try, Verdict},
};

use super::{
    core::Limits,
    shell::{Shell, wait},
};

impl Shell {
    /// Runs the command at this pace until the judge is done.
    pub(super) fn poll<T>(
        &self,
        (id, label): (&str, &str),
        line: &CommandLine,
        pace: Pace,
        (cancel, limits): (&Cancel, Limits),
        tell: &dyn Fn(Event),
        mut judge: impl FnMut(&Try<'_>) -> Result<Verdict<T>>,
    ) -> Result<T> {
        let began = self.world().elapsed();
        let (mut attempt, mut last_reason) = (1, String::new());
        loop {
            if attempt == 1 {
                let command = Box::new(line.clone());
                tell(Event::CommandStarted { id: id.to_owned(), attempt, command });
            }
            let log = self.open_log(id, label);
            let answer = self.try_once(id, line, cancel, limits, log)?;
            let since = self.world().elapsed().saturating_sub(began);
            let left = pace.deadline.checked_sub(since);
            let is_last = left.is_none_or(|left| left < pace.interval);
            let verdict = judge(&Try::new(&answer, is_last)).map_err(|error| {
                let own = !error.last_lines().is_empty();
                if own { error } else { error.tail(answer.last_lines(20)) }
            })?;
            match verdict {
                Verdict::Done(output) => return Ok(output),
                Verdict::Again(reason) => {
                    if is_last {
                        let within = seconds(pace.deadline);
                        return Err(Error::step(format!("not within {within}: {reason}"))
                            .tail(answer.last_lines(20)));
                    }
                    // What has been said already is no news.
                    if reason != last_reason {
                        let (id, text) = (id.to_owned(), reason.clone());
                        tell(Event::Progress { id, text });
                        last_reason = reason;
                    }
                }
            }
            wait(pace.interval, cancel);
            if cancel.is_cancelled() {
                return Err(Error::interrupted(format!("{label} was cancelled")));
            }
            attempt += 1;
        }
    }

    fn try_once(
        &self,
        id: &str,
        line: &CommandLine,
        cancel: &Cancel,
        limits: Limits,
        log: Option<std::fs::File>,
    ) -> Result<Answer> {
        match self.spawn(id, line, cancel, limits, log, &|_| {})? {
            // One that took too long is an answer too: not yet.
            Err(error) if error.kind() == ErrorKind::Step => {
                Ok(Answer::new(124, "", error.to_string()))
            }
            ended => ended,
        }
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
