//! The files that a service runs with, as steps.

use std::{fs::Permissions, os::unix::fs::PermissionsExt as _};

use crate::{
    error::{Error, Result},
    files,
    server::{Layout, PushedFile, ServerFiles},
    step::{Action, Step, Summary},
};

/// In this process: compose file and `.env` on the server, and what was edited there
/// since it was pushed.
#[derive(Debug)]
pub struct ReadFiles {
    layout: Layout,
}

impl ReadFiles {
    /// Reads those of this environment.
    pub fn new(layout: &Layout) -> Self {
        Self { layout: layout.clone() }
    }
}

impl Step for ReadFiles {
    type Output = ServerFiles;

    fn label(&self) -> String {
        "files".into()
    }

    fn action(&self) -> Action<'_, ServerFiles> {
        let what = format!("read compose file and .env in {}", self.layout.folder());
        Action::read(what, || ServerFiles::read(&self.layout))
    }

    fn assume(&self) -> ServerFiles {
        ServerFiles::default()
    }

    fn summary(&self, files: &ServerFiles) -> Summary {
        let told: Vec<String> = files.drift.iter().map(crate::server::Drift::told).collect();
        Summary::line(if told.is_empty() { "as pushed".to_owned() } else { told.join("; ") })
    }
}

/// In this process: takes files as they are on the server for what was pushed.
#[derive(Debug)]
pub struct KeepPushed {
    layout: Layout,
}

impl KeepPushed {
    /// Takes those of this environment.
    pub fn new(layout: &Layout) -> Self {
        Self { layout: layout.clone() }
    }

    fn keep(&self) -> Result<()> {
        for file in PushedFile::ALL {
            let (path, copy) = (file.path(&self.layout), file.pushed(&self.layout));
            let cannot = |cause: std::io::Error| {
                Error::step(format!("a copy of {path} cannot be kept")).caused_by(cause)
            };
            match std::fs::read(&path) {
                Ok(now) if std::fs::read(&copy).is_ok_and(|before| before == now) => {}
                Ok(now) => {
                    files::write_atomically(&copy, &now).map_err(cannot)?;
                    let mode = Permissions::from_mode(file.mode());
                    std::fs::set_permissions(&copy, mode).map_err(cannot)?;
                }
                Err(_) => files::remove_if_there(&copy).map_err(cannot)?,
            }
        }
        Ok(())
    }
}

impl Step for KeepPushed {
    type Output = ();

    fn label(&self) -> String {
        "keep the edited files".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let what = format!("copy the files as they are to {}", self.layout.pushed());
        Action::work(what, || self.keep())
    }

    fn assume(&self) {}
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{settings::Policy, steps::testing::check};

    fn layout() -> Layout {
        Layout::new(&"production".parse().unwrap(), &Policy::default())
    }

    #[test]
    fn read_files_minimal() {
        check("read_files__minimal", &ReadFiles::new(&layout()));
    }

    #[test]
    fn keep_pushed_minimal() {
        check("keep_pushed__minimal", &KeepPushed::new(&layout()));
    }

    #[test]
    fn what_is_edited_on_the_server_is_drift_until_it_is_kept() {
        let root = std::env::temp_dir().join(format!("talia-drift-{}", std::process::id()));
        let root = camino::Utf8PathBuf::from_path_buf(root).unwrap();
        let layout = layout().below(&root);
        fs::create_dir_all(layout.folder()).unwrap();
        fs::write(layout.compose_file(), "a").unwrap();
        assert!(ServerFiles::read(&layout).is_err(), "there is no .env");
        fs::write(layout.env_file(), "b").unwrap();
        assert_eq!(ServerFiles::read(&layout).unwrap().drift, []);
        KeepPushed::new(&layout).keep().unwrap();
        fs::write(layout.env_file(), "c").unwrap();
        fs::write(layout.compose_override(), "d").unwrap();
        let drift = ServerFiles::read(&layout).unwrap().drift;
        assert_eq!(drift.len(), 1, "{drift:?}");
        assert!(drift[0].told().ends_with(".env was edited on the server"));
        KeepPushed::new(&layout).keep().unwrap();
        fs::remove_file(layout.compose_override()).unwrap();
        assert!(ServerFiles::read(&layout).unwrap().drift[0].is_gone);
        let mode = fs::metadata(PushedFile::Env.pushed(&layout)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::remove_dir_all(root).unwrap();
    }
}
