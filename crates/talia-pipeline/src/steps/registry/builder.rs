use std::time::Duration;

use camino::Utf8PathBuf;

use crate::{
    command_line::Effect,
    step::{Action, Step, Summary},
};

use super::failure::docker;

/// What builds behind the chosen builder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Driver(String);

impl Driver {
    /// Its name: `docker`, `docker-container`, `kubernetes`, `remote`.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// Whether it can attach an SBOM and the provenance to what it pushes. The
    /// engine's own builder cannot: it fails when it is asked to.
    pub fn attests(&self) -> bool {
        self.0 != "docker"
    }
}

/// Observation: which driver the chosen builder has.
///
/// - Command: `docker buildx inspect`.
/// - Exits: 0.
/// - Touches: nothing. At most 60 seconds: a remote builder is asked.
/// - Source: Docker's manual, *docker buildx inspect*, *Build drivers*.
///
/// ```
/// use talia_pipeline::{Step, steps::registry::BuilderDriver};
///
/// let driver = BuilderDriver::new().assume();
/// assert_eq!((driver.name(), driver.attests()), ("docker", false));
/// ```
#[derive(Debug, Clone, Default)]
pub struct BuilderDriver {
    config: Option<Utf8PathBuf>,
}

impl BuilderDriver {
    /// The builder that the user has chosen.
    pub fn new() -> Self {
        Self::default()
    }

    /// The builder that is chosen in this folder; see [`super::DockerConfig`].
    #[must_use]
    pub fn config(mut self, folder: impl Into<Utf8PathBuf>) -> Self {
        self.config = Some(folder.into());
        self
    }
}

impl Step for BuilderDriver {
    type Output = Driver;

    fn label(&self) -> String {
        "which builder is chosen".into()
    }

    fn action(&self) -> Action<'_, Driver> {
        let line = docker(self.config.as_deref())
            .args(["buildx", "inspect"])
            .effect(Effect::Read)
            .timeout(Duration::from_secs(60))
            .stdout_is_data()
            .purpose("whether the builder can attest what it builds");
        Action::command(line, |answer| {
            let said = answer.stdout();
            let driver = said.lines().find_map(|line| line.strip_prefix("Driver:"));
            let driver = driver.map(str::trim).filter(|name| !name.is_empty());
            driver
                .map(|name| Driver(name.to_owned()))
                .ok_or_else(|| answer.unreadable("a builder's driver"))
        })
    }

    fn assume(&self) -> Driver {
        Driver("docker".to_owned())
    }

    fn summary(&self, driver: &Driver) -> Summary {
        Summary::line(driver.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Answer, steps::testing::check};

    fn read(text: &str) -> crate::Result<Driver> {
        let step = BuilderDriver::new();
        let Action::Command { read, .. } = step.action() else { unreachable!("it is a command") };
        read(&Answer::new(0, text, ""))
    }

    #[test]
    fn the_driver_is_read_and_tells_whether_it_attests() {
        let own = read("Name:   default\nDriver: docker\n\nNodes:\nDriver Options: x\n");
        assert!(own.is_ok_and(|driver| !driver.attests()));
        let other = read("Name:          b\nDriver:        docker-container\n");
        assert!(other.is_ok_and(|driver| driver.attests() && driver.name() == "docker-container"));
        assert!(read("Name: x\n").is_err());
    }

    #[test]
    fn builder_driver_minimal() {
        check("builder_driver__minimal", &BuilderDriver::new());
    }

    #[test]
    fn builder_driver_hostile() {
        check("builder_driver__hostile", &BuilderDriver::new().config("/it's \"x\"\n$HOME"));
    }
}
