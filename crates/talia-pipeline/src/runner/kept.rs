//! Answers that a recording has got, kept for the run.

use std::{
    any::Any,
    sync::{Mutex, PoisonError},
};

use crate::{
    command_line::CommandLine,
    step::{Action, Step},
};

/// A question: where it stands in the flow, and what it does to find the answer.
#[derive(PartialEq)]
pub(crate) struct Asked {
    id: String,
    label: String,
    line: Option<CommandLine>,
    work: Option<String>,
}

impl Asked {
    pub(super) fn of<S: Step>(id: &str, step: &S) -> Self {
        let (line, work) = match step.action() {
            Action::Work { what, .. } => (None, Some(what)),
            Action::Command { line, .. } | Action::Poll { line, .. } => (Some(*line), None),
        };
        Self { id: id.to_owned(), label: step.label(), line, work }
    }
}

/// The answers, each until the run takes it.
#[derive(Default)]
pub(super) struct Kept(Mutex<Vec<(Asked, Box<dyn Any + Send>)>>);

impl Kept {
    pub(super) fn put<T: Send + 'static>(&self, asked: Asked, answer: T) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((asked, Box::new(answer)));
    }

    pub(super) fn take<T: 'static>(&self, asked: &Asked) -> Option<T> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(one, answer)| one == asked && answer.is::<T>())?;
        kept.swap_remove(at).1.downcast().ok().map(|answer| *answer)
    }
}
