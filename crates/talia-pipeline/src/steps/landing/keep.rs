//! What an index knows, kept for the next one.

use camino::Utf8PathBuf;

use crate::{
    error::Error,
    files::write_atomically,
    landing::LocalIndex,
    step::{Action, Step, Summary},
};

/// Writes what an index knows, so that the next one reads only what has changed.
///
/// - In this process: writes the file at once, or nothing when it has all of it already.
/// - Touches: the file, and its folder when that is not there. Keep it in the state
///   folder, one for each source.
///
/// ```
/// use talia_pipeline::{Step, landing::LocalIndex, steps::landing::KeepIndex};
///
/// let step = KeepIndex::new("/state/landing-index", &LocalIndex::default());
/// assert_eq!(step.label(), "keep the index");
/// ```
#[derive(Debug, Clone)]
pub struct KeepIndex {
    file: Utf8PathBuf,
    cache: Option<Vec<u8>>,
}

impl KeepIndex {
    /// In the file that [`IndexTree::cache`](super::IndexTree::cache) was given.
    pub fn new(file: impl Into<Utf8PathBuf>, index: &LocalIndex) -> Self {
        Self { file: file.into(), cache: index.cache.clone() }
    }
}

impl Step for KeepIndex {
    /// Whether anything was to be written.
    type Output = bool;

    fn label(&self) -> String {
        "keep the index".into()
    }

    fn action(&self) -> Action<'_, bool> {
        Action::work(format!("write {}", self.file), || {
            let Some(cache) = &self.cache else { return Ok(false) };
            write_atomically(&self.file, cache).map_err(|cause| {
                Error::step(format!("{} cannot be written", self.file)).caused_by(cause)
            })?;
            Ok(true)
        })
    }

    fn assume(&self) -> bool {
        true
    }

    fn summary(&self, written: &bool) -> Summary {
        Summary::line(if *written { "written" } else { "as it was" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    #[test]
    fn keep_index_minimal() {
        check("keep_index__minimal", &KeepIndex::new("/state/index", &LocalIndex::default()));
    }
}
