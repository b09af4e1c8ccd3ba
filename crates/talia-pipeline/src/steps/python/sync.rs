//! uv and Poetry: an environment from their lock.

use camino::Utf8PathBuf;

use crate::{
    command_line::CommandLine,
    step::{Action, Step, Touches},
};

use super::{Environment, isolated};

/// `uv sync --locked …`: the environment as `uv.lock` has it.
///
/// Accepts exit 0. Fails when the lock does not fit the project any more. Tried
/// three times, as it downloads. Writes the environment; what is in it beside
/// the lock stays. Needs uv 0.4.4.
///
/// Source: uv's manual, *Locking and syncing*.
#[derive(Debug)]
pub struct UvSync {
    uv: String,
    env: Environment,
    root: Utf8PathBuf,
    python: Option<String>,
    groups: Vec<String>,
    extras: Vec<String>,
}

impl UvSync {
    /// Syncs the project at `root` into this environment; `uv` is the program.
    pub fn new(uv: impl Into<String>, env: &Environment, root: impl Into<Utf8PathBuf>) -> Self {
        Self {
            uv: uv.into(),
            env: env.clone(),
            root: root.into(),
            python: None,
            groups: Vec::new(),
            extras: Vec::new(),
        }
    }

    /// Uses this interpreter.
    #[must_use]
    pub fn python(mut self, python: Option<String>) -> Self {
        self.python = python;
        self
    }

    /// Takes these groups too.
    #[must_use]
    pub fn groups(mut self, groups: &[String]) -> Self {
        self.groups = groups.to_vec();
        self
    }

    /// Takes these extras too.
    #[must_use]
    pub fn extras(mut self, extras: &[String]) -> Self {
        self.extras = extras.to_vec();
        self
    }
}

impl Step for UvSync {
    type Output = ();

    fn label(&self) -> String {
        "uv sync".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let mut line = isolated(CommandLine::new(&self.uv), self.env.cache())
            .arg("sync")
            // The lock decides; a stale one is an error that uv explains.
            .arg("--locked")
            // What was brought in beside the lock must survive the next sync.
            .arg("--inexact")
            .arg("--no-progress")
            .cwd(&self.root)
            .env("UV_PROJECT_ENVIRONMENT", self.env.dir().as_str())
            .attempts(3)
            .purpose("the environment as uv.lock has it");
        if let Some(python) = &self.python {
            line = line.option("--python", python);
        }
        for group in &self.groups {
            line = line.option("--group", group);
        }
        for extra in &self.extras {
            line = line.option("--extra", extra);
        }
        Action::command(line, |_| Ok(()))
    }

    fn assume(&self) {}

    fn touches(&self) -> Option<Touches> {
        let touches = Touches::new(&self.root).reads(["pyproject.toml", "uv.lock"]);
        Some(touches.tools([self.uv.as_str()]).writes(self.env.dir()))
    }
}

/// `poetry install …`: the environment as `poetry.lock` has it, by the user's
/// own Poetry with the user's own configuration.
///
/// Never `--quiet`: with a stale lock Poetry would then end with 1 and say
/// nothing. Accepts exit 0. Tried three times. Writes the environment, which has
/// to be there already: Poetry takes the one that `VIRTUAL_ENV` names. Needs
/// Poetry 1.2.
///
/// Source: Poetry's manual, *install*.
#[derive(Debug)]
pub struct PoetryInstall {
    poetry: String,
    env: Environment,
    root: Utf8PathBuf,
    optional_groups: Vec<String>,
    extras: Vec<String>,
    no_root: bool,
}

impl PoetryInstall {
    /// Installs the project at `root` into this environment; `poetry` is the program.
    pub fn new(poetry: impl Into<String>, env: &Environment, root: impl Into<Utf8PathBuf>) -> Self {
        Self {
            poetry: poetry.into(),
            env: env.clone(),
            root: root.into(),
            optional_groups: Vec::new(),
            extras: Vec::new(),
            no_root: false,
        }
    }

    /// Takes these optional groups too; the others are taken anyway.
    #[must_use]
    pub fn optional_groups(mut self, groups: Vec<String>) -> Self {
        self.optional_groups = groups;
        self
    }

    /// Takes these extras too.
    #[must_use]
    pub fn extras(mut self, extras: &[String]) -> Self {
        self.extras = extras.to_vec();
        self
    }

    /// Leaves the project itself out.
    #[must_use]
    pub fn no_root(mut self, no_root: bool) -> Self {
        self.no_root = no_root;
        self
    }
}

impl Step for PoetryInstall {
    type Output = ();

    fn label(&self) -> String {
        "poetry install".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let mut line = isolated(CommandLine::new(&self.poetry), self.env.cache())
            .args(["install", "--no-interaction", "--no-ansi"])
            .cwd(&self.root)
            .env("VIRTUAL_ENV", self.env.dir().as_str())
            .env("POETRY_VIRTUALENVS_CREATE", "true")
            .attempts(3)
            .purpose("the environment as poetry.lock has it");
        if !self.optional_groups.is_empty() {
            line = line.option("--with", self.optional_groups.join(","));
        }
        for extra in &self.extras {
            line = line.option("--extras", extra);
        }
        if self.no_root {
            line = line.arg("--no-root");
        }
        Action::command(line, |_| Ok(()))
    }

    fn assume(&self) {}

    fn touches(&self) -> Option<Touches> {
        let touches = Touches::new(&self.root).reads(["pyproject.toml", "poetry.lock"]);
        Some(touches.tools([self.poetry.as_str()]).writes(self.env.dir()))
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
    fn uv_sync_minimal() {
        check("uv_sync__minimal", &UvSync::new("uv", &env(), "/srv/app"));
    }

    #[test]
    fn uv_sync_everything() {
        let step = UvSync::new("/state/tools/uv-0.13.9/bin/uv", &env(), "/srv/app")
            .python(Some("python3.12".into()))
            .groups(&["dev".into(), "test".into()])
            .extras(&["all".into()]);
        check("uv_sync__everything", &step);
    }

    #[test]
    fn uv_sync_hostile() {
        let step = UvSync::new("uv", &env(), "/srv/it's\n-a $b").groups(&["--all $x".into()]);
        check("uv_sync__hostile", &step);
    }

    #[test]
    fn poetry_install_minimal() {
        check("poetry_install__minimal", &PoetryInstall::new("poetry", &env(), "/srv/app"));
    }

    #[test]
    fn poetry_install_everything() {
        let step = PoetryInstall::new("poetry", &env(), "/srv/app")
            .optional_groups(vec!["dev".into(), "test".into()])
            .extras(&["all".into(), "postgres".into()])
            .no_root(true);
        check("poetry_install__everything", &step);
    }

    #[test]
    fn poetry_install_hostile() {
        let step = PoetryInstall::new("poetry", &env(), "/srv/it's\n-a $b")
            .optional_groups(vec!["a b".into()])
            .extras(&["--no-root".into()]);
        check("poetry_install__hostile", &step);
    }
}
