//! What clients get is changed, and changed back.

use crate::{
    context::Context,
    error::Result,
    landing::LandingStrategy,
    protocol::ReleaseId,
    server::landing::{AtWeb, LandingRecord, LandingSeen},
    steps::server::landing::{MoveFound, SwitchLanding, UnswitchLanding},
};

use super::{super::Server, tidy::mark};

/// Makes a release live. A folder that is live becomes the tree of `before`.
pub(super) fn switch_to(
    cx: &Context,
    server: &Server,
    seen: &mut LandingSeen,
    id: &ReleaseId,
    before: Option<&LandingRecord>,
) -> Result<()> {
    let is_folder = seen.web == AtWeb::Folder;
    let place = server.layout.landing();
    cx.run(SwitchLanding::new(&place, id).from_folder(is_folder))?;
    seen.web = AtWeb::Release(id.clone());
    if is_folder {
        seen.has_switched_folder = true;
        keep_folder(cx, server, seen, before)?;
    }
    Ok(())
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
    keep_folder(cx, server, seen, before.as_ref())?;
    match before.filter(|before| seen.has_tree(&before.id)) {
        Some(before) => switch_to(cx, server, seen, &before.id, None),
        None => {
            cx.run(UnswitchLanding::new(&server.layout.landing()))?;
            seen.web = AtWeb::Nothing;
            Ok(())
        }
    }
}
