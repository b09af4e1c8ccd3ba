//! Puts right what a killed agent has left.

use crate::{
    context::Context,
    error::{Error, ErrorKind, Result},
    landing::LandingStrategy,
    protocol::ReleaseId,
    server::{
        Fate,
        landing::{AtWeb, LandingRecord, LandingSeen, Transaction},
    },
    steps::server::{
        RemoveRelease,
        landing::{CheckPlace, PrepareLanding, ReadLanding, ReadReleaseTree, RemoveStaging},
    },
};

use super::{
    super::Server,
    abort::forget,
    look::open,
    publish::forget_unfound,
    switch::{keep_folder, switch_back, switch_to},
    tidy::{mark, restamp},
    verify::Switched,
};

/// Ends or finishes what was left unfinished, and takes away what nobody needs.
///
/// - The folder that was live before the first release is kept as one.
/// - A release that had not been switched to is undone.
/// - One that had been is live if clients get it, else the one before is live again.
/// - A transaction that has no whole tree is forgotten, and one in place of which nothing was
///   heard for as long as the policy says; that of `keep` stays, because it is about to be
///   committed, or gives way.
///
/// Nothing is done where nothing was left; so it may run before everything.
///
/// # Errors
/// Refused where others than root can change the folders, and where the record of what is
/// live is not there or cannot be read. When a step fails; what was served before is still
/// served.
pub fn settle(
    cx: &Context,
    server: &Server,
    seen: LandingSeen,
    keep: Option<&ReleaseId>,
) -> Result<LandingSeen> {
    // Before anything is removed: whoever could put a link there would choose what.
    cx.observe(CheckPlace::new(&server.layout.landing()))?;
    refuse_unknown(server, &seen)?;
    let is_left = is_left(cx, server, &seen, keep)?;
    put_right(cx, server, LandingSeen { is_left, ..seen }, keep)
}

/// Whether the live folder was left to rsync by a client that has gone.
fn is_left(
    cx: &Context,
    server: &Server,
    seen: &LandingSeen,
    keep: Option<&ReleaseId>,
) -> Result<bool> {
    let may_be =
        |one: &Transaction| one.strategy == LandingStrategy::InPlace && Some(&one.id) != keep;
    if !seen.transaction.as_ref().is_some_and(may_be) {
        return Ok(false);
    }
    let told = open(cx, server, &server.layout.landing(), seen)?;
    Ok(told.is_some_and(|told| told.is_idle(server.policy.landing.idle)))
}

fn put_right(
    cx: &Context,
    server: &Server,
    seen: LandingSeen,
    keep: Option<&ReleaseId>,
) -> Result<LandingSeen> {
    for stray in &seen.strays {
        cx.note(format!("{stray} stands among the releases, and is none: it stays"));
    }
    for (path, reason) in &seen.records.broken {
        // A newer agent's record may only look broken to this one: it stays.
        cx.note(format!("{path} is no record that can be read: {reason}"));
    }
    if is_settled(&seen) {
        return Ok(seen);
    }
    cx.group("put right what was left", |cx| {
        let mut seen = seen;
        cx.run(PrepareLanding::new(&server.layout.landing()))?;
        undo_unswitched(cx, server, &mut seen)?;
        find_live(cx, server, &mut seen)?;
        judge(cx, server, &mut seen)?;
        find_folder(cx, server, &mut seen)?;
        clear(cx, server, &mut seen, keep)?;
        restamp(cx, server, &seen)?;
        Ok(seen)
    })
}

/// The same for what is so now, and for whoever wants no more of it.
///
/// # Errors
/// As [`settle`].
pub fn settle_now(cx: &Context, server: &Server) -> Result<()> {
    let seen = cx.observe(ReadLanding::new(&server.layout.landing()))?;
    settle(cx, server, seen, None).map(drop)
}

