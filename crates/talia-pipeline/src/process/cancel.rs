//! The shared wish to stop: first gently, then at once.

use std::{
    io::{PipeReader, PipeWriter},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Instant,
};

use super::clock::now;

/// How urgently work is to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Nobody asked.
    Go,
    /// Ask with SIGINT, wait for the grace, then kill.
    Interrupt,
    /// Kill at once.
    Kill,
}

/// A flag that many threads share, to stop the commands that run under it.
///
/// Clones are the same flag. [`child`](Cancel::child) makes a narrower one,
/// for a scope that may be cancelled alone.
///
/// Raising it takes a lock, so call it from a thread that waits for signals,
/// never from inside a signal handler.
///
/// ```
/// use talia_pipeline::process::{Cancel, Level};
///
/// let run = Cancel::new();
/// let branch = run.child();
/// branch.interrupt();
/// assert_eq!((run.level(), branch.level()), (Level::Go, Level::Interrupt));
/// run.interrupt();
/// run.interrupt();
/// assert_eq!(branch.level(), Level::Kill);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<Node>);

#[derive(Debug, Default)]
struct Node {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    level: Level,
    since: Option<Instant>,
    /// Made when somebody first polls. Closing the write end wakes every
    /// poller, and keeps waking them: no byte that only one of them would get.
    gentle: Option<Wake>,
    hard: Option<Wake>,
    followers: Vec<(Weak<Node>, Level)>,
}

#[derive(Debug)]
struct Wake {
    reader: Arc<PipeReader>,
    writer: Option<PipeWriter>,
}

impl Default for State {
    fn default() -> Self {
        Self { level: Level::Go, since: None, gentle: None, hard: None, followers: Vec::new() }
    }
}

impl Cancel {
    /// A flag that nobody has raised.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks once more: the first call interrupts, every later one kills.
    pub fn interrupt(&self) {
        let next = match self.level() {
            Level::Go => Level::Interrupt,
            Level::Interrupt | Level::Kill => Level::Kill,
        };
        self.0.raise(next, now());
    }

    /// Kills at once, without asking first.
    pub fn kill(&self) {
        self.0.raise(Level::Kill, now());
    }

    /// How urgently work is to stop now.
    pub fn level(&self) -> Level {
        self.0.lock().level
    }

    /// Whether anybody asked.
    pub fn is_cancelled(&self) -> bool {
        self.level() != Level::Go
    }

    /// When it was raised first. The grace of every command counts from here,
    /// so that several endings, one after the other, share one grace.
    pub fn since(&self) -> Option<Instant> {
        self.0.lock().since
    }

    /// A flag that follows this one and can be raised alone: for a branch that
    /// a failed sibling ends.
    #[must_use]
    pub fn child(&self) -> Self {
        self.follower(Level::Interrupt)
    }

    /// A flag that follows this one's *kill* only: for the work that cleans up
    /// after an interrupt, and that a second interrupt still ends.
    #[must_use]
    pub fn sheltered(&self) -> Self {
        self.follower(Level::Kill)
    }

    fn follower(&self, from: Level) -> Self {
        let child = Self::new();
        let mut state = self.0.lock();
        state.followers.retain(|(node, _)| node.strong_count() > 0);
        state.followers.push((Arc::downgrade(&child.0), from));
        let (level, since) = (state.level, state.since);
        drop(state);
        if let (true, Some(since)) = (level >= from, since) {
            child.0.raise(level, since);
        }
        child
    }

    /// What becomes readable (closed) once `level` is reached. `None` when no
    /// pipe could be made, or for [`Level::Go`]: look at [`Cancel::level`]
    /// from time to time then.
    pub(super) fn wake(&self, level: Level) -> Option<Arc<PipeReader>> {
        let mut state = self.0.lock();
        let reached = state.level >= level;
        let slot = match level {
            Level::Go => return None,
            Level::Interrupt => &mut state.gentle,
            Level::Kill => &mut state.hard,
        };
        if slot.is_none() {
            let (reader, writer) = std::io::pipe().ok()?;
            *slot = Some(Wake { reader: Arc::new(reader), writer: (!reached).then_some(writer) });
        }
        slot.as_ref().map(|wake| Arc::clone(&wake.reader))
    }
}

impl Node {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn raise(&self, level: Level, since: Instant) {
        let mut state = self.lock();
        if level <= state.level {
            return;
        }
        state.level = level;
        state.since.get_or_insert(since);
        if let Some(wake) = &mut state.gentle {
            wake.writer = None;
        }
        if let (Level::Kill, Some(wake)) = (level, &mut state.hard) {
            wake.writer = None;
        }
        let followers: Vec<Arc<Self>> = state
            .followers
            .iter()
            .filter(|(_, from)| level >= *from)
            .filter_map(|(node, _)| node.upgrade())
            .collect();
        // A follower is raised without this lock: no order of locks to keep.
        drop(state);
        for follower in followers {
            follower.raise(level, since);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheltered_flag_follows_the_kill_alone() {
        let run = Cancel::new();
        let last = run.sheltered();
        run.interrupt();
        assert_eq!(last.level(), Level::Go);
        assert_eq!(run.sheltered().level(), Level::Go);
        run.interrupt();
        assert_eq!(last.level(), Level::Kill);
        assert_eq!(run.sheltered().level(), Level::Kill);
    }

    #[test]
    fn a_child_of_a_raised_flag_is_raised_since_then() {
        let run = Cancel::new();
        run.interrupt();
        let child = run.child();
        assert_eq!(child.level(), Level::Interrupt);
        assert_eq!(child.since(), run.since());
    }

    #[test]
    fn every_poller_is_woken_and_stays_woken() {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let cancel = Cancel::new();
        let ready = |level| {
            let reader = cancel.wake(level).unwrap();
            let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
            poll(&mut [PollFd::new(&*reader, PollFlags::IN)], Some(&zero)).unwrap() == 1
        };
        assert!(!ready(Level::Interrupt));
        cancel.interrupt();
        assert!(ready(Level::Interrupt) && ready(Level::Interrupt) && !ready(Level::Kill));
        cancel.kill();
        assert!(ready(Level::Kill));
    }
}
