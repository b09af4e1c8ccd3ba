//! What the contexts of one run share: who answers, who is told, and when to stop.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError, mpsc::SyncSender},
    time::Duration,
};

use crate::{
    command_line::{Effect, Stdout},
    error::{Error, Result},
    event::{Event, Failure, Outcome},
    plan::{Node, Planned},
    preflight::is_looked_up_at_its_start,
    process::Cancel,
    step::{Action, Step, Summary},
};

use super::{Runner, Shell, fake::answer_by, slots::Slots};

/// The least time between two events about one unfinished line.
const PROGRESS_PAUSE: Duration = Duration::from_millis(100);

/// Time limits of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// One command, unless it says otherwise.
    pub(crate) step: Duration,
    /// From the interrupt to the kill.
    pub(crate) grace: Duration,
    /// All that [`crate::Context::finally`] has put off, after a cancellation.
    pub(crate) finally: Duration,
    /// No command may take longer, whatever it says itself.
    pub(crate) at_most: Option<Duration>,
}

/// Shared by every context of a run.
pub(crate) struct Core {
    pub(crate) runner: Runner,
    /// The run's id; none in a plan.
    pub(crate) run: Option<String>,
    pub(crate) shell: Arc<Shell>,
    pub(crate) events: Option<SyncSender<Event>>,
    pub(crate) slots: Slots,
    pub(crate) cancel: Cancel,
    pub(crate) limits: Limits,
    pub(crate) fail_fast: bool,
    /// What is missing, by the name of the tool, with the reason to show.
    pub(crate) missing: BTreeMap<String, String>,
    pub(crate) progress: Mutex<Progress>,
    pub(crate) timed_out: Mutex<Option<String>>,
    /// When all that was put off has to be done, once the run is cancelled.
    pub(crate) cleaned_by: Mutex<Option<Duration>>,
}

/// What has happened so far.
#[derive(Default)]
pub(crate) struct Progress {
    pub(crate) running: BTreeMap<String, Running>,
    pub(crate) passed: usize,
    pub(crate) finished: BTreeSet<String>,
    pub(crate) failed: Vec<(String, String)>,
}

/// A step that is running.
pub(crate) struct Running {
    pub(crate) label: String,
    pub(crate) last_line: String,
}

impl Core {
    pub(crate) fn is_sequential(&self) -> bool {
        !matches!(self.runner, Runner::Shell)
    }

    pub(crate) fn open_group(&self, name: &str) {
        if let Runner::Recorder(recorder) = &self.runner {
            recorder.open_group(name);
        }
    }

    pub(crate) fn open_parallel(&self) {
        if let Runner::Recorder(recorder) = &self.runner {
            recorder.open_parallel();
        }
    }

    pub(crate) fn open_branch(&self) {
        if let Runner::Recorder(recorder) = &self.runner {
            recorder.open_branch();
        }
    }

    pub(crate) fn close(&self) {
        if let Runner::Recorder(recorder) = &self.runner {
            recorder.close();
        }
    }

    /// Tells the reports. Every text is masked on the way.
    pub(crate) fn emit(&self, event: Event) {
        match (&self.runner, &event) {
            (Runner::Recorder(recorder), Event::Note { text }) => {
                recorder.add(Node::Note { text: text.clone() });
            }
            (Runner::Recorder(recorder), Event::Skipped { reason }) => {
                recorder.add(Node::Skipped { reason: reason.clone() });
            }
            _ => {}
        }
        if let Some(events) = &self.events {
            // A report that has gone away must not end the work.
            drop(events.send(self.shell.masked(event)));
        }
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.shell.world().now_ms()
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.shell.world().elapsed()
    }

    /// Cancels the run, once: a second interrupt would take the children's grace.
    pub(crate) fn stop(&self) {
        if !self.cancel.is_cancelled() {
            self.cancel.interrupt();
        }
    }

    pub(crate) fn progress(&self) -> std::sync::MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The error for a step that is not started or not finished any more.
    fn cancelled(&self, label: &str) -> Error {
        Error::interrupted(format!("{label} was cancelled")).in_step(label)
    }

