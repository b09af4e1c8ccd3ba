//! The changes as a tree, and which folders are one row.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::super::{Amount, Change, Entry, Kept, RsyncPlan, TreePath, size::size};

/// A folder that comes or goes as a whole is one row if more entries than this are in it.
const NAMED: u64 = 3;

/// All places with a change and the folders that they are in, each folder before what
/// is in it. The first one is the root.
pub(super) struct Outline<'p>(Vec<Node<'p>>);

/// One place.
pub(super) struct Node<'p> {
    pub(super) name: &'p str,
    pub(super) change: Option<&'p Change>,
    /// A place that is protected: what stays there.
    pub(super) kept: Option<Amount>,
    /// Everything that happens below, its own change included.
    pub(super) below: Below,
    pub(super) fold: Fold,
    parent: usize,
    children: Vec<usize>,
    /// How many rows it and what is in it take.
    rows: usize,
}

/// How a node and what is in it are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fold {
    /// A row for it, and rows for what is in it.
    Open,
    /// One row, for all that is in it comes or goes with it.
    Whole,
    /// One row, for all that is in it was in that folder before.
    Moved(TreePath),
    /// One row that counts what is in it, for there are too many rows.
    Collapsed,
}

/// What happens below a place.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Below {
    pub(super) added: Amount,
    pub(super) deleted: Amount,
    pub(super) renamed: Amount,
    changed: Amount,
    protected: u64,
    bytes_to_send: u64,
}

impl Below {
    fn of(change: &Change) -> Self {
        let mut below = Self { bytes_to_send: change.bytes_to_send(), ..Self::default() };
        let (amount, entry) = match change {
            Change::Added { after } => (&mut below.added, after),
            Change::Deleted { before } => (&mut below.deleted, before),
            Change::Renamed { after, .. } => (&mut below.renamed, after),
            Change::Changed { after, .. }
            | Change::ModeChanged { after, .. }
            | Change::LinkChanged { after, .. }
            | Change::KindChanged { after, .. } => (&mut below.changed, after),
        };
        amount.add(entry);
        below
    }

    fn add(&mut self, other: &Self) {
        self.added.add_all(&other.added);
        self.deleted.add_all(&other.deleted);
        self.renamed.add_all(&other.renamed);
        self.changed.add_all(&other.changed);
        self.protected += other.protected;
        self.bytes_to_send += other.bytes_to_send;
    }

    /// `12 added, 3 deleted; 1.2 MB to send`.
    pub(super) fn text(&self) -> String {
        let amounts = [
            (self.added.entries(), "added"),
            (self.changed.entries(), "changed"),
            (self.renamed.entries(), "renamed"),
            (self.deleted.entries(), "deleted"),
            (self.protected, "protected"),
        ];
        let amounts = amounts.into_iter().filter(|(count, _)| *count > 0);
        let amounts: Vec<String> = amounts.map(|(count, what)| format!("{count} {what}")).collect();
        let mut text = amounts.join(", ");
        if self.bytes_to_send > 0 {
            text.push_str(&format!("; {} to send", size(self.bytes_to_send)));
        }
        text
    }
}

impl Node<'_> {
    fn new(name: &str, parent: usize) -> Node<'_> {
        Node {
            name,
            change: None,
            kept: None,
            below: Below::default(),
            fold: Fold::Open,
            parent,
            children: Vec::new(),
            rows: 1,
        }
    }

    /// Whether it is a folder, or was one.
    pub(super) fn is_folder(&self) -> bool {
        let entry = self.change.and_then(|change| change.after().or(change.before()));
        match entry {
            Some(entry) => entry.is_folder(),
            None => !self.children.is_empty() || self.kept.is_some_and(|kept| kept.folders > 0),
        }
    }

    fn is_closed(&self) -> bool {
        self.fold != Fold::Open
    }

    /// Whether it comes or goes and all that is in it does so with it.
    fn is_whole(&self) -> bool {
        let Below { added, deleted, renamed, changed, protected, .. } = self.below;
        let others = renamed.entries() + protected;
        // Its own change is part of what is below.
        match self.change {
            Some(Change::Added { .. }) => others + changed.entries() + deleted.entries() == 0,
            Some(Change::Deleted { .. }) => others + changed.entries() + added.entries() == 0,
            Some(Change::KindChanged { after: Entry::Folder { .. }, .. }) => {
                others + deleted.entries() == 0 && changed.entries() == 1
            }
            Some(Change::KindChanged { .. }) => {
                others + added.entries() == 0 && changed.entries() == 1
            }
            _ => false,
        }
    }
}

