//! What is answered about the landing page.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::landing::{ContentHash, LandingStrategy, Tree, TreePath};

use super::super::{
    lock_holder::LockHolder,
    word::{ReleaseId, RevisionId, Who},
};

/// A release of the landing page that is, or was, live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LandingTaken {
    /// Its id.
    pub release: ReleaseId,
    /// What it was made from; `None` for what stood there before the first release.
    #[serde(default)]
    pub revision: Option<RevisionId>,
    /// The hash of its tree.
    pub tree: ContentHash,
    /// When it went live last, in milliseconds since 1970.
    pub at_ms: u64,
    /// Who had it go live.
    pub by: Who,
}

/// What every release has at its top for all to read: `/.talia-version.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LandingVersion {
    /// Its id.
    pub release: ReleaseId,
    /// What it was made from.
    pub revision: RevisionId,
    /// The hash of its tree.
    pub tree: ContentHash,
}

/// Something that was changed by hand since the release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum LandingDrift {
    /// It was put there.
    Added {
        /// Where.
        path: TreePath,
    },
    /// It was edited, or is of another kind or mode.
    Changed {
        /// Where.
        path: TreePath,
    },
    /// It was taken away.
    Removed {
        /// Where.
        path: TreePath,
    },
}

impl LandingDrift {
    /// Where it is.
    pub fn path(&self) -> &TreePath {
        match self {
            Self::Added { path } | Self::Changed { path } | Self::Removed { path } => path,
        }
    }

    /// For people: `index.html was edited on the server`.
    pub fn told(&self) -> String {
        match self {
            Self::Added { path } => format!("{path} was put on the server by hand"),
            Self::Changed { path } => format!("{path} was edited on the server"),
            Self::Removed { path } => format!("{path} was removed from the server"),
        }
    }
}

/// A release that has begun and is not published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LandingTransaction {
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
    /// How long nothing was heard of it, in milliseconds.
    pub idle_ms: u64,
    /// Whether an rsync works in it now.
    pub works: bool,
}

impl LandingTransaction {
    /// Whether nothing works in it, and nothing was heard of it for so long: its client has
    /// gone.
    pub fn is_idle(&self, bound: Duration) -> bool {
        !self.works && u128::from(self.idle_ms) >= bound.as_millis()
    }
}

/// To `landing index`: what is published, and what a plan has to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LandingIndex {
    /// The live release; `None` where nothing, or a folder made by hand, is published.
    pub live: Option<LandingTaken>,
    /// The hash of what is published, with all that was changed by hand.
    pub hash: ContentHash,
    /// What is published; left out where the client knows it. What is the server's own is
    /// no part of it: protected names, hashed assets of older releases, and the release's
    /// own `.talia-version.json`.
    pub tree: Option<Tree>,
    /// What was changed by hand since the release.
    #[serde(default)]
    pub drift: Vec<LandingDrift>,
    /// A transaction that is open.
    #[serde(default)]
    pub transaction: Option<LandingTransaction>,
    /// A release that has been switched to, and whose agent ended before it said so. The
    /// next change puts it right.
    #[serde(default)]
    pub unfinished: Option<ReleaseId>,
    /// How the files are put in place.
    pub strategy: LandingStrategy,
    /// What stays where it is, whatever the client's tree has not: rsync must be told
    /// with `strategy = "in-place"`, and knows nothing of it otherwise.
    #[serde(default)]
    pub protected: Vec<TreePath>,
    /// What of that is there now.
    #[serde(default)]
    pub standing: Vec<TreePath>,
    /// Whether hashed assets that a release deletes are served on for the next ones.
    #[serde(default)]
    pub keeps_assets: bool,
    /// What a person should know before a release.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// To `landing begin`: the transaction is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LandingBegun {
    /// Its id, for `landing commit` and `landing abort`.
    pub transaction: ReleaseId,
    /// rsync's module: `HOST::MODULE/`.
    pub module: String,
    /// How the files are put in place.
    pub strategy: LandingStrategy,
    /// The transaction that gave way to this one.
    #[serde(default)]
    pub replaced: Option<ReleaseId>,
}

