//! What clients get is changed, and changed back.

use camino::Utf8PathBuf;

use crate::{
    context::Context,
    error::Result,
    landing::LandingStrategy,
    protocol::ReleaseId,
    server::landing::{AtWeb, LandingRecord, LandingSeen},
    steps::server::landing::{BringOwn, MoveFound, SwitchLanding, UnswitchLanding},
};

use super::{super::Server, tidy::mark};

/// Makes a release live. A folder that is live, that of `before`, then stands where
/// [`keep_folder`] finds it: until clients get the release, it can take its place again.
pub(super) fn switch_to(
    cx: &Context,
    server: &Server,
    seen: &mut LandingSeen,
    id: &ReleaseId,
    before: Option<&LandingRecord>,
) -> Result<()> {
    let is_folder = seen.web == AtWeb::Folder;
    let place = server.layout.landing();
    let left = match &seen.web {
        AtWeb::Release(left) if seen.has_tree(left) => Some((place.release(left), left.clone())),
        AtWeb::Folder => before.map(|before| (place.switch(), before.id.clone())),
        _ => None,
    };
    cx.run(SwitchLanding::new(&place, id).from_folder(is_folder))?;
    seen.web = AtWeb::Release(id.clone());
    seen.has_switched_folder |= is_folder;
    bring(cx, server, left, (place.release(id), id));
    Ok(())
}

/// What is the server's own and was written until the switch. Where that fails, it is in
/// the tree that was left, and no reason to go back.
fn bring(
    cx: &Context,
    server: &Server,
    left: Option<(Utf8PathBuf, ReleaseId)>,
    to: (Utf8PathBuf, &ReleaseId),
) {
    let Some((root, id)) = left else { return };
    let protected = &server.policy.landing.protected;
    let step = BringOwn::new(&server.layout.landing(), (root, &id), to, protected).live();
    if let Err(error) = cx.sheltered(|cx| cx.run(step)) {
        cx.note(format!("{error}"));
    }
}

/// Makes the folder that was switched from the tree of its release.
pub(super) fn keep_folder(
    cx: &Context,
    server: &Server,
    seen: &mut LandingSeen,
    before: Option<&LandingRecord>,
) -> Result<()> {
    let Some(before) = before.filter(|_| seen.has_switched_folder) else { return Ok(()) };
    cx.run(MoveFound::new(&server.layout.landing(), &before.id))?;
    seen.has_switched_folder = false;
    seen.trees.insert(before.id.clone());
    if before.strategy == LandingStrategy::InPlace {
        let record = LandingRecord { strategy: LandingStrategy::Release, ..before.clone() };
        mark(cx, server, seen, record)?;
    }
    Ok(())
}

/// Makes live what was live before a release, or nothing where nothing was.
pub(super) fn switch_back(
    cx: &Context,
    server: &Server,
    seen: &mut LandingSeen,
    failed: Option<&LandingRecord>,
) -> Result<()> {
    let before = failed.and_then(|failed| failed.before.as_ref());
    let before = before.and_then(|before| seen.records.get(before)).cloned();
    match before.as_ref().filter(|before| seen.has_tree(&before.id)) {
        Some(before) => switch_to(cx, server, seen, &before.id, None),
        None => {
            let place = server.layout.landing();
            let is_folder = std::mem::take(&mut seen.has_switched_folder);
            cx.run(UnswitchLanding::new(&place).to_folder(is_folder))?;
            seen.web = if is_folder { AtWeb::Folder } else { AtWeb::Nothing };
            if let (AtWeb::Folder, Some(before), Some(failed)) = (&seen.web, before, failed) {
                let left = (place.release(&failed.id), failed.id.clone());
                bring(cx, server, Some(left), (place.web().to_owned(), &before.id));
            }
            Ok(())
        }
    }
}
