//! The clock of children, and how long things may take.

use std::time::{Duration, Instant};

/// What a command left behind gets so long between SIGTERM and SIGKILL.
pub(super) const SETTLING: Duration = Duration::from_millis(500);
/// What ends by itself when a run is over, such as a connection that was just closed,
/// gets so long before it is asked.
pub(super) const LEAVING: Duration = Duration::from_millis(100);
/// Then the kernel has so long to take away what was killed.
pub(super) const FORCING: Duration = Duration::from_millis(700);
/// What forks faster than it can be frozen is killed as far as it is frozen
/// after so long; then the lock is free for others, and the next try begins.
pub(super) const FREEZING: Duration = Duration::from_millis(100);
/// When nothing is left that could print, a pipe that is still open belongs to
/// somebody we do not know. It is given up after so long without a byte...
pub(super) const QUIET: Duration = Duration::from_millis(100);
/// ...and after so long even if bytes come.
pub(super) const DRAINING: Duration = Duration::from_secs(1);
/// As [`DRAINING`], when the command was ended and time is short.
pub(super) const DRAINING_ENDED: Duration = Duration::from_millis(200);
/// Pauses between looks at a running command.
pub(super) const LOOKS: [Duration; 3] =
    [Duration::from_millis(25), Duration::from_millis(100), Duration::from_millis(250)];
pub(super) const LATER_LOOKS: Duration = Duration::from_millis(500);
/// Looks that found nothing but were disturbed, before nothing is believed.
pub(super) const DISTURBED: u32 = 5;

#[expect(clippy::disallowed_methods, reason = "deadlines of children need a clock, and only here")]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// A moment later than this one. An unreasonable wait is a day.
pub(super) fn after(time: Instant, wait: Duration) -> Instant {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    time.checked_add(wait).unwrap_or_else(|| time + DAY)
}
