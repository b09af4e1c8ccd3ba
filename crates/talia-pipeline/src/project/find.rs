//! Finds the Python projects below a folder.

use camino::{Utf8Path, Utf8PathBuf};
use globwalk::GlobWalkerBuilder;

use crate::{
    error::{Error, Result},
    step::{Action, Step, Summary},
};

/// How deep below the root a project may lie.
const DEPTH: usize = 5;

/// Folders that hold other people's projects.
const PATTERNS: [&str; 9] = [
    "{pyproject.toml,requirements*.txt,setup.py}",
    "!**/node_modules/**",
    "!**/.*/**",
    "!**/venv/**",
    "!**/site-packages/**",
    "!**/target/**",
    "!**/build/**",
    "!**/dist/**",
    "!**/docs/**",
];

/// Observation: the folders below `root` that hold a Python project, `root`
/// itself alone where it is one.
///
/// Changes nothing. Looks at most five folders deep and leaves out hidden
/// folders, environments, build outputs and `node_modules`.
#[derive(Debug)]
pub struct FindProjects {
    root: Utf8PathBuf,
}

impl FindProjects {
    /// Looks below this folder.
    pub fn new(root: impl Into<Utf8PathBuf>) -> Self {
        Self { root: root.into() }
    }

    fn find(&self) -> Result<Vec<Utf8PathBuf>> {
        if !self.root.is_dir() {
            return Err(Error::usage(format!("the folder {} does not exist", self.root))
                .hint("name the project's folder with `--root DIR`"));
        }
        if is_project(&self.root) {
            return Ok(vec![self.root.clone()]);
        }
        let walker = GlobWalkerBuilder::from_patterns(&self.root, &PATTERNS)
            .max_depth(DEPTH)
            .follow_links(false)
            .build()
            .map_err(|cause| {
                Error::step(format!("{} cannot be searched", self.root)).caused_by(cause)
            })?;
        // A folder that cannot be read holds no project of the caller's.
        let mut found: Vec<Utf8PathBuf> = walker
            .filter_map(std::result::Result::ok)
            .filter_map(|entry| Utf8PathBuf::from_path_buf(entry.into_path()).ok())
            .filter_map(|file| file.parent().map(Utf8Path::to_owned))
            .filter(|folder| is_project(folder))
            .collect();
        found.sort();
        found.dedup();
        Ok(found)
    }
}

/// Whether a folder itself holds a Python project, by its files.
pub fn is_project(folder: &Utf8Path) -> bool {
    ["pyproject.toml", "setup.py", "uv.lock", "poetry.lock"]
        .iter()
        .any(|name| folder.join(name).is_file())
        || folder.read_dir_utf8().is_ok_and(|entries| {
            entries
                .filter_map(std::result::Result::ok)
                .any(|entry| is_requirements(entry.file_name()))
        })
}

/// `requirements.txt`, `requirements-dev.txt`, `dev-requirements.txt`, …
pub(super) fn is_requirements(name: &str) -> bool {
    name.ends_with(".txt") && name.contains("requirements")
}

impl Step for FindProjects {
    type Output = Vec<Utf8PathBuf>;

    fn label(&self) -> String {
        "find projects".into()
    }

    fn action(&self) -> Action<'_, Self::Output> {
        Action::read(format!("search {} for Python projects", self.root), || self.find())
    }

    fn assume(&self) -> Self::Output {
        vec![self.root.clone()]
    }

    fn summary(&self, output: &Self::Output) -> Summary {
        let names: Vec<&str> = output.iter().map(|path| path.as_str()).collect();
        Summary::line(names.join(", "))
    }
}
