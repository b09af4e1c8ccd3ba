//! pip: installs packages into an environment.

use camino::Utf8PathBuf;

use crate::{
    command_line::CommandLine,
    step::{Action, Step, Summary, Touches},
};

use super::Environment;

/// `ENV/bin/python -m pip install …`: packages, requirements files, the project
/// itself.
///
/// Accepts exit 0. Tried three times, as it downloads. Writes the environment.
/// What is installed already stays, so a second run costs about a second.
///
/// Source: pip's manual, *pip install*.
///
/// ```
/// use talia_pipeline::{Step, steps::python::{Environment, PipInstall}};
///
/// let env = Environment::new("/state/env", "/state/cache");
/// let step = PipInstall::new(&env, "/srv/app").requirements("requirements.txt");
/// assert_eq!(step.label(), "pip install");
/// ```
#[derive(Debug)]
pub struct PipInstall {
    env: Environment,
    cwd: Utf8PathBuf,
    packages: Vec<String>,
    requirements: Vec<Utf8PathBuf>,
    editable: Option<String>,
    no_dependencies: bool,
    uv: Option<String>,
    what: Option<String>,
}

impl PipInstall {
    /// Installs into this environment; relative files are below `cwd`.
    pub fn new(env: &Environment, cwd: impl Into<Utf8PathBuf>) -> Self {
        Self {
            env: env.clone(),
            cwd: cwd.into(),
            packages: Vec::new(),
            requirements: Vec::new(),
            editable: None,
            no_dependencies: false,
            uv: None,
            what: None,
        }
    }

    /// Adds a package: `ruff==0.12.0`.
    #[must_use]
    pub fn package(mut self, requirement: impl Into<String>) -> Self {
        self.packages.push(requirement.into());
        self
    }

    /// Adds a requirements file.
    #[must_use]
    pub fn requirements(mut self, file: impl Into<Utf8PathBuf>) -> Self {
        self.requirements.push(file.into());
        self
    }

    /// Installs the project itself so that its code stays where it is:
    /// `.`, or `.[dev,test]`.
    #[must_use]
    pub fn editable(mut self, project: impl Into<String>) -> Self {
        self.editable = Some(project.into());
        self
    }

    /// Takes nothing but what is named.
    #[must_use]
    pub fn no_dependencies(mut self) -> Self {
        self.no_dependencies = true;
        self
    }

    /// Lets this uv do it, for an environment that has no pip of its own.
    #[must_use]
    pub fn by_uv(mut self, uv: impl Into<String>) -> Self {
        self.uv = Some(uv.into());
        self
    }

    /// Names what is installed: `ruff 0.12.0`.
    #[must_use]
    pub fn of(mut self, what: impl Into<String>) -> Self {
        self.what = Some(what.into());
        self
    }
}

impl Step for PipInstall {
    type Output = ();

    fn label(&self) -> String {
        match &self.what {
            Some(what) => format!("install {what}"),
            None => "pip install".into(),
        }
    }

    fn action(&self) -> Action<'_, ()> {
        let mut line = match &self.uv {
            Some(uv) => super::isolated(CommandLine::new(uv), self.env.cache())
                .args(["pip", "install", "--no-progress"])
                .option("--python", self.env.program("python")),
            None => self
                .env
                .command("python")
                .args(["-m", "pip", "install"])
                // A question would wait for ever; a bar fills the log; the notice
                // about a newer pip is not the project's business.
                .args(["--no-input", "--progress-bar=off", "--disable-pip-version-check"])
                // Never outside a virtual environment, whatever else goes wrong.
                .arg("--require-virtualenv"),
        };
        line = line.cwd(&self.cwd).attempts(3).purpose("packages for the environment");
        if self.no_dependencies {
            line = line.arg("--no-deps");
        }
        for file in &self.requirements {
            line = line.option("--requirement", file);
        }
        if let Some(project) = &self.editable {
            line = line.option("--editable", project);
        }
        for package in &self.packages {
            line = line.operand(package);
        }
        Action::command(line, |_| Ok(()))
    }

    fn assume(&self) {}

    fn touches(&self) -> Option<Touches> {
        let touches = Touches::new(&self.cwd).writes(self.env.dir());
        let files = self.requirements.iter().map(|file| file.as_str());
        Some(touches.reads(files).environment(["PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"]))
    }

    fn summary(&self, (): &()) -> Summary {
        Summary::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    fn env() -> Environment {
        Environment::new("/state/env", "/state/cache")
    }

    #[test]
    fn pip_install_minimal() {
        let step = PipInstall::new(&env(), "/srv/app").requirements("requirements.txt");
        check("pip_install__minimal", &step);
    }

    #[test]
    fn pip_install_everything() {
        let step = PipInstall::new(&env(), "/srv/app")
            .package("pytest==8.4.2")
            .package("pytest-cov==5.0.0")
            .requirements("requirements.txt")
            .requirements("requirements-dev.txt")
            .editable(".[dev,test]")
            .no_dependencies()
            .of("everything");
        check("pip_install__everything", &step);
    }

    #[test]
    fn pip_install_by_uv() {
        let step = PipInstall::new(&env(), "/srv/app").package("pytest==8.4.2").by_uv("uv");
        check("pip_install__by_uv", &step);
    }

    #[test]
    fn pip_install_hostile() {
        let step = PipInstall::new(&env(), "/srv/it's")
            .package("--index-url=http://evil")
            .requirements("-r $x.txt")
            .editable("./a b");
        check("pip_install__hostile", &step);
    }
}