    /// Runs a step; see [`crate::Context::run`].
    pub(crate) fn run<S: Step>(&self, id: &str, step: &S, cancel: &Cancel) -> Result<S::Output> {
        match &self.runner {
            Runner::Recorder(recorder) => {
                recorder.add(Node::Step(planned(id, &step.label(), step, None)));
                Ok(step.assume())
            }
            Runner::Fake(fake) => answer_by(fake, step).map_err(|e| e.in_step(&step.label())),
            Runner::Shell => self.run_under(id, &step.label(), step, cancel, self.limits),
        }
    }

    /// Looks along `PATH`; see [`crate::Context::find_program`].
    pub(crate) fn find_program(&self, id: &str, name: &str) -> Option<camino::Utf8PathBuf> {
        let found = self.shell.world().find_program(name);
        if let Runner::Recorder(recorder) = &self.runner {
            let answer = found.as_ref().map_or("not on PATH", |path| path.as_str());
            recorder.add(Node::Observation(Planned {
                id: id.to_owned(),
                label: format!("where {name} is"),
                command: None,
                shell: None,
                work: Some(format!("look for {name} along PATH")),
                effect: Effect::Read,
                touches: None,
                answer: Some(answer.to_owned()),
            }));
        }
        found
    }

    pub(super) fn run_under<S: Step>(
        &self,
        id: &str,
        label: &str,
        step: &S,
        cancel: &Cancel,
        limits: Limits,
    ) -> Result<S::Output> {
        let Some(_slot) = self.slots.take(|| cancel.is_cancelled()) else {
            return Err(self.cancelled(label));
        };
        let started = self.shell.world().elapsed();
        let action = step.action();
        let work = match &action {
            Action::Work { what, .. } => Some(what.clone()),
            Action::Command { .. } | Action::Poll { .. } => None,
        };
        self.progress()
            .running
            .insert(id.to_owned(), Running { label: label.to_owned(), last_line: String::new() });
        self.emit(Event::StepStarted { id: id.to_owned(), label: label.to_owned(), work });
        let missing = action.command_line().and_then(|line| self.missing_for(line));
        #[cfg(feature = "fault-injection")]
        let boundary = match super::faults::before(label) {
            Ok(boundary) => boundary,
            Err(error) => return self.finish_step(id, label, step, Err(error), started),
        };
        let result = match (missing, action) {
            (Some(reason), _) => Err(Error::preflight(reason)),
            (None, Action::Work { work, .. }) => work(),
            (None, Action::Poll { line, pace, judge }) => {
                let told_at = Cell::new(None);
                let tell = |event: Event| self.tell(event, &told_at);
                self.shell.poll((id, label), &line, pace, (cancel, limits), &tell, judge)
            }
            (None, Action::Command { line, read }) => {
                let told_at = Cell::new(None);
                let tell = |event: Event| self.tell(event, &told_at);
                let answer = self.shell.execute(id, label, &line, cancel, limits, &tell);
                // Events were told as they came.
                let is_told = line.stdout_kind() == Stdout::Events;
                answer.and_then(|answer| {
                    read(&answer).map_err(|error| {
                        let is_bare = error.last_lines().is_empty() && error.findings().is_empty();
                        if is_bare && !is_told { error.tail(answer.last_lines(20)) } else { error }
                    })
                })
            }
        };
        // What a flow makes of it, a record say, has no secret either.
        let mask = |text| self.shell.masked_text(text);
        let result = result.map_err(|error| error.in_step(label).map_texts(&mask));
        #[cfg(feature = "fault-injection")]
        let result = result.and_then(|output| boundary.after().map(|()| output));
        self.finish_step(id, label, step, result, started)
    }

    /// Why the command cannot run here, if something that it needs is missing.
    fn missing_for(&self, line: &crate::CommandLine) -> Option<String> {
        let program = Some(line.program()).filter(|_| !is_looked_up_at_its_start(line));
        let program = program.into_iter();
        let tools = program.chain(line.required_tools().iter().map(String::as_str));
        let reasons: Vec<&str> =
            tools.filter_map(|tool| self.missing.get(tool).map(String::as_str)).collect();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }

