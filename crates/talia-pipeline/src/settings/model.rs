//! What the settings say, as plain values.

use std::{collections::BTreeMap, fmt, time::Duration};

use camino::Utf8PathBuf;

use crate::coverage::Percent;

use super::{Environment, landing::Landing};

/// Everything that `infra/pipeline.toml` can say.
///
/// The default is what an empty file says.
///
/// ```
/// use talia_pipeline::settings::Settings;
///
/// let settings = Settings::parse("[limits]\ngrace_seconds = 2\n", Settings::PATH.into())?;
/// assert_eq!(settings.limits.grace.as_secs(), 2);
/// assert_eq!(settings.limits.step_timeout, Settings::default().limits.step_timeout);
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Settings {
    /// `[project]`: the project as a whole.
    pub project: Project,
    /// `[backend]`: the Python service.
    pub backend: Backend,
    /// `[landing]`: the static landing page.
    pub landing: Landing,
    /// `[environments.<name>]`: where releases go.
    pub environments: BTreeMap<String, Environment>,
    /// `[limits]`: how long things may take.
    pub limits: Limits,
    /// `[secrets]`: which values are secret, and where they come from.
    pub secrets: SecretSources,
}

/// `[project]`: the project as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Project {
    /// `name`: names what the pipeline makes. Lower-case letters, digits, `-` and
    /// `_`. Without it: the name of the project's folder.
    pub name: Option<String>,
}

/// `[backend]`: the Python service.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Backend {
    /// `root`: its folder, below the folder that holds `infra/`. Without it: the
    /// one Python project that is found there.
    pub root: Option<Utf8PathBuf>,
    /// `[backend.python]`: how its environment is made.
    pub python: Python,
    /// `[backend.tests]`: how its tests run.
    pub tests: Tests,
    /// `[backend.coverage]`: how much of it the tests must reach.
    pub coverage: Coverage,
    /// `[backend.image]`: how its container image is built.
    pub image: Image,
}

/// `[backend.python]`: how the environment for tests and lint is made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Python {
    /// `manager`: what installs the dependencies. Without it: what the project's
    /// own files show.
    pub manager: Option<Manager>,
    /// `interpreter`: a program's name or path, such as `python3.12`. Without it:
    /// what the project pins, else `python3`.
    pub interpreter: Option<String>,
    /// `groups`: dependency groups to install, for Poetry and uv. Without it:
    /// those that the project's files show to be for tests and lint.
    pub groups: Option<Vec<String>>,
    /// `extras`: extras of the project to install, for all managers but pip.
    /// Without it: those that are for tests and lint.
    pub extras: Option<Vec<String>>,
    /// `requirements`: requirements files below the backend's folder, for pip
    /// alone. Without it: those that are found there.
    pub requirements: Option<Vec<Utf8PathBuf>>,
}

/// What installs a Python project's dependencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Manager {
    /// `"poetry"`: Poetry, from `poetry.lock`.
    Poetry,
    /// `"uv"`: uv, from `uv.lock`.
    Uv,
    /// `"pip"`: pip, from requirements files.
    Pip,
    /// `"editable"`: pip, from the project itself (`pip install --editable`).
    Editable,
}

/// `[backend.tests]`: how the tests run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Tests {
    /// `directory`: where they are, below the backend's folder. Without it: where
    /// pytest's own configuration says.
    pub directory: Option<Utf8PathBuf>,
    /// `arguments`: more arguments for pytest, as they are. Default: none.
    pub arguments: Vec<String>,
    /// `timeout_seconds`: how long the whole run may take. Without it: as long as
    /// any step, [`Limits::step_timeout`].
    pub timeout: Option<Duration>,
}

/// `[backend.coverage]`: how much of the code the tests must reach.
///
/// A percentage that is not set demands nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Coverage {
    /// `lines`: of all lines.
    pub lines: Option<Percent>,
    /// `branches`: of all branches.
    pub branches: Option<Percent>,
    /// `file_lines`: of the lines of every single file.
    pub file_lines: Option<Percent>,
    /// `changed_lines`: of the lines that differ from `base`.
    pub changed_lines: Option<Percent>,
    /// `base`: the git revision that `changed_lines` compares with.
    /// Default: `origin/main`.
    pub base: String,
    /// `sources`: packages or folders to measure, below the backend's folder.
    /// Without it: what the project configures, else the folders with its code.
    pub sources: Option<Vec<String>>,
    /// `worst`: how many files the table of the worst covered shows; 0 leaves it
    /// out. Default: 10.
    pub worst: usize,
}

