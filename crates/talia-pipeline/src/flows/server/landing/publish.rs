//! From a tree that nobody is given to what clients get, and back where that fails.

use crate::{
    context::Context,
    error::{Error, Result},
    landing::{Entry, LandingStrategy, Tree, TreeChanges, TreePath},
    protocol::{LandingVerified, LandingVersion, ReleaseId, to_json},
    server::{
        Fate,
        landing::{
            AtWeb, LandingPlace, LandingRecord, LandingSeen, Own, ReleaseTree, Stamps, Transaction,
        },
    },
    steps::server::{
        RemoveRelease,
        landing::{
            BecomeRelease, CloseTree, CompleteStaging, ForgetTransaction, ReadLanding, ReadStaged,
            RemoveStaging, WriteLanding,
        },
    },
};

use super::{
    super::Server,
    abort::take_folder_back,
    begin::own,
    checks::some,
    front::Front,
    switch::{switch_back, switch_to},
    tidy::{drop_release, mark, recorded, restamp},
    verify::Switched,
};

/// What becomes live, and what it replaces.
pub(super) struct Change<'a> {
    pub(super) transaction: &'a Transaction,
    pub(super) base: &'a Tree,
    pub(super) announced: &'a Tree,
}

/// What a release has come to.
pub(super) struct Published {
    pub(super) record: LandingRecord,
    pub(super) before: Option<LandingRecord>,
    pub(super) kept: Tree,
    pub(super) stamps: Stamps,
    pub(super) verified: LandingVerified,
    pub(super) reloaded: bool,
}

/// Publishes what the transaction holds.
pub(super) fn publish(
    cx: &Context,
    server: &Server,
    seen: &mut LandingSeen,
    change: &Change<'_>,
    front: &Front,
) -> Result<Published> {
    let place = server.layout.landing();
    let Change { transaction, base, announced } = change;
    let is_in_place = transaction.strategy == LandingStrategy::InPlace;
    let (root, own) = match transaction.strategy {
        LandingStrategy::Release => (place.staging(), Own::default()),
        LandingStrategy::InPlace => (place.web().to_owned(), own(server, announced)),
    };
    // One that was checked is closed since, and may have got what the live tree has.
    if !transaction.is_checked {
        cx.run(CloseTree::new(&root, own.clone()).live(is_in_place))?;
    }
    let staged = cx.run(
        ReadStaged::new(&place, &root, (*announced).clone())
            .base(seen.live())
            .without(&own)
            .completed(transaction.is_checked),
    )?;
    refuse_other(&staged.tree, announced, &staged.odd)?;

    let before = found(cx, server, seen, change)?;
    let mut record = LandingRecord {
        id: transaction.id.clone(),
        revision: Some(transaction.revision.clone()),
        tree: transaction.tree,
        strategy: transaction.strategy,
        by: transaction.by.clone(),
        began_ms: transaction.began_ms,
        before: before.as_ref().map(|before| before.id.clone()),
        files: files(announced),
        bytes: announced.bytes(),
        fate: Fate::Begun,
    };
    let complete = complete(server, seen, &place, &record, change, staged.fresh);
    let kept = cx.run(complete.at(root))?;
    let tree = ReleaseTree { tree: (*announced).clone(), kept };
    cx.run(WriteLanding::new(&place, record.clone(), tree.clone()))?;
    recorded(seen, record.clone());
    if !is_in_place {
        cx.run(BecomeRelease::new(&place, &record.id))?;
        seen.has_staging = false;
        seen.trees.insert(record.id.clone());
        switch_to(cx, server, seen, &record.id, before.as_ref())?;
    }
    let at_ms = server.goes_live_ms(cx);
    // From here on, to finish is quicker than to go back.
    let (verified, reloaded) = cx.sheltered(|cx| {
        let reloaded = front.reload(cx)?;
        let protected = &server.policy.landing.protected;
        let switched =
            Switched { before: base, now: announced, kept: &tree.kept, protected, reloaded };
        Ok((switched.verify(cx, server)?, reloaded))
    })?;
    record.fate = Fate::Live { at_ms };
    Ok(Published { record, before, kept: tree.kept, stamps: staged.stamps, verified, reloaded })
}

fn files(tree: &Tree) -> u64 {
    tree.iter().filter(|(_, entry)| matches!(entry, Entry::File { .. })).count() as u64
}

/// Refuses a tree that is not the one that was announced.
fn refuse_other(staged: &Tree, announced: &Tree, odd: &[String]) -> Result<()> {
    let changes = TreeChanges::between(announced, staged);
    let told = changes.iter().map(|(path, entry)| match (entry, announced.get(path)) {
        (Some(_), Some(_)) => format!("{path} is not what was announced"),
        (Some(_), None) => format!("{path} was not announced"),
        (None, _) => format!("{path} was announced and is not there"),
    });
    let told: Vec<String> = odd.iter().cloned().chain(told).collect();
    if told.is_empty() {
        return Ok(());
    }
    Err(Error::refused(format!("what was sent is not what was announced: {} places", told.len()))
        .tail(some(told.into_iter()))
        .hint("nothing was switched; deploy again, and let nothing change the files meanwhile"))
}

