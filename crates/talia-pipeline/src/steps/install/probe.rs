use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    command_line::{CommandLine, Effect},
    error::Error,
    step::{Action, Step, Summary},
    tool::{Tool, version_in},
    world::find_program,
};

use super::Engine;

/// Which version of a tool is there.
///
/// - Command: what makes the tool tell its version: `git --version`,
///   `docker version --format '{{.Server.Version}}'` for the engine.
/// - Exits: 0.
/// - Touches: nothing. At most 20 seconds, because a hung engine never answers.
/// - Errors: the tool is not there, does not answer, or is older than the least
///   version that works here.
///
/// ```
/// use talia_pipeline::{Step, steps::install::ToolThere};
///
/// assert!(ToolThere::of("git").is_some_and(|git| git.label() == "which git is there"));
/// assert!(ToolThere::of("no such tool").is_none());
/// ```
#[derive(Clone)]
pub struct ToolThere {
    tool: &'static Tool,
    host: Option<String>,
}

impl ToolThere {
    /// Of this tool, if it is a known one.
    pub fn of(name: &str) -> Option<Self> {
        Some(Self { tool: Tool::named(name)?, host: None })
    }

    /// Asks this engine where the tool is about an engine.
    #[must_use]
    pub fn engine(mut self, engine: &Engine) -> Self {
        self.host = engine.host();
        self
    }
}

impl Step for ToolThere {
    type Output = String;

    fn label(&self) -> String {
        format!("which {} is there", self.tool.name)
    }

    fn action(&self) -> Action<'_, String> {
        let mut line = self.tool.probe();
        if self.tool.program == "docker"
            && let Some(host) = &self.host
        {
            line = line.env("DOCKER_HOST", host);
        }
        Action::command(line, |answer| {
            let said = format!("{} {}", answer.stdout(), answer.stderr());
            let found = version_in(&said);
            let shown = match &found {
                Some(numbers) => numbers.iter().map(u64::to_string).collect::<Vec<_>>().join("."),
                None => said.trim().to_owned(),
            };
            match self.tool.minimum {
                Some(minimum) if found < version_in(minimum) => Err(Error::preflight(format!(
                    "{} is {shown}, at least {minimum} is needed",
                    self.tool.name
                ))),
                _ => Ok(shown),
            }
        })
    }

    fn assume(&self) -> String {
        self.tool.minimum.unwrap_or("a version").to_owned()
    }

    fn summary(&self, version: &String) -> Summary {
        Summary::line(version.clone())
    }
}

/// Where a program is, as a shell would find it. For programs about whose
/// versions nothing is known.
///
/// - In this process: looks for the program along a search path.
/// - Touches: nothing.
///
/// ```
/// use talia_pipeline::{Step, steps::install::ProgramThere};
///
/// let there = ProgramThere::new("wrk", "/usr/bin:/bin", "/");
/// assert_eq!(there.label(), "whether wrk is there");
/// ```
#[derive(Debug, Clone)]
pub struct ProgramThere {
    program: String,
    search: String,
    directory: Utf8PathBuf,
}

impl ProgramThere {
    /// This program, along `search` (as `PATH` has it), from `directory`.
    pub fn new(
        program: impl Into<String>,
        search: impl Into<String>,
        directory: impl Into<Utf8PathBuf>,
    ) -> Self {
        Self { program: program.into(), search: search.into(), directory: directory.into() }
    }
}

impl Step for ProgramThere {
    type Output = Option<Utf8PathBuf>;

    fn label(&self) -> String {
        format!("whether {} is there", self.program)
    }

    fn action(&self) -> Action<'_, Self::Output> {
        Action::read(format!("look for {} in {}", self.program, self.search), || {
            Ok(find_program(&self.program, &self.search, &self.directory))
        })
    }

    fn assume(&self) -> Self::Output {
        Some(self.program.clone().into())
    }

    fn summary(&self, path: &Self::Output) -> Summary {
        Summary::line(path.as_ref().map_or("no", |path| path.as_str()))
    }
}

