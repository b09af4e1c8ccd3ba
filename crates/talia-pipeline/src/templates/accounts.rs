use std::fmt;

/// Where the agent is on every server. It and every folder above it belong to root.
pub const AGENT: &str = "/usr/local/lib/talia/talia-agent";

/// What a key may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// What CI holds: releases, rollbacks, questions.
    Deploy,
    /// A person's: restore, unlock, maintenance.
    Admin,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deploy => "deploy",
            Self::Admin => "admin",
        })
    }
}

/// The Unix users of one environment, one for each role.
///
/// ```
/// use talia_pipeline::templates::{Accounts, Role};
///
/// assert_eq!(Accounts::first().user(Role::Deploy), "deploy");
/// assert_eq!(Accounts::second("staging").user(Role::Admin), "talia-admin-staging");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accounts {
    deploy: String,
    admin: String,
}

impl Accounts {
    /// Those of a host's first environment: `deploy` and `talia-admin`.
    pub fn first() -> Self {
        Self { deploy: "deploy".into(), admin: "talia-admin".into() }
    }

    /// Those of another environment on the same host, which carry its name.
    pub fn second(environment: &str) -> Self {
        Self {
            deploy: format!("deploy-{environment}"),
            admin: format!("talia-admin-{environment}"),
        }
    }

    /// The user of this role.
    pub fn user(&self, role: Role) -> &str {
        match role {
            Role::Deploy => &self.deploy,
            Role::Admin => &self.admin,
        }
    }

    /// Both, in a fixed order.
    pub(super) fn both(&self) -> [(Role, &str); 2] {
        [Role::Deploy, Role::Admin].map(|role| (role, self.user(role)))
    }
}