/// Whether nothing was left unfinished.
pub(super) fn is_settled(seen: &LandingSeen) -> bool {
    let is_lost = matches!(seen.web, AtWeb::Release(_)) && seen.live().is_none();
    torn(seen).is_empty()
        && unfound(seen).is_none()
        && !seen.has_switched_folder
        && seen.records.unfinished().next().is_none()
        && !is_lost
        && !is_half_open(seen)
        && !seen.is_left
        && (seen.has_staging == needs_staging(seen))
}

/// Refuses to change what nothing is known of.
fn refuse_unknown(server: &Server, seen: &LandingSeen) -> Result<()> {
    let Some(id) = seen.unknown() else { return Ok(()) };
    let place = server.layout.landing();
    let record = place.record(id);
    Err(if seen.records.is_broken(id) {
        Error::refused(format!("{id} is live, and {record} cannot be read"))
            .hint("a newer agent may have written it: install that one again")
    } else {
        let (web, tree) = (place.web(), place.release(id));
        Error::refused(format!("{id} is live, and there is no {record}")).hint(format!(
            "bring {} back from a backup; without one, `rm {web} && mv {tree} {web}` on the \
             server lets the next release begin from what is live",
            place.records()
        ))
    })
}

/// Trees without a record, but for the one that clients get.
fn torn(seen: &LandingSeen) -> Vec<ReleaseId> {
    let is_torn = |id: &&ReleaseId| {
        seen.records.get(id).is_none()
            && !seen.records.is_broken(id)
            && seen.web != AtWeb::Release((*id).clone())
    };
    seen.trees.iter().filter(is_torn).cloned().collect()
}

/// A record of a folder made by hand that is still where it was.
fn unfound(seen: &LandingSeen) -> Option<&LandingRecord> {
    let is_unfound = |one: &&LandingRecord| one.revision.is_none() && !seen.has_tree(&one.id);
    seen.records.all.iter().find(is_unfound).filter(|_| seen.web == AtWeb::Folder)
}

fn is_half_open(seen: &LandingSeen) -> bool {
    seen.transaction.as_ref().is_some_and(|transaction| !transaction.is_open)
}

fn needs_staging(seen: &LandingSeen) -> bool {
    let strategy = seen.transaction.as_ref().map(|transaction| transaction.strategy);
    strategy == Some(LandingStrategy::Release)
}

/// A folder that was switched from, or was about to be.
fn find_folder(cx: &Context, server: &Server, seen: &mut LandingSeen) -> Result<()> {
    if seen.has_switched_folder {
        let linked = match &seen.web {
            AtWeb::Release(id) => seen.records.get(id).and_then(|linked| linked.before.clone()),
            _ => None,
        };
        let before = linked.and_then(|before| seen.records.get(&before)).cloned();
        cx.note("the folder that was live before the first release is kept as one");
        keep_folder(cx, server, seen, before.as_ref())?;
    }
    forget_unfound(cx, server, seen)
}

fn undo_unswitched(cx: &Context, server: &Server, seen: &mut LandingSeen) -> Result<()> {
    let place = server.layout.landing();
    let linked = seen.live().map(|live| live.id.clone());
    let unfinished: Vec<LandingRecord> = seen.records.unfinished().cloned().collect();
    for record in unfinished.into_iter().filter(|record| Some(&record.id) != linked.as_ref()) {
        let (what, reason) = match record.strategy {
            LandingStrategy::Release => ("was never switched to", "before the switch"),
            LandingStrategy::InPlace => ("may be in place in part", "before it was verified"),
        };
        cx.note(format!("{} {what}: it is undone", record.id));
        cx.run(RemoveRelease::new(place.release(&record.id)))?;
        seen.trees.remove(&record.id);
        let fate = Fate::Undone { reason: format!("its agent ended {reason}") };
        mark(cx, server, seen, LandingRecord { fate, ..record })?;
    }
    Ok(())
}

