//! Which process belongs to which command: one registry for the whole process.

use std::{
    collections::{HashMap, HashSet},
    io,
    os::fd::{AsFd, BorrowedFd},
    process::{Child, ExitStatus},
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rustix::{
    io::Errno,
    process::{Pid, Signal, getpgrp, kill_process_group, test_kill_process_group},
};

use super::{
    command::Leaves,
    kernel::{self, Marks, Process, Scanner},
};

/// A pid and its start time, which together are never used again.
pub(super) type Key = (i32, u64);

/// How often one look freezes and looks again, to catch what forks meanwhile.
const FREEZING_ROUNDS: usize = 64;

/// A command that runs, or that has left something.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) serial: u64,
    pub(super) run: u64,
    /// The command's pid, which is also its group. 0 once the number means
    /// another command.
    pub(super) leader: i32,
    pub(super) start: u64,
    pub(super) leaves: Leaves,
    /// The inode numbers of the pipes it prints to.
    pub(super) pipes: Vec<u64>,
    /// Until it is reaped nobody else can get its pid or its group.
    reaped: bool,
    running: bool,
    /// It is being ended, and all it started with it.
    condemned: bool,
    /// It could not be killed (it hangs in the kernel), and is reaped later.
    abandoned: Option<Child>,
}

/// Whose processes are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// Those of the command with this serial number.
    Command(u64),
    /// Those that the ended commands of this run have left until its end.
    Run(u64),
}

/// What is still there.
#[derive(Debug, Default)]
pub(super) struct Left {
    pub(super) processes: Vec<Process>,
    /// The command itself has not been reaped, or its group (where nothing
    /// but the group is known) still has members.
    pub(super) group: bool,
    /// The look was disturbed: that nothing was found proves nothing.
    pub(super) torn: bool,
}