    /// Tells of a running command; of its unfinished line now and then only.
    fn tell(&self, event: Event, told_at: &Cell<Option<Duration>>) {
        // Whoever asks what a step said last wants the very last.
        self.remember_line(&event);
        if matches!(event, Event::Progress { .. }) {
            let now = self.shell.world().elapsed();
            if told_at.get().is_some_and(|at| now.saturating_sub(at) <= PROGRESS_PAUSE) {
                return;
            }
            told_at.set(Some(now));
        }
        self.emit(event);
    }

    fn remember_line(&self, event: &Event) {
        if let Event::Output { id, text, .. } | Event::Progress { id, text } = event
            && !text.trim().is_empty()
            && let Some(running) = self.progress().running.get_mut(id)
        {
            running.last_line.clone_from(text);
        }
    }

    fn finish_step<S: Step>(
        &self,
        id: &str,
        label: &str,
        step: &S,
        result: Result<S::Output>,
        started: Duration,
    ) -> Result<S::Output> {
        let took = self.shell.world().elapsed().saturating_sub(started);
        let (outcome, summary, failure) = match &result {
            Ok(output) => (Outcome::Passed, step.summary(output), None),
            Err(error) => {
                let outcome = match error.kind() {
                    crate::ErrorKind::Interrupted => Outcome::Cancelled,
                    crate::ErrorKind::Preflight => Outcome::Blocked,
                    _ => Outcome::Failed,
                };
                let failure = Box::new(Failure::from(error));
                (outcome, Summary::line(error.to_string()), Some(failure))
            }
        };
        {
            let mut progress = self.progress();
            progress.running.remove(id);
            progress.finished.insert(id.to_owned());
            match outcome {
                Outcome::Passed => progress.passed += 1,
                Outcome::Failed | Outcome::Blocked => {
                    progress.failed.push((id.to_owned(), label.to_owned()));
                }
                Outcome::Cancelled => {}
            }
        }
        self.emit(Event::StepFinished {
            id: id.to_owned(),
            label: label.to_owned(),
            outcome,
            duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            summary: summary.line,
            details: summary.details,
            diagnostics: summary.diagnostics,
            failure,
            log: self.shell.log_path(id, label),
        });
        if self.fail_fast && outcome == Outcome::Failed {
            self.stop();
        }
        result
    }

    /// The run's time is over: remembers what was running and ends it.
    pub(crate) fn time_is_up(&self, limit: Duration) {
        let running: Vec<String> = self
            .progress()
            .running
            .values()
            .map(|running| match running.last_line.trim() {
                "" => running.label.clone(),
                said => format!("{} (the last it said: {said})", running.label),
            })
            .collect();
        let mut timed_out = self.timed_out.lock().unwrap_or_else(PoisonError::into_inner);
        *timed_out = Some(format!(
            "the run took longer than {} s; running then: {}",
            limit.as_secs(),
            if running.is_empty() { "nothing".to_owned() } else { running.join(", ") }
        ));
        drop(timed_out);
        self.stop();
    }

    /// The error of a run whose time was over.
    pub(crate) fn timed_out(&self) -> Option<Error> {
        let timed_out = self.timed_out.lock().unwrap_or_else(PoisonError::into_inner);
        let message = timed_out.as_ref()?;
        Some(Error::step(message).hint("give it more with `--timeout SECONDS`"))
    }
}

pub(super) fn planned<S: Step>(id: &str, label: &str, step: &S, answer: Option<String>) -> Planned {
    let action = step.action();
    let command = action.command_line().cloned();
    let effect = action.effect();
    let work = match action {
        Action::Work { what, .. } => Some(what),
        Action::Command { .. } | Action::Poll { .. } => None,
    };
    Planned {
        id: id.to_owned(),
        label: label.to_owned(),
        shell: command.as_ref().map(ToString::to_string),
        command,
        work,
        effect,
        touches: step.touches(),
        answer,
    }
}