/// `[backend.image]`: how the container image is built.
///
/// Paths are below the backend's folder; `..` may lead out of it, but not out of
/// the project.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Image {
    /// `repository`: registry and name, without a tag: `ghcr.io/talia/backend`.
    /// Without it: the image is built under a local name and pushed nowhere.
    pub repository: Option<String>,
    /// `context`: the folder that the build sees. Default: `.`.
    pub context: Utf8PathBuf,
    /// `dockerfile`: its recipe. Without it: the likeliest one that is found.
    pub dockerfile: Option<Utf8PathBuf>,
    /// `target`: the stage to build. Without it: the last one.
    pub target: Option<String>,
    /// `build_args`: build arguments. They can be read from the image, so none of
    /// them may be a secret. Default: none.
    pub build_args: BTreeMap<String, String>,
    /// `build_secrets`: names of `[secrets]` that the build may mount, passed as
    /// `--secret id=NAME,env=NAME`. Default: none.
    pub build_secrets: Vec<String>,
    /// `platform`: what the image is for, such as `linux/amd64`. Without it: the
    /// building machine's own.
    pub platform: Option<String>,
    /// `cache_from`: where layers are taken from, as `docker buildx build
    /// --cache-from` has it. Default: none.
    pub cache_from: Vec<String>,
    /// `cache_to`: where layers are left, as `--cache-to` has it. Default: none.
    pub cache_to: Vec<String>,
    /// `base_image_arg`: the build argument that names the base image. Without it:
    /// the base image is not touched.
    pub base_image_arg: Option<String>,
    /// `fallback_base_image`: what `base_image_arg` is set to where the Dockerfile's
    /// own base image cannot be had. Needs `base_image_arg`. Without it: the build
    /// fails there.
    pub fallback_base_image: Option<String>,
}

/// `[limits]`: how long things may take.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// `step_timeout_seconds`: any single step. Default: 1800, half an hour.
    pub step_timeout: Duration,
    /// `run_timeout_seconds`: the whole run. Without it: no limit.
    pub run_timeout: Option<Duration>,
    /// `grace_seconds`: how long a program that is asked to end may take before it
    /// is killed; from 1 to 60. Default: 5.
    pub grace: Duration,
}

/// `[secrets]`: names of secret values, and where the values come from.
///
/// A value never stands in this file. No name is in both lists.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SecretSources {
    /// `names`: taken from environment variables of these names. Default: none.
    pub names: Vec<String>,
    /// `files`: name and file that holds the value. A path is absolute, or
    /// relative to the folder that holds `infra/`; it may lead out of the project,
    /// where secrets are better kept. Default: none.
    pub files: BTreeMap<String, Utf8PathBuf>,
}

impl Default for Coverage {
    fn default() -> Self {
        Self {
            lines: None,
            branches: None,
            file_lines: None,
            changed_lines: None,
            base: "origin/main".to_owned(),
            sources: None,
            worst: 10,
        }
    }
}

impl Default for Image {
    fn default() -> Self {
        Self {
            repository: None,
            context: Utf8PathBuf::from("."),
            dockerfile: None,
            target: None,
            build_args: BTreeMap::new(),
            build_secrets: Vec::new(),
            platform: None,
            cache_from: Vec::new(),
            cache_to: Vec::new(),
            base_image_arg: None,
            fallback_base_image: None,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            step_timeout: Duration::from_secs(30 * 60),
            run_timeout: None,
            grace: Duration::from_secs(5),
        }
    }
}

impl Manager {
    /// Whether it installs dependency groups. A manager that is found later, from
    /// the project's files, has to be asked again.
    pub fn knows_groups(self) -> bool {
        matches!(self, Self::Poetry | Self::Uv)
    }

    /// Whether it installs a project's extras.
    pub fn knows_extras(self) -> bool {
        !matches!(self, Self::Pip)
    }

    /// Whether it reads requirements files.
    pub fn knows_requirements(self) -> bool {
        matches!(self, Self::Pip)
    }
}

impl fmt::Display for Manager {
    /// As the settings have it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Poetry => "poetry",
            Self::Uv => "uv",
            Self::Pip => "pip",
            Self::Editable => "editable",
        })
    }
}
