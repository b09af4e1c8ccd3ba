//! The requests about the landing page, each with its answer.

use camino::Utf8Path;

use crate::{
    context::Context,
    error::{Error, ErrorKind, Result},
    landing::{ContentHash, LandingStrategy, TreePath},
    protocol::{
        LandingAborted, LandingBegun, LandingFile, LandingIndex, LandingRelease, LandingReleased,
        LandingRequest, ReleaseId, Request, Version, Who,
    },
    step::Step,
    steps::ssh::SshClose,
};

use super::{CANCELLED_WITHIN, Remote, ask::Ask};

impl Remote {
    /// As [`Remote::open`], and answers a question of this machine meanwhile.
    ///
    /// # Errors
    /// As [`Remote::open`] and [`Context::observe`].
    pub fn open_beside<S>(&self, cx: &Context, question: S) -> Result<S::Output>
    where
        S: Step<Output: Clone + 'static>,
    {
        if !self.has_agent() {
            self.open(cx)?;
            return cx.observe_once(question);
        }
        cx.finally(SshClose::new(&self.connection));
        let hello = Ask::question(self.ssh(&Request::Hello(Version::own())));
        let both = cx.observe_both(hello, question);
        let (hello, answer) = both.map_err(|error| self.located(error))?;
        self.greeted(hello)?;
        Ok(answer)
    }

    /// What is published, and meanwhile an answer of this machine. With the hash of a tree
    /// that the client knows, the tree is left out where that is what is published.
    ///
    /// # Errors
    /// As [`Remote::observe`] and [`Context::observe`].
    pub fn landing_index_beside<S>(
        &self,
        cx: &Context,
        known: Option<ContentHash>,
        question: S,
    ) -> Result<(LandingIndex, S::Output)>
    where
        S: Step<Output: Clone + 'static>,
    {
        let request = Request::Landing(LandingRequest::Index(known));
        let index = Ask::question(self.ssh(&request));
        cx.observe_both(index, question).map_err(|error| self.located(error))
    }

    /// The releases of the landing page that are kept, the newest first.
    ///
    /// # Errors
    /// As [`Remote::observe`].
    pub fn landing_releases(&self, cx: &Context) -> Result<Vec<LandingRelease>> {
        self.observe(cx, Request::Landing(LandingRequest::Releases))
    }

    /// What published files hold, in as many requests as they need.
    ///
    /// # Errors
    /// As [`Remote::observe`].
    pub fn landing_files(&self, cx: &Context, paths: &[TreePath]) -> Result<Vec<LandingFile>> {
        let mut files: Vec<LandingFile> = Vec::new();
        while let Some(left) = paths.get(files.len()..).filter(|left| !left.is_empty()) {
            let request = Request::Landing(LandingRequest::read_first(left));
            let told: Vec<LandingFile> = self.observe(cx, request)?;
            if told.is_empty() || told.len() > left.len() {
                return Err(Error::step("the agent has not told what was asked for"));
            }
            files.extend(told);
        }
        Ok(files)
    }

    /// Opens a transaction: `request` is [`LandingRequest::Begin`], `changes` the file with
    /// what shall change.
    ///
    /// # Errors
    /// As [`Remote::run`].
    pub fn landing_begin(
        &self,
        cx: &Context,
        request: LandingRequest,
        changes: &Utf8Path,
        strategy: LandingStrategy,
    ) -> Result<LandingBegun> {
        self.send(cx, &Request::Landing(request), changes, LandingBegun::planned(strategy))
    }

    /// Publishes what a transaction holds. An interrupt has the agent take it back, unless
    /// clients get it already.
    ///
    /// # Errors
    /// As [`Remote::run`]; where it has failed, clients get what they had.
    pub fn landing_commit(
        &self,
        cx: &Context,
        transaction: &ReleaseId,
        hoped: LandingReleased,
    ) -> Result<LandingReleased> {
        let request = Request::Landing(LandingRequest::Commit(transaction.clone()));
        self.run(cx, request, hoped).map_err(|error| match error.kind() {
            ErrorKind::Interrupted if cx.is_cancelled() => {
                let label = error.step_label().unwrap_or_default();
                self.commit_cancelled(cx, transaction, label)
            }
            _ => error,
        })
    }

    /// Has the agent take back what it was about to publish; tells what has come of it.
    fn commit_cancelled(&self, cx: &Context, transaction: &ReleaseId, label: &str) -> Error {
        let (kind, message) = match self.landing_abort(cx, transaction) {
            Ok(LandingAborted::Aborted | LandingAborted::NothingOpen) => (
                ErrorKind::Interrupted,
                "interrupted; the server took it back, clients get what they had".to_owned(),
            ),
            Err(error) if error.kind() == ErrorKind::Refused => {
                (ErrorKind::Interrupted, format!("interrupted, and not taken back: {error}"))
            }
            Err(error) => (
                ErrorKind::Unknown,
                format!("interrupted, and the server has not said that it took it back: {error}"),
            ),
        };
        let hint = format!("`{}` tells what is live", self.status_command());
        Error::new(kind, message).hint(hint).in_step(label)
    }

    /// Forgets a transaction, though the run was interrupted; also one that is about to be
    /// published.
    ///
    /// # Errors
    /// As [`Remote::run`]; refused where it is live already.
    pub fn landing_abort(&self, cx: &Context, transaction: &ReleaseId) -> Result<LandingAborted> {
        let request = Request::Landing(LandingRequest::Abort(transaction.clone()));
        let mut ssh = self.ssh(&request);
        if cx.is_cancelled() {
            ssh = ssh.timeout(CANCELLED_WITHIN);
        }
        cx.sheltered(|cx| cx.run(Ask::change(ssh, LandingAborted::Aborted)))
            .map_err(|error| self.located(error))
    }

    /// Publishes a kept release again; without `to` the one before the live one.
    ///
    /// # Errors
    /// As [`Remote::run`].
    pub fn landing_rollback(
        &self,
        cx: &Context,
        to: Option<ReleaseId>,
        from: ReleaseId,
        by: Who,
        hoped: LandingReleased,
    ) -> Result<LandingReleased> {
        self.run(cx, Request::Landing(LandingRequest::Rollback { to, from, by }), hoped)
    }
}