/// The release that is replaced; a folder made by hand becomes one, with a record of its
/// own.
fn found(
    cx: &Context,
    server: &Server,
    seen: &mut LandingSeen,
    change: &Change<'_>,
) -> Result<Option<LandingRecord>> {
    let is_release = change.transaction.strategy == LandingStrategy::Release;
    if let Some(live) = seen.live().cloned() {
        return Ok(Some(live));
    }
    if seen.web != AtWeb::Folder || !is_release {
        return Ok(None);
    }
    // Before the release that replaces it.
    let at_ms = change.transaction.began_ms.saturating_sub(1000);
    let tree = change.base.hash();
    let record = LandingRecord {
        id: ReleaseId::of_tree(at_ms, tree),
        revision: None,
        tree,
        strategy: LandingStrategy::Release,
        by: server.by.clone(),
        began_ms: at_ms,
        before: None,
        files: files(change.base),
        bytes: change.base.bytes(),
        fate: Fate::Live { at_ms },
    };
    let tree = ReleaseTree { tree: change.base.clone(), kept: Tree::default() };
    cx.run(WriteLanding::new(&server.layout.landing(), record.clone(), tree))?;
    recorded(seen, record.clone());
    Ok(Some(record))
}

/// What the release has beside its own tree.
fn complete(
    server: &Server,
    seen: &LandingSeen,
    place: &LandingPlace,
    record: &LandingRecord,
    change: &Change<'_>,
    fresh: Vec<TreePath>,
) -> CompleteStaging {
    let version = LandingVersion {
        release: record.id.clone(),
        revision: change.transaction.revision.clone(),
        tree: record.tree,
    };
    let version = format!("{}\n", to_json(&version));
    let step =
        CompleteStaging::new(place, change.transaction, change.announced.clone(), version, fresh);
    if record.strategy == LandingStrategy::InPlace {
        return step;
    }
    let live = seen.root(place);
    let step = step.own(live.clone(), record.before.as_ref(), &server.policy.landing.protected);
    // A release that was given back is younger than those that came before that.
    let mut good: Vec<&LandingRecord> =
        seen.records.all.iter().filter(|one| one.was_good() && one.id != record.id).collect();
    good.sort_by_key(|one| std::cmp::Reverse(one.taken().at_ms));
    let roots = good.into_iter().filter_map(|one| {
        let is_live = record.before.as_ref() == Some(&one.id);
        // A folder made by hand is not among the trees yet.
        let root = if is_live { live.clone() } else { None };
        let root = root.or_else(|| seen.has_tree(&one.id).then(|| place.release(&one.id)));
        Some((one.id.clone(), root?))
    });
    roots
        .take(server.policy.landing.keep_assets)
        .fold(step, |step, (id, root)| step.assets_of(&id, root))
}

/// Gives clients what they had, and takes the failed release away. What it has come to is
/// what the disk says.
pub(super) fn take_back(
    cx: &Context,
    server: &Server,
    transaction: &Transaction,
    front: &Front,
    error: &Error,
) -> Result<()> {
    cx.group("take it back", |cx| {
        let place = server.layout.landing();
        let mut seen = cx.run(ReadLanding::new(&place))?;
        let record = seen.records.get(&transaction.id).cloned();
        if seen.web == AtWeb::Release(transaction.id.clone()) {
            switch_back(cx, server, &mut seen, record.as_ref())?;
            front.reload(cx)?;
        }
        cx.run(RemoveStaging::new(&place))?;
        cx.run(RemoveRelease::new(place.release(&transaction.id)))?;
        if let Some(record) = record {
            let fate = Fate::Undone { reason: error.to_string() };
            mark(cx, server, &mut seen, LandingRecord { fate, ..record })?;
        }
        forget_unfound(cx, server, &mut seen)?;
        let is_in_place = transaction.strategy == LandingStrategy::InPlace;
        if is_in_place {
            cx.note("its files may be in place: deploy again, or an older revision");
            take_folder_back(cx, server, transaction)?;
        }
        cx.run(ForgetTransaction::new(&place).interrupted(is_in_place))?;
        restamp(cx, server, &seen)
    })
}

/// Takes the record away that a folder made by hand has got, where it stayed what it was.
pub(super) fn forget_unfound(cx: &Context, server: &Server, seen: &mut LandingSeen) -> Result<()> {
    if seen.web != AtWeb::Folder {
        return Ok(());
    }
    let is_unfound = |one: &&LandingRecord| one.revision.is_none() && !seen.has_tree(&one.id);
    let unfound: Vec<ReleaseId> =
        seen.records.all.iter().filter(is_unfound).map(|one| one.id.clone()).collect();
    unfound.iter().try_for_each(|id| drop_release(cx, server, seen, id).map(drop))
}
