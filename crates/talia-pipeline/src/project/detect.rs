//! What a project's files say about its environment, tests and image.

use std::{collections::BTreeSet, fs};

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    error::{Error, Result},
    files,
    parse::{pyproject::Pyproject, requirements::Requirements},
    settings::{self, Manager},
    step::{Action, Step, Summary},
};

use super::find::is_requirements;

/// Names of groups and extras that hold what tests and lint need.
const DEVELOPMENT: [&str; 9] =
    ["dev", "develop", "development", "test", "tests", "testing", "lint", "ci", "qa"];

/// A Python project, as its files describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Project {
    /// Its folder.
    pub root: Utf8PathBuf,
    /// What installs its dependencies.
    pub manager: Manager,
    /// Why that one.
    pub because: String,
    /// Its `pyproject.toml`, empty if there is none.
    pub pyproject: Pyproject,
    /// The lock file, if there is one.
    pub lock: Option<Utf8PathBuf>,
    /// The requirements files, relative to the root, for [`Manager::Pip`].
    pub requirements: Vec<Utf8PathBuf>,
    /// Groups that tests and lint need.
    pub groups: Vec<String>,
    /// Extras that tests and lint need.
    pub extras: Vec<String>,
    /// Every package that will be installed, as far as the files tell.
    pub packages: BTreeSet<String>,
    /// Whether ruff finds a configuration.
    pub configures_ruff: bool,
    /// Whether coverage.py is told what to measure.
    pub configures_coverage: bool,
    /// The interpreter named in `.python-version`.
    pub pinned_python: Option<String>,
    /// Dockerfiles, relative to the root; the likeliest first.
    pub dockerfiles: Vec<Utf8PathBuf>,
    /// The poetry that wrote the lock, `1.8.2`.
    pub lock_written_by: Option<String>,
    /// Whether the project's own package can be found, so that it can be installed.
    pub has_package: bool,
    /// The folders that hold the code, for coverage, where nothing tells it.
    pub sources: Vec<String>,
    /// Its version, where `pyproject.toml` tells one.
    pub version: Option<String>,
    /// Changes whenever a file changes that the environment is made from.
    pub fingerprint: String,
}

impl Project {
    /// Whether the environment will hold this package without our doing.
    pub fn declares(&self, package: &str) -> bool {
        self.packages.contains(package)
    }
}

/// Observation: what kind of project a folder holds.
#[derive(Debug)]
pub struct Detect {
    root: Utf8PathBuf,
    options: settings::Python,
}

impl Detect {
    /// Looks at this folder.
    pub fn new(root: impl Into<Utf8PathBuf>) -> Self {
        Self { root: root.into(), options: settings::Python::default() }
    }

    /// Takes from the settings what they say, whatever the files say.
    #[must_use]
    pub fn options(mut self, options: &settings::Python) -> Self {
        self.options = options.clone();
        self
    }

