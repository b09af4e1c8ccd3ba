//! Requests about whoever works on this server now.

use std::{thread, time::Duration};

use talia_pipeline::{
    Error, ExitCode, Result,
    protocol::{Cancelled, LockHolder, ReleaseId, RunId, Whose},
    server::{Records, end_holders, holder, holds, interrupt_holder},
};

use crate::serve::{Area, Ask, waits};

/// How long the one that is asked to end is waited for.
pub(crate) const ENDS_WITHIN: Duration = Duration::from_secs(20);
/// How long an agent that has answered may take to end.
const ENDED_WITHIN: Duration = Duration::from_secs(5);
const NAP: Duration = Duration::from_millis(50);

impl Ask<'_> {
    pub(crate) fn cancel(&self, whose: Option<&Whose>) -> Result<ExitCode> {
        let lock = self.site.layout.lock();
        let is_meant = |running: &LockHolder| {
            let in_run = |run: &RunId| run.as_str() == running.run;
            whose
                .is_none_or(|whose| whose.by == running.by && whose.run.as_ref().is_none_or(in_run))
        };
        let Some(running) = holder(&lock)?.filter(is_meant) else {
            // Of the landing page, no client names its run.
            let ended = match whose {
                Some(Whose { run: Some(_), .. }) => None,
                _ => self.cancel_landing(whose.map(|whose| &whose.by))?,
            };
            return Ok(ended.unwrap_or_else(|| self.tell(&Cancelled::NothingRan)));
        };
        if !running.is_cancellable() {
            return Err(Error::refused(format!("{} is not cancelled", running.doing))
                .hint(running.advice()));
        }
        // A disk that is full must keep nobody from it.
        drop(self.journal(Area::Backend));
        interrupt_holder(&lock, &running)?;
        let ended =
            wait_until(
                ENDS_WITHIN,
                || Ok(holder(&lock)?.is_none_or(|now| now.run != running.run)),
            )?;
        if !ended {
            return Err(Error::step("it was asked to end, and still works")
                .hint("one that has switched already is finished; look at `cargo xtask status`"));
        }
        // One that is live by now has switched before it could hear.
        let records = Records::read(&self.site.layout)?;
        Ok(match records.live_since(running.since_ms) {
            Some(live) => self.tell(&Cancelled::Live(live.id.clone())),
            None => self.tell(&Cancelled::Undone),
        })
    }

    pub(crate) fn latest_moved(&self, release: &ReleaseId) -> Result<ExitCode> {
        let lock = self.site.layout.lock();
        let waits = |now: &LockHolder| now.doing == waits(release);
        if let Some(waiting) = holder(&lock)?.filter(waits) {
            // The agent that left the lock behind has its own end to tell first.
            wait_until(ENDED_WITHIN, || Ok(!holds(&lock, waiting.pid)))?;
            if holder(&lock)?.as_ref().is_some_and(waits) {
                end_holders(&lock)?;
            }
        }
        Ok(self.tell(&"the lock is free"))
    }

    pub(crate) fn unlock(&self) -> Result<ExitCode> {
        drop(self.journal(Area::Backend));
        let mut ended = end_holders(&self.site.layout.lock())?;
        ended.extend(self.unlock_landing()?);
        Ok(self.tell(&ended))
    }
}

/// Whether it comes true within this time.
pub(crate) fn wait_until(
    within: Duration,
    mut is_true: impl FnMut() -> Result<bool>,
) -> Result<bool> {
    let mut left = within;
    while !is_true()? {
        if left.is_zero() {
            return Ok(false);
        }
        thread::sleep(NAP);
        left = left.saturating_sub(NAP);
    }
    Ok(true)
}
