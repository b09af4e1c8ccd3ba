//! The folders that the landing page lies in.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
};

use camino::Utf8Path;

use crate::{
    error::{Error, Result},
    server::landing::{LandingPlace, make_public, remove_tree},
    step::{Action, Step},
};

/// In this process: whether nobody but root can change the folders that the live path and
/// the trees lie in. Whoever could would give clients what they want.
#[derive(Debug)]
pub struct CheckPlace {
    place: LandingPlace,
}

impl CheckPlace {
    /// Looks at these.
    pub fn new(place: &LandingPlace) -> Self {
        Self { place: place.clone() }
    }

    fn check(&self) -> Result<()> {
        let root = self.place.root();
        let look = |folder: &Utf8Path| match fs::symlink_metadata(folder) {
            // What is not there is made, in a folder that is root's alone.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            data => data.map(Some).map_err(|cause| {
                Error::preflight(format!("{folder} cannot be looked at")).caused_by(cause)
            }),
        };
        let owner = look(root)?.map_or(0, |data| data.uid());
        let above_web = self.place.web().ancestors().skip(1);
        let releases = self.place.releases();
        let folders = above_web.take_while(|folder| folder.starts_with(root));
        for folder in folders.chain(releases.ancestors().take(3)) {
            let Some(data) = look(folder)? else { continue };
            if data.uid() != owner || data.mode() & 0o022 != 0 || !data.is_dir() {
                return Err(Error::refused(format!(
                    "{folder} can be changed by others than root, who could publish what they want"
                ))
                .hint(format!("on the server: `chown root:root {folder}; chmod go-w {folder}`")));
            }
        }
        Ok(())
    }
}

impl Step for CheckPlace {
    type Output = ();

    fn label(&self) -> String {
        "whose the folders are".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let what = format!("look who may change the folders above {}", self.place.web());
        Action::read(what, || self.check())
    }

    fn assume(&self) {}
}

/// In this process: the folders of the agent and of the trees, where they are not there.
#[derive(Debug)]
pub struct PrepareLanding {
    place: LandingPlace,
    with_web: bool,
}

impl PrepareLanding {
    /// Makes these.
    pub fn new(place: &LandingPlace) -> Self {
        Self { place: place.clone(), with_web: false }
    }

    /// And the live folder, for releases in place.
    #[must_use]
    pub fn with_web(mut self, with_web: bool) -> Self {
        self.with_web = with_web;
        self
    }

    fn make(&self) -> io::Result<()> {
        if self.with_web {
            make_public(self.place.web())?;
            remove_tree(&self.place.spare())?;
        } else {
            make_public(&self.place.releases())?;
        }
        fs::create_dir_all(self.place.records())?;
        // What a kill has left there would be taken for an answer.
        match fs::remove_dir_all(self.place.fetched()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::create_dir_all(self.place.fetched())?,
        }
        fs::set_permissions(self.place.own(), Permissions::from_mode(0o700))
    }
}

impl Step for PrepareLanding {
    type Output = ();

    fn label(&self) -> String {
        "folders of the landing page".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let own = self.place.own();
        let other = if self.with_web { self.place.web() } else { self.place.trees() };
        Action::work(format!("make {own} and {other}"), || {
            self.make().map_err(|cause| {
                Error::step("the landing page's folders cannot be made").caused_by(cause)
            })
        })
    }

    fn assume(&self) {}
}

#[cfg(test)]
mod tests {
    use super::{super::tests::*, *};
    use crate::steps::testing::check;

    #[test]
    fn check_place_minimal() {
        check("check_place__minimal", &CheckPlace::new(&place()));
    }

    #[test]
    fn prepare_landing_minimal() {
        check("prepare_landing__minimal", &PrepareLanding::new(&place()));
    }

    #[test]
    fn prepare_landing_everything() {
        check("prepare_landing__everything", &PrepareLanding::new(&place()).with_web(true));
    }
}
