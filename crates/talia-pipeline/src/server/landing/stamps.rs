//! What tells, without reading it, that nothing of a release was changed since.

use std::{collections::BTreeMap, fs, io, os::unix::fs::MetadataExt as _, thread, time::Duration};

use camino::Utf8Path;
use serde::{Deserialize, Serialize};

use super::{
    ReleaseTree, Stamp, Standing, Walked,
    beneath::{Folder, Parents},
    files,
};
use crate::{
    error::{Error, Result},
    landing::TreePath,
};

/// The kernel's own clock for files has steps of this length at most.
const TICK: Duration = Duration::from_millis(11);
const TRIES: usize = 4;

/// Every name that a release has put into its folder, with what `lstat` said of it when
/// its content was known; nothing where its content has to be read to know it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Stamps(BTreeMap<TreePath, Option<Stamp>>);

impl Stamps {
    /// Those of all that was found.
    pub fn of(found: &Walked) -> Self {
        let stamp = |(path, standing): (&TreePath, &Standing)| (path.clone(), Some(standing.stamp));
        Self(found.all.iter().map(stamp).collect())
    }

    /// Every name of a release, and nothing known of what stands there.
    pub fn unknown(release: &ReleaseTree) -> Self {
        let names = release.tree.iter().chain(release.kept.iter());
        Self(names.map(|(path, _)| (path.clone(), None)).collect())
    }

    /// Reads them; `None` where there are none of use: then every file is read instead.
    pub fn read(path: &Utf8Path) -> Option<Self> {
        files::read(path).ok().flatten()
    }

    /// Takes what stands there now for what is known.
    pub fn set(&mut self, path: TreePath, found: &Walked) {
        let stamp = found.all.get(&path).map(|standing| standing.stamp);
        self.0.insert(path, stamp);
    }

    /// Forgets these names.
    pub fn leave_out(&mut self, is_out: impl Fn(&TreePath) -> bool) {
        self.0.retain(|path, _| !is_out(path));
    }

    /// Says that nothing is known of it.
    pub(super) fn unset(&mut self, path: &TreePath) {
        if let Some(stamp) = self.0.get_mut(path) {
            *stamp = None;
        }
    }

    /// Every name.
    pub fn iter(&self) -> impl Iterator<Item = (&TreePath, Option<&Stamp>)> {
        self.0.iter().map(|(path, stamp)| (path, stamp.as_ref()))
    }

    /// Whether this name is one of the release's.
    pub fn has(&self, path: &TreePath) -> bool {
        self.0.contains_key(path)
    }

    /// The same after files got other names or lost some: the time of their last change
    /// is another one then. What is not as it was in any other way is not known any more.
    #[must_use]
    pub fn renewed(&self, walked: &Walked) -> Self {
        let renewed = |path: &TreePath, stamp: &Option<Stamp>| {
            let now = walked.all.get(path).map(|standing| standing.stamp);
            now.filter(|now| stamp.is_some_and(|stamp| stamp.is_but_for_names(now)))
        };
        let all = self.0.iter().map(|(path, stamp)| (path.clone(), renewed(path, stamp)));
        Self(all.collect())
    }

    /// The same where only these have got other names or lost some.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn renewed_at(&self, root: &Utf8Path, paths: &[TreePath]) -> io::Result<Self> {
        let mut renewed = self.clone();
        let mut parents = Parents::below(Folder::open(root)?);
        for path in paths {
            let Some(stamp) = renewed.0.get_mut(path) else { continue };
            let now = parents.of(path)?.look(path.name()).map(|stat| Stamp::of(&stat)).ok();
            *stamp = now.filter(|now| stamp.is_some_and(|stamp| stamp.is_but_for_names(now)));
        }
        Ok(renewed)
    }

    /// And what stands at these places, as it is there.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn taken_at(mut self, root: &Utf8Path, paths: &[TreePath]) -> io::Result<Self> {
        let mut parents = Parents::below(Folder::open(root)?);
        for path in paths {
            let now = parents.of(path)?.look(path.name()).map(|stat| Stamp::of(&stat)).ok();
            self.0.insert(path.clone(), now);
        }
        Ok(self)
    }

    /// Takes these as they are now; `look` is asked again where a file was changed so
    /// shortly before that a change after it could not be told from it.
    ///
    /// # Errors
    /// Those of `look`; when the disk does not take them.
    pub fn write(path: &Utf8Path, mut look: impl FnMut() -> Result<Self>) -> Result<()> {
        let mut tries = TRIES;
        loop {
            let mut stamps = look()?;
            files::write(path, &stamps)?;
            let written_ns = written_ns(path).map_err(|cause| {
                Error::step(format!("{path} cannot be looked at")).caused_by(cause)
            })?;
            let is_late = |stamp: &Stamp| stamp.changed_ns() >= written_ns;
            if !stamps.0.values().flatten().any(is_late) {
                return Ok(());
            }
            tries -= 1;
            if tries == 0 {
                for stamp in stamps.0.values_mut() {
                    *stamp = stamp.filter(|stamp| !is_late(stamp));
                }
                return files::write(path, &stamps);
            }
            thread::sleep(TICK);
        }
    }
}

fn written_ns(path: &Utf8Path) -> io::Result<i64> {
    let data = fs::metadata(path)?;
    Ok(data.mtime().wrapping_mul(1_000_000_000).wrapping_add(data.mtime_nsec()))
}
