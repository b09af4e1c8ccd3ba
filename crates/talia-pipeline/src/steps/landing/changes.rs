//! What a client tells a server before it sends any file.

use camino::Utf8PathBuf;

use crate::{
    error::{Error, Result},
    landing::TreeChanges,
    protocol::to_json,
    step::{Action, Step, Summary},
};

/// In this process: writes what changes into a file, as `landing begin` reads it.
#[derive(Debug)]
pub struct WriteChanges {
    file: Utf8PathBuf,
    changes: TreeChanges,
}

impl WriteChanges {
    /// These changes into this file, which is new.
    pub fn new(file: impl Into<Utf8PathBuf>, changes: TreeChanges) -> Self {
        Self { file: file.into(), changes }
    }
}

impl Step for WriteChanges {
    type Output = ();

    fn label(&self) -> String {
        "list the changes".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let what = format!("write what changes to {}", self.file);
        Action::work(what, || -> Result<()> {
            std::fs::write(&self.file, to_json(&self.changes)).map_err(|cause| {
                Error::step(format!("the list {} cannot be written", self.file)).caused_by(cause)
            })
        })
    }

    fn assume(&self) {}

    fn summary(&self, _: &()) -> Summary {
        Summary::line(format!("{} places", self.changes.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        landing::{Entry, Tree},
        steps::testing::check,
    };

    #[test]
    fn write_changes_minimal() {
        let new: Tree = [("a".parse().unwrap(), Entry::folder())].into_iter().collect();
        let changes = TreeChanges::between(&Tree::default(), &new);
        check("write_changes__minimal", &WriteChanges::new("/run/x/changes", changes));
    }
}
