//! Whose key asks.

use std::str::FromStr;

use crate::error::{Error, Result};

/// Whose key asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// What a CI job holds: releases, and reads.
    Deploy,
    /// A person's: what changes files, data or the agent itself as well.
    Admin,
}

impl Role {
    /// As a server's forced command names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Admin => "admin",
        }
    }
}

impl FromStr for Role {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "deploy" => Ok(Self::Deploy),
            "admin" => Ok(Self::Admin),
            _ => Err(Error::usage("a role is `deploy` or `admin`")),
        }
    }
}
