use crate::command_line::CommandLine;

/// What root's own shell searches. A caller who became root without a login
/// shell, or who is not root, often lacks the `sbin` folders, without which
/// dpkg's scripts and the engine fail.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How a command gets the rights of root.
///
/// ```
/// use talia_pipeline::{Step, steps::install::{AptUpdate, Privilege}};
///
/// let line = AptUpdate::new(Privilege::Sudo);
/// let line = line.action().command_line().map(ToString::to_string).unwrap_or_default();
/// assert!(line.starts_with("sudo --non-interactive env "));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Privilege {
    /// The caller is root already.
    Root,
    /// By `sudo`, which must not ask for a password.
    Sudo,
}

impl Privilege {
    /// The command that runs `program` as root.
    pub(crate) fn line(self, program: &str) -> CommandLine {
        self.with(program, &[])
    }

    /// The same in root's `PATH` and with these variables.
    pub(crate) fn system_line(self, program: &str, variables: &[(&str, &str)]) -> CommandLine {
        self.with(program, &[&[("PATH", PATH)], variables].concat())
    }

    /// Under sudo variables are set by `env`: sudo drops those of its caller, and
    /// not every sudo has, or allows, `--preserve-env`.
    fn with(self, program: &str, variables: &[(&str, &str)]) -> CommandLine {
        match self {
            Self::Root => variables
                .iter()
                .fold(CommandLine::new(program), |line, (name, value)| line.env(*name, *value)),
            Self::Sudo => {
                let set = variables.iter().map(|(name, value)| format!("{name}={value}"));
                // No `--` here: the first one belongs to the program's own operands,
                // and sudo's options end with the first word that is none.
                CommandLine::new("sudo")
                    .args(["--non-interactive", "env", "LC_ALL=C.UTF-8"])
                    .args(set)
                    .arg(program)
            }
        }
    }
}
