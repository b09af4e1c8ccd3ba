//! A project whose settings name the sandbox's server, and the real xtask run on it.

use std::{
    env, fs,
    path::Path,
    process::{Command, Output},
    sync::Arc,
};

use camino::{Utf8Path, Utf8PathBuf};

use super::{Site, output, said};
use crate::support::{Images, Temp, command, commit, git, reference};

/// The reference project in a repository of its own, with a state of its own.
pub(crate) struct Project {
    folder: Temp,
    target: Temp,
    origin: Option<Arc<Temp>>,
    _images: Vec<Images>,
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
        Self::by(output(command))
    }

    pub(crate) fn by(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let exit = output.status.code();
        Self { exit, stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    pub(crate) fn told(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// The message of its first failure.
    pub(crate) fn refusal(&self) -> String {
        let told = self.told();
        let failed = told.lines().find_map(|line| line.trim_start().strip_prefix("✗ "));
        let message = failed.unwrap_or(&told);
        // A step's own line has its place and its time before the message.
        let message = message.rsplit("  ").next().unwrap_or(message);
        message.strip_prefix("flow: ").unwrap_or(message).to_owned()
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
        Self { folder, target, origin: None, _images: vec![images, pushed], program: built() }
    }

    /// The same, shared by a repository that its clones push to.
    pub(crate) fn shared(site: &Site, server: &str) -> Self {
        let (own, origin) = (Self::with(site, server), Temp::new());
        git(origin.path(), &["clone", "--quiet", "--bare", "--", own.root().as_str(), "."]);
        git(own.root(), &["remote", "add", "origin", origin.path().as_str()]);
        git(own.root(), &["fetch", "--quiet", "origin"]);
        git(own.root(), &["branch", "--quiet", "--set-upstream-to=origin/main"]);
        Self { origin: Some(Arc::new(origin)), ..own }
    }

    /// Another one's clone of what is shared, with a state of its own.
    pub(crate) fn cloned(&self) -> Self {
        let (folder, target, origin) = (Temp::new(), Temp::new(), self.origin.clone());
        let shared = origin.as_ref().unwrap().path().as_str();
        git(folder.path(), &["clone", "--quiet", "--", shared, "."]);
        Self { folder, target, origin, _images: Vec::new(), program: self.program.clone() }
    }

    /// Commits another version of the backend, and pushes it; gives the commit's hash.
    pub(crate) fn commit(&self, version: &str) -> String {
        let page = self.root().join("infra/reference/backend/README.md");
        fs::write(page, format!("{version}\n")).unwrap();
        commit(self.root());
        git(self.root(), &["push", "--quiet"]);
        git(self.root(), &["rev-parse", "HEAD"])
    }

    /// Hears of what others have pushed.
    pub(crate) fn fetch(&self) {
        git(self.root(), &["fetch", "--quiet"]);
    }

    /// Takes over what others have pushed.
    pub(crate) fn pull(&self) {
        git(self.root(), &["pull", "--quiet", "--ff-only"]);
    }

    /// Whether git knows the first commit as one before the other, or the same one.
    pub(crate) fn is_before(&self, first: &str, other: &str) -> bool {
        let mut ask = command("git");
        ask.args(["merge-base", "--is-ancestor", first, other]).current_dir(self.root());
        output(&mut ask).status.success()
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
