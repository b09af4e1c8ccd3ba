//! What must hold before a release of the landing page begins.

use camino::Utf8Path;

use crate::{
    context::Context,
    error::{Error, Result},
    landing::{Entry, LandingStrategy, Leads, Tree, TreeChanges},
    protocol::LandingDrift,
    server::landing::{AtWeb, DEEPEST, LandingPlace, LandingSeen, Needs, VERSION_FILE},
    steps::server::{
        FreeDisk, Room,
        landing::{NginxConfiguration, RsyncVersion},
    },
};

use super::{super::Server, look::own_sites};

/// What stays free beside what is sent, in bytes.
const SPARE: u64 = 50 << 20;
/// And in files.
const SPARE_FILES: u64 = 1000;
/// What the longest name has, in bytes.
const LONGEST_NAME: usize = 255;
/// And the longest place: with the folder that it is in, Linux takes 4,096.
const LONGEST_PLACE: usize = 3072;
/// So many names are told at most.
pub(super) const TOLD: usize = 20;

/// Whether this server can publish at all.
pub(super) fn server(
    cx: &Context,
    server: &Server,
    place: &LandingPlace,
    seen: &LandingSeen,
) -> Result<()> {
    let web = place.web();
    match (&seen.web, server.policy.landing.strategy) {
        (AtWeb::Other(what), _) => {
            return Err(Error::refused(format!("{what}, and nothing of talia's"))
                .hint(format!("make {web} a folder, or move it away: then it is made")));
        }
        (AtWeb::Release(_), LandingStrategy::InPlace) => {
            return Err(Error::refused(format!(
                "{web} is a link to a release, and `strategy = \"in-place\"` needs a folder"
            ))
            .hint("copy the release's tree to a folder in the link's place first"));
        }
        _ => {}
    }
    cx.observe(RsyncVersion)?;
    if server.policy.landing.strategy == LandingStrategy::InPlace {
        return Ok(());
    }
    let Some(nginx) = cx.probe(NginxConfiguration::new(place.nginx()))? else { return Ok(()) };
    match own_sites(&server.policy, &nginx).find(|site| site.refuses_links) {
        None => Ok(()),
        Some(site) => Err(Error::refused(format!(
            "Nginx follows no link for {}: `disable_symlinks` is on, and the live path is one",
            site.names.join(" ")
        ))
        .hint("switch it off for that host, or set `strategy = \"in-place\"` in [landing]")),
    }
}

/// Refuses to lose what somebody has changed by hand.
pub(super) fn drift(drift: &[LandingDrift], is_accepted: bool) -> Result<()> {
    if drift.is_empty() || is_accepted {
        return Ok(());
    }
    Err(Error::refused(format!(
        "{} published files were changed by hand since the release",
        drift.len()
    ))
    .tail(some(drift.iter().map(LandingDrift::told)))
    .hint("put the changes into the project first; to lose them, `--accept-drift`"))
}

/// Refuses to lose what can be no part of a release, and is not protected: it is in none
/// that follows. In place nobody may want that: rsync deletes some of it, and nobody can have
/// planned which.
pub(super) fn odd(odd: &[String], strategy: LandingStrategy, is_accepted: bool) -> Result<()> {
    let is_in_place = strategy == LandingStrategy::InPlace;
    if odd.is_empty() || (is_accepted && !is_in_place) {
        return Ok(());
    }
    let places = if odd.len() == 1 { "place" } else { "places" };
    let or_lost = if is_in_place { "" } else { "; to lose them, `--accept-drift`" };
    Err(Error::refused(format!(
        "the live folder has {} {places} that cannot be published",
        odd.len()
    ))
    .tail(some(odd.iter().cloned()))
    .hint(format!(
        "take them away, or name them in `protected` in [landing] of the policy{or_lost}"
    )))
}

/// The first of many, and how many more there are.
pub(super) fn some(lines: impl ExactSizeIterator<Item = String>) -> Vec<String> {
    let more = lines.len().saturating_sub(TOLD);
    let mut told: Vec<String> = lines.take(TOLD).collect();
    if more > 0 {
        told.push(format!("and {more} more"));
    }
    told
}

/// Whether what a client has announced is a tree that can be published; `links_out`: the
/// policy takes links that lead out of it.
pub(super) fn announced(tree: &Tree, links_out: bool) -> Result<()> {
    tree.check()?;
    for (path, entry) in tree.iter() {
        let wrong = match entry {
            _ if path.as_str().split('/').count() > DEEPEST => "lies too deep",
            _ if path.name().len() > LONGEST_NAME => "has too long a name",
            _ if path.as_str().len() > LONGEST_PLACE => "has too long a place",
            Entry::Link { target } if target.len() > LONGEST_PLACE => "names too long a place",
            _ if path.as_str() == VERSION_FILE => "is every release's own",
            Entry::File { mode, .. } if *mode != Entry::FILE_MODE => "has not the mode 0644",
            Entry::Folder { mode } if *mode != Entry::FOLDER_MODE => "has not the mode 0755",
            Entry::Link { .. } if !links_out && tree.leads(path) == Leads::Out => {
                "leads out of the tree, and `links_out` of the server's policy does not allow that"
            }
            _ => continue,
        };
        return Err(Error::refused(format!("{path} cannot be published: it {wrong}")));
    }
    Ok(())
}

