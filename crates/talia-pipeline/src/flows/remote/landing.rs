//! The requests about the landing page.

use camino::Utf8Path;

use crate::{
    command_line::Stdin,
    context::Context,
    error::Result,
    landing::{ContentHash, LandingStrategy, TreePath},
    protocol::{
        LandingAborted, LandingBegun, LandingFile, LandingIndex, LandingRelease, LandingReleased,
        LandingRequest, ReleaseId, Request,
    },
};

use super::{Remote, ask::Ask};

impl Remote {
    /// What is published. With the hash of the client's own tree, the tree is left out of
    /// the answer where both are the same.
    ///
    /// # Errors
    /// As [`Remote::observe`].
    pub fn landing_index(&self, cx: &Context, own: Option<ContentHash>) -> Result<LandingIndex> {
        self.observe(cx, Request::Landing(LandingRequest::Index(own)))
    }

    /// The kept releases, the newest first.
    ///
    /// # Errors
    /// As [`Remote::observe`].
    pub fn landing_releases(&self, cx: &Context) -> Result<Vec<LandingRelease>> {
        self.observe(cx, Request::Landing(LandingRequest::Releases))
    }

    /// What a published file holds.
    ///
    /// # Errors
    /// As [`Remote::observe`].
    pub fn landing_read(&self, cx: &Context, path: &TreePath) -> Result<LandingFile> {
        self.observe(cx, Request::Landing(LandingRequest::Read(path.clone())))
    }

    /// Opens a transaction by this [`LandingRequest::Begin`]; `changes` is a file with its
    /// [`TreeChanges`](crate::landing::TreeChanges) as JSON, `strategy` what a plan goes
    /// on with.
    ///
    /// # Errors
    /// Refused while another transaction is open, another release is live, or files were
    /// edited on the server; as [`Remote::run`].
    pub fn landing_begin(
        &self,
        cx: &Context,
        begin: LandingRequest,
        changes: &Utf8Path,
        strategy: LandingStrategy,
    ) -> Result<LandingBegun> {
        let request = Request::Landing(begin);
        let ssh = self.ssh(&request).stdin(Stdin::File(changes.to_owned()));
        let ask = Ask::change(ssh, LandingBegun::planned(strategy));
        self.finished(cx, &request, cx.run(ask))
    }

    /// Publishes what the transaction holds; `hoped` is what a plan goes on with.
    ///
    /// # Errors
    /// Refused when it is not what was announced; failed when clients do not get it, and
    /// then they get the release before it; as [`Remote::run`].
    pub fn landing_commit(
        &self,
        cx: &Context,
        transaction: &ReleaseId,
        hoped: LandingReleased,
    ) -> Result<LandingReleased> {
        self.run(cx, Request::Landing(LandingRequest::Commit(transaction.clone())), hoped)
    }

    /// Forgets the transaction.
    ///
    /// # Errors
    /// As [`Remote::run`].
    pub fn landing_abort(&self, cx: &Context, transaction: &ReleaseId) -> Result<LandingAborted> {
        let request = LandingRequest::Abort(transaction.clone());
        self.run(cx, Request::Landing(request), LandingAborted::Aborted)
    }

    /// Publishes a kept release again, by this [`LandingRequest::Rollback`]; `hoped` is what
    /// a plan goes on with.
    ///
    /// # Errors
    /// As [`Remote::landing_commit`].
    pub fn landing_rollback(
        &self,
        cx: &Context,
        rollback: LandingRequest,
        hoped: LandingReleased,
    ) -> Result<LandingReleased> {
        self.run(cx, Request::Landing(rollback), hoped)
    }
}