    fn detect(&self) -> Result<Project> {
        let root = &self.root;
        if !root.is_dir() {
            return Err(Error::usage(format!("the folder {root} does not exist"))
                .hint("name the project's folder with `--root DIR`"));
        }
        let pyproject = match read(&root.join("pyproject.toml"))? {
            Some(text) => Pyproject::parse(&text, root.join("pyproject.toml").as_str())?,
            None => Pyproject::default(),
        };
        let uv_lock = lock_above(root, "uv.lock");
        let poetry_lock = Some(root.join("poetry.lock")).filter(|path| path.is_file());
        let requirements =
            self.options.requirements.clone().unwrap_or_else(|| requirements_files(root));
        let (manager, because) = match self.options.manager {
            Some(manager) => (manager, "the settings say so".to_owned()),
            None => {
                choose(root, &pyproject, uv_lock.as_deref(), poetry_lock.as_deref(), &requirements)?
            }
        };
        let lock = match manager {
            Manager::Uv => uv_lock,
            Manager::Poetry => poetry_lock,
            Manager::Pip | Manager::Editable => None,
        };
        let lock_text = match &lock {
            Some(path) => read(path)?.unwrap_or_default(),
            None => String::new(),
        };
        let is_development = |name: &&String| DEVELOPMENT.contains(&name.to_lowercase().as_str());
        let groups = || match (manager, &pyproject.poetry) {
            // Poetry installs every group that is not optional.
            (Manager::Poetry, Some(poetry)) => {
                let optional = poetry.optional_groups.iter().filter(is_development);
                poetry.groups.iter().chain(optional).cloned().collect()
            }
            (Manager::Pip, _) => Vec::new(),
            _ => pyproject.groups.keys().filter(is_development).cloned().collect(),
        };
        let extras = || match manager {
            Manager::Pip => Vec::new(),
            _ => pyproject.extras.keys().filter(is_development).cloned().collect(),
        };
        let groups: Vec<String> = self.options.groups.clone().unwrap_or_else(groups);
        let extras: Vec<String> = self.options.extras.clone().unwrap_or_else(extras);
        let packages = packages(root, manager, &pyproject, &groups, &extras, &requirements)?;
        Ok(Project {
            configures_ruff: pyproject.configures_ruff
                || configured_above(root, is_ruff_configured),
            configures_coverage: pyproject.configures_coverage_source
                || root.join(".coveragerc").is_file()
                || pyproject.pytest_addopts.contains("--cov"),
            pinned_python: read(&root.join(".python-version"))?
                .and_then(|text| text.lines().next().map(|line| line.trim().to_owned()))
                .filter(|line| !line.is_empty()),
            dockerfiles: dockerfiles(root),
            lock_written_by: lock_text
                .lines()
                .next()
                .and_then(|line| line.split("by Poetry ").nth(1))
                .and_then(|rest| rest.split(' ').next())
                .map(str::to_owned),
            has_package: has_package(root, &pyproject),
            sources: sources(root),
            version: pyproject.version.clone(),
            fingerprint: fingerprint(root, &lock_text, &requirements),
            root: root.clone(),
            manager,
            because,
            pyproject,
            lock,
            requirements: if manager == Manager::Pip { requirements } else { Vec::new() },
            groups,
            extras,
            packages,
        })
    }
}

impl Step for Detect {
    type Output = Project;

    fn label(&self) -> String {
        "detect the project".into()
    }

    fn action(&self) -> Action<'_, Project> {
        Action::read(format!("look at the files of {}", self.root), || self.detect())
    }

    fn assume(&self) -> Project {
        // An observation is answered for real in every mode but a fake run's.
        self.detect().unwrap_or_else(|_| Project {
            root: self.root.clone(),
            manager: Manager::Pip,
            because: "assumed".into(),
            pyproject: Pyproject::default(),
            lock: None,
            requirements: Vec::new(),
            groups: Vec::new(),
            extras: Vec::new(),
            packages: BTreeSet::new(),
            configures_ruff: false,
            configures_coverage: false,
            pinned_python: None,
            dockerfiles: Vec::new(),
            lock_written_by: None,
            has_package: false,
            sources: Vec::new(),
            version: None,
            fingerprint: String::new(),
        })
    }

    fn summary(&self, project: &Project) -> Summary {
        Summary::line(format!("{} ({})", project.manager, project.because))
    }
}

