use camino::Utf8PathBuf;

use crate::step::{Action, Step, Summary};

/// Observation: where PostgreSQL's server programs are, by their major versions, the
/// lowest first.
///
/// - In this process: looks where Debian, Fedora and Arch put `initdb`.
/// - Touches: nothing.
///
/// ```
/// use talia_pipeline::{Step, steps::backup::ServerFolders};
///
/// assert_eq!(ServerFolders::new().label(), "where PostgreSQL's server is");
/// ```
#[derive(Debug, Clone)]
pub struct ServerFolders {
    root: Utf8PathBuf,
}

impl ServerFolders {
    /// On this machine.
    #[expect(clippy::new_without_default, reason = "a step is made by `new`")]
    pub fn new() -> Self {
        Self { root: "/".into() }
    }

    /// Folders with the version in their names, as Debian (`/usr/lib/postgresql/15`)
    /// and PostgreSQL's own packages for Fedora (`/usr/pgsql-15`) have them.
    fn find(&self) -> Vec<(u32, Utf8PathBuf)> {
        let mut found = Vec::new();
        for (folder, begin) in [("usr/lib/postgresql", ""), ("usr", "pgsql-")] {
            let entries = self.root.join(folder).read_dir_utf8();
            for entry in entries.into_iter().flatten().flatten() {
                let major = entry.file_name().strip_prefix(begin);
                let bin = entry.path().join("bin");
                if let Some(major) = major.and_then(|major| major.parse().ok())
                    && bin.join("initdb").is_file()
                {
                    found.push((major, bin));
                }
            }
        }
        found.sort();
        found
    }
}

impl Step for ServerFolders {
    type Output = Vec<(u32, Utf8PathBuf)>;

    fn label(&self) -> String {
        "where PostgreSQL's server is".into()
    }

    fn action(&self) -> Action<'_, Self::Output> {
        let root = &self.root;
        let what = format!("look for initdb in {root}usr/lib/postgresql and {root}usr/pgsql-*");
        Action::read(what, || Ok(self.find()))
    }

    fn assume(&self) -> Self::Output {
        Vec::new()
    }

    fn summary(&self, found: &Self::Output) -> Summary {
        let folders: Vec<&str> = found.iter().map(|(_, folder)| folder.as_str()).collect();
        Summary::line(if folders.is_empty() { "nowhere".to_owned() } else { folders.join(", ") })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::steps::{backup::for_tests::Folder, testing::check};

    #[test]
    fn server_folders_minimal() {
        check("server_folders__minimal", &ServerFolders::new());
    }

    #[test]
    fn server_programs_are_found_by_their_versions() {
        let folder = Folder::new("servers");
        for name in
            ["usr/lib/postgresql/9.6", "usr/lib/postgresql/16", "usr/pgsql-15", "usr/pgsql-x"]
        {
            let bin = folder.path().join(name).join("bin");
            fs::create_dir_all(&bin).unwrap();
            fs::write(bin.join("initdb"), "").unwrap();
        }
        fs::create_dir_all(folder.path().join("usr/lib/postgresql/17/bin")).unwrap();
        let found = ServerFolders { root: folder.path().to_owned() }.find();
        let majors: Vec<u32> = found.iter().map(|(major, _)| *major).collect();
        assert_eq!(majors, [15, 16]);
    }
}
