//! The requests about the landing page, each with its answer.

use camino::Utf8Path;

use crate::{
    context::Context,
    error::{Error, Result},
    landing::{ContentHash, LandingStrategy, TreePath},
    protocol::{
        LandingAborted, LandingBegun, LandingFile, LandingIndex, LandingRelease, LandingReleased,
        LandingRequest, ReleaseId, Request, Who,
    },
};

use super::Remote;

impl Remote {
    /// What is published; with the hash of the client's own tree the tree is left out where
    /// both are the same.
    ///
    /// # Errors
    /// As [`Remote::observe`].
    pub fn landing_index(&self, cx: &Context, own: Option<ContentHash>) -> Result<LandingIndex> {
        self.observe(cx, Request::Landing(LandingRequest::Index(own)))
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

    /// Publishes what a transaction holds.
    ///
    /// # Errors
    /// As [`Remote::run`]; where it has failed, clients get what they had.
    pub fn landing_commit(
        &self,
        cx: &Context,
        transaction: &ReleaseId,
        hoped: LandingReleased,
    ) -> Result<LandingReleased> {
        self.run(cx, Request::Landing(LandingRequest::Commit(transaction.clone())), hoped)
    }

    /// Forgets a transaction.
    ///
    /// # Errors
    /// As [`Remote::run`].
    pub fn landing_abort(&self, cx: &Context, transaction: &ReleaseId) -> Result<LandingAborted> {
        let request = Request::Landing(LandingRequest::Abort(transaction.clone()));
        self.run(cx, request, LandingAborted::Aborted)
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
