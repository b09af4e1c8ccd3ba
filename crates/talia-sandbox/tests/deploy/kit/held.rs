//! A client that is held at one place of what it does.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use super::{Project, Ran, said, until};
use crate::support::Temp;

/// Long enough for a build and a release beside another one.
const SOON: Duration = Duration::from_secs(90);

/// Where a client's docker waits until it is let go.
#[derive(Clone, Copy)]
pub(crate) enum At {
    /// When the image is pushed, and the server was not asked for anything yet.
    Pushed,
    /// When the server has released it, and the registry is asked what `latest` is at.
    Looking,
    /// When that is known, and `latest` is about to be moved.
    Moving,
}

impl At {
    fn script(self, folder: &str, docker: &str) -> String {
        let wait = format!(
            ": > '{folder}/held'\n\
             until test -e '{folder}/go'; do test ! -e '{folder}/over' || exit 1; sleep 0.05; done"
        );
        match self {
            Self::Pushed => format!(
                "#!/bin/sh\nif test \"$1\" != push; then exec {docker} \"$@\"; fi\n\
                 {docker} \"$@\" || exit\n{wait}\n"
            ),
            // The plan has asked it once before.
            Self::Looking => format!(
                "#!/bin/sh\ncase \"$*\" in\n*'imagetools inspect'*:latest)\n\
                 if test -e '{folder}/planned'; then\n{wait}\nfi\n: > '{folder}/planned'\nesac\n\
                 exec {docker} \"$@\"\n"
            ),
            Self::Moving => format!(
                "#!/bin/sh\ncase \"$*\" in\n*--help*) ;;\n*'imagetools create'*)\n{wait}\nesac\n\
                 exec {docker} \"$@\"\n"
            ),
        }
    }
}

/// A client that comes to one place and no further.
pub(crate) struct Held {
    pub(crate) folder: Temp,
    pub(crate) client: Option<Child>,
}

impl Held {
    pub(crate) fn start(project: &Project, deploy: &[&str], at: At) -> Self {
        let folder = Temp::new();
        let docker = said(Command::new("sh").args(["-c", "command -v docker"]));
        let program = folder.path().join("docker");
        fs::write(&program, at.script(folder.path().as_str(), &docker)).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let mut xtask = project.xtask(deploy);
        let path = std::env::var("PATH").unwrap();
        xtask.env("PATH", format!("{}:{path}", folder.path()));
        xtask.stdout(Stdio::piped()).stderr(Stdio::piped());
        let client = xtask.spawn().unwrap();
        let held = Self { folder, client: Some(client) };
        until("the client is where it is held", SOON, || held.folder.path().join("held").exists());
        held
    }

    /// Waits for the client's own end.
    #[track_caller]
    pub(crate) fn ended(mut self) -> Ran {
        Ran::by(self.client.take().unwrap().wait_with_output().unwrap())
    }

    #[track_caller]
    pub(crate) fn go(self) -> Ran {
        self.folder.write("go", "");
        self.ended()
    }
}

/// One that is still there is killed, as a machine that goes away ends it.
impl Drop for Held {
    fn drop(&mut self) {
        if let Some(mut client) = self.client.take() {
            drop(client.kill());
            drop(client.wait());
        }
        // What it has started may live on for a moment.
        drop(fs::write(self.folder.path().join("over"), ""));
        thread::sleep(Duration::from_millis(200));
    }
}
