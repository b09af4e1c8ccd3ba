use std::time::Duration;

use talia_pipeline::{Action, CommandLine, Effect, Result, Stdin, Step};

/// How a program in a container ended, and what it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exited {
    /// Its exit code.
    pub exit: i32,
    /// Standard output as it came.
    pub stdout: Vec<u8>,
    /// Standard error as text.
    pub stderr: String,
}

/// Runs a program in a container, as root.
///
/// - Command: `docker exec --interactive -- CONTAINER PROGRAM ARG…`.
/// - Exits: 0, or any where [`Exec::any_exit`] says so. The client's own failures are
///   exits too: 125 to 127.
/// - Touches: whatever the program touches. At most 60 seconds unless set.
/// - Source: docker-exec(1).
///
/// ```
/// use talia_pipeline::Step;
/// use talia_sandbox::steps::Exec;
///
/// let step = Exec::new("c", ["systemctl", "restart", "nginx"]);
/// assert_eq!(step.label(), "systemctl restart nginx in c");
/// ```
#[derive(Debug, Clone)]
pub struct Exec {
    container: String,
    program: Vec<String>,
    stdin: Stdin,
    timeout: Duration,
    any_exit: bool,
    label: Option<String>,
}

impl Exec {
    /// This program with its arguments in this container.
    pub fn new(
        container: impl Into<String>,
        program: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        Self {
            container: container.into(),
            program: program.into_iter().map(Into::into).collect(),
            stdin: Stdin::Empty,
            timeout: Duration::from_secs(60),
            any_exit: false,
            label: None,
        }
    }

    /// What it reads from standard input.
    #[must_use]
    pub fn stdin(mut self, stdin: Stdin) -> Self {
        self.stdin = stdin;
        self
    }

    /// Ends it after this time.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Takes every exit code for an answer.
    #[must_use]
    pub fn any_exit(mut self) -> Self {
        self.any_exit = true;
        self
    }

    /// What people read in place of the program and its arguments.
    #[must_use]
    pub fn named(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }
}

impl Step for Exec {
    type Output = Exited;

    fn label(&self) -> String {
        let words = || format!("{} in {}", self.program.join(" "), self.container);
        self.label.clone().unwrap_or_else(words)
    }

    fn action(&self) -> Action<'_, Exited> {
        let line = CommandLine::new("docker").arg("exec");
        let line = match &self.stdin {
            Stdin::Empty => line,
            // Without it the program has no standard input at all.
            stdin => line.arg("--interactive").stdin(stdin.clone()),
        };
        let line = line
            .operand(&self.container)
            .args(&self.program)
            .effect(Effect::Local)
            .timeout(self.timeout)
            .purpose("run a program on a server of the sandbox");
        let line = if self.any_exit { line.accept(0..=255) } else { line };
        Action::command(line, |answer| -> Result<Exited> {
            Ok(Exited {
                exit: answer.exit(),
                stdout: answer.stdout_bytes().to_vec(),
                stderr: answer.stderr().into_owned(),
            })
        })
    }

    fn assume(&self) -> Exited {
        Exited { exit: 0, stdout: Vec::new(), stderr: String::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    #[test]
    fn minimal() {
        check("exec__minimal", &Exec::new("c", ["true"]));
    }
    #[test]
    fn everything() {
        let step = Exec::new("c", ["install", "--mode=0600", "/dev/stdin", "/etc/x"])
            .stdin(Stdin::Text("a\n".into()))
            .timeout(Duration::from_secs(5))
            .named("write /etc/x");
        check("exec__everything", &step);
    }
    #[test]
    fn hostile() {
        check("exec__hostile", &Exec::new("-c", ["-it's", "\"$(id)\n", "ü"]));
    }
}
