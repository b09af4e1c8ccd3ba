//! From a request to its flow, with the lock and the journal where it changes something.

use serde::Serialize;
use talia_pipeline::{
    Context, Error, ExitCode, Finished, Pipeline, Result, State, World,
    flows::{
        Dependents,
        server::{
            BackOrder, Order, Server, backup_now, backups, drill_now, hold_for_latest,
            install_agent, maintenance, prune, push, release, releases, restore, restore_plan,
            rollback, settle_all, status,
        },
    },
    process::Cancel,
    protocol::{Area, Hello, LockHolder, ReleaseId, Request, Role, RunId, Version, Who},
    report::{Feed, Journal},
    server::{Layout, Lock, PushedFile, landing::Owner, policies},
    settings::Policy,
};

use crate::{answer::answered, brought::brought, secrets::secrets};

/// What a push may bring at most.
const PUSHED_BYTES: u64 = 1 << 20;
/// What an agent may have at most.
const AGENT_BYTES: u64 = 64 << 20;

/// One environment on this server, as it is asked.
pub(crate) struct Site {
    pub(crate) layout: Layout,
    pub(crate) policy: Policy,
    pub(crate) world: World,
    pub(crate) role: Role,
    pub(crate) signals: Cancel,
    /// The user who asks, as sudo says.
    pub(crate) caller: Option<Owner>,
}

/// Answers a request. An error is one that nobody has told of yet: what goes wrong in a
/// run is told by the run.
pub(crate) fn serve(site: &Site, request: Request, feed: &Feed) -> Result<ExitCode> {
    let text = request.to_string();
    let ask = Ask { site, feed, text: &text, run: None };
    match request {
        Request::Hello(version) => ask.hello(version),
        Request::Status => ask.read(&site.signals, status),
        Request::Releases => ask.read(&site.signals, releases),
        Request::Backups => ask.read(&site.signals, backups),
        Request::Plan { digest, revision, accept_drift } => {
            let digest = digest.unwrap_or_else(talia_pipeline::digest::Digest::planned);
            let order = Order { digest, revision, after: None, accept_drift };
            ask.plan(&order)
        }
        Request::Release { digest, revision, after, by, run, accept_drift } => {
            let order = Order { digest, revision, after: Some(after), accept_drift };
            ask.of_run(run).release(by, &order)
        }
        Request::Rollback { to, from, by, run, accepted } => {
            let order = BackOrder { to, from, accepted };
            ask.of_run(run).change(by, move |cx, server| rollback(cx, server, &order))
        }
        Request::RollbackPlan { to, accepted } => ask.plan_back(to, accepted),
        Request::Backup => ask.change(ask.role(), backup_now),
        Request::Drill(id) => {
            ask.change(ask.role(), move |cx, server| drill_now(cx, server, id.as_deref()))
        }
        Request::RestorePlan(id) => {
            ask.change(ask.role(), move |cx, server| restore_plan(cx, server, &id))
        }
        Request::Restore { id, accept_database, drop_dependents } => {
            let dependents = if drop_dependents { Dependents::Drop } else { Dependents::Refuse };
            ask.change(ask.role(), move |cx, server| {
                restore(cx, server, &id, accept_database, dependents)
            })
        }
        Request::Cancel { area, whose } => ask.cancel(area, whose.as_ref()),
        Request::LatestMoved(release) => ask.latest_moved(&release),
        Request::Unlock => ask.unlock(),
        Request::AgentInstall => ask.install_agent(),
        Request::ComposePush => ask.push(PushedFile::Compose),
        Request::EnvPush => ask.push(PushedFile::Env),
        Request::SitePush => ask.push(PushedFile::Site),
        Request::Maintenance(on) => {
            ask.change(ask.role(), move |cx, server| maintenance(cx, server, on))
        }
        Request::Prune => ask.change(ask.role(), prune),
        Request::Boot => ask.boot(),
        Request::Landing(request) => ask.landing(request),
        Request::Rsync => Ok(ask.rsync()),
        Request::Logs(query) => ask.logs(&query),
        other => Err(Error::usage(format!("this agent does not know `{other}`"))),
    }
}

pub(crate) struct Ask<'a> {
    pub(crate) site: &'a Site,
    pub(crate) feed: &'a Feed,
    text: &'a str,
    /// The client's run, where it has named it.
    run: Option<RunId>,
}