/// Whether there is room for what is about to be sent, and for what is copied before.
pub(super) fn room(
    cx: &Context,
    place: &LandingPlace,
    changes: &TreeChanges,
    needs: Needs,
) -> Result<()> {
    let beside = place.web().parent().unwrap_or(place.web());
    let room = cx.observe(FreeDisk::new(beside))?;
    let bytes = changes.bytes().saturating_add(needs.bytes).saturating_add(SPARE);
    let files = changes.len() as u64 + needs.files + SPARE_FILES;
    refuse_full(beside, &room, bytes, files)
}

fn refuse_full(beside: &Utf8Path, room: &Room, bytes: u64, files: u64) -> Result<()> {
    if room.bytes < bytes {
        return Err(Error::preflight(format!(
            "{beside} has {} MB free, and this release needs {}",
            room.bytes / 1_000_000,
            bytes / 1_000_000
        ))
        .hint("free some disk there, or keep fewer: `keep_releases` in [landing] of the policy"));
    }
    match room.inodes {
        Some(free) if free < files => Err(Error::preflight(format!(
            "{beside} can take {free} more files, and this release may need {files}"
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ErrorKind, landing::ContentHash};

    #[test]
    fn what_must_not_be_published_is_refused_however_it_is_announced() {
        let file = |mode| Entry::File { size: 1, hash: ContentHash::of(b"x"), mode };
        let judged = |entries: Vec<(&str, Entry)>| {
            let entries = entries.into_iter().map(|(path, entry)| (path.parse().unwrap(), entry));
            announced(&entries.collect(), false)
        };
        let folder = || ("d", Entry::folder());
        assert!(judged(vec![folder(), ("d/x", Entry::link("../y")), ("y", file(0o644))]).is_ok());
        for (entry, why) in [
            (("d/x", Entry::link("../../y")), "leads out"),
            (("x", Entry::link("/etc/passwd")), "leads out"),
            (("x", file(0o4755)), "mode 0644"),
            (("x", Entry::Folder { mode: 0o777 }), "mode 0755"),
            ((VERSION_FILE, file(0o644)), "release's own"),
            (("x".repeat(256).as_str(), file(0o644)), "too long a name"),
            (("x", Entry::link("y/".repeat(2000))), "names too long a place"),
        ] {
            let error = judged(vec![folder(), entry]).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
            assert_eq!(error.kind(), ErrorKind::Refused);
        }
        let out: Tree = [("x".parse().unwrap(), Entry::link("/etc/x"))].into_iter().collect();
        assert!(announced(&out, true).is_ok(), "root may want it");
        assert!(judged(vec![("a/b", file(0o644))]).is_err(), "it is in no folder");
        let deep = |depth: usize, name: &str| {
            let folders: Vec<String> =
                (1..=depth).map(|depth| vec![name; depth].join("/")).collect();
            judged(folders.iter().map(|path| (path.as_str(), Entry::folder())).collect())
        };
        assert!(deep(DEEPEST, "d").is_ok());
        assert!(deep(DEEPEST + 1, "d").unwrap_err().to_string().contains("too deep"));
        assert!(deep(20, &"d".repeat(200)).unwrap_err().to_string().contains("long a place"));
    }

    #[test]
    fn what_cannot_be_published_is_lost_where_that_is_wanted_alone() {
        let found = ["a/pipe: it is neither file, folder nor link".to_owned()];
        let (release, in_place) = (LandingStrategy::Release, LandingStrategy::InPlace);
        for strategy in [release, in_place] {
            assert!(odd(&[], strategy, false).is_ok());
            let error = odd(&found, strategy, false).unwrap_err();
            assert_eq!((error.kind(), error.last_lines()), (ErrorKind::Refused, &found[..]));
            let is_told = error.hint_text().unwrap().contains("`--accept-drift`");
            assert_eq!(is_told, strategy == release, "{error:?}");
        }
        assert!(odd(&found, release, true).is_ok());
        assert!(odd(&found, in_place, true).is_err(), "rsync would delete it unplanned");
    }

    #[test]
    fn of_many_changes_by_hand_some_are_told() {
        let all: Vec<LandingDrift> = (0..50)
            .map(|number| LandingDrift::Added { path: format!("f{number}").parse().unwrap() })
            .collect();
        assert!(drift(&all, true).is_ok() && drift(&[], false).is_ok());
        let error = drift(&all, false).unwrap_err();
        assert!(error.to_string().contains("50 published files"), "{error}");
        assert_eq!(some(all.iter().map(LandingDrift::told)).last().unwrap(), "and 30 more");
    }
}
