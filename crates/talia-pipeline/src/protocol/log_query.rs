//! Which records of the app's log are asked for.

use std::fmt;

use crate::error::Result;

use super::{
    word::{RequestId, Since},
    words::Words,
};

/// Which records of the app's log: `follow since 15m request 7f-3`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogQuery {
    /// Goes on as records come.
    pub follow: bool,
    /// No older ones.
    pub since: Option<Since>,
    /// Those of this request alone.
    pub request_id: Option<RequestId>,
}

impl LogQuery {
    /// Reads what stands behind `logs`.
    pub(super) fn parse(words: &mut Words<'_>) -> Result<Self> {
        let follow = words.flag("follow");
        let since = words.flag("since").then(|| words.parse("a time")).transpose()?;
        let request_id = words.flag("request").then(|| words.parse("an id")).transpose()?;
        Ok(Self { follow, since, request_id })
    }
}

/// As it stands at a request's end.
impl fmt::Display for LogQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.follow { " follow" } else { "" })?;
        if let Some(since) = &self.since {
            write!(f, " since {since}")?;
        }
        match &self.request_id {
            Some(id) => write!(f, " request {id}"),
            None => Ok(()),
        }
    }
}
