//! The records of the landing page.

use camino::Utf8PathBuf;

use crate::{
    error::{Error, Result},
    landing::TreePath,
    protocol::ReleaseId,
    server::{
        Fate,
        landing::{LandingPlace, LandingRecord, LandingRecords, ReleaseTree, Stamps, walk},
    },
    step::{Action, Step, Summary},
};

/// In this process: the record of a release, with what stands in its tree.
#[derive(Debug)]
pub struct WriteLanding {
    place: LandingPlace,
    record: LandingRecord,
    tree: ReleaseTree,
}

impl WriteLanding {
    /// Writes these.
    pub fn new(place: &LandingPlace, record: LandingRecord, tree: ReleaseTree) -> Self {
        Self { place: place.clone(), record, tree }
    }
}

impl Step for WriteLanding {
    type Output = ();

    fn label(&self) -> String {
        "write the record".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let path = self.place.record(&self.record.id);
        Action::work(format!("write {path} and its tree"), || {
            self.tree.write(&self.place, &self.record.id)?;
            self.record.write(&self.place)
        })
    }

    fn assume(&self) {}

    fn summary(&self, (): &()) -> Summary {
        Summary::line(self.record.id.as_str())
    }
}

/// In this process: what has become of a release, in its record.
#[derive(Debug)]
pub struct MarkLanding {
    place: LandingPlace,
    record: LandingRecord,
}

impl MarkLanding {
    /// Writes the record as it is now.
    pub fn new(place: &LandingPlace, record: LandingRecord) -> Self {
        Self { place: place.clone(), record }
    }
}

impl Step for MarkLanding {
    type Output = ();

    fn label(&self) -> String {
        "record".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let what = format!("write the record of {}", self.record.id);
        Action::work(what, || self.record.write(&self.place))
    }

    fn assume(&self) {}

    fn summary(&self, (): &()) -> Summary {
        Summary::line(match &self.record.fate {
            Fate::Begun => "begun".to_owned(),
            Fate::Live { .. } => format!("{} is live", self.record.id),
            Fate::Undone { reason } => format!("undone: {reason}"),
        })
    }
}

/// In this process: takes a release away, its record first. Gives whether files have lost
/// names.
#[derive(Debug)]
pub struct ForgetLanding {
    place: LandingPlace,
    id: ReleaseId,
}

impl ForgetLanding {
    /// Takes this one away.
    pub fn new(place: &LandingPlace, id: &ReleaseId) -> Self {
        Self { place: place.clone(), id: id.clone() }
    }
}

impl Step for ForgetLanding {
    type Output = bool;

    fn label(&self) -> String {
        format!("remove {}", self.id)
    }

    fn action(&self) -> Action<'_, bool> {
        let what = format!("remove the record and {}", self.place.release(&self.id));
        Action::work(what, || LandingRecords::forget(&self.place, &self.id))
    }

    fn assume(&self) -> bool {
        true
    }
}

/// In this process: what tells from now on whether anything of a release was changed.
#[derive(Debug)]
pub struct StampLanding {
    place: LandingPlace,
    id: ReleaseId,
    root: Utf8PathBuf,
    stamps: Stamps,
    only: Option<Vec<TreePath>>,
    also: Vec<TreePath>,
}

impl StampLanding {
    /// Takes what stands in `root`, as far as it differs from these stamps only in what
    /// other names of a file change, for what is known of this release.
    pub fn new(
        place: &LandingPlace,
        id: &ReleaseId,
        root: impl Into<Utf8PathBuf>,
        stamps: Stamps,
    ) -> Self {
        let (place, id, root) = (place.clone(), id.clone(), root.into());
        Self { place, id, root, stamps, only: None, also: Vec::new() }
    }

    /// Only these may have got other names, where it is known which ones.
    #[must_use]
    pub fn only(mut self, paths: Option<Vec<TreePath>>) -> Self {
        self.only = paths;
        self
    }

    /// And of these, as they stand there.
    #[must_use]
    pub fn also<'a>(mut self, paths: impl IntoIterator<Item = &'a TreePath>) -> Self {
        self.also.extend(paths.into_iter().cloned());
        self
    }

    fn look(&self) -> Result<Stamps> {
        let cannot =
            |cause| Error::step(format!("{} cannot be looked at", self.root)).caused_by(cause);
        if let Some(only) = &self.only {
            let renewed = self.stamps.renewed_at(&self.root, only).map_err(cannot)?;
            return renewed.taken_at(&self.root, &self.also).map_err(cannot);
        }
        let found = walk(&self.root).map_err(cannot)?;
        let mut stamps = self.stamps.renewed(&found);
        for path in &self.also {
            stamps.set(path.clone(), &found);
        }
        Ok(stamps)
    }
}

impl Step for StampLanding {
    type Output = ();

    fn label(&self) -> String {
        "stamps".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let path = self.place.stamps(&self.id);
        Action::work(format!("look at {} and write {path}", self.root), move || {
            Stamps::write(&path, || self.look())
        })
    }

    fn assume(&self) {}
}

#[cfg(test)]
mod tests {
    use super::{super::tests::*, *};
    use crate::steps::testing::check;

    #[test]
    fn write_landing_minimal() {
        let step = WriteLanding::new(&place(), record(), ReleaseTree::default());
        check("write_landing__minimal", &step);
    }

    #[test]
    fn mark_landing_minimal() {
        check("mark_landing__minimal", &MarkLanding::new(&place(), record()));
    }

    #[test]
    fn forget_landing_minimal() {
        check("forget_landing__minimal", &ForgetLanding::new(&place(), &record().id));
    }

    #[test]
    fn stamp_landing_minimal() {
        let id = record().id;
        let step = StampLanding::new(&place(), &id, place().release(&id), Stamps::default());
        check("stamp_landing__minimal", &step);
    }
}
