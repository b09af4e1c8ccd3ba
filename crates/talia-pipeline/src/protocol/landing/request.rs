//! Requests about the landing page.

use std::fmt;

use crate::{
    error::{Error, Result},
    landing::{ContentHash, TreePath},
};

use super::super::{
    request::LONGEST,
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
    /// `landing index HASH|-`: what is published. With the hash of a tree that the client
    /// knows, the tree is left out of the answer where it is that one.
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
    /// `landing read PATH…`: what published files hold, as many as are answered at once
    /// ([`LandingFile::TOGETHER`](crate::protocol::LandingFile::TOGETHER)); each path
    /// percent-encoded.
    Read(Vec<TreePath>),
}

impl LandingRequest {
    /// Whether nothing on the server changes by it, not even the journal.
    pub fn is_read_only(&self) -> bool {
        matches!(self, Self::Index(_) | Self::Releases | Self::Read(_))
    }

    /// [`LandingRequest::Read`] of the first of these paths: as many as one request holds.
    pub(crate) fn read_first(paths: &[TreePath]) -> Self {
        let mut left = LONGEST - "landing read".len();
        let fits = |path: &&TreePath| {
            let fits = left.checked_sub(1 + path.encoded().len());
            left = fits.unwrap_or(0);
            fits.is_some()
        };
        let fit = paths.iter().take_while(fits).count();
        // One that is too long alone is refused there, and named.
        Self::Read(paths[..fit.max(1).min(paths.len())].to_vec())
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
            "read" => {
                let mut paths = Vec::new();
                while paths.is_empty() || !words.is_empty() {
                    paths.push(TreePath::decoded(words.next("a file's path")?)?);
                }
                Self::Read(paths)
            }
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
            Self::Read(paths) => {
                f.write_str("read")?;
                paths.iter().try_for_each(|path| write!(f, " {}", path.encoded()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Request;

    #[test]
    fn a_request_for_files_names_as_many_as_fit_and_one_at_least() {
        let paths: Vec<TreePath> =
            (0..200).map(|n| format!("ä/{n:03}{}", "x".repeat(40)).parse().unwrap()).collect();
        let request = Request::Landing(LandingRequest::read_first(&paths)).to_string();
        // `landing read` and, for each, a blank, 6 + 1 and 43 bytes.
        assert_eq!(request.len(), 12 + 80 * 51);
        assert_eq!(request.parse::<Request>().unwrap().to_string(), request);
        let last = LandingRequest::read_first(&paths[199..]);
        assert_eq!(last, LandingRequest::Read(paths[199..].to_vec()));
        let long: TreePath = vec!["ü".repeat(100); 20].join("/").parse().unwrap();
        let long = [long, paths[0].clone()];
        assert_eq!(LandingRequest::read_first(&long), LandingRequest::Read(long[..1].to_vec()));
    }
}
