//! The one door to child processes: process groups, signals, timeouts, output.
//!
//! A [`Supervisor`] starts a command ([`Spawn`]) under [`Limits`], hands its
//! output on as it comes, and comes back with a [`Finished`] when nothing of
//! the command is left: not the command, not its background jobs, not a
//! daemon that went to a session of its own.
//!
//! # How a process is known to belong to a command
//!
//! From the strongest evidence to the weakest:
//!
//! 1. It is the command itself, or it was seen below the command while its
//!    parents still lived. Scans at 25, 125 and 375 ms, then twice a second,
//!    look at the whole tree.
//! 2. It is in the command's process group. Each command gets its own.
//! 3. It carries the command's mark, the variable [`RUN_MARK`].
//! 4. It was adopted ([`Supervisor::adopt_orphans`]) and holds the pipe that
//!    the command printed to.
//! 5. It was adopted and *nobody else can have started it*: every other
//!    command of this process began later, or is being ended as well. An
//!    orphan that a healthy sibling may have started is left alone until that
//!    sibling is over; one that a command may have started which declared to
//!    leave something ([`Leaves`]) is left alone as long as that declaration
//!    holds.
//!
//! Without adoption the first three remain, and a daemon that drops its
//! environment, its session and its parent before the first scan escapes.
//!
//! # One lock
//!
//! All supervisors of a process share one registry behind one lock. It is held
//! over *spawn and register* and over every scan: otherwise a newborn sibling,
//! which has no mark until it has executed its program, looks like an orphan
//! and is killed.
//!
//! # How signals find the right process
//!
//! A group is signalled as a whole only while its leader has not been reaped,
//! which keeps the number from being used again. Everything else is signalled
//! through a pidfd, after the start time has been compared.
//!
//! # Other systems
//!
//! Where there is no `/proc` (macOS, or a Linux that hides it) only the
//! process group is known: a child that leaves its group escapes.

mod cancel;
mod clock;
mod command;
#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod kernel;
#[cfg(not(target_os = "linux"))]
#[path = "other.rs"]
mod kernel;
mod leftovers;
mod lent;
mod mark;
mod ownership;
mod pump;
mod registry;
#[cfg(target_os = "linux")]
mod scan;
mod session;
mod spawn_error;
mod supervisor;

pub use cancel::{Cancel, Level};
pub use command::{Leaves, Limits, Spawn, Stdin, Stream, become_program};
pub use leftovers::end_marked_leftovers;
pub use lent::Lent;
pub use mark::{RUN_MARK, RunMark};
pub use spawn_error::SpawnError;
pub use supervisor::{Ended, Fate, Finished, Stray, Supervisor};