/// Where the live path names a release that is not there: the newest good one.
fn find_live(cx: &Context, server: &Server, seen: &mut LandingSeen) -> Result<()> {
    match &seen.web {
        AtWeb::Release(id) if !seen.has_tree(id) && !seen.has_switched_folder => {}
        _ => return Ok(()),
    }
    let is_whole = |one: &&LandingRecord| one.was_good() && seen.has_tree(&one.id);
    let Some(good) = seen.records.all.iter().rev().find(is_whole).cloned() else { return Ok(()) };
    cx.note(format!("the live path names a release that is not there: {} is live", good.id));
    switch_to(cx, server, seen, &good.id, None)
}

/// A release that was switched to, and nobody has said whether clients get it.
fn judge(cx: &Context, server: &Server, seen: &mut LandingSeen) -> Result<()> {
    let Some(record) = seen.unsaid().cloned() else { return Ok(()) };
    let place = server.layout.landing();
    let tree = cx.run(ReadReleaseTree::new(&place, &record.id))?;
    let before = match &record.before {
        Some(before) => cx.run(ReadReleaseTree::new(&place, before))?,
        None => Default::default(),
    };
    let protected = &server.policy.landing.protected;
    let switched = Switched {
        before: &before.tree,
        now: &tree.tree,
        kept: &tree.kept,
        protected,
        // Its agent may have reloaded Nginx, or was about to.
        reloaded: true,
    };
    let fate = match switched.verify(cx, server) {
        Ok(_) => {
            cx.note(format!("{} had been switched to, and clients get it: it is live", record.id));
            Fate::Live { at_ms: server.now_ms }
        }
        Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
        Err(error) => {
            cx.note(format!("{} had been switched to, and clients do not get it", record.id));
            switch_back(cx, server, seen, Some(&record))?;
            cx.run(RemoveRelease::new(place.release(&record.id)))?;
            seen.trees.remove(&record.id);
            Fate::Undone { reason: format!("its agent ended, and clients did not get it: {error}") }
        }
    };
    if seen.transaction.as_ref().is_some_and(|transaction| transaction.id == record.id) {
        forget(cx, server, seen)?;
    }
    mark(cx, server, seen, LandingRecord { fate, ..record })?;
    Ok(())
}

