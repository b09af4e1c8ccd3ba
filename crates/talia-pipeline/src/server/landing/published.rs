//! What is published now, and what of it was changed by hand.

use std::collections::BTreeSet;

use camino::Utf8Path;

use super::{
    Kind, LandingPlace, LandingRecord, ReleaseTree, Stamps, Standing, Walked,
    hashing::hash_files,
    interrupted::{Interrupted, is_partial},
    walk,
};
use crate::{
    error::{Error, Result},
    landing::{ContentHash, Entry, LandingStrategy, Tree, TreePath},
    protocol::LandingDrift,
};

/// What is published now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Published {
    /// All of it but what is the server's own; nothing of it where that was
    /// [known](Wanted::known).
    pub tree: Tree,
    /// What was changed by hand since the release.
    pub drift: Vec<LandingDrift>,
    /// What cannot be published and is not the server's own, for people, with why.
    pub odd: Vec<String>,
    /// What of the server's own is there, of whatever kind.
    pub standing: Vec<TreePath>,
    /// The stamps of all that is as it was released.
    pub stamps: Stamps,
    /// The files that may not get another name, because somebody else could write to them
    /// or not all may read them.
    pub apart: BTreeSet<TreePath>,
    /// Whether a release in place that did not end has left some of its files: they are no
    /// drift, and the tree is not that of the live release.
    pub is_interrupted: bool,
}

/// What is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The folder that is published, which is no link.
    pub root: &'a Utf8Path,
    /// The release that it is; without one, everything is read.
    pub record: Option<&'a LandingRecord>,
    /// What is the server's own.
    pub protected: &'a [TreePath],
    /// Whether its files may have got other names, or lost some, since they were looked
    /// at: so it is with a release that is not live.
    pub is_kept: bool,
    /// A tree that is not told where it is the release's, and stands there unchanged.
    pub known: Option<ContentHash>,
}

impl Wanted<'_> {
    /// Whether a place is the server's own.
    fn protects(&self, path: &TreePath) -> bool {
        protects(self.protected, path)
    }

    /// Whether it is a folder that a release may have made around what is the server's own,
    /// and that is no part of it. A release in place makes none.
    fn surrounds(&self, path: &TreePath, standing: &Standing) -> bool {
        let is_release = |record: &LandingRecord| record.strategy == LandingStrategy::Release;
        self.record.is_some_and(is_release)
            && standing.kind == Kind::Folder
            && self.protected.iter().any(|own| own.is_below(path))
    }
}

/// Whether one of these places is this one, or a folder that it is in.
pub(super) fn protects(protected: &[TreePath], path: &TreePath) -> bool {
    protected.iter().any(|own| path == own || path.is_below(own))
}

/// What is published now. A file's content is read only where its stamp is another one
/// than when the release was made.
///
/// # Errors
/// When the folder, a file or what the agent knows cannot be read.
pub fn published(place: &LandingPlace, wanted: &Wanted<'_>) -> Result<Published> {
    let mut found = walked(wanted.root)?;
    let standing = standing(&found, wanted.protected);
    found.odd.retain(|(path, _)| !path.parse().is_ok_and(|path| wanted.protects(&path)));
    let is_in_place = |record: &LandingRecord| record.strategy == LandingStrategy::InPlace;
    if wanted.record.is_none_or(is_in_place) {
        found.leave_out(is_partial);
    }
    let apart = apart(&found);
    let Some(record) = wanted.record else {
        let all: Vec<(&TreePath, &Standing)> =
            found.all.iter().filter(|(path, _)| !wanted.protects(path)).collect();
        let tree = read(wanted.root, &all)?.into_iter().collect();
        return Ok(Published { tree, odd: found.told(), standing, apart, ..Published::default() });
    };
    let release = || ReleaseTree::read(place, &record.id);
    let mut stamps = match Stamps::read(&place.stamps(&record.id)) {
        Some(stamps) => stamps,
        None => Stamps::unknown(&release()?),
    };
    if wanted.is_kept {
        stamps = stamps.renewed(&found);
    }
    let changed = differing(&stamps, &found, wanted);
    if changed.is_empty() && wanted.known == Some(record.tree) {
        let odd = found.told();
        return Ok(Published { odd, standing, stamps, apart, ..Published::default() });
    }
    let release = release()?;
    let there: Vec<(&TreePath, &Standing)> =
        changed.iter().filter_map(|path| found.all.get_key_value(path)).collect();
    let now: Tree = read(wanted.root, &there)?.into_iter().collect();
    let mut tree = release.tree.clone();
    let mut drift = Vec::new();
    for path in changed {
        match (release.get(&path), now.get(&path)) {
            (before, now) if before == now => stamps.set(path, &found),
            (None, Some(now)) => {
                add(&mut tree, &path, now.clone());
                drift.push(LandingDrift::Added { path });
            }
            // An asset of an older release that has gone is missed by nobody but its pages.
            (Some(_), None) if release.tree.get(&path).is_none() => stamps.unset(&path),
            (_, now) => {
                stamps.unset(&path);
                // What a release keeps of others is no part of it.
                match (now, tree.get(&path)) {
                    (Some(now), Some(_)) => drop(tree.insert(path.clone(), now.clone())),
                    _ => drop(tree.remove(&path)),
                }
                drift.push(match now {
                    Some(_) => LandingDrift::Changed { path },
                    None => LandingDrift::Removed { path },
                });
            }
        }
    }
    let mut is_interrupted = false;
    if !drift.is_empty()
        && let Some(interrupted) = Interrupted::read(place, record)
    {
        let all = drift.len();
        drift.retain(|one| !interrupted.explains(one.path(), now.get(one.path())));
        is_interrupted = drift.len() < all;
    }
    Ok(Published { tree, drift, odd: found.told(), standing, stamps, apart, is_interrupted })
}

