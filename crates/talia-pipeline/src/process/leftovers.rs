//! The children of runs that were killed.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use rustix::process::Signal;

use super::{
    command::Leaves,
    kernel::{self, Marks, Process},
    mark::{Mark, RunMark},
    registry::{Left, tell},
    supervisor::{Stray, end},
};

/// Ends what runs with the same state folder, whose runners live no more, have
/// left: SIGTERM, after the grace SIGKILL. Says whom it found.
///
/// Call it at the start, with the lock of the state folder held. It finds
/// processes by their mark, and what they have started since. It never touches
/// a process that carries the mark of a run which still lives, a runner that
/// still has such children, what was declared to stay
/// ([`Leaves::Running`]), or the processes that this one was started from.
pub fn end_marked_leftovers(mark: &RunMark, grace: Duration) -> Vec<Stray> {
    let mut told = HashSet::new();
    let ask = || {
        let left = find(mark);
        tell(&left, Signal::TERM, &mut told);
        left
    };
    let force = || {
        // Stopped first, so that what forks stays findable by its parent.
        for process in find(mark).processes {
            kernel::signal(&process, Signal::STOP);
        }
        let left = find(mark);
        for process in &left.processes {
            kernel::signal(process, Signal::KILL);
        }
        left
    };
    end(grace, ask, force)
}

fn find(mark: &RunMark) -> Left {
    let mut processes: HashMap<i32, Process> = HashMap::new();
    let mut marks: HashMap<i32, Vec<Mark>> = HashMap::new();
    for process in kernel::all().into_iter().filter(|process| !process.ended) {
        if let Marks::Known(found) = kernel::marks(process.pid) {
            marks.insert(process.pid, found);
        }
        processes.insert(process.pid, process);
    }

    let is_alive = |mark: &Mark| {
        mark.runner.namespace == kernel::own().namespace
            && processes.get(&mark.runner.pid).is_some_and(|one| one.start == mark.runner.start)
    };
    let mut spared: HashSet<i32> = HashSet::new();
    let mut ancestor = kernel::own().pid;
    while let (true, Some(process)) = (spared.insert(ancestor), processes.get(&ancestor)) {
        ancestor = process.parent;
    }
    for (pid, marks) in &marks {
        for mark in marks.iter().filter(|mark| is_alive(mark)) {
            spared.extend([*pid, mark.runner.pid]);
        }
    }

    let is_leftover = |one: &Mark| {
        one.runner.state == mark.runner.state
            && one.runner.namespace == mark.runner.namespace
            && one.leaves != Leaves::Running
            && !is_alive(one)
    };
    let marked = marks.iter().filter(|(_, marks)| marks.iter().any(is_leftover));
    let mut queue: Vec<i32> = marked.map(|(pid, _)| *pid).collect();
    let mut left = Left::default();
    while let Some(pid) = queue.pop() {
        if spared.insert(pid) {
            let below = processes.values().filter(|process| process.parent == pid);
            queue.extend(below.map(|process| process.pid));
            left.processes.extend(processes.get(&pid).cloned());
        }
    }
    left
}
