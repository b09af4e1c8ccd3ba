//! Requests about the landing page.

use std::fmt;

use crate::{
    error::{Error, Result},
    landing::{ContentHash, TreePath},
};

use super::super::{
    word::{ReleaseId, RevisionId, Who},
    words::Words,
};

/// What a client asks about the landing page.
///
/// A release of it is a transaction: [`Begin`](Self::Begin) opens it, rsync fills it
/// ([`Request::Rsync`](crate::protocol::Request::Rsync)), [`Commit`](Self::Commit)
/// publishes it.
///
/// ```
/// use talia_pipeline::protocol::Request;
///
/// let request: Request = "landing read a%20b.html".parse()?;
/// assert_eq!(request.to_string(), "landing read a%20b.html");
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LandingRequest {
    /// `landing index HASH|-`: what is published. With the hash of the client's own tree,
    /// the tree is left out of the answer where both are the same.
    Index(Option<ContentHash>),
    /// `landing begin HASH REVISION after ID|none by WHO [accept-drift]`, with
    /// [`TreeChanges`](crate::landing::TreeChanges) as JSON on standard input: opens a
    /// transaction.
    Begin {
        /// The hash of the tree that shall be published.
        tree: ContentHash,
        /// What it is made from.
        revision: RevisionId,
        /// The release that the client saw live, when it made its plan.
        after: Option<ReleaseId>,
        /// Who asks.
        by: Who,
        /// Whether files that were edited on the server may be replaced.
        accept_drift: bool,
    },
    /// `landing commit ID`: publishes what the transaction of this id holds.
    Commit(ReleaseId),
    /// `landing abort ID`: forgets the transaction of this id, and ends its rsync.
    Abort(ReleaseId),
    /// `landing rollback ID|- from LIVE by WHO`: publishes a kept release again.
    Rollback {
        /// Which one; without it, the one before the live one.
        to: Option<ReleaseId>,
        /// What the client saw live: asked twice, it leads back once.
        from: ReleaseId,
        /// Who asks.
        by: Who,
    },
    /// `landing releases`: those that are kept.
    Releases,
    /// `landing read PATH`: what a published file holds; the path percent-encoded.
    Read(TreePath),
}

impl LandingRequest {
    /// Whether nothing on the server changes by it, not even the journal.
    pub fn is_read_only(&self) -> bool {
        matches!(self, Self::Index(_) | Self::Releases | Self::Read(_))
    }

    /// Reads what stands behind `landing`.
    pub(in crate::protocol) fn parse(words: &mut Words<'_>) -> Result<Self> {
        Ok(match words.next("what is asked about the landing page")? {
            "index" => Self::Index(words.maybe("-", "a tree's hash or `-`")?),
            "begin" => {
                let (tree, revision) = (words.parse("a tree's hash")?, words.parse("a revision")?);
                words.keyword("after")?;
                let after = words.maybe("none", "the live release's id or `none`")?;
                words.keyword("by")?;
                let by = words.parse("a name")?;
                let accept_drift = words.flag("accept-drift");
                Self::Begin { tree, revision, after, by, accept_drift }
            }
            "commit" => Self::Commit(words.parse("a transaction's id")?),
            "abort" => Self::Abort(words.parse("a transaction's id")?),
            "rollback" => {
                let to = words.maybe("-", "a release's id or `-`")?;
                words.keyword("from")?;
                let from = words.parse("the live release's id")?;
                words.keyword("by")?;
                Self::Rollback { to, from, by: words.parse("a name")? }
            }
            "releases" => Self::Releases,
            "read" => Self::Read(TreePath::decoded(words.next("a file's path")?)?),
            _ => return Err(Error::refused("there is no such request about the landing page")),
        })
    }
}

impl fmt::Display for LandingRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("landing ")?;
        match self {
            Self::Index(None) => f.write_str("index -"),
            Self::Index(Some(hash)) => write!(f, "index {hash}"),
            Self::Begin { tree, revision, after, by, accept_drift } => {
                let after = after.as_ref().map_or("none", AsRef::as_ref);
                let drift = if *accept_drift { " accept-drift" } else { "" };
                write!(f, "begin {tree} {revision} after {after} by {by}{drift}")
            }
            Self::Commit(id) => write!(f, "commit {id}"),
            Self::Abort(id) => write!(f, "abort {id}"),
            Self::Rollback { to, from, by } => {
                let to = to.as_ref().map_or("-", AsRef::as_ref);
                write!(f, "rollback {to} from {from} by {by}")
            }
            Self::Releases => f.write_str("releases"),
            Self::Read(path) => write!(f, "read {}", path.encoded()),
        }
    }
}
