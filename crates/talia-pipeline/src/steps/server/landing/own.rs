//! What is the server's own in the published folder.

use camino::Utf8PathBuf;

use crate::{
    error::{Error, Result},
    landing::TreePath,
    protocol::ReleaseId,
    server::landing::{LandingPlace, ReleaseTree, Side, bring_own, has_own},
    step::{Action, Step},
};

/// In this process: brings what is protected along from one tree to another, but for what
/// a release has published of it.
#[derive(Debug)]
pub struct BringOwn {
    place: LandingPlace,
    from: (Utf8PathBuf, ReleaseId),
    to: (Utf8PathBuf, ReleaseId),
    protected: Vec<TreePath>,
    is_live: bool,
}

impl BringOwn {
    /// Brings it from the tree of a release to that of another, which is made the same.
    pub fn new(
        place: &LandingPlace,
        from: (Utf8PathBuf, &ReleaseId),
        to: (Utf8PathBuf, &ReleaseId),
        protected: &[TreePath],
    ) -> Self {
        let (from, to) = ((from.0, from.1.clone()), (to.0, to.1.clone()));
        Self { place: place.clone(), from, to, protected: protected.to_vec(), is_live: false }
    }

    /// The other one is live already, so it only gets what it has not.
    #[must_use]
    pub fn live(mut self) -> Self {
        self.is_live = true;
        self
    }

    fn bring(&self) -> Result<()> {
        if !has_own([self.from.0.as_path(), &self.to.0], &self.protected) {
            return Ok(());
        }
        let read = |id: &ReleaseId| ReleaseTree::read(&self.place, id);
        let (old, new) = (read(&self.from.1)?, read(&self.to.1)?);
        let from = Side { root: &self.from.0, release: &old };
        let to = Side { root: &self.to.0, release: &new };
        bring_own(from, to, &self.protected, self.is_live).map_err(|cause| {
            Error::step(format!("what is the server's own cannot be brought to {}", to.root))
                .caused_by(cause)
        })
    }
}

impl Step for BringOwn {
    type Output = ();

    fn label(&self) -> String {
        "bring what is the server's own".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let what = if self.is_live { "what is missing of" } else { "all of" };
        let (from, to) = (&self.from.0, &self.to.0);
        let own: Vec<String> = self.protected.iter().map(TreePath::to_string).collect();
        let own = own.join(", ");
        Action::work(format!("link {what} {own} from {from} into {to}"), || self.bring())
    }

    fn assume(&self) {}
}

#[cfg(test)]
mod tests {
    use super::{super::tests::*, *};
    use crate::steps::testing::check;

    fn step(protected: &[&str]) -> BringOwn {
        let (place, id) = (place(), record().id);
        let live = "20261124T091500Z-0123456789ab".parse().unwrap();
        let protected: Vec<TreePath> = protected.iter().map(|path| path.parse().unwrap()).collect();
        let (from, to) = ((place.release(&live), &live), (place.release(&id), &id));
        BringOwn::new(&place, from, to, &protected)
    }

    #[test]
    fn bring_own_minimal() {
        check("bring_own__minimal", &step(&[".well-known"]));
    }

    #[test]
    fn bring_own_everything() {
        check("bring_own__everything", &step(&[".well-known", "up loads"]).live());
    }

    #[test]
    fn bring_own_hostile() {
        check("bring_own__hostile", &step(&["-rf", "a\n$(id)"]));
    }
}