/// Whether sudo gives root's rights without a question.
///
/// - Command: `sudo --non-interactive -- true`.
/// - Exits: 0.
/// - Touches: nothing. At most 20 seconds.
/// - Errors: there is no sudo, or it wants a password.
/// - Source: sudo(8).
///
/// ```
/// use talia_pipeline::{Step, steps::install::SudoWorks};
///
/// assert_eq!(SudoWorks.label(), "whether sudo asks for nothing");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct SudoWorks;

impl Step for SudoWorks {
    type Output = ();

    fn label(&self) -> String {
        "whether sudo asks for nothing".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let line = CommandLine::new("sudo")
            .args(["--non-interactive", "--", "true"])
            .effect(Effect::Read)
            .timeout(Duration::from_secs(20))
            .purpose("see whether root's rights can be had without a password");
        Action::command(line, |_| Ok(()))
    }

    fn assume(&self) {}

    fn summary(&self, _: &()) -> Summary {
        Summary::line("it works")
    }
}

/// Whether systemd runs this machine, so that services are its business.
///
/// - In this process: looks whether `/run/systemd/system` is a folder.
/// - Touches: nothing.
/// - Source: sd_booted(3).
///
/// ```
/// use talia_pipeline::{Step, steps::install::SystemdRuns};
///
/// assert_eq!(SystemdRuns.label(), "whether systemd runs");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct SystemdRuns;

impl Step for SystemdRuns {
    type Output = bool;

    fn label(&self) -> String {
        "whether systemd runs".into()
    }

    fn action(&self) -> Action<'_, bool> {
        let folder = "/run/systemd/system";
        Action::read(format!("look for {folder}"), move || Ok(Utf8Path::new(folder).is_dir()))
    }

    fn assume(&self) -> bool {
        false
    }

    fn summary(&self, runs: &bool) -> Summary {
        Summary::line(if *runs { "yes" } else { "no" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;
    use crate::{Answer, Fake, Pipeline, World};

    fn version(name: &str) -> ToolThere {
        ToolThere::of(name).expect("a known tool")
    }

    #[test]
    fn version_minimal() {
        check("tool_there__minimal", &version("git"));
    }
    #[test]
    fn version_everything() {
        let engine = Engine::private("/var/tmp/engine");
        check("tool_there__everything", &version("docker-engine").engine(&engine));
    }
    #[test]
    fn version_hostile() {
        let engine = Engine::private("/var/tmp/it's \"a\"\nü");
        check("tool_there__hostile", &version("docker-engine").engine(&engine));
    }
    #[test]
    fn program_minimal() {
        check("program_there__minimal", &ProgramThere::new("wrk", "/usr/bin:/bin", "/"));
    }
    #[test]
    fn program_everything() {
        check("program_there__everything", &ProgramThere::new("./run", "/usr/bin", "/srv/app"));
    }
    #[test]
    fn program_hostile() {
        check("program_there__hostile", &ProgramThere::new("-it's\nü", "/a b::\"", "/"));
    }
    #[test]
    fn sudo() {
        check("sudo_works__minimal", &SudoWorks);
    }
    #[test]
    fn systemd() {
        check("systemd_runs__minimal", &SystemdRuns);
    }

    #[test]
    fn a_version_that_is_too_old_is_an_error() {
        let pipeline = Pipeline::new("test", "/", World::fixed("/", []));
        let ask = |said: &'static str| {
            let fake = Fake::new(move |_| Answer::new(0, said, ""));
            pipeline.fake(fake, |cx| cx.observe(version("docker-compose"))).0
        };
        assert_eq!(ask("2.26.1-4\n").unwrap(), "2.26.1");
        let error = ask("1.29.2\n").unwrap_err();
        assert_eq!(error.to_string(), "docker-compose is 1.29.2, at least 2 is needed");
    }
}
