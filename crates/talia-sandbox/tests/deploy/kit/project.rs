//! A project whose settings name the sandbox's server, and the real xtask run on it.

use std::{env, fs, path::Path, process::Command};

use camino::{Utf8Path, Utf8PathBuf};

use super::{Site, output, said};
use crate::support::{Images, Temp, command, commit, reference};

/// The reference project in a repository of its own, with a state of its own.
pub(crate) struct Project {
    folder: Temp,
    target: Temp,
    _images: [Images; 2],
    program: Utf8PathBuf,
}

/// How a run of the xtask has ended, and what it has said.
pub(crate) struct Ran {
    pub(crate) exit: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    #[track_caller]
    pub(crate) fn of(command: &mut Command) -> Self {
        let output = output(command);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let exit = output.status.code();
        Self { exit, stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Fails unless it has ended so.
    #[track_caller]
    pub(crate) fn ended(self, exit: i32) -> Self {
        assert_eq!(self.exit, Some(exit), "\n{}{}", self.stdout, self.stderr);
        self
    }
}

impl Project {
    pub(crate) fn new(site: &Site) -> Self {
        let own = site.sandbox.place().folder().join("settings.toml");
        Self::with(site, &fs::read_to_string(own).unwrap())
    }

    /// With these settings of a server behind those of the project.
    pub(crate) fn with(site: &Site, server: &str) -> Self {
        let (folder, target, images) = (Temp::new(), Temp::new(), Images::new());
        reference(folder.path(), &images);
        // What a deploy builds has the registry's name here.
        let pushed = Images::named(site.sandbox.registry().repository);
        let settings = folder.path().join("infra/pipeline.toml");
        let text = fs::read_to_string(&settings).unwrap() + server;
        fs::write(&settings, text).unwrap();
        commit(folder.path());
        Self { folder, target, _images: [images, pushed], program: built() }
    }

    pub(crate) fn root(&self) -> &Utf8Path {
        self.folder.path()
    }

    /// cargo's target folder, as the xtask takes it.
    pub(crate) fn target(&self) -> &Utf8Path {
        self.target.path()
    }

    pub(crate) fn xtask(&self, args: &[&str]) -> Command {
        let mut xtask = command(self.program.as_str());
        for name in ["GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "DATABASE_URL", "DOCKER_HOST"] {
            xtask.env_remove(name);
        }
        xtask.env("CARGO_TARGET_DIR", self.target()).args(args).current_dir(self.root());
        xtask
    }

    #[track_caller]
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        Ran::of(&mut self.xtask(args))
    }
}

/// The xtask of this workspace, beside the tests themselves.
fn built() -> Utf8PathBuf {
    let target = Utf8Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--locked", "--package=xtask", "--target-dir"]).arg(target);
    said(cargo.arg("--manifest-path").arg(manifest));
    target.join("debug/xtask")
}
