//! Requests about whoever works on this server now.

use std::{thread, time::Duration};

use talia_pipeline::{
    Error, ExitCode, Result,
    protocol::{Area, Cancelled, LockHolder, ReleaseId, RunId, Whose},
    server::{GONE, Records, end_holders, holder, holds, interrupt_holder},
};

use crate::{
    landing::LandingWork,
    serve::{Ask, waits},
};

/// How long the one that is asked to end is waited for.
pub(crate) const ENDS_WITHIN: Duration = Duration::from_secs(20);
/// How long an agent that has answered may take to end.
const ENDED_WITHIN: Duration = Duration::from_secs(5);
const NAP: Duration = Duration::from_millis(50);

impl Ask<'_> {
    pub(crate) fn cancel(&self, area: Option<Area>, whose: Option<&Whose>) -> Result<ExitCode> {
        let is_asked = |one: Area| area.is_none_or(|area| area == one);
        let backend = if is_asked(Area::Backend) { self.backend_work(whose)? } else { None };
        let landing = match whose {
            // Of the landing page, no client names its run.
            Some(Whose { run: Some(_), .. }) => None,
            _ if !is_asked(Area::Landing) => None,
            _ => match self.landing_work(whose.map(|whose| &whose.by)) {
                // What cannot be read there keeps nobody from ending a release here.
                Err(_) if backend.is_some() => None,
                work => work?,
            },
        };
        match (backend, landing) {
            (Some(backend), Some(landing)) if landing.is_active => Err(which(&backend, &landing)),
            (Some(backend), _) => self.cancel_backend(&backend),
            (None, Some(landing)) => self.cancel_landing(&landing),
            (None, None) => Ok(self.tell(&Cancelled::NothingRan)),
        }
    }

    /// Who works on the backend, where that is meant.
    fn backend_work(&self, whose: Option<&Whose>) -> Result<Option<LockHolder>> {
        let is_meant = |running: &LockHolder| {
            let in_run = |run: &RunId| run.as_str() == running.run;
            whose
                .is_none_or(|whose| whose.by == running.by && whose.run.as_ref().is_none_or(in_run))
        };
        Ok(holder(&self.site.layout.lock())?.filter(is_meant))
    }

    fn cancel_backend(&self, running: &LockHolder) -> Result<ExitCode> {
        let lock = self.site.layout.lock();
        if !running.is_cancellable() {
            return Err(Error::refused(format!("{} is not cancelled", running.doing))
                .hint(running.advice()));
        }
        if !holds(&lock, running.pid) && holder(&lock)?.as_ref() == Some(running) {
            let told =
                format!("{} (process {}) cannot be asked to end", running.doing, running.pid);
            return Err(Error::refused(told).hint(GONE));
        }
        // A disk that is full must keep nobody from it.
        drop(self.journal(Area::Backend));
        interrupt_holder(&lock, running)?;
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

/// Refuses to choose between two that run.
fn which(backend: &LockHolder, landing: &LandingWork) -> Error {
    let LockHolder { by, doing, .. } = backend;
    Error::refused(format!(
        "two run here: `{doing}` by {by}, and the landing page's {}",
        landing.told()
    ))
    .hint(match backend.is_cancellable() {
        true => {
            "say which one: `cargo xtask cancel backend` ends the first, \
             `cargo xtask cancel landing` the second"
        }
        false => {
            "`cargo xtask cancel landing` ends the second; the first can only be waited for, or \
             ended at once by `cargo xtask unlock`"
        }
    })
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
