//! Runs commands and remembers what they leave.

use std::{
    collections::{BTreeMap, HashSet},
    io::{self, ErrorKind},
    os::unix::process::ExitStatusExt,
    process::{Child, ExitStatus},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use rustix::process::Signal;

use super::{
    cancel::Cancel,
    clock::{DISTURBED, FORCING, LEAVING, after, now},
    command::{Limits, Spawn, Stdin, Stream},
    kernel::Process,
    lent::lending,
    mark::RunMark,
    registry::{Left, Whose, registry},
    session::Session,
    spawn_error::SpawnError,
};

/// Serial numbers of runs and of commands, each used once in this process.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ended {
    /// By itself, with this code.
    Exited(i32),
    /// By this signal, which did not come from us.
    Signalled(i32),
    /// By us, because its time was over.
    TimedOut,
    /// By us, because of the [`Cancel`] flag. It may not even have started.
    Cancelled,
    /// By us, because the kernel had stopped it: it reads the terminal, or
    /// changes its settings, and nobody can answer it there.
    WantsTerminal,
}

/// What became of a process that outlived its command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fate {
    /// It was ended.
    Ended,
    /// It was killed and is still there: it hangs in the kernel, or belongs to
    /// another user.
    Unkillable,
}

/// A process that outlived the command that started it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stray {
    /// Its process id.
    pub pid: i32,
    /// Its name, as the kernel has it: at most 15 bytes.
    pub name: String,
    /// What became of it.
    pub fate: Fate,
}

/// All that is known about a command that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finished {
    /// How it ended.
    pub ended: Ended,
    /// From its start until nothing of it was left.
    pub took: Duration,
    /// Processor time of the command and the children it waited for. Zero
    /// where it is not known.
    pub processor_time: Duration,
    /// The processes that it left and should not have, and after a timeout or
    /// a cancel those that could not be killed.
    pub strays: Vec<Stray>,
}

/// Starts commands, one in each calling thread, and leaves nothing of them.
///
/// Clones belong to the same run. See the [module](super) for how processes
/// are told apart.
///
/// ```
/// use talia_pipeline::process::{Cancel, Ended, Limits, RunMark, Spawn, Supervisor};
///
/// let supervisor = Supervisor::new(RunMark::new("docs", &std::env::temp_dir()));
/// let mut printed = Vec::new();
/// let finished = supervisor.run(
///     Spawn::new("/bin/echo", "greet").args(["hello"]),
///     Limits::new(),
///     &Cancel::new(),
///     &mut |_stream, bytes| printed.extend_from_slice(bytes),
/// )?;
/// assert_eq!(finished.ended, Ended::Exited(0));
/// assert_eq!(printed, b"hello\n");
/// # Ok::<(), talia_pipeline::process::SpawnError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Supervisor(Arc<Run>);

#[derive(Debug)]
struct Run {
    mark: RunMark,
    number: u64,
}

impl Supervisor {
    /// A supervisor for the commands of one run.
    pub fn new(mark: RunMark) -> Self {
        Self(Arc::new(Run { mark, number: NEXT.fetch_add(1, Ordering::Relaxed) }))
    }

