//! Which process belongs to which command: one registry for the whole process.

use std::{
    collections::{HashMap, HashSet},
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    process::{Child, ExitStatus},
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rustix::{
    io::Errno,
    process::{Pid, Signal, kill_process_group, test_kill_process_group},
};

use super::{
    clock::{FREEZING, now},
    command::Leaves,
    kernel::{self, Process, Scanner},
    ownership::Owner,
};

/// A pid and its start time, which together are never used again.
pub(super) type Key = (i32, u64);

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
    pub(super) reaped: bool,
    pub(super) running: bool,
    /// It is being ended, and all it started with it.
    pub(super) condemned: bool,
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

#[derive(Debug, Default)]
pub(super) struct Registry {
    pub(super) entries: Vec<Entry>,
    pub(super) scanner: Scanner,
    /// What was found out once about a process stays true.
    pub(super) owners: HashMap<Key, Owner>,
    pub(super) adopting: bool,
    /// Nothing was started before adoption: everything of ours is below us.
    pub(super) complete: bool,
    started_any: bool,
    /// The children that were there before adoption.
    pub(super) strangers: HashSet<Key>,
    /// What commands get beside their streams.
    pub(super) lent: Vec<OwnedFd>,
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
        let mut children = HashSet::new();
        self.scanner.scan(false, |_| false, &mut |process| {
            if process.parent == own {
                children.insert(process.key());
            }
        });
        children.retain(|key| !self.is_leader(*key));
        self.strangers = children;
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
        self.look_and(whose, &mut |_| {})
    }

    /// As [`look`](Self::look), and does something to each process as soon as
    /// it is found.
    fn look_and(&mut self, whose: Whose, at_once: &mut dyn FnMut(&Process)) -> Left {
        let mut processes = Vec::new();
        let torn = self.survey(&mut |registry, process, owner| {
            if registry.is_meant(whose, &process, owner) {
                at_once(&process);
                processes.push(process);
            }
        });
        let group = match torn {
            Some(_) => self.entries.iter().any(|entry| whose.leads(entry) && !entry.reaped),
            None => self.group_lives(whose),
        };
        Left { processes, group, torn: torn.unwrap_or_default() }
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

    /// Kills what is there. Freezes it first, each process as soon as it is
    /// found, until a look finds nothing that is not frozen: what forks cannot
    /// run ahead, and every child still has the parent by which it is found.
    pub(super) fn force(&mut self, whose: Whose) -> Left {
        let groups = self.pinned_groups(whose);
        for (group, _) in &groups {
            _ = kill_process_group(*group, Signal::STOP);
        }
        let mut frozen = HashSet::new();
        let mut freeze = |process: &Process| {
            if frozen.insert(process.key()) {
                kernel::signal(process, Signal::STOP);
            }
            frozen.len()
        };
        let until = now() + FREEZING;
        let mut before = 0;
        let left = loop {
            let mut count = before;
            let left = self.look_and(whose, &mut |process| count = freeze(process));
            if count == before || now() >= until {
                break left;
            }
            before = count;
        };
        for (group, _) in &groups {
            _ = kill_process_group(*group, Signal::KILL);
        }
        for process in &left.processes {
            kernel::signal(process, Signal::KILL);
        }
        left
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
    pub(super) fn is_leader(&self, key: Key) -> bool {
        self.entries.iter().any(|entry| entry.is_led_by(key))
    }

    pub(super) fn bury_abandoned(&mut self) {
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

impl Entry {
    pub(super) fn is_led_by(&self, key: Key) -> bool {
        !self.reaped && self.leader == key.0
    }
}

impl Whose {
    pub(super) fn leads(self, entry: &Entry) -> bool {
        match self {
            Self::Command(serial) => entry.serial == serial,
            Self::Run(run) => {
                entry.run == run && !entry.running && entry.leaves == Leaves::UntilFlowEnds
            }
        }
    }
}
