//! Which commit is meant, and whether it may go where it is to go.

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use crate::{
    context::Context,
    error::{Error, ErrorKind, Result},
    protocol::RevisionId,
    steps::git::{Ancestor, ResolveRevision, RevisionOf, WorkingTree},
};

/// The commit that is meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Chosen {
    /// Its hash, marked where the tree differs from it.
    pub revision: RevisionId,
    /// When it was made.
    pub committed_at: String,
}

/// What is to be released, before it is known which commit that is.
#[derive(Debug, Clone)]
pub struct Wish<'a> {
    root: Utf8PathBuf,
    watched: Utf8PathBuf,
    named: Option<&'a str>,
    takes_name: bool,
    branch: Option<&'a str>,
    differs: Option<bool>,
}

impl<'a> Wish<'a> {
    /// What is checked out in the repository of `root`, of which the files below `watched`
    /// are released.
    pub fn new(root: &Utf8Path, watched: &Utf8Path) -> Self {
        let (root, watched) = (root.into(), watched.into());
        Self { root, watched, named: None, takes_name: false, branch: None, differs: None }
    }

    /// A commit that is named in any of git's ways, where there is a name: with
    /// `--revision`.
    #[must_use]
    pub fn named(self, named: Option<&'a str>) -> Self {
        Self { named, takes_name: true, ..self }
    }

    /// Only clean commits of this branch, where there is one.
    #[must_use]
    pub fn branch(self, branch: Option<&'a str>) -> Self {
        Self { branch, ..self }
    }

    /// Whether the tree differs from its commit, for whoever has asked already.
    #[must_use]
    pub fn differs(self, differs: bool) -> Self {
        Self { differs: Some(differs), ..self }
    }

    /// Finds the commit. Where a branch is asked for, only its clean commits may go; else a
    /// tree that differs from its commit may go as well, and is marked.
    ///
    /// # Errors
    /// Refused with the reason; a usage error when the clone has no such commit.
    pub fn choose(&self, cx: &Context) -> Result<Chosen> {
        let named = self.named.unwrap_or("HEAD");
        let hash = cx.observe(ResolveRevision::new(&self.root, named))?;
        let commit = cx.observe(RevisionOf::new(&self.root).named(&hash))?;
        let revision: RevisionId = commit.hash.parse()?;
        // A commit that is named is taken from the commit, whatever the tree looks like.
        let dirty = match (self.named, self.differs) {
            (Some(_), _) => false,
            (None, Some(differs)) => differs,
            (None, None) => cx.observe(WorkingTree::new(&self.watched))?,
        };
        let chosen = |revision| Chosen { revision, committed_at: commit.committed_at.clone() };
        let Some(branch) = self.branch else {
            return Ok(chosen(if dirty { revision.dirty() } else { revision }));
        };
        if dirty {
            return Err(Error::refused(format!(
                "the working tree differs from {}, and only clean commits of {branch} go there",
                revision.short()
            ))
            .hint(match self.takes_name {
                true => "commit what is meant, or name the commit: `--revision HEAD`",
                false => "commit what is meant, or put it aside: `git stash --include-untracked`",
            }));
        }
        if !cx.observe(Ancestor::new(&self.root, &hash, branch))? {
            return Err(Error::refused(format!(
                "{} is not in {branch}, and only commits of that branch go there",
                revision.short()
            ))
            .hint("merge it first; if it is merged already: `git fetch origin`"));
        }
        Ok(chosen(revision))
    }
}

/// Refuses a commit that does not contain what is live, also where this clone cannot tell.
/// Where the environment's history is
/// not kept, by a branch, only an older one is refused. `back` is the command that goes
/// back on purpose.
pub(super) fn refuse_older(
    cx: &Context,
    root: &Utf8Path,
    live: &RevisionId,
    revision: &RevisionId,
    is_kept: bool,
    back: &str,
) -> Result<()> {
    match cx.observe(Ancestor::new(root, live.commit(), revision.commit())) {
        Ok(true) => return Ok(()),
        Ok(false) => {}
        Err(error) if error.kind() == ErrorKind::Usage => {
            let lacks = format!("this clone does not have {}, which is live", live.short());
            if !is_kept {
                cx.note(format!("{lacks}: it is replaced"));
                return Ok(());
            }
            let fetch = error.hint_text().unwrap_or_default().to_owned();
            return Err(Error::refused(format!(
                "{lacks}: nobody can tell whether {} goes back behind it",
                revision.short()
            ))
            .caused_by(error)
            .hint(fetch));
        }
        Err(error) => return Err(error),
    }
    let is_older = cx.observe(Ancestor::new(root, revision.commit(), live.commit()))?;
    let (live, short) = (live.short(), revision.short());
    if is_older {
        return Err(Error::refused(format!("{short} is older than {live}, which is live"))
            .hint(format!("`cargo xtask {back}` goes back")));
    }
    if !is_kept {
        // Nobody keeps this environment's history: a rebase is no reason to stop.
        cx.note(format!("{short} does not contain {live}, which is live: it is replaced"));
        return Ok(());
    }
    Err(Error::refused(format!("{short} does not contain {live}, which is live"))
        .hint(format!("merge {live} into it first: `git merge {live}`")))
}
