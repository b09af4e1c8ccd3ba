//! A refusal, with what to do next.

use camino::Utf8Path;
use serde::Serialize;

use crate::{
    error::Error,
    landing::{Filters, LocalIndex, Places},
    parse::visible,
};

/// What is guarded against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Guard {
    /// A source that is not in the repository.
    Outside,
    /// Names that are not UTF-8.
    NotUtf8,
    /// Sockets, named pipes and devices.
    Special,
    /// What cannot be read.
    Unreadable,
    /// What is written to just now.
    Changed,
    /// What is in too many folders.
    TooDeep,
    /// A source without any file.
    Empty,
    /// A source without a required file.
    Missing,
    /// What looks like a secret.
    Secrets,
    /// What looks like something that nobody meant to publish.
    Junk,
    /// Links that leave the tree.
    Links,
    /// Files that are too large.
    Large,
    /// What is not committed.
    Dirty,
    /// More to be deleted or renamed than is usual.
    Deletions,
}

impl Guard {
    /// The flag that lets it pass; `None` where nothing does.
    pub fn flag(self) -> Option<&'static str> {
        Some(match self {
            Self::Empty => "--allow-empty",
            Self::Missing => "--allow-missing",
            Self::Secrets => "--allow-secrets",
            Self::Junk => "--allow-junk",
            Self::Links => "--allow-links",
            Self::Large => "--allow-large",
            Self::Dirty => "--allow-dirty",
            Self::Deletions => "--allow-deletions",
            Self::Outside => "--allow-outside",
            Self::Unreadable => "--allow-unreadable",
            Self::NotUtf8 | Self::Special | Self::Changed | Self::TooDeep => return None,
        })
    }
}

/// What a guard refuses. As an [`Error`] it ends a run with exit code 4.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Refused {
    /// The guard.
    pub guard: Guard,
    /// What is refused, and where it is.
    pub what: String,
    /// What to do next.
    pub hint: String,
}

impl Refused {
    fn new(guard: Guard, what: String, hint: impl Into<String>) -> Self {
        Self { guard, what, hint: hint.into() }
    }

    pub(super) fn outside(source: &Utf8Path, repository: &Utf8Path) -> Self {
        Self::new(
            Guard::Outside,
            format!(
                "the landing page's source {} is not in the repository {}",
                visible(source.as_str()),
                visible(repository.as_str())
            ),
            "name a folder of the repository in `[landing]`, a link in it that leads out is none; \
             `--allow-outside` publishes what no commit has, and marks it",
        )
    }

    pub(super) fn empty(index: &LocalIndex) -> Self {
        let hidden = match index.counts.hidden {
            0 => "",
            _ => ", besides what its filters hide",
        };
        Self::new(
            Guard::Empty,
            format!("there is no file in {}{hidden}", visible(index.source.as_str())),
            "build the page, or look why its build has left nothing; `--allow-empty` takes \
             everything off the server",
        )
    }

    pub(super) fn deletions(deleted: u64, of: u64, limits: &str) -> Self {
        let files = if of == 1 { "file" } else { "files" };
        Self::new(
            Guard::Deletions,
            format!(
                "{deleted} of {of} {files} on the server would be deleted or renamed: more than \
                 {limits}"
            ),
            format!("look at the plan; if it is meant: `--allow-deletions {deleted}`"),
        )
    }

    /// For a guard that names places of the source; `None` when there is none.
    pub(super) fn places(guard: Guard, source: &Utf8Path, places: &Places) -> Option<Self> {
        let one_or = |one, many| if places.count() == 1 { one } else { many };
        let (what, hint) = match guard {
            Guard::NotUtf8 => (
                one_or("a name that is not UTF-8", "names that are not UTF-8"),
                "rename it in UTF-8; the bytes that are not are shown as `\\xff`".to_owned(),
            ),
            Guard::Special => {
                (one_or("something that is no file", "things that are no files"), hide("remove it"))
            }
            Guard::Unreadable => (
                one_or("something that cannot be read", "things that cannot be read"),
                format!(
                    "{}; `--allow-unreadable` leaves it out, and takes it off the server",
                    hide("let your user read it (`chmod u+r`, folders `u+rx`)")
                ),
            ),
            Guard::Changed => (
                one_or(
                    "a file that changed while it was read",
                    "files that changed while they were read",
                ),
                "wait until the build has ended, and start again".to_owned(),
            ),
            Guard::TooDeep => (
                one_or("something that is too deep", "things that are too deep"),
                hide("move it up: at most 100 folders, and paths of 3000 bytes"),
            ),
            Guard::Missing => (
                one_or("no required file", "no required files"),
                "build the page, or change what `[landing]` requires; `--allow-missing` publishes \
                 it without"
                    .to_owned(),
            ),
            Guard::Secrets => (
                one_or("what looks like a secret", "what look like secrets"),
                format!(
                    "{}; if everybody may read it, allow its pattern in `[landing]`, or once: \
                     `--allow-secrets`",
                    hide("move it away")
                ),
            ),
            Guard::Junk => (
                "what nobody means to publish",
                format!(
                    "{}; or allow its pattern in `[landing]`, or once: `--allow-junk`",
                    hide("remove it")
                ),
            ),
            Guard::Links => (
                one_or("a link that leaves it", "links that leave it"),
                format!(
                    "{}, or copy what it names; where `links_out` of the server's policy allows \
                     it, `--allow-links` publishes it, and it leads elsewhere there",
                    hide("make it relative, to something in the source")
                ),
            ),
            Guard::Large => (
                one_or("a file that is too large", "files that are too large"),
                format!(
                    "{}; or raise the limit in `[landing]`, or once: `--allow-large`",
                    hide("make it smaller")
                ),
            ),
            Guard::Dirty => (
                "what is not committed",
                "commit it, or take it back; what git ignores is published with `--allow-dirty`, \
                 other changes never are where only commits of a branch go"
                    .to_owned(),
            ),
            Guard::Outside | Guard::Empty | Guard::Deletions => return None,
        };
        let has = if guard == Guard::Dirty { "would publish" } else { "has" };
        let source = visible(source.as_str());
        let what = format!("the landing page's source {source} {has} {what}: {places}");
        (!places.is_empty()).then(|| Self::new(guard, what, hint))
    }
}

/// The other way out that most have.
fn hide(first: &str) -> String {
    format!("{first}, or hide it in {}", Filters::FILE)
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        Self::refused(refused.what).hint(refused.hint)
    }
}
