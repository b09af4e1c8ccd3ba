//! The requests one by one, each with its answer.

use camino::Utf8Path;
use serde::de::DeserializeOwned;

use crate::{
    command_line::Stdin,
    context::Context,
    digest::Digest,
    error::{Error, Result},
    flows::Dependents,
    protocol::{
        Area, BackupList, BackupState, Cancelled, Drilled, LogQuery, Outlook, ReleaseId, Request,
        RestorePlan, Restored, RevisionId, ServerState, Version,
    },
    server::Record,
};

use super::{LONG, Remote, ask::Ask};

/// What an agent says to a verb that it does not know.
const UNKNOWN: &str = "there is no such request";
/// What a push may bring at most, as the agent has it.
const PUSHED_BYTES: u64 = 1 << 20;

impl Remote {
    /// What runs there now.
    ///
    /// # Errors
    /// As [`Remote::observe`].
    pub fn status(&self, cx: &Context) -> Result<ServerState> {
        self.observe(cx, Request::Status)
    }

    /// The releases that are kept there, the newest first.
    ///
    /// # Errors
    /// As [`Remote::observe`].
    pub fn releases(&self, cx: &Context) -> Result<Vec<Record>> {
        self.observe(cx, Request::Releases)
    }

    /// The backups that are kept there, the newest first.
    ///
    /// # Errors
    /// As [`Remote::observe`]; refused by an agent that is older than this request.
    pub fn backups(&self, cx: &Context) -> Result<BackupList> {
        self.observe(cx, Request::Backups).map_err(|error| {
            if !error.to_string().ends_with(UNKNOWN) {
                return error;
            }
            error.hint(self.addressed(
                "its agent is older than this client: `cargo xtask server agent install` brings \
                 one that knows backups",
            ))
        })
    }

    /// The app's own records that the query names, the oldest first.
    ///
    /// # Errors
    /// As [`Remote::observe`].
    pub fn logs(&self, cx: &Context, query: &LogQuery) -> Result<Vec<String>> {
        self.observe(cx, Request::Logs(LogQuery { follow: false, ..query.clone() }))
    }

    /// The same as they come, each told as an event, until somebody interrupts it.
    ///
    /// # Errors
    /// As [`Remote::observe`]; interrupted is how it ends well.
    pub fn follow_logs(&self, cx: &Context, query: &LogQuery) -> Result<()> {
        let request = Request::Logs(LogQuery { follow: true, ..query.clone() });
        let ssh = self.ssh(&request).timeout(LONG);
        cx.run(Ask::question(ssh).hoping(())).map_err(|error| self.located(error))
    }

    /// What a release of this image and revision would do; an image that is not there
    /// yet has no digest.
    ///
    /// # Errors
    /// As [`Remote::observe`].
    pub fn plan(
        &self,
        cx: &Context,
        digest: Option<Digest>,
        revision: RevisionId,
        accept_drift: bool,
    ) -> Result<Outlook> {
        self.observe(cx, Request::Plan { digest, revision, accept_drift })
    }

    /// Ends the release that is running there, whoever asked for it, unless it has
    /// switched: that of this area, else the only one. Tells what became of it.
    ///
    /// # Errors
    /// Refused where no area is named and two are running; as [`Remote::run`].
    pub fn cancel(&self, cx: &Context, area: Option<Area>) -> Result<Cancelled> {
        self.run(cx, Request::Cancel { area, whose: None }, Cancelled::Undone)
    }

    /// Says that the registry's `latest` names this release, so that the lock may go.
    ///
    /// # Errors
    /// As [`Remote::run`].
    pub fn latest_moved(&self, cx: &Context, release: &ReleaseId) -> Result<String> {
        let hoped = "the lock is free".to_owned();
        self.run(cx, Request::LatestMoved(release.clone()), hoped)
    }

    /// Ends every process that holds the server's lock; gives their numbers.
    ///
    /// # Errors
    /// As [`Remote::run`].
    pub fn unlock(&self, cx: &Context) -> Result<Vec<u32>> {
        self.run(cx, Request::Unlock, Vec::new())
    }

    /// Gives clients the maintenance page, or takes it away.
    ///
    /// # Errors
    /// As [`Remote::run`].
    pub fn maintenance(&self, cx: &Context, on: bool) -> Result<()> {
        self.run(cx, Request::Maintenance(on), ())
    }

    /// Removes what is not kept any more.
    ///
    /// # Errors
    /// As [`Remote::run`].
    pub fn prune(&self, cx: &Context) -> Result<()> {
        self.run(cx, Request::Prune, ())
    }

    /// Backs the database up, proven.
    ///
    /// # Errors
    /// As [`Remote::run`].
    pub fn backup(&self, cx: &Context) -> Result<BackupState> {
        self.run(cx, Request::Backup, BackupState::planned())
    }

    /// Restores a backup somewhere else and compares it; the last one without an id.
    ///
    /// # Errors
    /// As [`Remote::run`].
    pub fn drill(&self, cx: &Context, id: Option<&str>) -> Result<Drilled> {
        let hoped =
            Drilled { backup: BackupState::planned(), tables: 0, rows: 0, not_drilled: Vec::new() };
        self.run(cx, Request::Drill(id.map(str::to_owned)), hoped)
    }

    /// What [`Remote::restore`] would overwrite.
    ///
    /// # Errors
    /// As [`Remote::run`].
    pub fn restore_plan(&self, cx: &Context, id: &str) -> Result<RestorePlan> {
        self.run(cx, Request::RestorePlan(id.to_owned()), RestorePlan::planned())
    }

    /// Makes the database what it was in this backup. `accept_database`: though it is of
    /// another database.
    ///
    /// # Errors
    /// As [`Remote::run`].
    pub fn restore(
        &self,
        cx: &Context,
        id: &str,
        accept_database: bool,
        dependents: Dependents,
    ) -> Result<Restored> {
        let drop_dependents = dependents == Dependents::Drop;
        let request = Request::Restore { id: id.to_owned(), accept_database, drop_dependents };
        self.run(cx, request, Restored::planned())
    }

    /// Puts a file on the server, by one of the three pushes. Its content goes by
    /// standard input: it may hold secrets.
    ///
    /// # Errors
    /// A usage error when the file cannot be read, is empty or longer than 1 MiB; as
    /// [`Remote::run`].
    pub fn push(&self, cx: &Context, request: Request, file: &Utf8Path) -> Result<()> {
        let length = std::fs::metadata(file).map(|data| data.len()).map_err(|cause| {
            Error::usage(format!("the file {file} cannot be read")).caused_by(cause)
        })?;
        if !(1..=PUSHED_BYTES).contains(&length) {
            let what = if length == 0 { "is empty" } else { "is longer than 1 MiB" };
            return Err(Error::usage(format!("{file} {what}, so it is not pushed")));
        }
        self.send(cx, &request, file, ())
    }

    /// Puts this agent in the place of the one that answers; gives its version. For this,
    /// client and agent need not understand each other otherwise.
    ///
    /// # Errors
    /// When it does not run there: the one before stays; as [`Remote::run`].
    pub fn install_agent(&self, cx: &Context, file: &Utf8Path) -> Result<Version> {
        self.send(cx, &Request::AgentInstall, file, Version::own())
    }

    pub(super) fn send<T: DeserializeOwned + Clone + Send>(
        &self,
        cx: &Context,
        request: &Request,
        file: &Utf8Path,
        hoped: T,
    ) -> Result<T> {
        let ssh = self.ssh(request).stdin(Stdin::File(file.to_owned()));
        self.finished(cx, request, cx.run(Ask::change(ssh, hoped)))
    }
}
