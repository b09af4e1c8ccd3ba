//! Where there is no `/proc`: nothing is known beyond the process group.
//!
//! The same names as in `linux.rs`. Nothing here finds a process, so that the
//! callers fall back to signalling the group.

use std::{io, os::fd::OwnedFd, time::Duration};

use rustix::process::{Pid, Signal};

use super::mark::Mark;

/// This process.
#[derive(Debug, Clone, Copy)]
pub(super) struct Own {
    pub(super) pid: i32,
    pub(super) start: u64,
    pub(super) namespace: u64,
}

/// One process. None is ever made here.
#[derive(Debug, Clone)]
pub(super) struct Process {
    pub(super) pid: i32,
    pub(super) parent: i32,
    pub(super) group: i32,
    pub(super) start: u64,
    pub(super) ended: bool,
    pub(super) name: String,
}

/// What the environment of a process says.
#[derive(Debug)]
#[expect(dead_code, reason = "the names are those of Linux; here every environment is closed")]
pub(super) enum Marks {
    Known(Vec<Mark>),
    NotYet,
    Closed,
}

/// Finds nothing.
#[derive(Debug, Default)]
pub(super) struct Scanner;

pub(super) fn own() -> Own {
    Own { pid: rustix::process::getpid().as_raw_nonzero().get(), start: 0, namespace: 0 }
}

pub(super) fn can_see() -> bool {
    false
}

impl Process {
    pub(super) fn key(&self) -> (i32, u64) {
        (self.pid, self.start)
    }

    pub(super) fn processor_time(&self) -> Duration {
        Duration::ZERO
    }
}

impl Scanner {
    pub(super) fn scan(
        &mut self,
        _everywhere: bool,
        _known: impl Fn((i32, u64)) -> bool,
        _found: &mut dyn FnMut(Process),
    ) -> Option<bool> {
        None
    }
}

pub(super) fn process(_pid: i32) -> Option<Process> {
    None
}

pub(super) fn all() -> Vec<Process> {
    Vec::new()
}

pub(super) fn marks(_pid: i32) -> Marks {
    Marks::Closed
}

pub(super) fn holds_pipe(_pid: i32, _pipes: &[u64]) -> bool {
    false
}

pub(super) fn signal(_process: &Process, _signal: Signal) {}

pub(super) fn exit_watch(_child: Pid) -> Option<OwnedFd> {
    None
}

pub(super) fn become_subreaper() -> io::Result<()> {
    Ok(())
}

pub(super) fn childless() -> bool {
    false
}

pub(super) fn reap(_process: &Process) {}
