//! What clients get is changed by one rename.

use std::{fs, io, os::unix::fs::symlink};

use camino::Utf8Path;

use super::{LandingPlace, beneath::exchange};
use crate::{
    error::{Error, Result},
    files::remove_if_there,
    protocol::ReleaseId,
};

fn cannot(place: &LandingPlace) -> impl Fn(io::Error) -> Error {
    let web = place.web().to_owned();
    move |cause| Error::step(format!("{web} cannot be switched")).caused_by(cause)
}

fn make_link(place: &LandingPlace, id: &ReleaseId) -> io::Result<()> {
    let new = place.switch();
    // A link that a kill has left; a folder there is never taken away.
    remove_if_there(&new)?;
    symlink(place.link_to(id), &new)
}

fn sync(place: &LandingPlace) -> io::Result<()> {
    let beside = place.web().parent().unwrap_or(Utf8Path::new("/"));
    fs::File::open(place.trees())?.sync_all()?;
    fs::File::open(beside)?.sync_all()
}

/// Makes the live path a link to a release, where it is a link or nothing now.
///
/// # Errors
/// When the file system does not take it.
pub fn switch(place: &LandingPlace, id: &ReleaseId) -> Result<()> {
    make_link(place, id)
        .and_then(|()| fs::rename(place.switch(), place.web()))
        .and_then(|()| sync(place))
        .map_err(cannot(place))
}

/// Makes the live path a link to a release, where it is a folder now: both change places
/// in one step, so that at no time there is nothing. The folder then stands where
/// [`move_found`] finds it.
///
/// # Errors
/// When the file system does not take it.
pub fn switch_from_folder(place: &LandingPlace, id: &ReleaseId) -> Result<()> {
    make_link(place, id)
        .and_then(|()| exchange(&place.switch(), place.web()))
        .and_then(|()| sync(place))
        .map_err(cannot(place))
}

/// Gives the folder that was switched from its place again, in one step, and takes the link
/// away that was there.
///
/// # Errors
/// When the file system does not take it.
pub fn switch_to_folder(place: &LandingPlace) -> Result<()> {
    exchange(&place.switch(), place.web())
        .and_then(|()| remove_if_there(&place.switch()))
        .and_then(|()| sync(place))
        .map_err(cannot(place))
}

/// Makes the folder that was live before the first release the tree of this one.
///
/// # Errors
/// When the file system does not take it.
pub fn move_found(place: &LandingPlace, id: &ReleaseId) -> Result<()> {
    fs::rename(place.switch(), place.release(id))
        .and_then(|()| fs::File::open(place.releases())?.sync_all())
        .and_then(|()| sync(place))
        .map_err(cannot(place))
}

/// Takes the live link away: nothing was published before.
///
/// # Errors
/// When the file system does not let it go.
pub fn unswitch(place: &LandingPlace) -> Result<()> {
    remove_if_there(place.web()).and_then(|()| sync(place)).map_err(cannot(place))
}
