//! One connection to a server that many requests share, as a client's own requests do.

use std::{fs, path::PathBuf, process::Stdio};

use talia_pipeline::templates::Role;

use super::{Site, output};
use crate::support::unique;

/// Connections that stay open, one for each role, until it is dropped.
pub(crate) struct Line {
    folder: PathBuf,
    alone: Site,
}

const ROLES: [Role; 2] = [Role::Deploy, Role::Admin];

impl Line {
    pub(crate) fn open(site: &Site) -> Self {
        // Short, and without a blank: sockets and ssh's options want that.
        let folder = std::env::temp_dir().join(format!("talia-{}", unique()));
        fs::create_dir(&folder).unwrap();
        let line = Self { folder, alone: site.clone() };
        for role in ROLES {
            let mut master = site.ssh(role, &["-o", &line.option(role), "-M", "-N", "-f"]);
            // In the foreground it would hold a request's streams.
            let said = output(master.stdin(Stdio::null()).stderr(Stdio::null()));
            assert!(said.status.success(), "{said:?}");
        }
        line
    }

    /// What a client is told to use it.
    pub(crate) fn option(&self, role: Role) -> String {
        format!("ControlPath={}/{role}", self.folder.display())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        for role in ROLES {
            let exit = ["-o", &self.option(role), "-O", "exit"];
            drop(self.alone.ssh(role, &exit).output());
        }
        drop(fs::remove_dir_all(&self.folder));
    }
}
