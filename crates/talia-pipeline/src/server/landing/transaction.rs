//! A release that has begun: its tree is filled by rsync, then published or forgotten.

use std::{fs, time::UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::{LandingPlace, Own, beneath::Owner, files};
use crate::{
    error::{Error, Result},
    files::{remove_if_there, write_atomically_as},
    landing::{ContentHash, LandingStrategy, Tree},
    protocol::{LandingBegun, LandingTransaction, ReleaseId, RevisionId, Who},
    server::holder,
    templates::Rsyncd,
};

/// A release that has begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// Its id, and that of the release that it becomes.
    pub id: ReleaseId,
    /// The hash of the tree that shall be published.
    pub tree: ContentHash,
    /// What it is made from.
    pub revision: RevisionId,
    /// Who asked for it.
    pub by: Who,
    /// When it began, in milliseconds since 1970.
    pub began_ms: u64,
    /// The release that was live then.
    pub base: Option<ReleaseId>,
    /// How the files are put in place.
    pub strategy: LandingStrategy,
    /// The user that rsync works as, and their group.
    pub user: u32,
    /// See `user`.
    pub group: u32,
    /// Whether its tree is ready for rsync; until then a kill leaves half of one.
    pub is_open: bool,
    /// Whether its tree is root's again and was what was announced: from then on it gets
    /// what every release has beside its own files.
    #[serde(default)]
    pub is_checked: bool,
}

impl Transaction {
    /// The one that there is.
    ///
    /// # Errors
    /// When its file is not what an agent writes.
    pub fn read(place: &LandingPlace) -> Result<Option<Self>> {
        let path = place.transaction();
        files::read(&path).map_err(|error| {
            error.hint(format!(
                "a newer agent may have written it: install that one again; or forget the \
                 transaction, on the server: `rm {path}`"
            ))
        })
    }

    /// Writes it.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn write(&self, place: &LandingPlace) -> Result<()> {
        files::write(&place.transaction(), self)
    }

    /// Writes what is published, and what it shall become.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn announce(place: &LandingPlace, base: &Tree, announced: &Tree) -> Result<()> {
        files::write(&place.base(), base)?;
        files::write(&place.announced(), announced)
    }

    /// What was published when it began.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn base(place: &LandingPlace) -> Result<Tree> {
        let path = place.base();
        files::read(&path)?.ok_or_else(|| Error::step(format!("there is no {path}")))
    }

    /// Writes what rsync is told: it may change this folder, but for what is hidden.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn admit(&self, place: &LandingPlace, hidden: &Own) -> Result<()> {
        let folder = match self.strategy {
            LandingStrategy::Release => place.staging(),
            LandingStrategy::InPlace => place.web().to_owned(),
        };
        let module = LandingBegun::MODULE;
        let mut rsyncd = Rsyncd::new(module, folder, self.user, self.group).log(place.rsync_log());
        let mut files = vec![(place.rsync_log(), String::new())];
        if !hidden.is_empty() {
            rsyncd = rsyncd.hidden(place.rsync_hidden());
            files.push((place.rsync_hidden(), hidden.patterns()));
        }
        files.push((place.rsyncd(), rsyncd.render()));
        files.iter().try_for_each(|(path, text)| {
            write_atomically_as(path, text.as_bytes(), 0o600)
                .map_err(|cause| Error::step(format!("{path} cannot be written")).caused_by(cause))
        })
    }

    /// The tree that it shall become.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn announced(&self, place: &LandingPlace) -> Result<Tree> {
        let tree: Option<Tree> = files::read(&place.announced())?;
        tree.filter(|tree| tree.hash() == self.tree).ok_or_else(|| {
            Error::step(format!("{} is not the tree that was announced", place.announced()))
        })
    }

    /// Forgets it.
    ///
    /// # Errors
    /// When the file system does not let it go.
    pub fn forget(place: &LandingPlace) -> Result<()> {
        // Without the transaction's own file the others are nobody's.
        [place.transaction(), place.announced(), place.base()]
            .iter()
            .try_for_each(|path| remove_if_there(path))
            .map_err(|cause| Error::step("the transaction cannot be forgotten").caused_by(cause))
    }

    /// Ends it, and remembers what a release in place may have left of it.
    ///
    /// # Errors
    /// When the file system does not let it go.
    pub fn interrupt(place: &LandingPlace) -> Result<()> {
        remove_if_there(&place.transaction())
            .map_err(|cause| Error::step("the transaction cannot be ended").caused_by(cause))
    }

    /// Whose the tree is while rsync works.
    pub fn owner(&self) -> Owner {
        Owner { user: self.user, group: self.group }
    }

    /// As a client is told.
    ///
    /// # Errors
    /// When rsync's lock cannot be looked at.
    pub fn told(&self, place: &LandingPlace, now_ms: u64) -> Result<LandingTransaction> {
        let works = holder(&place.rsync_lock())?.is_some();
        // rsync writes there when it begins and when it ends.
        let heard = fs::metadata(place.rsync_log()).and_then(|data| data.modified()).ok();
        let heard_ms = heard
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
            .and_then(|time| u64::try_from(time.as_millis()).ok())
            .unwrap_or(0);
        Ok(LandingTransaction {
            id: self.id.clone(),
            tree: self.tree,
            revision: self.revision.clone(),
            by: self.by.clone(),
            began_ms: self.began_ms,
            idle_ms: now_ms.saturating_sub(self.began_ms.max(heard_ms)),
            works,
        })
    }
}
