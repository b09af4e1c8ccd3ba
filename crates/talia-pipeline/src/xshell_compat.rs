//! `xshell::cmd!` as a way to write a [`CommandLine`].
//!
//! Only the words are taken. The executor is this library's own: xshell's
//! cannot stream, end a process group, or run side by side.

use crate::{command_line::CommandLine, error::Error};

/// Takes program and arguments from an [`xshell::Cmd`].
///
/// ```
/// use talia_pipeline::CommandLine;
/// use xshell::{Shell, cmd};
///
/// let shell = Shell::new()?;
/// let name = "a b";
/// let line = CommandLine::try_from(cmd!(shell, "git tag --list {name}"))?;
/// assert_eq!(line.to_string(), "git tag --list 'a b'");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl TryFrom<xshell::Cmd<'_>> for CommandLine {
    type Error = Error;

    fn try_from(cmd: xshell::Cmd<'_>) -> Result<Self, Error> {
        let command = std::process::Command::from(cmd);
        let text = |word: &std::ffi::OsStr| {
            word.to_str().map(str::to_owned).ok_or_else(|| {
                Error::usage(format!("an argument is not UTF-8: {}", word.display()))
            })
        };
        let mut line = Self::new(text(command.get_program())?);
        for arg in command.get_args() {
            line = line.arg(text(arg)?);
        }
        Ok(line)
    }
}
