//! Requests about the landing page; and rsync, for its one open transaction.

use std::ffi::OsStr;

use talia_pipeline::{
    Error, ExitCode, Result,
    flows::server::landing::{self, LandingBackOrder, LandingOrder},
    landing::TreeChanges,
    process::become_program,
    protocol::{Area, Cancelled, LandingRequest, LockHolder, ReleaseId, Who},
    report::console,
    server::{
        Fate, Lock, end_holders, holder, interrupt_holder,
        landing::{LandingPlace, LandingSeen, Transaction},
    },
};

use crate::{
    brought::brought,
    holders::{ENDS_WITHIN, wait_until},
    serve::Ask,
};

/// A release of the landing page that is under way.
pub(crate) struct LandingWork {
    by: Who,
    doing: String,
    /// The agent that works on it now; without one the transaction is open for its client.
    holder: Option<LockHolder>,
    /// Whether anything was heard of it lately: one that nothing is heard of gives way.
    pub(crate) is_active: bool,
}

impl LandingWork {
    pub(crate) fn told(&self) -> String {
        format!("`{}` by {}", self.doing, self.by)
    }
}

/// What a release's changes may have at most: some 400,000 files.
const CHANGES_BYTES: u64 = 64 << 20;

impl Ask<'_> {
    /// Answers a request about the landing page.
    pub(crate) fn landing(&self, request: LandingRequest) -> Result<ExitCode> {
        let signals = &self.site.signals;
        match request {
            LandingRequest::Index(own) => {
                self.read(signals, move |cx, server| landing::index(cx, server, own))
            }
            LandingRequest::Releases => self.read(signals, landing::releases),
            LandingRequest::Read(paths) => {
                self.read(signals, |cx, server| landing::read(cx, server, &paths))
            }
            LandingRequest::Begin { tree, revision, after, by, accept_drift } => {
                let owner = self.site.caller.ok_or_else(|| {
                    Error::refused("nobody is there whom rsync could work as")
                        .hint("a landing release is begun over ssh, by the deploy user")
                })?;
                let changes = brought(CHANGES_BYTES)?;
                let changes: TreeChanges = serde_json::from_slice(&changes).map_err(|cause| {
                    Error::usage(format!("standard input holds no changes of a tree: {cause}"))
                })?;
                let order = LandingOrder { tree, revision, after, accept_drift, changes, owner };
                self.change_landing(by, |cx, server| landing::begin(cx, server, &order))
            }
            LandingRequest::Commit(id) => {
                let by = self.asked_for(&id)?;
                self.change_landing(by, |cx, server| landing::commit(cx, server, &id))
            }
            LandingRequest::Abort(id) => {
                let by = self.asked_for(&id)?;
                self.end_commit(&id)?;
                self.change_landing(by, |cx, server| landing::abort(cx, server, &id))
            }
            LandingRequest::Rollback { to, from, by } => {
                let order = LandingBackOrder { to, from };
                self.change_landing(by, |cx, server| landing::rollback(cx, server, &order))
            }
            other => Err(Error::usage(format!("this agent does not know `{other}`"))),
        }
    }

    fn place(&self) -> LandingPlace {
        self.site.layout.landing()
    }

    /// A change of the landing page, beside whatever happens to the backend.
    pub(crate) fn change_landing<T: serde::Serialize + Send>(
        &self,
        by: Who,
        flow: impl Fn(&talia_pipeline::Context, &landing::Server) -> Result<T>,
    ) -> Result<ExitCode> {
        let place = self.place();
        place.make_own().map_err(|cause| {
            Error::step(format!("{} cannot be made", place.own())).caused_by(cause)
        })?;
        self.change_in(Area::Landing, by, flow, |_| None)
    }

    /// Who has begun the transaction that is spoken of.
    fn asked_for(&self, id: &ReleaseId) -> Result<Who> {
        let open = Transaction::read(&self.place())?.filter(|open| open.id == *id);
        Ok(open.map_or_else(|| self.role(), |open| open.by))
    }

    /// Becomes rsync's daemon for the open transaction. Comes back only where that is
    /// refused: rsync's client gets one line by standard error then, because standard
    /// output is rsync's.
    pub(crate) fn rsync(&self) -> ExitCode {
        let Err(error) = self.become_rsync();
        let hint = error.hint_text().map(|hint| format!("\n{hint}")).unwrap_or_default();
        console::print_error(&format!("talia-agent: {error}{hint}\n"));
        error.exit_code()
    }

    pub(crate) fn become_rsync(&self) -> Result<std::convert::Infallible> {
        let place = self.place();
        let open = || {
            let open = Transaction::read(&place)?.filter(|open| open.is_open);
            open.ok_or_else(|| {
                Error::refused("no release of the landing page is open, so nothing is taken")
                    .hint("`cargo xtask deploy landing` opens one")
            })
        };
        // Before anything is made on the disk.
        let transaction = open()?;
        let (now_ms, idle) = (self.site.world.now_ms(), self.site.policy.landing.idle);
        if transaction.told(&place, now_ms)?.is_idle(idle) {
            return Err(Error::refused(format!(
                "nothing was heard of the release {} for {} s, so nothing more is taken",
                transaction.id,
                idle.as_secs()
            ))
            .hint("deploy again"));
        }
        let holder = LockHolder {
            pid: std::process::id(),
            doing: "rsync".to_owned(),
            by: transaction.by,
            run: transaction.id.to_string(),
            since_ms: now_ms,
        };
        // rsync and all that it starts hold the lock, because it is handed on.
        let _lock = Lock::take(&place.rsync_lock(), &holder)?;
        // By the time the lock was free it may have ended, and another one have begun.
        if open()?.id != transaction.id {
            return Err(Error::refused("this release of the landing page is not open any more")
                .hint("deploy again"));
        }
        let program = self.site.world.find_program("rsync").ok_or_else(|| {
            Error::preflight("there is no rsync on this server").hint("root installs it there")
        })?;
        let config = format!("--config={}", place.rsyncd());
        let args = ["--server", "--daemon", config.as_str(), "."].map(OsStr::new);
        let environment = self.site.world.child_environment();
        let cause = become_program(program.as_std_path(), &args, &environment);
        Err(Error::step("rsync cannot be started").caused_by(cause))
    }

    /// Has whoever is about to publish this transaction take it back, and waits until it is
    /// known what has come of it.
    fn end_commit(&self, id: &ReleaseId) -> Result<()> {
        let place = self.place();
        let commits = |running: &LockHolder| running.doing == "landing commit";
        let Some(running) = holder(&place.lock())?.filter(commits) else { return Ok(()) };
        if Transaction::read(&place)?.is_some_and(|open| open.id == *id) {
            interrupt_holder(&place.lock(), &running)?;
        }
        let has_ended = || Ok(holder(&place.lock())?.is_none_or(|now| now.run != running.run));
        if wait_until(ENDS_WITHIN, has_ended)? {
            return Ok(());
        }
        Err(Error::step("its commit was asked to end, and still works")
            .hint("look at `cargo xtask status`; `cargo xtask unlock` ends it at once"))
    }

    /// What works on the landing page, or the transaction that is open, where this one has
    /// asked for it.
    pub(crate) fn landing_work(&self, by: Option<&Who>) -> Result<Option<LandingWork>> {
        let place = self.place();
        let is_meant = |who: &Who| by.is_none_or(|by| by == who);
        if let Some(running) = holder(&place.lock())?.filter(|running| is_meant(&running.by)) {
            return Ok(Some(LandingWork {
                by: running.by.clone(),
                doing: running.doing.clone(),
                holder: Some(running),
                is_active: true,
            }));
        }
        let Some(open) = Transaction::read(&place)?.filter(|open| is_meant(&open.by)) else {
            return Ok(None);
        };
        let told = open.told(&place, self.site.world.now_ms())?;
        let idle = self.site.policy.landing.idle;
        Ok(Some(LandingWork {
            by: open.by,
            doing: format!("release {}", open.id),
            holder: None,
            is_active: !told.is_idle(idle),
        }))
    }

    /// Ends this.
    pub(crate) fn cancel_landing(&self, work: &LandingWork) -> Result<ExitCode> {
        let place = self.place();
        let live = || -> Result<Option<(ReleaseId, Fate)>> {
            let seen = LandingSeen::look(&place)?;
            Ok(seen.live().map(|live| (live.id.clone(), live.fate.clone())))
        };
        if let Some(running) = &work.holder {
            let before = live()?;
            interrupt_holder(&place.lock(), running)?;
            let has_ended = || Ok(holder(&place.lock())?.is_none_or(|now| now.run != running.run));
            if !wait_until(ENDS_WITHIN, has_ended)? {
                return Err(Error::step("it was asked to end, and still works")
                    .hint("look at `cargo xtask status`; `cargo xtask unlock` ends it at once"));
            }
            // What was switched to, and not said to be live yet, may have been taken back.
            let was_unsaid = matches!(before, Some((_, Fate::Begun)));
            let is_new = |(id, fate): &(ReleaseId, Fate)| match &before {
                Some((old, _)) if old != id => !was_unsaid,
                Some((_, old)) => old != fate,
                None => true,
            };
            return Ok(match live()?.filter(is_new) {
                Some((id, _)) => self.tell(&Cancelled::Live(id)),
                None => self.tell(&Cancelled::Undone),
            });
        }
        self.change_landing(self.role(), |cx, server| {
            landing::abort_open(cx, server)?;
            Ok(Cancelled::Undone)
        })
    }

    /// Ends whoever works on the landing page, rsync too.
    pub(crate) fn unlock_landing(&self) -> Result<Vec<u32>> {
        let place = self.place();
        let mut ended = end_holders(&place.lock())?;
        ended.extend(end_holders(&place.rsync_lock())?);
        Ok(ended)
    }

    /// After a reboot: what was left half done is put right.
    pub(crate) fn boot_landing(&self) -> Result<ExitCode> {
        if !self.place().own().exists() {
            return Ok(ExitCode::Success);
        }
        self.change_landing(self.role(), landing::settle_now)
    }
}
