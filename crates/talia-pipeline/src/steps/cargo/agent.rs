//! The agent as one file that runs on any server.

use camino::Utf8PathBuf;

use crate::{
    error::{Error, Result},
    step::{Action, Answer, Step, Summary},
};

use super::cargo;

/// How cargo ends when a build has failed.
const FAILED: i32 = 101;
/// Linux with glibc, for this machine's processor.
const TARGET: &str = if cfg!(target_arch = "aarch64") {
    "aarch64-unknown-linux-gnu"
} else {
    "x86_64-unknown-linux-gnu"
};

/// Builds `talia-agent` as a static binary, and gives its path. cargo has it still
/// where nothing has changed.
///
/// - Command: `cargo build --locked --profile=agent --package=talia-agent
///   --target=TRIPLE --target-dir=DIR --config=target.TRIPLE.rustflags=[…]` with
///   `CARGO_INCREMENTAL=0`. Static, so that the glibc of a server does not matter.
/// - Exits: 0; 101 is read for its reason.
/// - Touches: cargo's target folder.
/// - Errors: preflight when the target, the linker or the static C library is missing.
/// - Source: cargo's and rustc's manuals.
///
/// ```
/// use talia_pipeline::{Step, steps::cargo::AgentBuild};
///
/// let step = AgentBuild::new("/srv/tool", "/srv/tool/target");
/// assert!(step.assume().ends_with("agent/talia-agent"));
/// ```
#[derive(Debug, Clone)]
pub struct AgentBuild {
    root: Utf8PathBuf,
    target_dir: Utf8PathBuf,
}

impl AgentBuild {
    /// From this workspace, into this target folder of cargo's.
    pub fn new(root: impl Into<Utf8PathBuf>, target_dir: impl Into<Utf8PathBuf>) -> Self {
        Self { root: root.into(), target_dir: target_dir.into() }
    }

    fn binary(&self) -> Utf8PathBuf {
        self.target_dir.join(TARGET).join("agent/talia-agent")
    }

    fn read(&self, answer: &Answer) -> Result<Utf8PathBuf> {
        if answer.exit() != FAILED {
            return Ok(self.binary());
        }
        let said = answer.stderr();
        let missing = |what: &str, hint: &str| {
            Err(Error::preflight(format!("the agent cannot be built here: {what}"))
                .hint(hint)
                .tail(answer.last_lines(20)))
        };
        if said.contains("target may not be installed") {
            return missing(
                &format!("the target {TARGET} is not installed"),
                &format!("`rustup target add {TARGET}`, or name a built one with `--agent FILE`"),
            );
        }
        if said.contains("linker `") && said.contains("not found") {
            return missing(
                "there is no linker",
                "`apt-get install gcc libc6-dev`, or name a built one with `--agent FILE`",
            );
        }
        if said.contains("cannot find -lc") {
            return missing(
                "the C library is not there as a static one",
                "`apt-get install libc6-dev`, or name a built one with `--agent FILE`",
            );
        }
        Err(Error::step("the agent does not build").tail(answer.last_lines(20)))
    }
}

impl Step for AgentBuild {
    type Output = Utf8PathBuf;

    fn label(&self) -> String {
        "build the agent".into()
    }

    fn action(&self) -> Action<'_, Utf8PathBuf> {
        let flags = r#"["-C","target-feature=+crt-static"]"#;
        let line = cargo(&self.root)
            // What the caller has set for daily work would have all of it built anew.
            .env("CARGO_INCREMENTAL", "0")
            .args(["build", "--locked"])
            .option("--profile", "agent")
            .option("--package", "talia-agent")
            .option("--target", TARGET)
            .option("--target-dir", &self.target_dir)
            .option("--config", format!("target.{TARGET}.rustflags={flags}"))
            .accept([0, FAILED])
            .purpose("one static file for any server");
        Action::command(line, |answer| self.read(answer))
    }

    fn assume(&self) -> Utf8PathBuf {
        self.binary()
    }

    fn summary(&self, binary: &Utf8PathBuf) -> Summary {
        Summary::line(binary.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ErrorKind, steps::testing::check};

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn agent_build_minimal() {
        check("agent_build__minimal", &AgentBuild::new("/srv/tool", "/srv/tool/target"));
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn agent_build_elsewhere() {
        check("agent_build__elsewhere", &AgentBuild::new("/srv/tool", "/var/cache/target"));
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn agent_build_hostile() {
        check("agent_build__hostile", &AgentBuild::new("/srv/it's a\n$tool", "/tmp/-t $x"));
    }

    #[test]
    fn what_is_missing_is_named_with_what_brings_it() {
        let step = AgentBuild::new("/srv/tool", "/t");
        let read = |exit, said: &str| step.read(&Answer::new(exit, "", said));
        assert_eq!(read(0, "").unwrap(), step.binary());
        for (said, hint) in [
            (
                "error[E0463]: can't find crate for `core`\n  = note: the `x` target may not be installed\n",
                "rustup target add",
            ),
            ("error: linker `cc` not found\n", "apt-get install gcc"),
            ("/usr/bin/ld: cannot find -lc: No such file or directory\n", "libc6-dev"),
        ] {
            let error = read(FAILED, said).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Preflight, "{said}");
            assert!(error.hint_text().unwrap().contains(hint), "{error:?}");
        }
        assert_eq!(read(FAILED, "error: x\n").unwrap_err().kind(), ErrorKind::Step);
    }
}