impl LandingBegun {
    /// The one module of every server.
    pub const MODULE: &str = "staging";

    /// A transaction of this id; of none that was open before.
    pub fn new(transaction: ReleaseId, strategy: LandingStrategy) -> Self {
        Self { transaction, module: Self::MODULE.to_owned(), strategy, replaced: None }
    }

    /// What a plan has in its place.
    pub fn planned(strategy: LandingStrategy) -> Self {
        Self::new(ReleaseId::planned(), strategy)
    }
}

/// What was asked of Nginx after a switch, and how it answered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LandingVerified {
    /// How many files were fetched and are what they should be.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many deleted paths are gone for clients.
    #[serde(default)]
    pub gone: u64,
    /// How many more deleted paths there are, that nobody was asked for: of very many a
    /// sample is.
    #[serde(default)]
    pub unasked: u64,
    /// Deleted paths that answer with another page of the release instead, such as its
    /// `index.html`.
    #[serde(default)]
    pub fallback: Vec<TreePath>,
    /// Files whose names begin with a dot, which Nginx gives nobody.
    #[serde(default)]
    pub hidden: Vec<TreePath>,
    /// How many pages that Nginx gives in place of an error alone were seen there.
    #[serde(default)]
    pub error_pages: u64,
    /// Such pages that nobody could have it give.
    #[serde(default)]
    pub unverified: Vec<TreePath>,
    /// Why nothing was asked.
    #[serde(default)]
    pub skipped: Option<String>,
}

/// To `landing commit` and `landing rollback`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LandingReleased {
    /// What is live now.
    pub live: LandingTaken,
    /// What was live before.
    #[serde(default)]
    pub before: Option<LandingTaken>,
    /// Whether it was so already.
    #[serde(default)]
    pub unchanged: bool,
    /// What clients get.
    #[serde(default)]
    pub verified: LandingVerified,
    /// How many hashed assets of older releases were kept.
    #[serde(default)]
    pub kept_assets: u64,
    /// Whether Nginx was reloaded.
    #[serde(default)]
    pub reloaded: bool,
}

impl LandingReleased {
    /// This one is live.
    pub fn new(live: LandingTaken) -> Self {
        Self {
            live,
            before: None,
            unchanged: false,
            verified: LandingVerified::default(),
            kept_assets: 0,
            reloaded: false,
        }
    }

    /// What a plan of a release has in its place.
    pub fn planned(tree: ContentHash, revision: RevisionId, by: Who) -> Self {
        let (release, revision) = (ReleaseId::planned(), Some(revision));
        Self::new(LandingTaken { release, revision, tree, at_ms: 0, by })
    }
}

/// To `landing abort`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LandingAborted {
    /// The transaction is forgotten; what is published is as it was.
    Aborted,
    /// There was none of this id.
    NothingOpen,
}

/// To `landing read`, for each path: what a published file holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LandingFile {
    /// Text of at most [`LandingFile::LONGEST`] bytes.
    Text {
        /// All of it.
        text: String,
    },
    /// Bytes that are no text.
    Binary {
        /// How many.
        size: u64,
    },
    /// More than [`LandingFile::LONGEST`] bytes.
    TooLong {
        /// How many.
        size: u64,
    },
    /// A symbolic link.
    Link {
        /// What it names.
        target: String,
    },
    /// A folder.
    Folder,
    /// Nothing is there that all may read.
    Missing,
}

impl LandingFile {
    /// The longest text that is answered, in bytes.
    pub const LONGEST: u64 = 1 << 20;
    /// After so many bytes of text the paths that are left are not answered: they are to
    /// be asked for again.
    pub const TOGETHER: u64 = 4 << 20;

