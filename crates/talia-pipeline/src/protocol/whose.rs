//! Whose work is meant.

use std::fmt;

use crate::error::Result;

use super::{
    word::{RunId, Who},
    words::Words,
};

/// Whose work is to be cancelled: `ana@laptop`, `ana@laptop run 1795508100042-7`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whose {
    /// Who has asked for it.
    pub by: Who,
    /// In which run; any of theirs without it.
    pub run: Option<RunId>,
}

impl Whose {
    /// Reads what stands behind `by`.
    pub(super) fn parse(words: &mut Words<'_>) -> Result<Self> {
        Ok(Self { by: words.parse("a name")?, run: run(words)? })
    }
}

/// `run RUN`, where it comes next.
pub(super) fn run(words: &mut Words<'_>) -> Result<Option<RunId>> {
    words.flag("run").then(|| words.parse("a run's id")).transpose()
}

impl From<Who> for Whose {
    fn from(by: Who) -> Self {
        Self { by, run: None }
    }
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.by)?;
        match &self.run {
            Some(run) => write!(f, " run {run}"),
            None => Ok(()),
        }
    }
}
