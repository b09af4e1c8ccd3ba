//! One command from its start until nothing of it is left.

use std::{
    collections::{BTreeMap, HashSet},
    os::fd::{AsFd, OwnedFd},
    process::{Child, ExitStatus},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, waitid};

use super::{
    cancel::{Cancel, Level},
    clock::{
        DISTURBED, DRAINING, DRAINING_ENDED, FORCING, LATER_LOOKS, LOOKS, QUIET, SETTLING, after,
        now,
    },
    command::{Leaves, Limits, Stream},
    kernel,
    pump::Pump,
    registry::{Key, Left, Whose, registry},
    supervisor::{Ended, Fate, Finished, Stray},
};

enum Phase {
    Running,
    /// It was asked to end, or ended and has left something that was asked.
    Asking {
        ended: Ended,
        signal: Signal,
        until: Instant,
    },
    Forcing {
        ended: Ended,
        until: Instant,
    },
    /// Nothing of it is left but, perhaps, bytes in the pipes.
    Draining {
        ended: Ended,
        until: Instant,
        quiet: Instant,
    },
    Done(Ended),
}

pub(super) struct Session {
    pub(super) serial: u64,
    pub(super) limits: Limits,
    pub(super) leaves: Leaves,
    child: Option<Child>,
    pid: Pid,
    watch: Option<OwnedFd>,
    pump: Pump,
    started: Instant,
    status: Option<ExitStatus>,
    processor_time: Duration,
    next_look: Instant,
    looks: usize,
    disturbed: u32,
    told: HashSet<Key>,
    strays: BTreeMap<Key, Stray>,
}

impl Session {
    /// Takes a child over that stands in the registry.
    pub(super) fn new(
        serial: u64,
        mut child: Child,
        input: Vec<u8>,
        limits: Limits,
        leaves: Leaves,
    ) -> Self {
        let pid = Pid::from_child(&child);
        let started = now();
        Self {
            serial,
            limits,
            leaves,
            watch: kernel::exit_watch(pid),
            pump: Pump::new(&mut child, input),
            child: Some(child),
            pid,
            started,
            status: None,
            processor_time: Duration::ZERO,
            next_look: started + LOOKS[0],
            looks: 0,
            disturbed: 0,
            told: HashSet::new(),
            strays: BTreeMap::new(),
        }
    }

    /// Stays with the command until it is over.
    pub(super) fn attend(
        mut self,
        cancel: &Cancel,
        on_output: &mut dyn FnMut(Stream, &[u8]),
    ) -> Finished {
        let mut phase = Phase::Running;
        loop {
            self.notice_exit();
            phase = self.advance(phase, cancel);
            if let Phase::Done(ended) = phase {
                self.close();
                return Finished {
                    ended,
                    took: now() - self.started,
                    processor_time: self.processor_time,
                    strays: std::mem::take(&mut self.strays).into_values().collect(),
                };
            }
            let moved = self.sleep(&phase, cancel, on_output);
            if let (true, Phase::Draining { quiet, until, .. }) = (moved, &mut phase) {
                *quiet = (now() + self.quiet()).min(*until);
            }
        }
    }

