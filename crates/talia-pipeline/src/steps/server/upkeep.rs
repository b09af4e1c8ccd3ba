//! What keeps a server in order.

use std::{fs, time::Duration};

use camino::Utf8PathBuf;

use crate::{
    command_line::{CommandLine, Leaves},
    error::Error,
    files,
    step::{Action, Step},
};

/// In this process: makes or removes the file that gives clients the maintenance page.
#[derive(Debug)]
pub struct SetMaintenance {
    file: Utf8PathBuf,
    on: bool,
    why: &'static str,
}

impl SetMaintenance {
    /// Makes this file, or removes it.
    pub fn new(file: impl Into<Utf8PathBuf>, on: bool) -> Self {
        Self { file: file.into(), on, why: "" }
    }

    /// Says why, in the file: so that whoever finds it knows.
    #[must_use]
    pub fn because(mut self, why: &'static str) -> Self {
        self.why = why;
        self
    }
}

impl Step for SetMaintenance {
    type Output = ();

    fn label(&self) -> String {
        format!("maintenance {}", if self.on { "on" } else { "off" })
    }

    fn action(&self) -> Action<'_, ()> {
        let verb = if self.on { "make" } else { "remove" };
        Action::work(format!("{verb} {}", self.file), || {
            let done = if self.on {
                fs::write(&self.file, self.why)
            } else {
                files::remove_if_there(&self.file)
            };
            done.map_err(|cause| {
                Error::step(format!("{} cannot be changed", self.file)).caused_by(cause)
            })
        })
    }

    fn assume(&self) {}
}

/// `sh -c 'exec setsid --fork -- sleep SECONDS …'`: leaves something behind that holds
/// whatever descriptors this process hands on, such as the lock, for a while.
///
/// Accepts exit 0. It has no stream of ours, so nobody waits for its end.
#[derive(Debug)]
pub struct HoldLock {
    time: Duration,
}

impl HoldLock {
    /// Holds it this long.
    pub fn new(time: Duration) -> Self {
        Self { time }
    }
}

impl Step for HoldLock {
    type Output = ();

    fn label(&self) -> String {
        "hold the lock for `latest`".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let script = format!(
            "exec setsid --fork -- sleep {} </dev/null >/dev/null 2>&1",
            self.time.as_secs()
        );
        let line = CommandLine::new("sh")
            .args(["-c", script.as_str()])
            .leaves(Leaves::Running)
            .timeout(Duration::from_secs(10))
            .purpose("no other release before `latest` is moved");
        Action::command(line, |_| Ok(()))
    }

    fn assume(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    #[test]
    fn hold_lock_minimal() {
        check("hold_lock__minimal", &HoldLock::new(Duration::from_secs(30)));
    }

    #[test]
    fn hold_lock_everything() {
        check("hold_lock__everything", &HoldLock::new(Duration::ZERO));
    }

    #[test]
    fn set_maintenance_minimal() {
        check(
            "set_maintenance__minimal",
            &SetMaintenance::new("/var/lib/talia/p/maintenance", true),
        );
    }
}
