//! Lets time pass.

use std::time::Duration;

use crate::{
    command_line::{CommandLine, Effect},
    step::{Action, Step},
};

/// `sleep SECONDS`: lets time pass, such as for requests that are under way.
///
/// A command, so that an interrupt ends it. Accepts exit 0.
#[derive(Debug)]
pub struct Pause {
    why: String,
    time: Duration,
}

impl Pause {
    /// Waits this long; `why` names the step.
    pub fn new(why: impl Into<String>, time: Duration) -> Self {
        Self { why: why.into(), time }
    }
}

impl Step for Pause {
    type Output = ();

    fn label(&self) -> String {
        self.why.clone()
    }

    fn action(&self) -> Action<'_, ()> {
        let line = CommandLine::new("sleep")
            .operand(format!("{:.3}", self.time.as_secs_f64()))
            .effect(Effect::Read)
            .timeout(self.time + Duration::from_secs(5))
            .purpose(&self.why);
        Action::command(line, |_| Ok(()))
    }

    fn assume(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    #[test]
    fn pause_minimal() {
        check("pause__minimal", &Pause::new("drain blue", Duration::from_millis(1500)));
    }

    #[test]
    fn pause_everything() {
        check("pause__everything", &Pause::new("drain", Duration::ZERO));
    }

    #[test]
    fn pause_hostile() {
        check("pause__hostile", &Pause::new("-x; $(id)\n", Duration::from_secs(3600)));
    }
}
