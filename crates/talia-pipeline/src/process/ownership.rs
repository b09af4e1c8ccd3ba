//! Who started a process: the rules, from the strongest evidence to the weakest.

use std::collections::HashMap;

use rustix::process::getpgrp;

use super::{
    command::Leaves,
    kernel::{self, Marks, Process},
    registry::{Entry, Registry, Whose},
};

/// Who started a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Command {
        serial: u64,
        leaves: Leaves,
    },
    /// Started by the program that uses this library, by other means.
    Caller,
    Nobody,
}

impl Registry {
    /// Visits all living processes that may be ours, with their owners, and
    /// takes the corpses of adopted ones away. Says whether it was disturbed;
    /// `None` when nothing can be seen.
    pub(super) fn survey(&mut self, visit: &mut dyn FnMut(&Self, Process, Owner)) -> Option<bool> {
        self.bury_abandoned();
        let mut scanner = std::mem::take(&mut self.scanner);
        let own = kernel::own().pid;
        let own_group = getpgrp().as_raw_nonzero().get();
        let mut owners: HashMap<i32, Owner> = HashMap::new();
        let mut known = HashMap::new();
        let mut torn = false;
        let is_known = |key| self.owners.contains_key(&key);
        let scanned = scanner.scan(!self.complete, is_known, &mut |process| {
            let owner = self.owner(&process, own, own_group, &owners, &mut torn);
            owners.insert(process.pid, owner);
            if owner != Owner::Nobody {
                known.insert(process.key(), owner);
            }
            if !process.ended {
                visit(self, process, owner);
            } else if self.adopting
                && process.parent == own
                && owner != Owner::Caller
                && !self.is_leader(process.key())
            {
                kernel::reap(&process);
                // Its children came to us when it ended, and perhaps after we
                // had read who our children are.
                torn = true;
            }
        });
        self.scanner = scanner;
        torn |= scanned?;
        if torn {
            // Whoever was missed in this look is not forgotten yet.
            self.owners.extend(known);
        } else {
            self.owners = known;
        }
        Some(torn)
    }

    fn owner(
        &self,
        process: &Process,
        own: i32,
        own_group: i32,
        owners: &HashMap<i32, Owner>,
        torn: &mut bool,
    ) -> Owner {
        let command = |entry: &Entry| Owner::Command { serial: entry.serial, leaves: entry.leaves };
        if let Some(entry) = self.entries.iter().find(|entry| entry.is_led_by(process.key())) {
            return command(entry);
        }
        if let Some(owner) = self.owners.get(&process.key()) {
            return *owner;
        }
        if process.parent == own {
            // Our own commands lead groups of their own, so a child in our
            // group was started by the caller, by other means.
            if !self.adopting
                || process.group == own_group
                || self.strangers.contains(&process.key())
            {
                return Owner::Caller;
            }
        } else if let Some(owner @ (Owner::Command { .. } | Owner::Caller)) =
            owners.get(&process.parent)
        {
            return *owner;
        }
        let in_group = |entry: &&Entry| {
            entry.leader == process.group && process.group != 0 && entry.start <= process.start
        };
        if let Some(entry) = self.entries.iter().find(in_group) {
            return command(entry);
        }
        if process.ended {
            return Owner::Nobody;
        }
        match kernel::marks(process.pid) {
            Marks::Known(marks) => {
                if let Some(mark) = marks.iter().rfind(|mark| mark.is_own()) {
                    return Owner::Command { serial: mark.serial, leaves: mark.leaves };
                }
            }
            Marks::NotYet => *torn = true,
            Marks::Closed => {}
        }
        let holds = |entry: &&Entry| entry.running && kernel::holds_pipe(process.pid, &entry.pipes);
        self.entries.iter().find(holds).map_or(Owner::Nobody, command)
    }

    /// Whether a process is one of those that are meant.
    pub(super) fn is_meant(&self, whose: Whose, process: &Process, owner: Owner) -> bool {
        match owner {
            Owner::Command { serial, leaves } => self.wants(whose, serial, leaves, process),
            Owner::Nobody => self.can_only_be(whose, process),
            Owner::Caller => false,
        }
    }

    fn wants(&self, whose: Whose, serial: u64, leaves: Leaves, process: &Process) -> bool {
        let Some(entry) = self.entries.iter().find(|entry| entry.serial == serial) else {
            // Of a command that is over, and seen only now.
            return leaves == Leaves::Nothing;
        };
        match whose {
            // Who declares to leave something means what goes to a group of
            // its own; what is in the command's group is the command.
            Whose::Command(wanted) => {
                serial == wanted
                    && (entry.leaves == Leaves::Nothing || process.group == entry.leader)
            }
            Whose::Run(_) => whose.leads(entry),
        }
    }

    /// Whether an orphan without an owner can have come from nobody else.
    fn can_only_be(&self, whose: Whose, process: &Process) -> bool {
        if !self.adopting {
            return false;
        }
        let declared = |entry: &Entry| match whose {
            Whose::Command(_) => entry.leaves != Leaves::Nothing,
            Whose::Run(_) => entry.leaves != Leaves::Nothing && !whose.leads(entry),
        };
        // Start times are in ticks of 10 ms: the same tick may be before.
        let possible = |entry: &&Entry| entry.start <= process.start + 1;
        !self
            .entries
            .iter()
            .filter(possible)
            .any(|entry| declared(entry) || (entry.running && !entry.condemned))
    }
}
