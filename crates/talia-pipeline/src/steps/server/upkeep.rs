//! What keeps a server in order.

use std::fs;

use camino::Utf8PathBuf;

use crate::{
    error::Error,
    files,
    step::{Action, Step},
};

/// In this process: makes or removes the file that gives clients the maintenance page.
#[derive(Debug)]
pub struct SetMaintenance {
    file: Utf8PathBuf,
    on: bool,
}

impl SetMaintenance {
    /// Makes this file, or removes it.
    pub fn new(file: impl Into<Utf8PathBuf>, on: bool) -> Self {
        Self { file: file.into(), on }
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
                fs::write(&self.file, "")
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    #[test]
    fn set_maintenance_minimal() {
        check(
            "set_maintenance__minimal",
            &SetMaintenance::new("/var/lib/talia/p/maintenance", true),
        );
    }
}