impl Left {
    pub(super) fn is_empty(&self) -> bool {
        self.processes.is_empty() && !self.group
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Command {
        serial: u64,
        leaves: Leaves,
    },
    /// Started by the program that uses this library, by other means.
    Caller,
    Nobody,
}

#[derive(Debug, Default)]
pub(super) struct Registry {
    entries: Vec<Entry>,
    scanner: Scanner,
    /// What was found out once about a process stays true.
    owners: HashMap<Key, Owner>,
    adopting: bool,
    /// Nothing was started before adoption: everything of ours is below us.
    complete: bool,
    started_any: bool,
    /// The children that were there before adoption.
    strangers: HashSet<Key>,
}

/// The registry, locked: hold it over spawn *and* register.
pub(super) fn registry() -> MutexGuard<'static, Registry> {
    static REGISTRY: LazyLock<Mutex<Registry>> = LazyLock::new(Mutex::default);
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Registry {
    /// Becomes the parent of all orphans among our descendants.
    pub(super) fn adopt(&mut self) -> io::Result<()> {
        if self.adopting {
            return Ok(());
        }
        kernel::become_subreaper()?;
        self.adopting = true;
        self.complete = !self.started_any;
        let own = kernel::own().pid;
        let scan = self.scanner.scan(false, |_| false).unwrap_or_default();
        let children = scan.processes.iter().filter(|process| process.parent == own);
        self.strangers = children.map(Process::key).filter(|key| !self.is_leader(*key)).collect();
        Ok(())
    }

    /// Knows a command from now on. Call it under the lock that the command
    /// was spawned under.
    pub(super) fn enter(&mut self, serial: u64, run: u64, child: &Child, leaves: Leaves) {
        let leader = Pid::from_child(child).as_raw_nonzero().get();
        let start = kernel::process(leader).map_or(0, |process| process.start);
        let pipe = |fd: BorrowedFd<'_>| rustix::fs::fstat(fd).ok().map(|stat| stat.st_ino);
        let stdout = child.stdout.as_ref().and_then(|stream| pipe(stream.as_fd()));
        let stderr = child.stderr.as_ref().and_then(|stream| pipe(stream.as_fd()));
        for old in self.entries.iter_mut().filter(|old| old.leader == leader) {
            old.leader = 0;
        }
        self.started_any = true;
        self.entries.push(Entry {
            serial,
            run,
            leader,
            start,
            leaves,
            pipes: stdout.into_iter().chain(stderr).collect(),
            reaped: false,
            running: true,
            condemned: false,
            abandoned: None,
        });
    }

    /// Says that a command is being ended: what nobody but such commands can
    /// have started is ended as well.
    pub(super) fn condemn(&mut self, serial: u64) {
        if let Some(entry) = self.entry(serial) {
            entry.condemned = true;
        }
    }

    /// Takes the exit status of a command, if it has one, and its processor
    /// time, which is gone afterwards. Under the lock, because the pid is free
    /// from here on.
    pub(super) fn reap(
        &mut self,
        serial: u64,
        child: &mut Child,
    ) -> Option<(ExitStatus, Duration)> {
        let entry = self.entry(serial)?;
        let corpse = kernel::process(entry.leader);
        let status = child.try_wait().ok()??;
        entry.reaped = true;
        Some((status, corpse.map(|corpse| corpse.processor_time()).unwrap_or_default()))
    }

    /// Ends the knowledge of a command, but for what it declared to leave.
    pub(super) fn close(&mut self, serial: u64, child: Child) {
        if let Some(entry) = self.entry(serial) {
            entry.running = false;
            if !entry.reaped {
                entry.abandoned = Some(child);
            }
        }
        self.forget();
    }

    /// What the ended commands of a run have left is over.
    pub(super) fn close_run(&mut self, run: u64) {
        for entry in self.entries.iter_mut().filter(|entry| entry.run == run) {
            if entry.leaves == Leaves::UntilFlowEnds {
                entry.leaves = Leaves::Nothing;
            }
        }
        self.forget();
    }

    /// Whether nothing at all can be left: a single system call.
    pub(super) fn is_childless(&self) -> bool {
        self.complete && kernel::childless()
    }

    /// Looks for what is left, and for who belongs to whom.
    pub(super) fn look(&mut self, whose: Whose) -> Left {
        let Some((processes, mut torn)) = self.survey() else {
            return Left { group: self.group_lives(whose), ..Left::default() };
        };
        let group = self.entries.iter().any(|entry| whose.leads(entry) && !entry.reaped);
        let mut ours = Vec::new();
        for (process, owner) in processes {
            let wanted = match owner {
                Owner::Command { serial, leaves } => self.wants(whose, serial, leaves, &process),
                Owner::Nobody => self.can_only_be(whose, &process, &mut torn),
                Owner::Caller => false,
            };
            if wanted {
                ours.push(process);
            }
        }
        Left { processes: ours, group, torn }
    }

    /// Sends a signal to everything that is there and was not told before.
    pub(super) fn ask(&mut self, whose: Whose, signal: Signal, told: &mut HashSet<Key>) -> Left {
        // First look, then signal: whoever dies first takes with it the proof
        // of where its children come from.
        let left = self.look(whose);
        for (group, key) in self.pinned_groups(whose) {
            if !told.insert(key) {
                continue;
            }
            _ = kill_process_group(group, signal);
            // One that is stopped cannot obey before it goes on.
            _ = kill_process_group(group, Signal::CONT);
            let members = left.processes.iter().filter(|one| one.group == key.0);
            told.extend(members.map(Process::key));
        }
        tell(&left, signal, told);
        left
    }

    /// Kills what is there. Freezes it first, until a look finds nothing that
    /// is not frozen: what forks cannot run ahead, and every child still has
    /// the parent by which it is found.
    pub(super) fn force(&mut self, whose: Whose) -> Left {
        let groups = self.pinned_groups(whose);
        for (group, _) in &groups {
            _ = kill_process_group(*group, Signal::STOP);
        }
        let left = freeze(|| self.look(whose));
        for (group, _) in &groups {
            _ = kill_process_group(*group, Signal::KILL);
        }
        for process in &left.processes {
            kernel::signal(process, Signal::KILL);
        }
        left
    }

    /// All processes that may be ours, with their owners; takes the corpses of
    /// adopted ones away.
    fn survey(&mut self) -> Option<(Vec<(Process, Owner)>, bool)> {
        self.bury_abandoned();
        let scan = self.scanner.scan(!self.complete, |key| self.owners.contains_key(&key))?;
        let own = kernel::own().pid;
        let own_group = getpgrp().as_raw_nonzero().get();
        let mut owners: HashMap<i32, Owner> = HashMap::new();
        let mut living = Vec::new();
        let mut known = HashMap::new();
        let mut torn = scan.torn;
        for process in scan.processes {
            let owner = self.owner(&process, own, own_group, &owners, &mut torn);
            owners.insert(process.pid, owner);
            if owner != Owner::Nobody {
                known.insert(process.key(), owner);
            }
            if !process.ended {
                living.push((process, owner));
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
        }
        if torn {
            // Whoever was missed in this look is not forgotten yet.
            self.owners.extend(known);
        } else {
            self.owners = known;
        }
        Some((living, torn))
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

    /// Whether the process of a known command is one of those that are meant.
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
    fn can_only_be(&self, whose: Whose, process: &Process, torn: &mut bool) -> bool {
        if !self.adopting {
            return false;
        }
        let declared = |entry: &Entry| match whose {
            Whose::Command(_) => entry.leaves != Leaves::Nothing,
            Whose::Run(_) => entry.leaves != Leaves::Nothing && !whose.leads(entry),
        };
        // Start times are in ticks of 10 ms: the same tick may be before.
        let possible = |entry: &&Entry| entry.start <= process.start + 1;
        let alone = !self
            .entries
            .iter()
            .filter(possible)
            .any(|entry| declared(entry) || (entry.running && !entry.condemned));
        // It may be about to show a mark: look again, unless it is ended now.
        *torn &= !alone;
        alone
    }

    /// The groups that can be signalled as a whole: the leader is not reaped,
    /// so that the number cannot mean another group. Where nothing but the
    /// group is known, also the others.
    fn pinned_groups(&self, whose: Whose) -> Vec<(Pid, Key)> {
        let group =
            |entry: &Entry| Some((Pid::from_raw(entry.leader)?, (entry.leader, entry.start)));
        let pinned = |entry: &&Entry| whose.leads(entry) && (!entry.reaped || !kernel::can_see());
        self.entries.iter().filter(pinned).filter_map(group).collect()
    }

    fn group_lives(&self, whose: Whose) -> bool {
        let groups = self.pinned_groups(whose);
        groups.iter().any(|(group, _)| test_kill_process_group(*group) != Err(Errno::SRCH))
    }

    fn entry(&mut self, serial: u64) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.serial == serial)
    }

    /// Whether the standard library's `Child` owns this one.
    fn is_leader(&self, key: Key) -> bool {
        self.entries.iter().any(|entry| entry.is_led_by(key))
    }

    fn bury_abandoned(&mut self) {
        for entry in &mut self.entries {
            if entry.abandoned.as_mut().is_some_and(|child| !matches!(child.try_wait(), Ok(None))) {
                entry.abandoned = None;
                entry.reaped = true;
            }
        }
        self.forget();
    }

    fn forget(&mut self) {
        self.entries.retain(|entry| {
            entry.running || entry.abandoned.is_some() || entry.leaves != Leaves::Nothing
        });
    }
}

/// Signals every process that was not told before.
pub(super) fn tell(left: &Left, signal: Signal, told: &mut HashSet<Key>) {
    for process in left.processes.iter().filter(|process| told.insert(process.key())) {
        kernel::signal(process, signal);
        kernel::signal(process, Signal::CONT);
    }
}

/// Stops what a look finds, until one finds nothing that is not stopped.
pub(super) fn freeze(mut look: impl FnMut() -> Left) -> Left {
    let mut frozen = HashSet::new();
    let mut left = look();
    for _ in 0..FREEZING_ROUNDS {
        let fresh: Vec<&Process> =
            left.processes.iter().filter(|process| frozen.insert(process.key())).collect();
        if fresh.is_empty() {
            break;
        }
        for process in fresh {
            kernel::signal(process, Signal::STOP);
        }
        left = look();
    }
    left
}

impl Entry {
    fn is_led_by(&self, key: Key) -> bool {
        !self.reaped && self.leader == key.0
    }
}

impl Whose {
    fn leads(self, entry: &Entry) -> bool {
        match self {
            Self::Command(serial) => entry.serial == serial,
            Self::Run(run) => {
                entry.run == run && !entry.running && entry.leaves == Leaves::UntilFlowEnds
            }
        }
    }
}
