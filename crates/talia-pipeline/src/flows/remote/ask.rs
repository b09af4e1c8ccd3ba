//! One request to an agent, as a step.

use serde::de::DeserializeOwned;

use crate::{
    step::{Action, Step},
    steps::ssh::SshRequest,
};

use super::heard::heard;

/// One request to an agent, with its typed answer.
///
/// - Command: that of [`SshRequest`]; every exit is read.
/// - Touches: what the request does.
/// - Errors: what the agent says has failed, in its own words and of its own kind.
pub(super) struct Ask<T> {
    ssh: SshRequest,
    changes: bool,
    hoped: Option<T>,
}

impl<T> Ask<T> {
    /// A question that changes nothing. As an observation it is answered in a plan too.
    pub(super) fn question(ssh: SshRequest) -> Self {
        Self { ssh: accepting(ssh), changes: false, hoped: None }
    }

    /// The answer that a plan goes on with, where it is no observation.
    pub(super) fn hoping(self, hoped: T) -> Self {
        Self { hoped: Some(hoped), ..self }
    }

    /// A change; `hoped` is what a plan goes on with.
    pub(super) fn change(ssh: SshRequest, hoped: T) -> Self {
        Self { changes: true, ..Self::question(ssh).hoping(hoped) }
    }
}

fn accepting(ssh: SshRequest) -> SshRequest {
    ssh.events().accept(0..=255)
}

impl<T: DeserializeOwned + Clone + Send> Step for Ask<T> {
    type Output = T;

    fn label(&self) -> String {
        self.ssh.name()
    }

    fn action(&self) -> Action<'_, T> {
        let (changes, label) = (self.changes, self.label());
        self.ssh.action_with(move |answer| heard(answer, changes, &label))
    }

    fn assume(&self) -> T {
        self.hoped.clone().unwrap_or_else(|| unreachable!("a question is observed"))
    }
}
