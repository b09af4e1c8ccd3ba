//! A copy of the reference backend, and the xtask run on it.

use std::{fs, process::Command};

use camino::{Utf8Path, Utf8PathBuf};
use talia_pipeline::state_dir;

use crate::support::{
    Images, Temp, command, edit, output, prepared, reference, run, said, workspace, write,
};

/// The reference backend in a repository of its own, with a state of its own.
pub(crate) struct Project {
    folder: Temp,
    target: Temp,
    pub(crate) images: Images,
}

/// How a run of the xtask ended, and what it said.
pub(crate) struct Ran {
    pub(crate) exit: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Fails the test unless it ended so, and its output holds each of these texts.
    #[track_caller]
    pub(crate) fn expect(&self, exit: i32, texts: &[&str]) {
        let Self { exit: ended, stdout, stderr } = self;
        assert_eq!(*ended, exit, "\n{stdout}{stderr}");
        for text in texts {
            let there = stdout.contains(text) || stderr.contains(text);
            assert!(there, "no {text:?} in\n{stdout}{stderr}");
        }
    }

    /// Fails the test when its output holds this text.
    #[track_caller]
    pub(crate) fn expect_no(&self, text: &str) {
        let Self { stdout, stderr, .. } = self;
        assert!(!stdout.contains(text) && !stderr.contains(text), "{text:?}\n{stdout}{stderr}");
    }
}

/// The xtask in this folder, without anything that the caller's shell would add.
pub(crate) fn xtask(folder: &Utf8Path, args: &[&str]) -> Command {
    let mut xtask = command(env!("CARGO_BIN_EXE_xtask"));
    for name in ["GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "DATABASE_URL", "DOCKER_HOST"] {
        xtask.env_remove(name);
    }
    xtask.args(args).current_dir(folder);
    xtask
}

/// Runs it.
pub(crate) fn ran(xtask: &mut Command) -> Ran {
    let output = output(xtask);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let exit = output.status.code().unwrap_or_else(|| panic!("{}", output.status));
    Ran { exit, stdout: text(output.stdout), stderr: text(output.stderr) }
}

impl Project {
    /// Without any state, as after a fresh clone.
    pub(crate) fn fresh() -> Self {
        let (folder, images) = (Temp::new(), Images::new());
        reference(folder.path(), &images);
        Self { folder, target: Temp::beside_environments(), images }
    }

    /// With the Python environment that an earlier run has made.
    pub(crate) fn with_environment() -> Self {
        let project = Self::fresh();
        let backend = workspace().join("infra/reference/backend");
        let recipe = ["pyproject.toml", "poetry.lock"]
            .map(|name| fs::read_to_string(backend.join(name)).unwrap())
            .join(env!("CARGO_PKG_VERSION"));
        let made = prepared("reference", &recipe, |folder| {
            let (root, images) = (folder.join("project"), Images::new());
            reference(&root, &images);
            let target = folder.join("target");
            let mut first = xtask(&root, &["ci", "test"]);
            ran(first.env("CARGO_TARGET_DIR", target.as_str())).expect(0, &["8 passed"]);
        });
        let root = made.join("project").canonicalize_utf8().unwrap();
        let from = state_dir(&made.join("target"), &root);
        fs::create_dir_all(project.state()).unwrap();
        for name in ["env", "tools", "cache"] {
            // Linked: pip and venv replace files, they never write into them.
            let (from, to) = (from.join(name), project.state().join(name));
            said(command("cp").args(["-R", "--link", "--", from.as_str(), to.as_str()]));
        }
        project
    }

    pub(crate) fn root(&self) -> &Utf8Path {
        self.folder.path()
    }

    pub(crate) fn target(&self) -> &Utf8Path {
        self.target.path()
    }

    /// The state folder that the xtask takes for it.
    pub(crate) fn state(&self) -> Utf8PathBuf {
        state_dir(self.target(), self.root())
    }

    /// A file below the backend's folder.
    pub(crate) fn backend(&self, name: &str) -> Utf8PathBuf {
        self.root().join("infra/reference/backend").join(name)
    }

    pub(crate) fn settings(&self) -> Utf8PathBuf {
        self.root().join("infra/pipeline.toml")
    }

    pub(crate) fn edit(&self, name: &str, old: &str, new: &str) {
        edit(&self.backend(name), old, new);
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        write(&self.backend(name), text);
    }

    pub(crate) fn xtask(&self, args: &[&str]) -> Command {
        let mut xtask = xtask(self.root(), args);
        xtask.env("CARGO_TARGET_DIR", self.target().as_str());
        xtask
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        ran(&mut self.xtask(args))
    }

    /// The name of its image's tag for the commit that is checked out.
    pub(crate) fn tag(&self) -> String {
        let hash = run(self.root(), "git", &["rev-parse", "HEAD"]);
        format!("ci-{}", &hash[..12])
    }
}