/// A file's text; `None` if there is no such file.
fn read(path: &Utf8Path) -> Result<Option<String>> {
    match fs::read(path) {
        Ok(bytes) => String::from_utf8(bytes).map(Some).map_err(|_| {
            Error::usage(format!("{path} is not UTF-8")).hint("save the file as UTF-8")
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::usage(format!("{path} cannot be read")).caused_by(error)),
    }
}

fn fingerprint(root: &Utf8Path, lock: &str, requirements: &[Utf8PathBuf]) -> String {
    let named = [Utf8Path::new("pyproject.toml"), Utf8Path::new("setup.py")];
    let files = named.into_iter().chain(requirements.iter().map(|file| file.as_path()));
    // A file that is not there counts as empty; one that cannot be read fails later.
    let texts = files.map(|file| fs::read_to_string(root.join(file)).unwrap_or_default());
    let all = texts.chain([lock.to_owned()]).collect::<Vec<_>>().join("\u{0}");
    format!("{:016x}", files::fingerprint(&all))
}

fn choose(
    root: &Utf8Path,
    pyproject: &Pyproject,
    uv_lock: Option<&Utf8Path>,
    poetry_lock: Option<&Utf8Path>,
    requirements: &[Utf8PathBuf],
) -> Result<(Manager, String)> {
    if let Some(lock) =
        poetry_lock.filter(|_| uv_lock.is_none_or(|lock| lock.parent() != Some(root)))
    {
        return Ok((Manager::Poetry, format!("there is {}", lock.file_name().unwrap_or_default())));
    }
    if let Some(lock) = uv_lock {
        return Ok((Manager::Uv, format!("there is {}", shown(root, lock))));
    }
    if let Some(first) = requirements.first() {
        return Ok((Manager::Pip, format!("there is {first}")));
    }
    if pyproject.has_project || pyproject.builds || root.join("setup.py").is_file() {
        let file =
            if root.join("pyproject.toml").is_file() { "pyproject.toml" } else { "setup.py" };
        return Ok((Manager::Editable, format!("there is {file} and no lock")));
    }
    Err(Error::usage(format!("{root} does not say how its dependencies are installed"))
        .hint("add uv.lock, poetry.lock or requirements.txt, or set `backend.python.manager`"))
}

fn shown(root: &Utf8Path, path: &Utf8Path) -> String {
    match path.strip_prefix(root) {
        Ok(inside) => inside.to_string(),
        Err(_) => path.to_string(),
    }
}

/// A lock here, or one level above for a workspace.
fn lock_above(root: &Utf8Path, name: &str) -> Option<Utf8PathBuf> {
    let here = root.join(name);
    let above = root.parent().map(|parent| parent.join(name));
    std::iter::once(here).chain(above).find(|path| path.is_file())
}

/// Requirements files of the root and of `requirements/`: the plain one and
/// those for development, each relative to the root.
fn requirements_files(root: &Utf8Path) -> Vec<Utf8PathBuf> {
    let names = |folder: &Utf8Path| -> Vec<String> {
        let entries = folder.read_dir_utf8().into_iter().flatten().filter_map(|e| e.ok());
        entries.map(|entry| entry.file_name().to_owned()).collect()
    };
    let is_development = |name: &str| {
        let stem = name.trim_end_matches(".txt").replace("requirements", "");
        stem.split(['-', '_', '.']).any(|part| DEVELOPMENT.contains(&part))
    };
    let mut found: Vec<Utf8PathBuf> = names(root)
        .into_iter()
        .filter(|name| {
            is_requirements(name) && (name == "requirements.txt" || is_development(name))
        })
        .map(Utf8PathBuf::from)
        .collect();
    let inner = names(&root.join("requirements")).into_iter().filter(|name| {
        name.ends_with(".txt")
            && (is_development(name) || ["base.txt", "requirements.txt"].contains(&name.as_str()))
    });
    found.extend(inner.map(|name| Utf8PathBuf::from("requirements").join(name)));
    // `requirements.txt` first, so that a message about it comes first.
    found.sort_by_key(|path| (path != "requirements.txt", path.clone()));
    found
}

fn packages(
    root: &Utf8Path,
    manager: Manager,
    pyproject: &Pyproject,
    groups: &[String],
    extras: &[String],
    requirements: &[Utf8PathBuf],
) -> Result<BTreeSet<String>> {
    use crate::parse::pyproject::requirement_name;
    let mut found = BTreeSet::new();
    if manager == Manager::Pip {
        let mut open: Vec<Utf8PathBuf> = requirements.iter().map(|file| root.join(file)).collect();
        let mut seen = BTreeSet::new();
        while let Some(file) = open.pop() {
            if !seen.insert(file.clone()) {
                continue;
            }
            let text = read(&file)?.ok_or_else(|| {
                Error::usage(format!("the requirements file {file} does not exist"))
                    .hint("correct the name in the settings, or in the file that includes it")
            })?;
            let one = Requirements::parse(&text);
            let folder = file.parent().unwrap_or(root);
            open.extend(one.includes.iter().map(|include| folder.join(include)));
            found.extend(one.packages);
        }
        return Ok(found);
    }
    found.extend(pyproject.dependencies.iter().cloned());
    let chosen = pyproject
        .groups
        .iter()
        .filter(|(name, _)| groups.contains(name))
        .chain(pyproject.extras.iter().filter(|(name, _)| extras.contains(name)));
    found.extend(chosen.flat_map(|(_, list)| list).filter_map(|r| requirement_name(r)));
    Ok(found)
}

fn is_ruff_configured(folder: &Utf8Path) -> bool {
    ["ruff.toml", ".ruff.toml"].iter().any(|name| folder.join(name).is_file())
        || fs::read_to_string(folder.join("pyproject.toml"))
            .is_ok_and(|text| text.contains("[tool.ruff"))
}

/// Ruff and coverage look in the folders above too, up to the repository's root.
fn configured_above(root: &Utf8Path, is_configured: fn(&Utf8Path) -> bool) -> bool {
    for folder in root.ancestors() {
        if is_configured(folder) {
            return true;
        }
        if folder.join(".git").exists() {
            return false;
        }
    }
    false
}

/// Dockerfiles of the root and of the folders where projects keep them.
fn dockerfiles(root: &Utf8Path) -> Vec<Utf8PathBuf> {
    let mut found = Vec::new();
    for folder in ["", "docker", "deploy", ".docker", "build", "infra"] {
        let entries = root.join(folder).read_dir_utf8().into_iter().flatten();
        let mut names: Vec<String> = entries
            .filter_map(|entry| Some(entry.ok()?.file_name().to_owned()))
            .filter(|name| {
                name == "Dockerfile" || name == "Containerfile" || name.starts_with("Dockerfile.")
            })
            .filter(|name| !name.ends_with(".dockerignore"))
            .collect();
        names.sort();
        found.extend(names.into_iter().map(|name| Utf8PathBuf::from(folder).join(name)));
    }
    found
}

/// Whether the project's own package is where its tool will look for it.
fn has_package(root: &Utf8Path, pyproject: &Pyproject) -> bool {
    let declared = pyproject.poetry.as_ref().map(|poetry| poetry.packages.as_slice());
    if let Some(packages) = declared.filter(|packages| !packages.is_empty()) {
        return packages.iter().all(|package| package.contains('*') || root.join(package).exists());
    }
    let Some(name) = &pyproject.name else { return false };
    let module = name.to_lowercase().replace(['-', '.'], "_");
    ["", "src"].iter().any(|folder| {
        let folder = root.join(folder);
        folder.join(&module).is_dir() || folder.join(format!("{module}.py")).is_file()
    })
}

/// Folders that hold code of the project: packages of the root or of `src`,
/// without tests. Nothing found: the root itself.
fn sources(root: &Utf8Path) -> Vec<String> {
    if root.join("src").is_dir() {
        return vec!["src".to_owned()];
    }
    let entries = root.read_dir_utf8().into_iter().flatten();
    let mut found: Vec<String> = entries
        .filter_map(|entry| entry.ok())
        .filter(|entry| {
            entry.path().join("__init__.py").is_file() || entry.path().join("main.py").is_file()
        })
        .map(|entry| entry.file_name().to_owned())
        .filter(|name| {
            !name.starts_with("test")
                && !["docs", "migrations", "alembic", "scripts"].contains(&name.as_str())
        })
        .collect();
    found.sort();
    found
}
