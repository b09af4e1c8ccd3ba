//! `--jobs`: how many actions may run at once.

use std::{
    sync::{Condvar, Mutex, PoisonError},
    time::Duration,
};

/// A slot is held by a running action, never by a branch that waits for others,
/// so branches of any depth cannot starve each other.
pub(crate) struct Slots {
    free: Mutex<usize>,
    freed: Condvar,
}

/// One slot; given back when dropped.
pub(crate) struct Slot<'a>(&'a Slots);

impl Slots {
    pub(crate) fn new(count: usize) -> Self {
        Self { free: Mutex::new(count.max(1)), freed: Condvar::new() }
    }

    /// Waits for a slot; `None` when the wait was cancelled.
    pub(crate) fn take(&self, cancelled: impl Fn() -> bool) -> Option<Slot<'_>> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if cancelled() {
                return None;
            }
            if *free > 0 {
                *free -= 1;
                return Some(Slot(self));
            }
            // A cancellation does not signal this condition, so look now and then.
            let waited = self.freed.wait_timeout(free, Duration::from_millis(50));
            free = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}
