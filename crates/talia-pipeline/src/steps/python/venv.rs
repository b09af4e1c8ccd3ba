//! Makes a virtual environment.

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    command_line::CommandLine,
    step::{Action, Step, Touches},
};

use super::isolated;

/// `PYTHON -m venv --clear DIR`: a fresh, empty virtual environment.
///
/// Accepts exit 0. Writes `DIR`, whose former content is removed; whether it
/// has to be made anew is the flow's decision. Needs the interpreter's `venv`
/// and `ensurepip` modules (`python3-venv` on Debian).
///
/// Source: Python's manual, *venv*.
///
/// ```
/// use talia_pipeline::{Step, steps::python::Venv};
///
/// let step = Venv::new("python3", "/state/env", "/state/cache");
/// assert_eq!(step.label(), "create environment");
/// ```
#[derive(Debug)]
pub struct Venv {
    python: String,
    dir: Utf8PathBuf,
    cache: Utf8PathBuf,
    what: Option<String>,
}

impl Venv {
    /// An environment in `dir`, of the interpreter `python`.
    pub fn new(
        python: impl Into<String>,
        dir: impl Into<Utf8PathBuf>,
        cache: impl Into<Utf8PathBuf>,
    ) -> Self {
        Self { python: python.into(), dir: dir.into(), cache: cache.into(), what: None }
    }

    /// Names what it is for, where it is not the project's: `ruff`.
    #[must_use]
    pub fn of(mut self, what: impl Into<String>) -> Self {
        self.what = Some(what.into());
        self
    }

    /// The environment's folder.
    pub fn dir(&self) -> &Utf8Path {
        &self.dir
    }
}

impl Step for Venv {
    type Output = ();

    fn label(&self) -> String {
        match &self.what {
            Some(what) => format!("create environment for {what}"),
            None => "create environment".into(),
        }
    }

    fn action(&self) -> Action<'_, ()> {
        let line = CommandLine::new(&self.python)
            .args(["-m", "venv", "--clear"])
            .arg(self.dir.as_str())
            .requires("python3-venv")
            .purpose("a fresh virtual environment");
        Action::command(isolated(line, &self.cache), |_| Ok(()))
    }

    fn assume(&self) {}

    fn touches(&self) -> Option<Touches> {
        Some(Touches::new(&self.dir).tools([self.python.as_str()]).writes(&self.dir))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    #[test]
    fn venv_minimal() {
        check("venv__minimal", &Venv::new("python3", "/state/env", "/state/cache"));
    }

    #[test]
    fn venv_of_a_tool() {
        let step = Venv::new("python3.12", "/state/tools/ruff-0.17.6", "/state/cache").of("ruff");
        check("venv__of_a_tool", &step);
    }

    #[test]
    fn venv_hostile() {
        check("venv__hostile", &Venv::new("/it's/python", "-state\n$x", "/ca che"));
    }
}