impl Ask<'_> {
    pub(crate) fn tell(&self, answer: &impl Serialize) -> ExitCode {
        self.feed.tell(&answered(answer));
        ExitCode::Success
    }

    /// The verb, which names the run; about the landing page two words.
    fn name(&self) -> &str {
        let words = if self.text.starts_with("landing ") { 2 } else { 1 };
        let end = self.text.match_indices(' ').nth(words - 1).map(|(at, _)| at);
        &self.text[..end.unwrap_or(self.text.len())]
    }

    /// Who asks, where the request does not say.
    pub(crate) fn role(&self) -> Who {
        let role = self.site.role.name();
        role.parse().unwrap_or_else(|_| unreachable!("it is a word"))
    }

    /// The journal, which says already who asks for what.
    pub(crate) fn journal(&self, area: Area) -> Result<Journal> {
        let layout = &self.site.layout;
        let mut journal = Journal::open(&match area {
            Area::Backend => layout.journal(),
            Area::Landing => layout.landing().journal(),
        })?;
        journal.note(format!("{} asks: {}", self.site.role.name(), self.text))?;
        Ok(journal)
    }

    /// The same, asked in this run of the client.
    fn of_run(self, run: Option<RunId>) -> Self {
        Self { run, ..self }
    }

    fn run_id(&self) -> String {
        if let Some(run) = &self.run {
            return run.to_string();
        }
        format!("{:013}-{}", self.site.world.now_ms(), std::process::id())
    }

    pub(crate) fn server(&self, by: Who) -> Server {
        Server {
            layout: self.site.layout.clone(),
            policy: self.site.policy.clone(),
            now_ms: self.site.world.now_ms(),
            run: self.run_id(),
            by,
        }
    }

    pub(crate) fn pipeline(&self, cancel: &Cancel) -> Pipeline {
        let site = self.site;
        Pipeline::new(self.name(), site.layout.folder(), site.world.clone())
            .secrets(secrets(&site.layout, &site.policy))
            .cancel(cancel.clone())
            .step_timeout(site.policy.step_timeout)
            .adopt_orphans()
    }

    fn hello(&self, version: Version) -> Result<ExitCode> {
        let told = self.tell(&Hello::new(self.site.layout.environment(), self.site.role));
        if Version::own().understands(version) {
            return Ok(told);
        }
        Err(Error::usage(format!(
            "this server's agent is {}, the client is {version}: they do not understand each other",
            Version::own()
        ))
        .hint("bring both to neighbouring versions: `cargo xtask server agent install`"))
    }

    /// A request that changes nothing: no lock, no journal, no log.
    pub(crate) fn read<T: Serialize + Send>(
        &self,
        cancel: &Cancel,
        flow: impl Fn(&Context, &Server) -> Result<T>,
    ) -> Result<ExitCode> {
        let server = self.server(self.role());
        let mut pipeline = self.pipeline(cancel).report(self.feed.report());
        let finished = pipeline.run(|cx| flow(cx, &server));
        self.end(finished)
    }

    /// A release, and the lock left behind while the client moves `latest`.
    fn release(&self, by: Who, order: &Order) -> Result<ExitCode> {
        self.change_in(
            Area::Backend,
            by,
            |cx, server| {
                let mut released = release(cx, server, order)?;
                // It is live, whatever comes of this.
                if released.waits_for_latest
                    && let Err(error) = cx.sheltered(hold_for_latest)
                {
                    cx.note(format!("the lock is not held for `latest`: {error}"));
                    released.waits_for_latest = false;
                }
                Ok(released)
            },
            |released| released.waits_for_latest.then(|| waits(&released.live.release)),
        )
    }

    /// A request that changes something: under the lock, told in the journal first.
    fn change<T: Serialize + Send>(
        &self,
        by: Who,
        flow: impl Fn(&Context, &Server) -> Result<T>,
    ) -> Result<ExitCode> {
        self.change_in(Area::Backend, by, flow, |_| None)
    }

    /// The same in an area; `stays` says what the lock is held for after it.
    pub(crate) fn change_in<T: Serialize + Send>(
        &self,
        area: Area,
        by: Who,
        flow: impl Fn(&Context, &Server) -> Result<T>,
        stays: impl Fn(&T) -> Option<String>,
    ) -> Result<ExitCode> {
        let server = self.server(by);
        let (layout, landing) = (&self.site.layout, self.site.layout.landing());
        let (lock, state) = match area {
            Area::Backend => (layout.lock(), layout.state()),
            Area::Landing => (landing.lock(), landing.state()),
        };
        let mut lock = Lock::take(&lock, &self.holder(&server, self.name()))?;
        let mut pipeline = self.pipeline(&self.site.signals);
        match self.journal(area) {
            Ok(journal) => pipeline = pipeline.state(State::new(state)).report(journal),
            // What frees a full disk needs no room on it.
            Err(_) if self.name() == "prune" => {}
            Err(error) => return Err(error),
        }
        let mut pipeline = pipeline.report(self.feed.report());
        let finished = pipeline.run(|cx| flow(cx, &server));
        if let Some(doing) = finished.result.as_ref().ok().and_then(stays) {
            lock.relabel(&self.holder(&server, &doing));
        }
        self.end(finished)
    }

    fn holder(&self, server: &Server, doing: &str) -> LockHolder {
        LockHolder {
            pid: std::process::id(),
            doing: doing.to_owned(),
            by: server.by.clone(),
            run: server.run.clone(),
            since_ms: server.now_ms,
        }
    }

    /// Tells the answer. What went wrong was told with the run's end.
    fn end<T: Serialize>(&self, finished: Finished<T>) -> Result<ExitCode> {
        match finished.result {
            Ok(answer) => Ok(self.tell(&answer)),
            Err(_) => Ok(finished.exit_code),
        }
    }

    /// Who replaces the agent is root on all of the server.
    fn install_agent(&self) -> Result<ExitCode> {
        let own = self.site.layout.environment();
        let all = policies(Layout::POLICIES.into())?;
        if let Some((other, _)) = all.iter().find(|(name, _)| name != own) {
            return Err(Error::refused(format!(
                "this agent serves {other} as well, so {own}'s admin may not replace it"
            ))
            .hint(format!("root puts the new one there: {}", Layout::AGENT)));
        }
        let content = brought(AGENT_BYTES)?;
        self.change(self.role(), move |cx, server| install_agent(cx, server, content.clone()))
    }

    fn push(&self, file: PushedFile) -> Result<ExitCode> {
        let content = brought(PUSHED_BYTES)?;
        self.change(self.role(), move |cx, server| push(cx, server, file, content.clone()))
    }

    fn boot(&self) -> Result<ExitCode> {
        let landing = self.boot_landing();
        let backend = self.change(self.role(), settle_all)?;
        Ok(if backend == ExitCode::Success { landing? } else { backend })
    }
}

/// What is done while a client moves `latest` to this release.
pub(crate) fn waits(release: &ReleaseId) -> String {
    format!("wait until `latest` is moved to {release}")
}

#[cfg(test)]
mod tests;
