//! How long what was put off may take; see [`crate::Context::finally`].

use std::{
    sync::{
        PoisonError,
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use crate::{error::Result, plan::Node, process::Cancel, step::Step};

use super::{
    Limits, Runner,
    core::{Core, planned},
    fake::answer_by,
};

impl Core {
    /// Runs a step that was put off; see [`crate::Context::finally`].
    pub(crate) fn run_at_the_end<S: Step>(&self, id: &str, step: &S) -> Result<S::Output> {
        match &self.runner {
            Runner::Recorder(recorder) => {
                recorder.add(Node::Finally(planned(id, &step.label(), step, None)));
                Ok(step.assume())
            }
            Runner::Fake(fake) => answer_by(fake, step).map_err(|e| e.in_step(&step.label())),
            Runner::Shell => self.run_put_off(id, &step.label(), step),
        }
    }

    /// Runs a step that was put off until the end.
    fn run_put_off<S: Step>(&self, id: &str, label: &str, step: &S) -> Result<S::Output> {
        // What was put off still runs after an interrupt, under its own limit; a
        // second interrupt ends it.
        let cleaning = self.cancel.sheltered();
        if self.cancel.is_cancelled() {
            let now = self.shell.world().elapsed();
            let mut by = self.cleaned_by.lock().unwrap_or_else(PoisonError::into_inner);
            let left = by.get_or_insert(now + self.limits.finally).saturating_sub(now);
            drop(by);
            let limits = Limits { at_most: Some(left), grace: Duration::ZERO, ..self.limits };
            return self.run_under(id, label, step, &cleaning, limits);
        }
        thread::scope(|scope| {
            let (over, is_over) = mpsc::channel();
            let (limited, cleaning) = (cleaning.clone(), &cleaning);
            scope.spawn(move || self.limit_cleaning(&limited, &is_over));
            let result = self.run_under(id, label, step, cleaning, self.limits);
            drop(over);
            result
        })
    }

    /// Ends what cleans up, when the run is cancelled meanwhile, after its limit.
    fn limit_cleaning(&self, cleaning: &Cancel, is_over: &Receiver<()>) {
        const NAP: Duration = Duration::from_millis(50);
        let mut left = self.limits.finally;
        while is_over.recv_timeout(NAP) == Err(RecvTimeoutError::Timeout) {
            if self.cancel.is_cancelled() {
                left = left.saturating_sub(NAP);
            }
            if left.is_zero() {
                return cleaning.kill();
            }
        }
    }
}
