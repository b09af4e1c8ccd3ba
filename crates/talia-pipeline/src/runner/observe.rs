//! Questions: answered for real, for a plan as well.

use std::{panic::resume_unwind, thread};

use crate::{
    command_line::Effect,
    error::{Error, Result},
    plan::Node,
    process::Cancel,
    step::{Action, Step},
};

use super::{Core, Runner, core::planned, fake::answer_by, kept::Asked};

impl Core {
    /// Answers a question; a run does not take an earlier answer when it is to ask
    /// `anew`. See [`crate::Context::observe`].
    pub(crate) fn observe<S: Step>(
        &self,
        id: &str,
        step: &S,
        cancel: &Cancel,
        anew: bool,
    ) -> Result<S::Output> {
        let result = self.find_out(step, cancel, anew);
        self.record_answer(id, step, &result);
        result
    }

    /// Answers a question once, for the plan and the run; see
    /// [`crate::Context::observe_once`].
    pub(crate) fn observe_once<S: Step<Output: Clone + 'static>>(
        &self,
        id: &str,
        step: &S,
        cancel: &Cancel,
    ) -> Result<S::Output> {
        let result = self.find_out_once(id, step, cancel);
        self.record_answer(id, step, &result);
        result
    }

    /// Answers two questions side by side; see [`crate::Context::observe_both`].
    pub(crate) fn observe_both<A, B>(
        &self,
        (a, b): ((&str, A), (&str, B)),
        cancel: &Cancel,
    ) -> Result<(A::Output, B::Output)>
    where
        A: Step<Output: Clone + 'static>,
        B: Step<Output: Clone + 'static>,
    {
        let first = || (self.find_out_once(a.0, &a.1, cancel), a);
        let second = || self.find_out_once(b.0, &b.1, cancel);
        let ((one, a), other) = match self.runner {
            // In an order that a test can tell.
            Runner::Fake(_) => (first(), second()),
            Runner::Shell | Runner::Recorder(_) => thread::scope(|scope| {
                let one = scope.spawn(first);
                let other = second();
                (one.join().unwrap_or_else(|panic| resume_unwind(panic)), other)
            }),
        };
        self.record_answer(a.0, &a.1, &one);
        self.record_answer(b.0, &b.1, &other);
        match (one, other) {
            (Ok(one), Ok(other)) => Ok((one, other)),
            (one, other) => Err(Error::all(one.err().into_iter().chain(other.err()).collect())),
        }
    }

    fn find_out_once<S: Step<Output: Clone + 'static>>(
        &self,
        id: &str,
        step: &S,
        cancel: &Cancel,
    ) -> Result<S::Output> {
        let asked = Asked::of(id, step);
        if matches!(self.runner, Runner::Shell)
            && let Some(answer) = self.shell.kept.take(&asked)
        {
            return Ok(answer);
        }
        let answer = self.find_out(step, cancel, false)?;
        if matches!(self.runner, Runner::Recorder(_)) {
            self.shell.kept.put(asked, answer.clone());
        }
        Ok(answer)
    }

    fn find_out<S: Step>(&self, step: &S, cancel: &Cancel, anew: bool) -> Result<S::Output> {
        let label = step.label();
        if step.action().effect() != Effect::Read {
            return Err(Error::usage(format!("{label} has an effect, so it cannot be observed"))
                .hint("give its action the effect `Read`, or run it as a step"));
        }
        if let Runner::Fake(fake) = &self.runner {
            return answer_by(fake, step).map_err(|error| error.in_step(&label));
        }
        let result = match step.action() {
            Action::Work { work, .. } => work(),
            Action::Command { line, read } => {
                let anew = anew && matches!(self.runner, Runner::Shell);
                self.shell.observe(&line, cancel, self.limits, anew).and_then(|a| read(&a))
            }
            Action::Poll { .. } => {
                Err(Error::usage(format!("{label} waits for something, so it is no observation")))
            }
        };
        let mask = |text| self.shell.masked_text(text);
        result.map_err(|error| error.in_step(&label).map_texts(&mask))
    }

    fn record_answer<S: Step>(&self, id: &str, step: &S, result: &Result<S::Output>) {
        let Runner::Recorder(recorder) = &self.runner else { return };
        if step.action().effect() != Effect::Read {
            return;
        }
        let answer = match result {
            Ok(output) => step.summary(output).line,
            Err(error) => format!("no: {error}"),
        };
        recorder.add(Node::Observation(planned(id, &step.label(), step, Some(answer))));
    }
}
