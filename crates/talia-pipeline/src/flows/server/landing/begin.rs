//! Opens a transaction: rsync gets a tree to change that nobody is given.

use crate::{
    context::Context,
    error::{Error, Result},
    landing::{ContentHash, LandingStrategy, Tree, TreeChanges},
    protocol::{LandingBegun, LandingTransaction, ReleaseId, RevisionId},
    server::landing::{LandingPlace, LandingSeen, Needs, Own, Owner, Published, Transaction},
    steps::server::landing::{
        MakeStaging, OpenTransaction, OpenTree, PrepareLanding, ReadLanding, StampLanding,
        WriteTransaction,
    },
};

use super::{
    super::Server,
    abort::forget,
    checks,
    look::{open, published},
    settle::{is_settled, settle},
};

/// What shall be published.
#[derive(Debug, Clone)]
pub struct LandingOrder {
    /// The hash of its tree.
    pub tree: ContentHash,
    /// What it is made from.
    pub revision: RevisionId,
    /// The release that the client saw live.
    pub after: Option<ReleaseId>,
    /// Whether files that were edited on the server may be replaced, and what stands there
    /// beside them and cannot be published may be lost.
    pub accept_drift: bool,
    /// What makes its tree of what the client saw published.
    pub changes: TreeChanges,
    /// Whom rsync works as.
    pub owner: Owner,
}

/// Opens a transaction for one release of the landing page. What is published stays as it
/// is; rsync gets a tree of its own, in which every unchanged file is the live one under
/// another name that it cannot write to.
///
/// # Errors
/// Refused while another transaction is open, when another release is live than the client
/// saw, when files were changed by hand, when the tree cannot be published; preflight when
/// this server cannot publish, or has no room.
pub fn begin(cx: &Context, server: &Server, order: &LandingOrder) -> Result<LandingBegun> {
    let place = server.layout.landing();
    let seen = cx.observe(ReadLanding::new(&place))?;
    let other = open(cx, server, &place, &seen)?;
    if let Some(other) = &other {
        refuse_active(server, other, order)?;
    }
    let is_settled = is_settled(&seen);
    // It gives way below, where its client is told of that.
    let mut seen = settle(cx, server, seen, other.as_ref().map(|other| &other.id))?;
    let replaced = seen.transaction.as_ref().map(|transaction| transaction.id.clone());
    if let Some(replaced) = &replaced {
        cx.note(format!("the transaction {replaced} gives way: nothing was heard of it"));
        forget(cx, server, &mut seen)?;
    }
    refuse_race(&seen, order.after.as_ref())?;
    if order.owner.user == 0 {
        return Err(Error::refused("rsync would work as root")
            .hint("a landing release is begun over ssh, by the deploy user"));
    }
    checks::server(cx, server, &place, &seen)?;
    let is_untouched = is_settled && replaced.is_none();
    let published = published(cx, server, &place, &seen, is_untouched)?;
    checks::drift(&published.drift, order.accept_drift)?;
    checks::odd(&published.odd, server.policy.landing.strategy, order.accept_drift)?;
    let announced = order.changes.applied_to(published.tree.clone());
    if announced.hash() != order.tree {
        return Err(Error::refused(
            "what was announced does not follow from what is published now",
        )
        .hint("something was changed meanwhile: deploy again, for a new plan"));
    }
    checks::announced(&announced, server.policy.landing.links_out)?;
    let needs = match server.policy.landing.strategy {
        LandingStrategy::Release => Needs::of(&published, &announced),
        LandingStrategy::InPlace => Needs::default(),
    };
    checks::room(cx, &place, &order.changes, needs)?;
    let transaction = Transaction {
        id: free_id(server, &seen, &order.revision, replaced.as_ref()),
        tree: order.tree,
        revision: order.revision.clone(),
        by: server.by.clone(),
        began_ms: server.now_ms,
        base: order.after.clone(),
        strategy: server.policy.landing.strategy,
        user: order.owner.user,
        group: order.owner.group,
        is_open: false,
        is_checked: false,
    };
    let opened = open_for(cx, server, &place, &seen, &transaction, published, announced);
    if let Err(error) = opened {
        seen.transaction = Some(transaction);
        let forgotten = cx.sheltered(|cx| forget(cx, server, &mut seen));
        return Err(match forgotten {
            Ok(()) => error,
            Err(second) => Error::all(vec![error, second]),
        });
    }
    let mut begun = LandingBegun::new(transaction.id, transaction.strategy);
    begun.replaced = replaced;
    Ok(begun)
}

