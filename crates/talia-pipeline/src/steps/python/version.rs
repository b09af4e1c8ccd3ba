//! Asks a program for its version.

use camino::Utf8PathBuf;

use crate::{
    command_line::{CommandLine, Effect},
    step::{Action, Step, Summary},
    tool::version_in,
};

/// Observation: `PROGRAM --version`, as a dotted number.
///
/// Accepts exit 0. Changes nothing. Fails where the program says no number, as a
/// shim for an interpreter that is not installed does.
#[derive(Debug)]
pub struct ToolVersion {
    program: String,
}

impl ToolVersion {
    /// Asks this program: a name to look up, or a path.
    pub fn of(program: impl Into<String>) -> Self {
        Self { program: program.into() }
    }

    /// Asks the program at this path.
    pub fn at(path: Utf8PathBuf) -> Self {
        Self { program: path.into_string() }
    }
}

impl Step for ToolVersion {
    type Output = String;

    fn label(&self) -> String {
        let name = self.program.rsplit('/').next().unwrap_or_default();
        format!("{name} version")
    }

    fn action(&self) -> Action<'_, String> {
        let line = CommandLine::new(&self.program)
            .arg("--version")
            .effect(Effect::Read)
            .timeout(std::time::Duration::from_secs(30))
            .purpose("which version is there");
        Action::command(line, |answer| {
            // Python 2 said it on standard error.
            let said = format!("{} {}", answer.stdout(), answer.stderr());
            let numbers = version_in(&said).ok_or_else(|| answer.unreadable("a version"))?;
            Ok(numbers.iter().map(u64::to_string).collect::<Vec<_>>().join("."))
        })
    }

    fn assume(&self) -> String {
        "0".into()
    }

    fn summary(&self, version: &String) -> Summary {
        Summary::line(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    #[test]
    fn tool_version_minimal() {
        check("tool_version__minimal", &ToolVersion::of("python3.12"));
    }

    #[test]
    fn tool_version_path() {
        check("tool_version__path", &ToolVersion::at("/state/env/bin/poetry".into()));
    }

    #[test]
    fn tool_version_hostile() {
        check("tool_version__hostile", &ToolVersion::of("it's $(id)"));
    }

    #[test]
    fn a_shim_that_says_no_number_is_no_version() {
        let step = ToolVersion::of("python3.12");
        let Action::Command { read, .. } = step.action() else { unreachable!("it is a command") };
        assert!(read(&crate::Answer::new(0, "", "command not found")).is_err());
    }
}