impl<'p> Outline<'p> {
    /// The plan's changes, and what is protected.
    pub(super) fn of(plan: &'p RsyncPlan) -> Self {
        enum What<'p> {
            Change(&'p Change),
            Kept(&'p Entry, Kept),
        }
        let kept = plan.kept().filter(|(_, why)| *why != Kept::Holds);
        let kept = kept.filter_map(|(path, why)| {
            plan.result().get(path).map(|entry| (path, What::Kept(entry, why)))
        });
        let changes = plan.changes().map(|(path, change)| (path, What::Change(change)));
        let mut places: Vec<(&TreePath, What<'_>)> = changes.chain(kept).collect();
        // By names, so that what is in a folder comes directly behind it.
        places
            .sort_by(|(one, _), (other, _)| one.as_str().split('/').cmp(other.as_str().split('/')));
        let mut outline = Self(vec![Node::new("", 0)]);
        let mut open = vec![0];
        for (path, what) in places {
            let at = outline.place(path, &mut open);
            match what {
                What::Change(change) => {
                    outline.0[at].change = Some(change);
                    outline.0[at].below.add(&Below::of(change));
                }
                What::Kept(entry, Kept::Protected) => {
                    outline.0[at].kept.get_or_insert_default().add(entry);
                    outline.0[at].below.protected += 1;
                }
                // It is told with the protected folder that it is in.
                What::Kept(entry, _) => outline.add_kept(&open, entry),
            }
        }
        outline.sum();
        outline
    }

    /// Finds the node of a path, or makes it. `open` are the nodes from the root to
    /// the place before.
    fn place(&mut self, path: &'p TreePath, open: &mut Vec<usize>) -> usize {
        let mut depth = 0;
        for name in path.as_str().split('/') {
            depth += 1;
            if open.get(depth).is_some_and(|at| self.0[*at].name == name) {
                continue;
            }
            open.truncate(depth);
            let parent = open[depth - 1];
            let at = self.0.len();
            self.0.push(Node::new(name, parent));
            self.0[parent].children.push(at);
            open.push(at);
        }
        open.truncate(depth + 1);
        open[depth]
    }

    fn add_kept(&mut self, open: &[usize], entry: &Entry) {
        let protected = open.iter().find(|at| self.0[**at].kept.is_some());
        if let Some(kept) = protected.and_then(|at| self.0[*at].kept.as_mut()) {
            kept.add(entry);
        }
    }

    /// Adds up what is below each node: children stand behind their parents.
    fn sum(&mut self) {
        for at in (1..self.0.len()).rev() {
            let (below, parent) = (self.0[at].below, self.0[at].parent);
            self.0[parent].below.add(&below);
        }
    }

    /// Makes folders one row each: those that come or go as a whole, and others until
    /// there are no more rows than these.
    pub(super) fn fold(&mut self, rows: usize) {
        self.fold_wholes();
        self.drop_moved();
        self.drop_silent();
        for at in (0..self.0.len()).rev() {
            let node = &self.0[at];
            let has_own = at != 0 && self.only_child(node).is_none();
            let inside = if node.is_closed() { &[][..] } else { &node.children };
            let inside: usize = inside.iter().map(|child| self.0[*child].rows).sum();
            self.0[at].rows = usize::from(has_own) + inside;
        }
        self.collapse(rows);
    }

    /// Makes folders one row each until there are no more rows than these: those first
    /// in which no other folder is open, of them the one with most rows.
    fn collapse(&mut self, rows: usize) {
        let mut open = vec![true; self.0.len()];
        let mut open_inside = vec![0; self.0.len()];
        for at in 1..self.0.len() {
            let node = &self.0[at];
            open[at] = open[node.parent] && !node.is_closed() && !node.children.is_empty();
            open_inside[node.parent] += usize::from(open[at]);
        }
        let ready = (1..self.0.len()).filter(|at| open[*at] && open_inside[*at] == 0);
        let mut ready: BinaryHeap<(usize, Reverse<usize>)> =
            ready.map(|at| (self.0[at].rows, Reverse(at))).collect();
        while self.0[0].rows > rows {
            let Some((_, Reverse(at))) = ready.pop() else { break };
            let saved = self.0[at].rows - 1;
            if saved > 0 {
                self.0[at].fold = Fold::Collapsed;
            }
            let parent = self.0[at].parent;
            let mut up = at;
            loop {
                self.0[up].rows -= saved;
                if up == 0 {
                    break;
                }
                up = self.0[up].parent;
            }
            open_inside[parent] -= 1;
            if parent != 0 && open_inside[parent] == 0 {
                ready.push((self.0[parent].rows, Reverse(parent)));
            }
        }
    }

    /// Takes places away that nothing is to be said of: what is in a protected folder
    /// and does not change.
    fn drop_silent(&mut self) {
        for at in (0..self.0.len()).rev() {
            let mut children = std::mem::take(&mut self.0[at].children);
            children.retain(|child| {
                let node = &self.0[*child];
                node.change.is_some() || node.kept.is_some() || !node.children.is_empty()
            });
            self.0[at].children = children;
        }
    }

    fn fold_wholes(&mut self) {
        for at in 1..self.0.len() {
            let below = &self.0[at].below;
            let entries = below.added.entries() + below.deleted.entries();
            if entries > NAMED && self.0[at].is_whole() {
                self.0[at].fold = Fold::Whole;
            } else if let Some(from) = self.moved_from(at) {
                self.0[at].fold = Fold::Moved(from);
            }
        }
    }

    /// The folder that all files of this new one were in before, each at its place.
    fn moved_from(&self, at: usize) -> Option<TreePath> {
        let Below { added, deleted, renamed, changed, protected, .. } = self.0[at].below;
        let others = added.files + added.links + deleted.entries() + changed.entries() + protected;
        let is_new = matches!(self.0[at].change, Some(Change::Added { .. }));
        if !is_new || others > 0 || renamed.files <= NAMED {
            return None;
        }
        // What is below stands directly behind.
        let inside = (at + 1..self.0.len()).take_while(|inner| self.0[*inner].parent >= at);
        let mut folder: Option<&str> = None;
        for inner in inside {
            let Some(Change::Renamed { from, .. }) = self.0[inner].change else { continue };
            let old = from.as_str().strip_suffix(&self.path(at, inner))?.strip_suffix('/')?;
            if *folder.get_or_insert(old) != old {
                return None;
            }
        }
        folder?.parse().ok()
    }

    /// Takes the old places of moved folders away, where nothing but folders was left.
    fn drop_moved(&mut self) {
        let moved = self.0.iter().filter_map(|node| match &node.fold {
            Fold::Moved(from) => self.find(from),
            _ => None,
        });
        let emptied = moved.filter(|at| {
            let Below { added, deleted, renamed, changed, protected, .. } = self.0[*at].below;
            let others = added.entries() + renamed.entries() + changed.entries() + protected;
            others + deleted.files + deleted.links == 0
        });
        for at in emptied.collect::<Vec<_>>() {
            let parent = self.0[at].parent;
            self.0[parent].children.retain(|child| *child != at);
        }
    }

    fn find(&self, path: &TreePath) -> Option<usize> {
        path.as_str().split('/').try_fold(0, |at, name| {
            self.0[at].children.iter().copied().find(|child| self.0[*child].name == name)
        })
    }

    /// The path from one node to another one below it.
    fn path(&self, from: usize, to: usize) -> String {
        let mut names = Vec::new();
        let mut at = to;
        while at != from {
            names.push(self.0[at].name);
            at = self.0[at].parent;
        }
        names.reverse();
        names.join("/")
    }

    /// The nodes at the top.
    pub(super) fn top(&self) -> impl Iterator<Item = &Node<'p>> {
        self.children(&self.0[0])
    }

    /// What is in it and has rows of its own.
    pub(super) fn children(&self, node: &Node<'p>) -> impl Iterator<Item = &Node<'p>> {
        let closed = node.is_closed();
        node.children.iter().filter(move |_| !closed).map(|at| &self.0[*at])
    }

    /// The one entry of a folder of which nothing else is to be said.
    pub(super) fn only_child(&self, node: &Node<'p>) -> Option<&Node<'p>> {
        let &[only] = &node.children[..] else { return None };
        let only = &self.0[only];
        let says_the_same = matches!(
            (node.change, only.change),
            (None, _)
                | (Some(Change::Added { .. }), Some(Change::Added { .. }))
                | (Some(Change::Deleted { .. }), Some(Change::Deleted { .. }))
        );
        (says_the_same && node.kept.is_none() && !node.is_closed()).then_some(only)
    }
}
