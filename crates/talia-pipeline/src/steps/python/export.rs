//! Poetry: the lock as a requirements file with hashes.

use camino::Utf8PathBuf;

use crate::{
    command_line::CommandLine,
    error::Error,
    step::{Action, Step, Touches},
};

use super::isolated;

/// `poetry export --format=requirements.txt …`: what `poetry.lock` holds, with
/// hashes, for pip to install.
///
/// For a Poetry that was brought in: pip then downloads with the machine's own
/// index and certificate settings, and nothing of Poetry's has to be configured.
/// A stale lock fails with the reason. Accepts exit 0. Writes the output file.
/// Needs the plugin *poetry-plugin-export*.
///
/// Source: the plugin's manual.
#[derive(Debug)]
pub struct PoetryExport {
    poetry: String,
    root: Utf8PathBuf,
    output: Utf8PathBuf,
    cache: Utf8PathBuf,
    groups: Vec<String>,
    extras: Vec<String>,
}

impl PoetryExport {
    /// Exports the lock of the project at `root` to `output`.
    pub fn new(
        poetry: impl Into<String>,
        root: impl Into<Utf8PathBuf>,
        output: impl Into<Utf8PathBuf>,
        cache: impl Into<Utf8PathBuf>,
    ) -> Self {
        Self {
            poetry: poetry.into(),
            root: root.into(),
            output: output.into(),
            cache: cache.into(),
            groups: Vec::new(),
            extras: Vec::new(),
        }
    }

    /// Takes these groups beside the main one.
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

impl Step for PoetryExport {
    type Output = ();

    fn label(&self) -> String {
        "poetry export".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let mut line = isolated(CommandLine::new(&self.poetry), &self.cache)
            .args(["export", "--no-interaction", "--no-ansi", "--format=requirements.txt"])
            .option("--output", &self.output)
            .cwd(&self.root)
            // It only reads the lock; a keyring that asks would wait for ever.
            .env("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
            .purpose("what poetry.lock holds, with hashes");
        if !self.groups.is_empty() {
            line = line.option("--with", self.groups.join(","));
        }
        for extra in &self.extras {
            line = line.option("--extras", extra);
        }
        Action::command(line, |answer| {
            // Poetry 1 only warns, ends with 0 and leaves out what the lock lacks.
            if answer.stderr().contains("poetry.lock is not consistent with pyproject.toml") {
                return Err(Error::step("poetry.lock does not fit pyproject.toml any more")
                    .tail(answer.last_lines(1))
                    .hint("`poetry lock` brings it up to date"));
            }
            Ok(())
        })
    }

    fn assume(&self) {}

    fn touches(&self) -> Option<Touches> {
        let touches = Touches::new(&self.root).reads(["pyproject.toml", "poetry.lock"]);
        Some(touches.tools([self.poetry.as_str()]).writes(&self.output))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    fn step(root: &str) -> PoetryExport {
        PoetryExport::new("poetry", root, "/state/requirements.txt", "/state/cache")
    }

    #[test]
    fn poetry_export_minimal() {
        check("poetry_export__minimal", &step("/srv/app"));
    }

    #[test]
    fn poetry_export_everything() {
        let step = step("/srv/app").groups(&["dev".into(), "test".into()]).extras(&["all".into()]);
        check("poetry_export__everything", &step);
    }

    #[test]
    fn poetry_export_hostile() {
        check("poetry_export__hostile", &step("/srv/it's\n-a $b").groups(&["-x y".into()]));
    }
}
