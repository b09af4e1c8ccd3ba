//! A landing page on a server that has no agent: what rsync says before is the plan.

use std::collections::BTreeSet;

use serde::{Serialize, Serializer, ser::SerializeSeq};

use super::{LandingDeploy, LandingDeployed, LandingProspect, keep};
use crate::{
    context::Context,
    error::Result,
    landing::{Deletions, LocalIndex},
    parse::itemize::{Attributes, Item, ItemEvent, Kind, Name, RsyncItemize},
    steps::landing::Rsync,
};

/// What rsync says that it would do, where nobody tells what the server has.
///
/// As JSON, a list of its changes: `[{"path": …, "change": "added", "kind": "file",
/// "bytes": 3}, …]`, where `change` is `added`, `changed`, `replaced` or `deleted`; bytes of
/// a name that are not UTF-8 are escaped.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LandingDryRun {
    report: RsyncItemize,
    /// What is new and takes the place of another kind.
    replacing: BTreeSet<Name>,
}

/// What would become of one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ToldChange {
    /// There was nothing.
    Added,
    /// It gets another content, target or permissions.
    Changed,
    /// It takes the place of another kind.
    Replaced,
    /// It goes.
    Deleted,
}

impl LandingDryRun {
    /// Asks rsync, and changes nothing.
    ///
    /// # Errors
    /// When the server does not answer, or refuses it.
    pub(super) fn ask(cx: &Context, order: &LandingDeploy<'_>, local: &LocalIndex) -> Result<Self> {
        let report = cx.observe(by_script(order, local).dry_run())?;
        // Of what is replaced by another kind rsync tells as of what is new.
        let existing = match report.items().iter().any(is_new) {
            true => cx.observe(by_script(order, local).dry_run_over_existing())?,
            false => RsyncItemize::default(),
        };
        Ok(Self::new(report, &existing))
    }

    fn new(report: RsyncItemize, existing: &RsyncItemize) -> Self {
        let replacing = existing.items().iter().filter(|item| is_new(item));
        let replacing = replacing.map(|item| item.name.clone()).collect();
        Self { report, replacing }
    }

    /// Whether nothing would be done.
    pub fn is_empty(&self) -> bool {
        self.report.items().is_empty()
    }

    /// Every place that would change, in rsync's order.
    pub fn changes(&self) -> impl ExactSizeIterator<Item = (&Item, ToldChange)> {
        self.report.items().iter().map(|item| {
            let change = match item.event {
                ItemEvent::Deleted { .. } => ToldChange::Deleted,
                ItemEvent::Updated(_) if !is_new(item) => ToldChange::Changed,
                ItemEvent::Updated(_) if self.replacing.contains(&item.name) => {
                    ToldChange::Replaced
                }
                ItemEvent::Updated(_) => ToldChange::Added,
            };
            (item, change)
        })
    }

    /// How many files would go, as rsync tells it, which does not say how many there are.
    pub(super) fn deletions(&self, local: &LocalIndex) -> Deletions {
        let count = |is_it: &dyn Fn(&Item, ToldChange) -> bool| {
            self.changes().filter(|(item, change)| is_it(item, *change)).count() as u64
        };
        let deleted = count(&|item, change| change == ToldChange::Deleted && !item.is_folder());
        // A folder that is replaced is none, but what is in it; an empty one counts as one, for
        // nothing tells it from a file.
        let had_content: BTreeSet<&[u8]> =
            self.report.items().iter().filter_map(deleted_from).collect();
        let replaced = count(&|item, change| {
            change == ToldChange::Replaced
                && (item.is_folder() || !had_content.contains(item.name.as_bytes()))
        });
        let new = count(&|item, _| is_new(item) && !item.is_folder());
        // What is here and not new was there.
        let same = (local.counts.files + local.counts.links).saturating_sub(new);
        let deleted = deleted + replaced;
        Deletions { deleted, of: deleted + same }
    }
}

fn is_new(item: &Item) -> bool {
    matches!(item.event, ItemEvent::Updated(code) if code.attributes == Attributes::New)
}

/// The folder that something is deleted from.
fn deleted_from(item: &Item) -> Option<&[u8]> {
    let name = item.name.as_bytes();
    let slash = name.iter().rposition(|byte| *byte == b'/')?;
    matches!(item.event, ItemEvent::Deleted { .. }).then(|| &name[..slash])
}

