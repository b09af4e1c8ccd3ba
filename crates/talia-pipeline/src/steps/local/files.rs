//! Which compose files a project has.

use camino::Utf8PathBuf;

use crate::step::{Action, Step, Summary};

/// What Compose would look for by itself, in its own order.
const NAMES: [&str; 4] =
    ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];
const OVERRIDES: [&str; 4] = [
    "compose.override.yaml",
    "compose.override.yml",
    "docker-compose.override.yaml",
    "docker-compose.override.yml",
];

/// A compose file, and the one that is laid over it, if there is one.
pub type ComposeFiles = Vec<Utf8PathBuf>;

/// Finds the compose file of a folder and its override, by the names that Compose
/// itself would look for. None of both: an empty list.
///
/// - In this process: looks whether files are there.
/// - Touches: nothing.
/// - Source: the Compose Specification, *Compose file*.
///
/// ```
/// use talia_pipeline::{Step, steps::local::FindComposeFiles};
///
/// assert!(FindComposeFiles::new("/srv/app").assume().is_empty());
/// ```
#[derive(Debug, Clone)]
pub struct FindComposeFiles {
    folder: Utf8PathBuf,
}

impl FindComposeFiles {
    /// In this folder.
    pub fn new(folder: impl Into<Utf8PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    fn find(&self) -> ComposeFiles {
        let first = |names: [&str; 4]| {
            names.into_iter().map(|name| self.folder.join(name)).find(|path| path.is_file())
        };
        let Some(file) = first(NAMES) else { return Vec::new() };
        [Some(file), first(OVERRIDES)].into_iter().flatten().collect()
    }
}

impl Step for FindComposeFiles {
    type Output = ComposeFiles;

    fn label(&self) -> String {
        "compose files".into()
    }

    fn action(&self) -> Action<'_, ComposeFiles> {
        Action::read(format!("look for compose files in {}", self.folder), || Ok(self.find()))
    }

    fn assume(&self) -> ComposeFiles {
        Vec::new()
    }

    fn summary(&self, files: &ComposeFiles) -> Summary {
        let names: Vec<&str> = files.iter().filter_map(|path| path.file_name()).collect();
        Summary::line(if names.is_empty() { "none".to_owned() } else { names.join(", ") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    #[test]
    fn find_compose_files_minimal() {
        check("find_compose_files__minimal", &FindComposeFiles::new("/srv/app"));
    }

    #[test]
    fn the_file_comes_before_its_override_and_no_override_comes_alone() {
        let folder = std::env::temp_dir().join(format!("talia-compose-{}", std::process::id()));
        let folder = Utf8PathBuf::from_path_buf(folder).unwrap();
        std::fs::create_dir_all(&folder).unwrap();
        let find = || {
            let found = FindComposeFiles::new(&folder).find();
            found.iter().map(|path| path.file_name().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let write = |name: &str| std::fs::write(folder.join(name), "").unwrap();
        write("compose.override.yml");
        assert_eq!(find(), [""; 0]);
        write("docker-compose.yml");
        assert_eq!(find(), ["docker-compose.yml", "compose.override.yml"]);
        write("compose.yaml");
        assert_eq!(find(), ["compose.yaml", "compose.override.yml"]);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
