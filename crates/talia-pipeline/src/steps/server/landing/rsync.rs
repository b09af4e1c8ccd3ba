//! The server's side of rsync.

use std::time::Duration;

use camino::Utf8PathBuf;

use crate::{
    command_line::{CommandLine, Effect},
    error::{Error, ErrorKind, Result},
    protocol::LockHolder,
    server::{Lock, end_holders},
    step::{Action, Step, Summary},
};

/// The oldest that knows how to refuse every option but some.
const OLDEST: (u32, u32) = (3, 2);
/// How often is tried to take the lock of an rsync whose client has gone; each try waits a
/// moment.
const TRIES: u32 = 15;

/// `rsync --version`: whether this server's rsync can be trusted with a daemon's rules.
///
/// Accepts exit 0; fails where it is older than 3.2.
#[derive(Debug)]
pub struct RsyncVersion;

impl Step for RsyncVersion {
    type Output = (u32, u32);

    fn label(&self) -> String {
        "rsync's version".into()
    }

    fn action(&self) -> Action<'_, (u32, u32)> {
        let line = CommandLine::new("rsync")
            .arg("--version")
            .effect(Effect::Read)
            .stdout_is_data()
            .timeout(Duration::from_secs(10))
            .purpose("whether this rsync refuses what it should");
        Action::command(line, |answer| {
            let told = version(&answer.stdout());
            let version = told.ok_or_else(|| answer.unreadable("rsync's version"))?;
            if version < OLDEST {
                let (major, minor) = version;
                return Err(Error::preflight(format!("this server's rsync is {major}.{minor}"))
                    .hint("install rsync 3.2 or newer there: older ones cannot be restricted"));
            }
            Ok(version)
        })
    }

    fn assume(&self) -> (u32, u32) {
        OLDEST
    }

    fn summary(&self, (major, minor): &(u32, u32)) -> Summary {
        Summary::line(format!("{major}.{minor}"))
    }
}

/// Of `rsync  version 3.2.7  protocol version 31`; an unreleased one has a `v` in front.
fn version(said: &str) -> Option<(u32, u32)> {
    let word = said.split_whitespace().skip_while(|word| *word != "version").nth(1)?;
    let mut numbers = word.trim_start_matches('v').split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// In this process: takes the lock that rsync holds while it works, so that none does.
#[derive(Debug)]
pub struct HoldRsync {
    path: Utf8PathBuf,
    holder: LockHolder,
}

impl HoldRsync {
    /// Takes this lock.
    pub fn new(path: impl Into<Utf8PathBuf>, holder: LockHolder) -> Self {
        Self { path: path.into(), holder }
    }

    fn hold(&self) -> Result<Lock> {
        for _ in 0..TRIES {
            match Lock::take(&self.path, &self.holder) {
                Err(error) if error.kind() == ErrorKind::Refused => {}
                taken => return taken,
            }
        }
        Err(Error::refused("an rsync still works on these files")
            .hint("wait until it has ended; `cargo xtask cancel` ends it"))
    }
}

impl Step for HoldRsync {
    type Output = Option<Lock>;

    fn label(&self) -> String {
        "no rsync works".into()
    }

    fn action(&self) -> Action<'_, Option<Lock>> {
        Action::work(format!("take the lock {}", self.path), || self.hold().map(Some))
    }

    fn assume(&self) -> Option<Lock> {
        None
    }
}

/// In this process: ends the rsync that works, if one does.
#[derive(Debug)]
pub struct EndRsync {
    path: Utf8PathBuf,
}

impl EndRsync {
    /// Ends whoever holds this lock.
    pub fn new(path: impl Into<Utf8PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

impl Step for EndRsync {
    type Output = Vec<u32>;

    fn label(&self) -> String {
        "end rsync".into()
    }

    fn action(&self) -> Action<'_, Vec<u32>> {
        Action::work(format!("end who holds {}", self.path), || end_holders(&self.path))
    }

    fn assume(&self) -> Vec<u32> {
        Vec::new()
    }

    fn summary(&self, ended: &Vec<u32>) -> Summary {
        Summary::line(if ended.is_empty() { "none worked" } else { "ended" })
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::*, *};
    use crate::{step::Answer, steps::testing::check};

    fn holder() -> LockHolder {
        let by = "ana".parse().unwrap();
        LockHolder { pid: 1, doing: "landing".into(), by, run: "r".into(), since_ms: 0 }
    }

    #[test]
    fn rsync_version_minimal() {
        check("rsync_version__minimal", &RsyncVersion);
    }

    #[test]
    fn hold_rsync_minimal() {
        check("hold_rsync__minimal", &HoldRsync::new(place().rsync_lock(), holder()));
    }

    #[test]
    fn end_rsync_minimal() {
        check("end_rsync__minimal", &EndRsync::new(place().rsync_lock()));
    }

    #[test]
    fn an_old_rsync_is_refused() {
        let told = |said: &str| {
            let Action::Command { read, .. } = RsyncVersion.action() else {
                unreachable!("a command")
            };
            read(&Answer::new(0, said, "")).map_err(|error| error.kind())
        };
        assert_eq!(told("rsync  version 3.2.7  protocol version 31\n"), Ok((3, 2)));
        assert_eq!(told("rsync  version v3.5.0pre1  protocol version 32\n"), Ok((3, 5)));
        assert_eq!(told("rsync  version 3.1.3  protocol version 31\n"), Err(ErrorKind::Preflight));
        assert_eq!(told("openrsync: protocol version 29\n"), Err(ErrorKind::Step));
    }
}