impl Serialize for LandingDryRun {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Told {
            path: String,
            change: ToldChange,
            kind: &'static str,
            #[serde(skip_serializing_if = "Option::is_none")]
            bytes: Option<u64>,
        }
        let changes = self.changes();
        let mut list = serializer.serialize_seq(Some(changes.len()))?;
        for (item, change) in changes {
            let path = item.name.as_str().map_or_else(|| item.name.to_string(), str::to_owned);
            let kind = match item.event {
                ItemEvent::Deleted { folder: true } => "folder",
                ItemEvent::Deleted { folder: false } => "file_or_link",
                ItemEvent::Updated(code) => match code.kind {
                    Kind::File => "file",
                    Kind::Folder => "folder",
                    Kind::Link => "link",
                    Kind::Device | Kind::Special => "special",
                },
            };
            let bytes = item.length.filter(|_| kind == "file");
            list.serialize_element(&Told { path, change, kind, bytes })?;
        }
        list.end()
    }
}

fn by_script(order: &LandingDeploy<'_>, local: &LocalIndex) -> Rsync {
    Rsync::new(order.remote.connection(), &local.source)
        .filters(local.filters.rsync_arguments())
        .by_script()
}

/// rsync into what clients get, by `infra/deploy.sh`: what was shown, and nothing else.
pub(super) fn without_agent(
    cx: &Context,
    order: &LandingDeploy<'_>,
    prospect: &LandingProspect,
) -> Result<LandingDeployed> {
    cx.note(
        "this server has no agent: clients may see files of two versions for a moment, nobody \
         looks at what is served, an older commit and an edit there are not noticed, and there \
         is no rollback",
    );
    if prospect.local.counts.links > 0 {
        cx.note("this server has no agent: links lead nowhere there");
    }
    let dry_run = prospect.dry_run.as_ref().filter(|dry_run| !dry_run.is_empty());
    if let Some(dry_run) = dry_run {
        cx.run(by_script(order, &prospect.local).shown(&dry_run.report))?;
    }
    keep(cx, order, prospect)?;
    Ok(LandingDeployed { released: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::itemize::Format;

    fn read(text: &str) -> RsyncItemize {
        RsyncItemize::parse(text.as_bytes(), Format::LengthAndName).unwrap()
    }

    /// Every kind in the place of every other, as rsync 3.5.0 tells it.
    const ALL: &str = "*deleting   0 d2f/sub/\n*deleting   0 d2f/a\n*deleting   0 d2l/q\n\
         <fc.T...... 3 changed\n<f+++++++++ 2 d2f\ncL+++++++++ 1 d2l\n<f+++++++++ 2 e2f\n\
         cL+++++++++ 1 f2l\n<f+++++++++ 2 l2f\ncLc.T...... 1 lch\n<f+++++++++ 4 new\n\
         cd+++++++++ 4096 f2d/\n<f+++++++++ 2 f2d/in\ncd+++++++++ 4096 newd/\n*deleting   0 gone\n";
    const EXISTING: &str = "*deleting   0 d2f/sub/\n*deleting   0 d2f/a\n*deleting   0 d2l/q\n\
         <f+++++++++ 2 d2f\ncL+++++++++ 1 d2l\n<f+++++++++ 2 e2f\ncL+++++++++ 1 f2l\n\
         <f+++++++++ 2 l2f\ncLc.T...... 1 lch\ncd+++++++++ 4096 f2d/\n*deleting   0 gone\n";

    #[test]
    fn what_is_replaced_by_another_kind_is_deleted_and_was_there() {
        let dry_run = LandingDryRun::new(read(ALL), &read(EXISTING));
        let mut local = LocalIndex::default();
        // Two are the same, and two differ.
        (local.counts.files, local.counts.links) = (7, 4);
        // d2f/a, d2l/q and gone; e2f, f2l, l2f and f2d.
        assert_eq!(dry_run.deletions(&local), Deletions { deleted: 7, of: 11 });
        let told = LandingDryRun::new(read(ALL), &RsyncItemize::default()).deletions(&local);
        assert_eq!(told, Deletions { deleted: 3, of: 7 });
    }

    #[test]
    fn its_changes_are_told_as_json() {
        let report = "*deleting   0 old/\n*deleting   0 a\\#377\n<fcsT...... 3 b c\n\
             cL+++++++++ 1 link\ncd+++++++++ 4096 d/\n<f+++++++++ 2 new\n.f...p..... 2 mode\n";
        let existing = "cL+++++++++ 1 link\n";
        let dry_run = LandingDryRun::new(read(report), &read(existing));
        assert_eq!(
            serde_json::to_value(&dry_run).unwrap(),
            serde_json::json!([
                { "path": "old", "change": "deleted", "kind": "folder" },
                { "path": "a\\xff", "change": "deleted", "kind": "file_or_link" },
                { "path": "b c", "change": "changed", "kind": "file", "bytes": 3 },
                { "path": "link", "change": "replaced", "kind": "link" },
                { "path": "d", "change": "added", "kind": "folder" },
                { "path": "new", "change": "added", "kind": "file", "bytes": 2 },
                { "path": "mode", "change": "changed", "kind": "file", "bytes": 2 },
            ])
        );
    }
}