/// Refuses to disturb a transaction that somebody works on.
fn refuse_active(server: &Server, other: &LandingTransaction, order: &LandingOrder) -> Result<()> {
    let is_own = other.by == server.by && other.tree == order.tree;
    let idle = server.policy.landing.idle;
    if other.is_idle(idle) || (is_own && !other.works) {
        return Ok(());
    }
    let age = server.now_ms.saturating_sub(other.began_ms) / 1000;
    let doing = if other.works { "its rsync works" } else { "it is not committed yet" };
    Err(Error::refused(format!(
        "{} releases the landing page: {}, begun {age} s ago, and {doing}",
        other.by, other.id
    ))
    .hint(format!(
        "wait: {} s after it was heard of last, another one may begin; `cargo xtask cancel \
         landing` ends it at once",
        idle.as_secs()
    )))
}

/// Refuses what was decided on another state than this one.
pub(super) fn refuse_race(seen: &LandingSeen, expected: Option<&ReleaseId>) -> Result<()> {
    let live = seen.live().map(|live| &live.id);
    if live == expected {
        return Ok(());
    }
    let told = |id: Option<&ReleaseId>| id.map_or("no release".to_owned(), ReleaseId::to_string);
    Err(Error::refused(format!(
        "{} is live, and this was decided on when {} was",
        told(live),
        told(expected)
    ))
    .hint("somebody else has released meanwhile: deploy again, for a new plan"))
}

/// An id that no release has, nor had the transaction that gave way: who has begun that one
/// may not commit this one.
fn free_id(
    server: &Server,
    seen: &LandingSeen,
    revision: &RevisionId,
    replaced: Option<&ReleaseId>,
) -> ReleaseId {
    let mut ids = (0..).map(|later| ReleaseId::new(server.now_ms + later * 1000, revision));
    let is_free = |id: &ReleaseId| {
        seen.records.get(id).is_none() && !seen.has_tree(id) && replaced != Some(id)
    };
    ids.find(is_free).unwrap_or_else(ReleaseId::planned)
}

/// What is the server's own in a live folder, so that rsync may not see it.
pub(super) fn own(server: &Server, announced: &Tree) -> Own {
    Own::beside(announced, &server.policy.landing.protected)
}

fn open_for(
    cx: &Context,
    server: &Server,
    place: &LandingPlace,
    seen: &LandingSeen,
    transaction: &Transaction,
    published: Published,
    announced: Tree,
) -> Result<()> {
    let is_in_place = transaction.strategy == LandingStrategy::InPlace;
    cx.run(PrepareLanding::new(place).with_web(is_in_place))?;
    let own = if is_in_place { own(server, &announced) } else { Own::default() };
    let base = published.tree;
    cx.run(WriteTransaction::new(place, transaction.clone(), base.clone(), announced.clone()))?;
    let root = seen.root(place);
    let touched = if is_in_place {
        cx.run(OpenTree::new(place.web(), transaction.owner(), own.clone()))?;
        None
    } else {
        let made = cx.run(MakeStaging::new(place, root.clone(), base, announced))?;
        cx.run(OpenTree::new(place.staging(), transaction.owner(), Own::default()))?;
        made.touched
    };
    // Live files have got other names, which looks like a change.
    if let (Some(live), Some(root)) = (seen.live(), root) {
        cx.run(StampLanding::new(place, &live.id, root, published.stamps).only(touched))?;
    }
    cx.run(OpenTransaction::new(place, transaction.clone(), own))
}
