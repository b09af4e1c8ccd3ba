//! What is so now, as the disk says.

use std::{collections::BTreeSet, fs, io};

use camino::{Utf8Path, Utf8PathBuf};

use super::{
    LandingPlace, LandingRecord, LandingRecords, Transaction,
    beneath::{Folder, Type, type_of},
};
use crate::{
    error::{Error, Result},
    landing::LandingStrategy,
    parse::visible,
    protocol::ReleaseId,
    server::Fate,
};

/// What stands at the live path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum AtWeb {
    /// Nothing.
    #[default]
    Nothing,
    /// A folder: made by hand, or by a release in place.
    Folder,
    /// A link to the tree of this release.
    Release(ReleaseId),
    /// A link to something else, or no folder at all; for people.
    Other(String),
}

/// What a flow begins from. A flow that changes it says so here, too: so its plan knows
/// what will be so by then.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LandingSeen {
    /// What stands at the live path.
    pub web: AtWeb,
    /// Every record.
    pub records: LandingRecords,
    /// The transaction, if one has begun.
    pub transaction: Option<Transaction>,
    /// Which releases have their tree.
    pub trees: BTreeSet<ReleaseId>,
    /// What else stands among the trees, for people.
    pub strays: Vec<String>,
    /// Whether there is a staging tree.
    pub has_staging: bool,
    /// Whether rsync's lock is held here, so that no rsync works.
    pub no_rsync: bool,
    /// Whether the client of the transaction has gone, and has left the live folder to
    /// rsync.
    pub is_left: bool,
    /// Whether the folder that was live before the first release stands where a switch
    /// puts it, and not yet among the trees.
    pub has_switched_folder: bool,
}

impl LandingSeen {
    /// Looks.
    ///
    /// # Errors
    /// When something cannot be looked at.
    pub fn look(place: &LandingPlace) -> Result<Self> {
        let cannot = |cause: io::Error| {
            Error::step(format!("what is published at {} cannot be looked at", place.web()))
                .caused_by(cause)
        };
        let mut seen = Self {
            web: at_web(place).map_err(cannot)?,
            records: LandingRecords::read(place)?,
            transaction: Transaction::read(place)?,
            has_staging: is_folder(&place.staging()).map_err(cannot)?,
            has_switched_folder: is_folder(&place.switch()).map_err(cannot)?,
            ..Self::default()
        };
        seen.look_at_trees(place).map_err(cannot)?;
        Ok(seen)
    }

    fn look_at_trees(&mut self, place: &LandingPlace) -> io::Result<()> {
        let releases = match Folder::open(&place.releases()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            releases => releases?,
        };
        releases.names(|name| {
            let is_folder = type_of(&releases.look(name)?) == Type::Folder;
            let name = name.to_string_lossy();
            match name.parse() {
                Ok(id) if is_folder => drop(self.trees.insert(id)),
                _ => self.strays.push(visible(&name)),
            }
            Ok(())
        })
    }

    /// The release that clients get; `None` where there is none, or a folder made by hand.
    pub fn live(&self) -> Option<&LandingRecord> {
        match &self.web {
            AtWeb::Release(id) => self.records.get(id).filter(|_| self.is_there(id)),
            AtWeb::Folder => {
                let newest = self.records.all.iter().rev().find(|record| record.was_good());
                newest.filter(|record| record.strategy == LandingStrategy::InPlace)
            }
            AtWeb::Nothing | AtWeb::Other(_) => None,
        }
    }

    /// The live release that nobody has said to be well.
    pub fn unsaid(&self) -> Option<&LandingRecord> {
        self.live().filter(|live| live.fate == Fate::Begun)
    }

    /// The folder that clients get files of, where it is one that can be released from.
    pub fn root(&self, place: &LandingPlace) -> Option<Utf8PathBuf> {
        match &self.web {
            AtWeb::Release(id) if self.is_there(id) => Some(place.release(id)),
            AtWeb::Release(_) => None,
            AtWeb::Folder => Some(place.web().to_owned()),
            AtWeb::Nothing | AtWeb::Other(_) => None,
        }
    }

    /// The release that the live path names where its tree is there and its record is not,
    /// or cannot be read: nothing is known of what clients get.
    pub fn unknown(&self) -> Option<&ReleaseId> {
        match &self.web {
            AtWeb::Release(id) if self.has_tree(id) && self.records.get(id).is_none() => Some(id),
            _ => None,
        }
    }

    /// Whether this release could be live at once.
    pub fn has_tree(&self, id: &ReleaseId) -> bool {
        self.trees.contains(id)
    }

    /// A tree that has just been switched from may not stand where it should.
    fn is_there(&self, id: &ReleaseId) -> bool {
        self.has_tree(id) || self.has_switched_folder
    }
}

fn at_web(place: &LandingPlace) -> io::Result<AtWeb> {
    let web = place.web();
    let data = match fs::symlink_metadata(web) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(AtWeb::Nothing),
        data => data?,
    };
    if data.is_dir() {
        return Ok(AtWeb::Folder);
    }
    if !data.is_symlink() {
        return Ok(AtWeb::Other(format!("{web} is no folder")));
    }
    let target = web.read_link_utf8()?;
    let id = target.file_name().and_then(|name| name.parse().ok());
    Ok(match id {
        Some(id) if target == place.link_to(&id) => AtWeb::Release(id),
        _ => AtWeb::Other(format!("{web} is a link to {target}")),
    })
}

fn is_folder(path: &Utf8Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        data => Ok(data?.is_dir()),
    }
}
