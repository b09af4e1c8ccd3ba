//! A plan in figures.

use serde::Serialize;

use super::{Amount, Change};

/// How much of a tree changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Totals {
    /// What comes.
    pub added: Amount,
    /// Files with another content, as they are then.
    pub changed: Amount,
    /// What gets other permissions alone.
    pub mode_changed: Amount,
    /// Links that name something else.
    pub link_changed: Amount,
    /// What takes the place of another kind.
    pub kind_changed: Amount,
    /// What another kind takes the place of. It goes, and no deletion tells of it.
    pub replaced: Amount,
    /// Files that are elsewhere then.
    pub renamed: Amount,
    /// What goes, without what is renamed or replaced.
    pub deleted: Amount,
    /// What is the same before and after.
    pub unchanged: Amount,
    /// What stays on the server though it is not published; also part of `unchanged`
    /// or `mode_changed`.
    pub kept: Amount,
    /// The content that rsync has to send, at most: renamed files as a whole.
    pub bytes_to_send: u64,
    /// The bytes of what is deleted, replaced by another kind, or renamed.
    pub bytes_deleted: u64,
}

impl Totals {
    /// Counts one more change.
    pub(super) fn add(&mut self, change: &Change) {
        match change {
            Change::Added { after } => self.added.add(after),
            Change::Changed { after, .. } => self.changed.add(after),
            Change::ModeChanged { after, .. } => self.mode_changed.add(after),
            Change::LinkChanged { after, .. } => self.link_changed.add(after),
            Change::KindChanged { before, after } => {
                self.kind_changed.add(after);
                self.replaced.add(before);
            }
            Change::Renamed { after, .. } => self.renamed.add(after),
            Change::Deleted { before } => self.deleted.add(before),
        }
        self.bytes_to_send += change.bytes_to_send();
        self.bytes_deleted += change.bytes_deleted();
    }

    /// All that stays in its place and is not quite the same.
    pub(super) fn different(&self) -> Amount {
        let mut all = self.changed;
        for one in [&self.mode_changed, &self.link_changed, &self.kind_changed] {
            all.add_all(one);
        }
        all
    }

    /// How many entries the server has before.
    pub(super) fn entries_before(&self) -> u64 {
        let stay = self.different().entries() + self.unchanged.entries();
        stay + self.renamed.entries() + self.deleted.entries()
    }
}
