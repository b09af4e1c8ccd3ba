//! How an agent says how a request has ended.

use serde::Serialize;
use talia_pipeline::{Error, Event, Failure};

/// A request's answer.
pub(crate) fn answered(answer: &impl Serialize) -> Event {
    let answer = serde_json::to_value(answer).unwrap_or_default();
    Event::Answered { answer }
}

/// The end of a request that never became a run.
pub(crate) fn refused(request: &str, error: &Error) -> Event {
    Event::FlowFinished {
        flow: request.to_owned(),
        exit_code: error.exit_code().code(),
        duration_ms: 0,
        passed: 0,
        failures: error.failures().iter().map(Failure::from).collect(),
        allowed: Vec::new(),
        not_run: Vec::new(),
    }
}