    /// From now on orphans among our descendants become children of this
    /// process, and those that belong to nobody are ended: so that a daemon
    /// which drops its environment and its session does not escape.
    ///
    /// This is for a program that owns its process, such as an `xtask`, and
    /// holds for all of it until its end: call it before the first command.
    /// Left alone are the children that are there already, and what the
    /// program starts by other means in its own process group. A child that it
    /// starts by other means *in a group of its own* is taken for an orphan.
    ///
    /// Does nothing on systems other than Linux.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn adopt_orphans(&self) -> io::Result<()> {
        registry().adopt()
    }

    /// Runs a command, and returns when nothing of it is left.
    ///
    /// Its output goes to `on_output` in pieces of at most 64 KiB, as they
    /// come; a line or a character may be split between two of them. A slow
    /// `on_output` slows the child down.
    ///
    /// On a timeout or an interrupt its whole group, and all that is known to
    /// come from it, gets SIGINT, what then outlives the command SIGTERM, and
    /// after the grace all that is left SIGKILL. The call is back
    /// within the grace and 1 s, whatever the children do. What has outlived
    /// the command gets SIGTERM, and after at most 0.5 s SIGKILL.
    ///
    /// # Errors
    ///
    /// The command could not be started; nothing of it ran.
    ///
    /// # Panics
    ///
    /// If `on_output` does. The child is killed first.
    pub fn run(
        &self,
        spawn: Spawn,
        limits: Limits,
        cancel: &Cancel,
        on_output: &mut dyn FnMut(Stream, &[u8]),
    ) -> Result<Finished, SpawnError> {
        if cancel.is_cancelled() {
            return Ok(Finished {
                ended: Ended::Cancelled,
                took: Duration::ZERO,
                processor_time: Duration::ZERO,
                strays: Vec::new(),
            });
        }
        let serial = NEXT.fetch_add(1, Ordering::Relaxed);
        let child = self.start(&spawn, serial)?;
        let input = match spawn.stdin {
            Stdin::Bytes(bytes) => bytes,
            _ => Vec::new(),
        };
        Ok(Session::new(serial, child, input, limits, spawn.leaves).attend(cancel, on_output))
    }

    fn start(&self, spawn: &Spawn, serial: u64) -> Result<Child, SpawnError> {
        let mark = self.0.mark.command(serial, spawn.leaves, &spawn.step);
        let mut command = spawn.command(&mark)?;
        let mut patience = 20;
        loop {
            let mut registry = registry();
            match lending(&registry.lent, spawn.leaves, || command.spawn()) {
                Ok(child) => {
                    registry.enter(serial, self.0.number, &child, spawn.leaves);
                    return Ok(child);
                }
                // A program that was written a moment ago is busy for as long
                // as another thread's child, forked meanwhile, has not executed
                // its own program and still holds the file open.
                Err(error) if error.kind() == ErrorKind::ExecutableFileBusy && patience > 0 => {
                    drop(registry);
                    patience -= 1;
                    thread::sleep(Duration::from_millis(10));
                }
                Err(error) => return Err(spawn.explain(error)),
            }
        }
    }

    /// Ends what the commands of this run were allowed to leave until its end,
    /// and every orphan that nobody else can have started: SIGTERM, after the
    /// grace SIGKILL. Says whom it found.
    ///
    /// What was declared to stay ([`Leaves::Running`](super::Leaves::Running))
    /// is left alone. Call it when no command of this run is running.
    pub fn finish(&self, grace: Duration) -> Vec<Stray> {
        if registry().is_childless() {
            return Vec::new();
        }
        let whose = Whose::Run(self.0.number);
        let leaving = after(now(), LEAVING);
        while now() < leaving && !registry().look(whose).is_empty() {
            thread::sleep(Duration::from_millis(5));
        }
        let mut told = HashSet::new();
        let strays = end(
            grace,
            || registry().ask(whose, Signal::TERM, &mut told),
            || registry().force(whose),
        );
        registry().close_run(self.0.number);
        strays
    }
}

/// Asks until the grace is over, then kills until nothing is left.
pub(super) fn end(
    grace: Duration,
    mut ask: impl FnMut() -> Left,
    mut force: impl FnMut() -> Left,
) -> Vec<Stray> {
    let mut strays = BTreeMap::new();
    let mut pause = Duration::from_millis(2);
    let asking = after(now(), grace);
    let mut disturbed = 0;
    loop {
        let forcing = now() >= asking;
        let left = if forcing { force() } else { ask() };
        for process in &left.processes {
            strays.entry(process.key()).or_insert_with(|| Stray::of(process, Fate::Ended));
        }
        disturbed += 1;
        if left.is_empty() && (!left.torn || disturbed > DISTURBED) {
            break;
        }
        if !left.is_empty() {
            disturbed = 0;
        }
        if now() >= asking + FORCING {
            for process in &left.processes {
                strays.insert(process.key(), Stray::of(process, Fate::Unkillable));
            }
            break;
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
        if !forcing {
            pause = pause.min(asking.saturating_duration_since(now()));
        }
    }
    strays.into_values().collect()
}

impl Stray {
    pub(super) fn of(process: &Process, fate: Fate) -> Self {
        Self { pid: process.pid, name: process.name.clone(), fate }
    }
}

impl Ended {
    pub(super) fn of(status: ExitStatus) -> Self {
        match status.code() {
            Some(code) => Self::Exited(code),
            None => Self::Signalled(status.signal().unwrap_or_default()),
        }
    }
}
