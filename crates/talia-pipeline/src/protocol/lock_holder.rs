//! Who works on a server.

use serde::{Deserialize, Serialize};

use super::{area::Area, word::Who};

/// Who holds the server's lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockHolder {
    /// Its process on the server.
    pub pid: u32,
    /// What it does: `release`.
    pub doing: String,
    /// Who asked for it.
    pub by: Who,
    /// Its run: that of the client, which names the client's logs; else the agent's own.
    pub run: String,
    /// Since when, in milliseconds since 1970.
    pub since_ms: u64,
}

impl LockHolder {
    /// Whether `cancel` ends it, which takes back what it has begun.
    pub fn is_cancellable(&self) -> bool {
        let doing = self.doing.split(' ').next().unwrap_or_default();
        ["release", "rollback", "landing", "rsync"].contains(&doing)
    }

    /// What it works on.
    fn area(&self) -> Area {
        match self.doing.split(' ').next() {
            Some("landing" | "rsync") => Area::Landing,
            _ => Area::Backend,
        }
    }

    /// What there is to do for whoever waits for it.
    pub fn advice(&self) -> String {
        if !self.is_cancellable() {
            return "wait until it has ended; `cargo xtask unlock` ends it at once".to_owned();
        }
        format!(
            "wait until it has ended, end it gently with `cargo xtask cancel {}`, or at once with \
             `cargo xtask unlock`",
            self.area()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_is_told_what_ends_it() {
        let advice = |doing: &str| {
            let by = "ana".parse().unwrap();
            LockHolder { pid: 1, doing: doing.into(), by, run: "1".into(), since_ms: 0 }.advice()
        };
        for (doing, command) in [
            ("release", "`cargo xtask cancel backend`"),
            ("rollback", "`cargo xtask cancel backend`"),
            ("landing commit", "`cargo xtask cancel landing`"),
            ("rsync", "`cargo xtask cancel landing`"),
        ] {
            assert!(advice(doing).contains(command), "{doing}: {}", advice(doing));
        }
        assert!(!advice("backup").contains("cancel"), "{}", advice("backup"));
    }
}