    /// What the clock, the flag and the child mean for the phase.
    fn advance(&mut self, phase: Phase, cancel: &Cancel) -> Phase {
        let time = now();
        let level = cancel.level();
        match phase {
            Phase::Running => {
                if let Some(status) = self.status {
                    return self.settle(Ended::of(status));
                }
                if level != Level::Go {
                    let until = after(cancel.since().unwrap_or(time), self.limits.grace);
                    return self.stop(Ended::Cancelled, until, level);
                }
                if self.timeout_at().is_some_and(|at| time >= at) {
                    return self.stop(Ended::TimedOut, after(time, self.limits.grace), level);
                }
                if time >= self.next_look {
                    if self.is_stopped_by_terminal() {
                        return self.stop(
                            Ended::WantsTerminal,
                            after(time, self.limits.grace),
                            level,
                        );
                    }
                    // Only to see who belongs to whom while parents live.
                    registry().look(Whose::Command(self.serial));
                    self.looks += 1;
                    let pause = LOOKS.get(self.looks).copied().unwrap_or(LATER_LOOKS);
                    self.next_look = now() + pause;
                }
                Phase::Running
            }
            Phase::Asking { ended, .. } if level == Level::Kill => self.kill(ended),
            Phase::Asking { ended, until, .. } if time >= until => self.kill(ended),
            Phase::Asking { ended, signal: Signal::INT, until } if self.status.is_some() => {
                // The command has obeyed and is over. What it left is told by
                // SIGTERM as well: a shell's background jobs ignore SIGINT.
                self.told.clear();
                self.restart_looks();
                self.advance_now(Phase::Asking { ended, signal: Signal::TERM, until })
            }
            Phase::Asking { ended, signal, until } => {
                if time >= self.next_look {
                    let left = registry().ask(Whose::Command(self.serial), signal, &mut self.told);
                    if self.is_over(&left) {
                        return self.drain(ended);
                    }
                    self.note(&left, ended);
                    self.pause_look(Duration::from_millis(3), Duration::from_millis(50));
                }
                Phase::Asking { ended, signal, until }
            }
            Phase::Forcing { ended, until } => {
                if time < self.next_look {
                    return Phase::Forcing { ended, until };
                }
                let left = registry().force(Whose::Command(self.serial));
                if self.is_over(&left) {
                    return self.drain(ended);
                }
                self.note(&left, ended);
                if time >= until {
                    for process in left.processes {
                        self.strays.insert(process.key(), Stray::of(&process, Fate::Unkillable));
                    }
                    return self.drain(ended);
                }
                self.pause_look(Duration::from_millis(1), Duration::from_millis(20));
                Phase::Forcing { ended, until }
            }
            Phase::Draining { ended, until, quiet } => {
                if self.pump.is_dry() || time >= quiet || time >= until {
                    return Phase::Done(ended);
                }
                Phase::Draining { ended, until, quiet }
            }
            Phase::Done(ended) => Phase::Done(ended),
        }
    }

    fn timeout_at(&self) -> Option<Instant> {
        self.limits.timeout.map(|timeout| after(self.started, timeout))
    }

    /// Asks a running command to end.
    fn stop(&mut self, ended: Ended, until: Instant, level: Level) -> Phase {
        registry().condemn(self.serial);
        if level == Level::Kill {
            return self.kill(ended);
        }
        self.restart_looks();
        self.advance_now(Phase::Asking { ended, signal: Signal::INT, until })
    }

    fn kill(&mut self, ended: Ended) -> Phase {
        self.restart_looks();
        self.advance_now(Phase::Forcing { ended, until: now() + FORCING })
    }

    /// The command has ended by itself: is anything left?
    fn settle(&mut self, ended: Ended) -> Phase {
        self.pump.close_input();
        let mut registry = registry();
        registry.condemn(self.serial);
        if self.leaves != Leaves::Nothing || registry.is_childless() {
            drop(registry);
            return self.drain(ended);
        }
        drop(registry);
        self.restart_looks();
        let until = now() + SETTLING.min(self.limits.grace);
        self.advance_now(Phase::Asking { ended, signal: Signal::TERM, until })
    }

    fn drain(&mut self, ended: Ended) -> Phase {
        self.pump.close_input();
        if self.pump.is_dry() {
            return Phase::Done(ended);
        }
        let time = now();
        let most = match ended {
            Ended::Exited(_) | Ended::Signalled(_) => DRAINING,
            _ => DRAINING_ENDED,
        };
        Phase::Draining { ended, until: time + most, quiet: time + self.quiet() }
    }

    /// What the command itself printed is in the pipe when it ends. Who waits
    /// longer waits for somebody else, and it is no use to wait for one that
    /// was declared to stay.
    fn quiet(&self) -> Duration {
        if self.leaves == Leaves::Nothing { QUIET } else { Duration::from_millis(10) }
    }

