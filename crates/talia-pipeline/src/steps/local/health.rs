//! Whether the backend on this machine answers.

use std::time::Duration;

use crate::{
    command_line::{CommandLine, Effect},
    hole,
    parse::health::revision,
    step::{Action, Pace, Step, Summary, Verdict},
};

/// How long the backend may take to start.
const DEADLINE: Duration = Duration::from_secs(60);

/// Waits until the backend on this machine is healthy; gives the revision that it names.
///
/// - Command: `curl --disable --silent --show-error --fail --globoff --noproxy '*'
///   --max-time 2 -- URL`, every half second for a minute.
/// - Exits: all; one that is not 0 is no answer yet.
/// - Touches: nothing.
/// - Source: curl(1).
///
/// ```
/// use talia_pipeline::{Step, steps::local::LocalHealth};
///
/// let step = LocalHealth::new("http://127.0.0.1:8000/api/health");
/// assert_eq!(step.label(), "wait for health");
/// ```
#[derive(Debug, Clone)]
pub struct LocalHealth {
    url: String,
}

impl LocalHealth {
    /// At this URL.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into() }
    }
}

impl Step for LocalHealth {
    type Output = String;

    fn label(&self) -> String {
        "wait for health".into()
    }

    fn action(&self) -> Action<'_, String> {
        let line = CommandLine::new("curl")
            // Counts only as the first word: ~/.curlrc could send the question elsewhere.
            .args(["--disable", "--silent", "--show-error", "--fail", "--globoff"])
            // curl takes a value as the next word alone.
            .args(["--noproxy", "*", "--max-time", "2", "--max-filesize", "65536"])
            .operand(&self.url)
            .effect(Effect::Read)
            .stdout_is_data()
            .timeout(Duration::from_secs(5))
            .purpose("whether the backend answers");
        let pace = Pace { interval: Duration::from_millis(500), deadline: DEADLINE };
        Action::poll(line, pace, |one| {
            let answer = one.answer;
            if answer.exit() != 0 {
                let said = answer.last_lines(1).pop().unwrap_or_default();
                return Ok(Verdict::Again(said.trim_start_matches("curl: ").to_owned()));
            }
            Ok(match revision(&answer.stdout()) {
                Ok(revision) => Verdict::Done(revision),
                Err(reason) => Verdict::Again(reason),
            })
        })
    }

    fn assume(&self) -> String {
        hole::named("revision")
    }

    fn summary(&self, revision: &String) -> Summary {
        Summary::line(format!("{revision} answers"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Answer, Try, steps::testing::check};

    #[test]
    fn local_health_minimal() {
        check("local_health__minimal", &LocalHealth::new("http://127.0.0.1:8000/api/health"));
    }

    #[test]
    fn local_health_hostile() {
        check("local_health__hostile", &LocalHealth::new("-K /etc/x $(id)\n"));
    }

    #[test]
    fn only_a_health_that_names_a_revision_ends_the_wait() {
        let judge = |exit, said: &str| {
            let step = LocalHealth::new("http://x/");
            let Action::Poll { mut judge, .. } = step.action() else {
                unreachable!("it is a poll")
            };
            judge(&Try::new(&Answer::new(exit, said, "curl: (7) refused\n"), false)).unwrap()
        };
        assert_eq!(judge(7, ""), Verdict::Again("(7) refused".into()));
        assert!(matches!(judge(0, "<html>"), Verdict::Again(_)));
        assert_eq!(judge(0, r#"{"revision":"abc"}"#), Verdict::Done("abc".into()));
    }
}