    /// How many bytes of text it has.
    pub fn text_bytes(&self) -> u64 {
        match self {
            Self::Text { text } => text.len() as u64,
            _ => 0,
        }
    }
}

/// To `landing releases`: one that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LandingRelease {
    /// What it is.
    #[serde(flatten)]
    pub taken: LandingTaken,
    /// What was live before it.
    #[serde(default)]
    pub before: Option<ReleaseId>,
    /// How many files it has.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Whether clients get it now.
    pub is_live: bool,
    /// Why it was undone, if it was.
    #[serde(default)]
    pub undone: Option<String>,
}

/// The landing page in the answer to `status`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LandingState {
    /// What clients get now.
    pub live: Option<LandingTaken>,
    /// A transaction that is open.
    #[serde(default)]
    pub transaction: Option<LandingTransaction>,
    /// Who works on it.
    #[serde(default)]
    pub lock: Option<LockHolder>,
    /// A release that has begun and neither ended nor been undone.
    #[serde(default)]
    pub unfinished: Option<ReleaseId>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{landing::Entry, protocol::to_json};

    fn read_back<T>(answer: &T) -> String
    where
        T: Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
    {
        let text = to_json(answer);
        assert_eq!(serde_json::from_str::<T>(&text).unwrap(), *answer, "{text}");
        text
    }

    fn id() -> ReleaseId {
        "20261124T081500Z-0123456789ab".parse().unwrap()
    }

    fn taken() -> LandingTaken {
        LandingTaken {
            release: id(),
            revision: Some("0123456789abcdef0123456789abcdef01234567".parse().unwrap()),
            tree: ContentHash::of(b""),
            at_ms: 7,
            by: "ana@laptop".parse().unwrap(),
        }
    }

    #[test]
    fn every_answer_is_read_as_it_was_written() {
        let path: TreePath = "a b/ü\n".parse().unwrap();
        let entry = Entry::file(2, ContentHash::of(b"hi"));
        let revision = taken().revision.unwrap();
        let transaction = LandingTransaction {
            id: id(),
            tree: ContentHash::of(b""),
            revision: revision.clone(),
            by: taken().by,
            began_ms: 1,
            idle_ms: 2,
            works: true,
        };
        read_back(&LandingIndex {
            live: Some(taken()),
            hash: ContentHash::of(b"x"),
            tree: Some([(path.clone(), entry)].into_iter().collect()),
            drift: vec![LandingDrift::Changed { path: path.clone() }],
            transaction: Some(transaction.clone()),
            unfinished: None,
            strategy: LandingStrategy::InPlace,
            protected: vec![".well-known".parse().unwrap(), "assets/own".parse().unwrap()],
            standing: vec![".well-known".parse().unwrap()],
            keeps_assets: true,
            notes: vec!["a note".into()],
        });
        read_back(&LandingBegun::new(id(), LandingStrategy::Release));
        read_back(&LandingReleased {
            before: Some(LandingTaken { revision: None, ..taken() }),
            verified: LandingVerified { fallback: vec![path], ..LandingVerified::default() },
            ..LandingReleased::new(taken())
        });
        assert_eq!(read_back(&LandingAborted::NothingOpen), "\"nothing_open\"");
        read_back(&LandingFile::Text { text: "a\u{1b}\n".into() });
        read_back(&LandingFile::Missing);
        read_back(&LandingRelease {
            taken: taken(),
            before: Some(id()),
            files: 1,
            bytes: 2,
            is_live: true,
            undone: Some("why".into()),
        });
        read_back(&LandingState { transaction: Some(transaction), ..LandingState::default() });
    }

    #[test]
    fn what_an_older_agent_leaves_out_has_a_default() {
        let hash = ContentHash::of(b"");
        let index: LandingIndex = serde_json::from_str(&format!(
            r#"{{"live":null,"hash":"{hash}","tree":null,"strategy":"release","new":1}}"#
        ))
        .unwrap();
        assert!(index.drift.is_empty() && index.transaction.is_none());
    }
}