    fn advance_now(&mut self, phase: Phase) -> Phase {
        self.advance(phase, &Cancel::new())
    }

    fn is_over(&mut self, left: &Left) -> bool {
        // The leader may have ended since the look; it is noticed before the next one.
        if !left.is_empty() {
            self.disturbed = 0;
            return false;
        }
        self.disturbed += 1;
        !left.torn || self.disturbed > DISTURBED
    }

    /// Remembers who outlived the command.
    fn note(&mut self, left: &Left, ended: Ended) {
        if !matches!(ended, Ended::Exited(_) | Ended::Signalled(_)) {
            return;
        }
        for process in &left.processes {
            self.strays.entry(process.key()).or_insert_with(|| Stray::of(process, Fate::Ended));
        }
    }

    fn restart_looks(&mut self) {
        self.looks = 0;
        self.disturbed = 0;
        self.next_look = now();
    }

    /// The pause doubles from the first to the longest.
    fn pause_look(&mut self, first: Duration, longest: Duration) {
        let factor = 1 << self.looks.min(8);
        self.looks += 1;
        self.next_look = now() + (first * factor).min(longest);
    }

    fn notice_exit(&mut self) {
        let (None, Some(child)) = (self.status, &mut self.child) else { return };
        // This is asked at every turn, so it takes no lock and leaves the
        // corpse where it is, until there is one.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        if let Ok(None) = waitid(WaitId::Pid(self.pid), options) {
            return;
        }
        if let Some((status, processor_time)) = registry().reap(self.serial, child) {
            self.status = Some(status);
            self.processor_time = processor_time;
            self.next_look = now();
        }
    }

    /// The kernel stops a background group that reads the terminal, or changes
    /// its settings. A stop by SIGSTOP is somebody's wish and is respected.
    fn is_stopped_by_terminal(&self) -> bool {
        let options = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let stop = waitid(WaitId::Pid(self.pid), options).ok().flatten();
        let signal = stop.and_then(|status| status.stopping_signal());
        signal.is_some_and(|signal| {
            signal == Signal::TTIN.as_raw() || signal == Signal::TTOU.as_raw()
        })
    }

    fn sleep(
        &mut self,
        phase: &Phase,
        cancel: &Cancel,
        on_output: &mut dyn FnMut(Stream, &[u8]),
    ) -> bool {
        let (until, level) = match phase {
            Phase::Running => {
                let at = self.timeout_at().unwrap_or(self.next_look);
                (at.min(self.next_look), Level::Interrupt)
            }
            Phase::Asking { until, .. } => (self.next_look.min(*until), Level::Kill),
            Phase::Forcing { .. } => (self.next_look, Level::Go),
            Phase::Draining { quiet, until, .. } => (*quiet.min(until), Level::Go),
            Phase::Done(_) => return false,
        };
        let mut wait = until.saturating_duration_since(now());
        let wake = cancel.wake(level);
        if wake.is_none() && level != Level::Go {
            wait = wait.min(Duration::from_millis(50));
        }
        let watch = self.watch.as_ref().filter(|_| self.status.is_none());
        if watch.is_none() && self.status.is_none() {
            wait = wait.min(Duration::from_millis(10));
        }
        let wakes: Vec<_> =
            watch.map(AsFd::as_fd).into_iter().chain(wake.as_deref().map(AsFd::as_fd)).collect();
        self.pump.turn(&wakes, wait, on_output)
    }

    fn close(&mut self) {
        if let Some(child) = self.child.take() {
            registry().close(self.serial, child);
        }
    }
}

impl Drop for Session {
    /// A panic in the caller's `on_output` must not leave the child running.
    fn drop(&mut self) {
        if self.child.is_none() {
            return;
        }
        registry().condemn(self.serial);
        let until = now() + FORCING;
        while now() < until {
            let left = registry().force(Whose::Command(self.serial));
            if self.is_over(&left) {
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
            self.notice_exit();
        }
        self.close();
    }
}