/// What nobody needs.
fn clear(
    cx: &Context,
    server: &Server,
    seen: &mut LandingSeen,
    keep: Option<&ReleaseId>,
) -> Result<()> {
    let place = server.layout.landing();
    for id in torn(seen) {
        // A kill came while it was removed.
        cx.run(RemoveRelease::new(place.release(&id)))?;
        seen.trees.remove(&id);
    }
    let is_kept = seen.transaction.as_ref().is_some_and(|open| Some(&open.id) == keep);
    let is_lost = needs_staging(seen) && !seen.has_staging;
    if is_lost || (is_half_open(seen) && !is_kept) {
        cx.note("a transaction was left without a whole tree: it is forgotten");
        forget(cx, server, seen)?;
    } else if let Some(open) = seen.transaction.as_ref().filter(|_| seen.is_left) {
        cx.note(format!("nothing was heard of the transaction {}: it is forgotten", open.id));
        forget(cx, server, seen)?;
    }
    seen.is_left = false;
    if seen.has_staging && !needs_staging(seen) {
        cx.run(RemoveStaging::new(&place))?;
        seen.has_staging = false;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;
    use crate::{
        Pipeline, World,
        server::landing::{switch, tests::Ground},
        settings::Policy,
    };

    fn server(ground: &Ground) -> Server {
        Server {
            layout: ground.layout(),
            policy: Policy::default(),
            now_ms: 9000,
            run: "a run".to_owned(),
            by: "ana".parse().unwrap(),
        }
    }

    fn run<T: Send>(flow: impl Fn(&Context) -> Result<T>) -> Result<T> {
        Pipeline::new("test", "/", World::fixed("/", [])).run(flow).result
    }

    fn look(ground: &Ground) -> LandingSeen {
        LandingSeen::look(&ground.place()).unwrap()
    }

    /// Past what `settle` refuses: whose the folders are, and what is live unknown.
    fn put_right_now(ground: &Ground) -> Result<LandingSeen> {
        run(|cx| put_right(cx, &server(ground), look(ground), None))
    }

    #[test]
    fn nothing_is_removed_where_others_could_have_put_a_link() {
        let ground = Ground::new("planted");
        let place = ground.place();
        let home = ground.folder("home/releases", &[("ana/a", "a"), ("file", "b")]);
        fs::remove_dir_all(place.trees()).unwrap();
        symlink(ground.0.join("home"), place.trees()).unwrap();
        let error = run(|cx| settle_now(cx, &server(&ground))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
        assert!(error.to_string().contains("can be changed by others"), "{error}");
        // Nor is what is no release of ours, wherever it is.
        put_right_now(&ground).unwrap();
        assert!(home.join("ana/a").exists() && home.join("file").exists());
    }

    #[test]
    fn what_clients_get_stays_where_its_record_has_gone() {
        let ground = Ground::new("no record");
        let place = ground.place();
        let live = ground.release(1, &[("i", "a")]);
        switch(&place, &live.id).unwrap();
        fs::remove_dir_all(place.records()).unwrap();
        let error = refuse_unknown(&server(&ground), &look(&ground)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
        assert!(error.hint_text().unwrap().contains("from a backup"), "{error:?}");
        put_right_now(&ground).unwrap();
        assert_eq!(fs::read_to_string(place.web().join("i")).unwrap(), "a");
    }

    #[test]
    fn a_record_that_cannot_be_read_does_not_switch_to_an_older_release() {
        let ground = Ground::new("broken record");
        let place = ground.place();
        let (older, live) = (ground.release(1, &[("i", "a")]), ground.release(2, &[("i", "b")]));
        switch(&place, &live.id).unwrap();
        fs::write(place.record(&live.id), "{\"id\":\"of a newer agent\"}").unwrap();
        let error = refuse_unknown(&server(&ground), &look(&ground)).unwrap_err();
        assert!(error.hint_text().unwrap().contains("newer agent"), "{error:?}");
        put_right_now(&ground).unwrap();
        assert_eq!(look(&ground).web, AtWeb::Release(live.id.clone()));
        assert_eq!(fs::read_to_string(place.web().join("i")).unwrap(), "b");
        // With its tree gone as well, clients get nothing; so they get the older one.
        fs::remove_dir_all(place.release(&live.id)).unwrap();
        put_right_now(&ground).unwrap();
        assert_eq!(look(&ground).web, AtWeb::Release(older.id));
    }

    #[test]
    fn a_folder_made_by_hand_takes_its_place_again() {
        let ground = Ground::new("folder again");
        let place = ground.place();
        let web = place.web().strip_prefix(&ground.0).unwrap().as_str().to_owned();
        ground.folder(&web, &[("i", "by hand"), (".well-known/own", "o")]);
        let found = ground.release(1, &[("i", "by hand")]);
        fs::remove_dir_all(place.release(&found.id)).unwrap();
        let found = LandingRecord { revision: None, ..found };
        found.write(&place).unwrap();
        let new = ground.release(2, &[("i", "new")]);
        let before = Some(found.id.clone());
        let new = LandingRecord { before, fate: Fate::Begun, ..new };
        new.write(&place).unwrap();
        run(|cx| {
            let mut seen = look(&ground);
            switch_to(cx, &server(&ground), &mut seen, &new.id, Some(&found))
        })
        .unwrap();
        assert_eq!(fs::read_to_string(place.web().join("i")).unwrap(), "new");
        assert!(place.web().join(".well-known/own").exists());
        fs::write(place.web().join(".well-known/token"), "t").unwrap();
        run(|cx| switch_back(cx, &server(&ground), &mut look(&ground), Some(&new))).unwrap();
        assert_eq!(look(&ground).web, AtWeb::Folder, "as it was, and no link to it");
        assert_eq!(fs::read_to_string(place.web().join("i")).unwrap(), "by hand");
        assert!(place.web().join(".well-known/token").exists());
        // What a kill may have left of it is put right.
        let seen = put_right_now(&ground).unwrap();
        assert_eq!((&seen.web, seen.live()), (&AtWeb::Folder, None));
    }
}
