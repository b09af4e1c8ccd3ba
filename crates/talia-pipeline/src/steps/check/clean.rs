//! Takes away the reports of an earlier run.

use camino::Utf8PathBuf;

use crate::{
    error::{Error, Result},
    files,
    step::{Action, Step},
};

/// In this process: removes report files, so that none of an earlier run is
/// taken for one of this run when a tool ends without writing its own.
#[derive(Debug)]
pub struct RemoveReports {
    files: Vec<Utf8PathBuf>,
}

impl RemoveReports {
    /// Removes these files; one that is not there is fine.
    pub fn new(files: impl IntoIterator<Item = Utf8PathBuf>) -> Self {
        Self { files: files.into_iter().collect() }
    }

    fn remove(&self) -> Result<()> {
        for file in &self.files {
            let folder = file.parent().unwrap_or(file);
            std::fs::create_dir_all(folder).and_then(|()| files::remove_if_there(file)).map_err(
                |cause| Error::step(format!("{file} cannot be made anew")).caused_by(cause),
            )?;
        }
        Ok(())
    }
}

impl Step for RemoveReports {
    type Output = ();

    fn label(&self) -> String {
        "remove old reports".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let names: Vec<&str> = self.files.iter().map(|file| file.as_str()).collect();
        Action::work(format!("remove {}", names.join(", ")), || self.remove())
    }

    fn assume(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    #[test]
    fn remove_reports_minimal() {
        let files = ["/state/junit.xml".into(), "/state/coverage.xml".into()];
        check("remove_reports__minimal", &RemoveReports::new(files));
    }
}
