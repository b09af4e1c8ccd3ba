//! What clients get.

use crate::{
    protocol::ReleaseId,
    server::landing::{
        LandingPlace, move_found, switch, switch_from_folder, switch_to_folder, unswitch,
    },
    step::{Action, Step},
};

/// In this process: one atomic rename that makes the live path a link to a release's tree,
/// and the folder's fsync. Nginx looks the path up at every request.
#[derive(Debug)]
pub struct SwitchLanding {
    place: LandingPlace,
    id: ReleaseId,
    is_folder: bool,
}

impl SwitchLanding {
    /// Makes this release live.
    pub fn new(place: &LandingPlace, id: &ReleaseId) -> Self {
        Self { place: place.clone(), id: id.clone(), is_folder: false }
    }

    /// Where the live path is still a folder: both change places, so that at no time there
    /// is nothing (`renameat2` with `RENAME_EXCHANGE`).
    #[must_use]
    pub fn from_folder(mut self, is_folder: bool) -> Self {
        self.is_folder = is_folder;
        self
    }
}

impl Step for SwitchLanding {
    type Output = ();

    fn label(&self) -> String {
        format!("switch to {}", self.id)
    }

    fn action(&self) -> Action<'_, ()> {
        let (web, to) = (self.place.web(), self.place.link_to(&self.id));
        let how = if self.is_folder { "exchange" } else { "rename" };
        Action::work(format!("make {web} a link to {to}, by one {how}"), || match self.is_folder {
            true => switch_from_folder(&self.place, &self.id),
            false => switch(&self.place, &self.id),
        })
    }

    fn assume(&self) {}
}

/// In this process: the folder that was live before the first release becomes a kept
/// release.
#[derive(Debug)]
pub struct MoveFound {
    place: LandingPlace,
    id: ReleaseId,
}

impl MoveFound {
    /// Becomes this one.
    pub fn new(place: &LandingPlace, id: &ReleaseId) -> Self {
        Self { place: place.clone(), id: id.clone() }
    }
}

impl Step for MoveFound {
    type Output = ();

    fn label(&self) -> String {
        "keep the folder that was live".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let (from, to) = (self.place.switch(), self.place.release(&self.id));
        Action::work(format!("rename {from} to {to}"), || move_found(&self.place, &self.id))
    }

    fn assume(&self) {}
}

/// In this process: takes the live link away, where no release was published before.
#[derive(Debug)]
pub struct UnswitchLanding {
    place: LandingPlace,
    is_folder: bool,
}

impl UnswitchLanding {
    /// Takes it away here.
    pub fn new(place: &LandingPlace) -> Self {
        Self { place: place.clone(), is_folder: false }
    }

    /// A folder was there: it changes places with the link first, so that at no time there
    /// is nothing (`renameat2` with `RENAME_EXCHANGE`).
    #[must_use]
    pub fn to_folder(mut self, is_folder: bool) -> Self {
        self.is_folder = is_folder;
        self
    }
}

impl Step for UnswitchLanding {
    type Output = ();

    fn label(&self) -> String {
        let what = if self.is_folder { "the folder" } else { "nothing" };
        format!("switch to {what}")
    }

    fn action(&self) -> Action<'_, ()> {
        let (web, folder) = (self.place.web(), self.place.switch());
        if self.is_folder {
            let what = format!("make {web} the folder {folder}, by one exchange");
            return Action::work(what, || switch_to_folder(&self.place));
        }
        Action::work(format!("remove the link {web}"), || unswitch(&self.place))
    }

    fn assume(&self) {}
}

#[cfg(test)]
mod tests {
    use super::{super::tests::*, *};
    use crate::steps::testing::check;

    #[test]
    fn switch_landing_minimal() {
        check("switch_landing__minimal", &SwitchLanding::new(&place(), &record().id));
    }

    #[test]
    fn switch_landing_everything() {
        let step = SwitchLanding::new(&place(), &record().id).from_folder(true);
        check("switch_landing__everything", &step);
    }

    #[test]
    fn move_found_minimal() {
        check("move_found__minimal", &MoveFound::new(&place(), &record().id));
    }

    #[test]
    fn unswitch_landing_everything() {
        let step = UnswitchLanding::new(&place()).to_folder(true);
        check("unswitch_landing__everything", &step);
    }

    #[test]
    fn unswitch_landing_minimal() {
        check("unswitch_landing__minimal", &UnswitchLanding::new(&place()));
    }
}