fn standing(found: &Walked, protected: &[TreePath]) -> Vec<TreePath> {
    let is_there = |path: &&TreePath| {
        let is_odd = |(odd, _): &(String, _)| odd == path.as_str();
        found.all.contains_key(*path) || found.odd.iter().any(is_odd)
    };
    protected.iter().filter(is_there).cloned().collect()
}

fn apart(found: &Walked) -> BTreeSet<TreePath> {
    let is_shut = |standing: &Standing| {
        standing.kind == Kind::File
            && (standing.user != 0 || standing.stamp.permissions() != Entry::FILE_MODE)
    };
    let apart = found.all.iter().filter(|(_, standing)| is_shut(standing));
    apart.map(|(path, _)| path.clone()).collect()
}

/// Looks at everything below a folder.
pub(super) fn walked(root: &Utf8Path) -> Result<Walked> {
    walk(root).map_err(|cause| Error::step(format!("{root} cannot be looked at")).caused_by(cause))
}

/// The names that may have changed: those without a stamp or with another one, those that
/// have gone, and those that have come.
fn differing(stamps: &Stamps, found: &Walked, wanted: &Wanted<'_>) -> Vec<TreePath> {
    let of_it = stamps.iter().filter(|(path, stamp)| {
        let now = found.all.get(*path).map(|standing| &standing.stamp);
        now.is_none() || now != *stamp
    });
    let is_new = |(path, standing): &(&TreePath, &Standing)| {
        !stamps.has(path) && !wanted.protects(path) && !wanted.surrounds(path, standing)
    };
    let come = found.all.iter().filter(is_new).map(|(path, _)| path);
    let mut all: Vec<TreePath> = of_it.map(|(path, _)| path).chain(come).cloned().collect();
    all.sort_unstable();
    all
}

/// Puts something there, with every folder that it is in.
fn add(tree: &mut Tree, path: &TreePath, entry: Entry) {
    tree.insert(path.clone(), entry);
    let mut above = path.parent();
    while let Some(folder) = above.filter(|folder| tree.get(folder).is_none()) {
        above = folder.parent();
        tree.insert(folder, Entry::folder());
    }
}

/// What stands at these places, with what the files hold.
pub(super) fn read(
    root: &Utf8Path,
    places: &[(&TreePath, &Standing)],
) -> Result<Vec<(TreePath, Entry)>> {
    let files: Vec<&TreePath> = places
        .iter()
        .filter(|(_, standing)| standing.kind == Kind::File)
        .map(|(path, _)| *path)
        .collect();
    let hashes = hash_files(root, &files)
        .map_err(|cause| Error::step(format!("a file in {root} cannot be read: {cause}")))?;
    let mut hashes = hashes.into_iter();
    let mut found = Vec::with_capacity(places.len());
    for (path, standing) in places {
        let hash = if standing.kind == Kind::File { hashes.next() } else { None };
        found.push(((*path).clone(), entry(standing, hash)));
    }
    Ok(found)
}

/// What stands there, with what the file holds.
pub(super) fn entry(standing: &Standing, hash: Option<ContentHash>) -> Entry {
    let mode = standing.stamp.permissions();
    match (&standing.kind, hash) {
        (Kind::Link(target), _) => Entry::link(target),
        (Kind::File, Some(hash)) => Entry::File { size: standing.stamp.size(), hash, mode },
        (Kind::Folder | Kind::File, _) => Entry::Folder { mode },
    }
}
