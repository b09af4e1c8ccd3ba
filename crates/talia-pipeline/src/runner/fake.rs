//! A runner for unit tests of a flow's logic.

use std::sync::{Mutex, PoisonError};

use crate::{
    command_line::CommandLine,
    error::{Error, Result},
    step::{Action, Answer, Step, Try, Verdict},
};

use super::shell::unexpected_exit;

/// Answers every command from a function and remembers what was asked. In-process
/// work is not done; it gives the answer that a plan would assume.
///
/// For tests of a flow's logic only; whether a command does what is hoped is
/// shown by running the real tool.
///
/// ```
/// use talia_pipeline::{Action, Answer, CommandLine, Fake, Pipeline, Step, World};
///
/// struct Version;
/// impl Step for Version {
///     type Output = String;
///     fn label(&self) -> String { "version".into() }
///     fn action(&self) -> Action<'_, String> {
///         let line = CommandLine::new("tool").arg("--version");
///         Action::command(line, |answer| Ok(answer.stdout().trim().to_owned()))
///     }
///     fn assume(&self) -> String { "1.0".into() }
/// }
///
/// let pipeline = Pipeline::new("example", "/srv/app", World::fixed("/srv/app", []));
/// let fake = Fake::new(|_| Answer::new(0, "2.5\n", ""));
/// let (version, asked) = pipeline.fake(fake, |cx| cx.run(Version));
/// assert_eq!(version?, "2.5");
/// assert_eq!(asked[0].to_string(), "tool --version");
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
pub struct Fake {
    answers: Box<dyn Fn(&CommandLine) -> Answer + Send + Sync>,
    asked: Mutex<Vec<CommandLine>>,
}

impl Fake {
    /// A runner that answers with this function.
    pub fn new(answers: impl Fn(&CommandLine) -> Answer + Send + Sync + 'static) -> Self {
        Self { answers: Box::new(answers), asked: Mutex::default() }
    }

    pub(crate) fn answer(&self, line: &CommandLine) -> Answer {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(line.clone());
        (self.answers)(line)
    }

    pub(crate) fn asked(&self) -> Vec<CommandLine> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What a fake runner makes of a step.
pub(super) fn answer_by<S: Step>(fake: &Fake, step: &S) -> Result<S::Output> {
    match step.action() {
        Action::Work { .. } => Ok(step.assume()),
        Action::Poll { line, mut judge, .. } => {
            match judge(&Try::new(&fake.answer(&line), true))? {
                Verdict::Done(output) => Ok(output),
                Verdict::Again(reason) => Err(Error::step(reason)),
            }
        }
        Action::Command { line, read } => {
            let answer = fake.answer(&line);
            if line.accepted().contains(&answer.exit()) {
                read(&answer)
            } else {
                Err(unexpected_exit(&line, answer.exit(), &answer))
            }
        }
    }
}
