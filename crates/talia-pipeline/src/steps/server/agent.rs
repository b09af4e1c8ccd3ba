//! The agent itself, as a file that is replaced.

use std::{fs, io, time::Duration};

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    command_line::{CommandLine, Effect},
    error::Error,
    files,
    protocol::Version,
    step::{Action, Step, Summary},
};

/// In this process: an agent's binary beside the one that is used, root's own.
#[derive(Debug)]
pub struct WriteAgent {
    path: Utf8PathBuf,
    content: Vec<u8>,
}

impl WriteAgent {
    /// Writes this binary to `path`.
    pub fn new(path: impl Into<Utf8PathBuf>, content: Vec<u8>) -> Self {
        Self { path: path.into(), content }
    }
}

impl Step for WriteAgent {
    type Output = ();

    fn label(&self) -> String {
        "write the agent".into()
    }

    fn action(&self) -> Action<'_, ()> {
        Action::work(format!("write {}", self.path), || {
            files::write_atomically_as(&self.path, &self.content, 0o755).map_err(|cause| {
                Error::step(format!("{} cannot be written", self.path)).caused_by(cause)
            })
        })
    }

    fn assume(&self) {}

    fn summary(&self, (): &()) -> Summary {
        Summary::line(format!("{} bytes", self.content.len()))
    }
}

/// `./AGENT version` in its folder, which says `talia-agent 0.1`: whether a binary is an agent that runs here, and which.
///
/// Accepts exit 0.
#[derive(Debug)]
pub struct AgentVersion {
    path: Utf8PathBuf,
}

impl AgentVersion {
    /// Asks this binary.
    pub fn new(path: impl Into<Utf8PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

impl Step for AgentVersion {
    type Output = Version;

    fn label(&self) -> String {
        "version of the agent".into()
    }

    fn action(&self) -> Action<'_, Version> {
        let folder = self.path.parent().unwrap_or(Utf8Path::new("/"));
        // Looked for when it is run: until then it may not be there.
        let line = CommandLine::new(format!("./{}", self.path.file_name().unwrap_or_default()))
            .arg("version")
            .cwd(folder)
            .effect(Effect::Read)
            .stdout_is_data()
            .timeout(Duration::from_secs(10))
            .purpose("whether it runs on this server");
        Action::command(line, |answer| {
            let said = answer.stdout();
            let told = said.trim_end().strip_prefix("talia-agent ").map(str::parse);
            told.and_then(Result::ok).ok_or_else(|| {
                answer.unreadable("an agent's version").hint("is that file a `talia-agent`?")
            })
        })
    }

    fn assume(&self) -> Version {
        Version::own()
    }

    fn summary(&self, version: &Version) -> Summary {
        Summary::line(version.to_string())
    }
}

/// In this process: one rename that puts a new agent in the old one's place. Those that
/// run already go on as they are.
#[derive(Debug)]
pub struct SwapAgent {
    new: Utf8PathBuf,
    path: Utf8PathBuf,
}

impl SwapAgent {
    /// Puts `new` at `path`; what was there stays beside it, as `….before`.
    pub fn new(new: impl Into<Utf8PathBuf>, path: impl Into<Utf8PathBuf>) -> Self {
        Self { new: new.into(), path: path.into() }
    }

    fn swap(&self) -> io::Result<()> {
        let before = format!("{}.before", self.path);
        files::remove_if_there(before.as_str().into())?;
        match fs::hard_link(&self.path, &before) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::rename(&self.new, &self.path)?,
        }
        let folder = self.path.parent().unwrap_or(&self.path);
        fs::File::open(folder)?.sync_all()
    }
}

impl Step for SwapAgent {
    type Output = ();

    fn label(&self) -> String {
        "replace the agent".into()
    }

    fn action(&self) -> Action<'_, ()> {
        Action::work(format!("rename {} to {}", self.new, self.path), || {
            self.swap().map_err(|cause| {
                Error::step(format!("{} cannot be replaced", self.path)).caused_by(cause)
            })
        })
    }

    fn assume(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{step::Answer, steps::testing::check};

    #[test]
    fn write_agent_minimal() {
        check("write_agent__minimal", &WriteAgent::new("/usr/local/lib/talia/a.new", vec![0]));
    }

    #[test]
    fn agent_version_minimal() {
        check("agent_version__minimal", &AgentVersion::new("/usr/local/lib/talia/a.new"));
    }

    #[test]
    fn agent_version_everything() {
        check("agent_version__everything", &AgentVersion::new("/srv/my agent/talia-agent"));
    }

    #[test]
    fn agent_version_hostile() {
        check("agent_version__hostile", &AgentVersion::new("/a b/$(id)"));
    }

    #[test]
    fn swap_agent_minimal() {
        check("swap_agent__minimal", &SwapAgent::new("/l/a.new", "/l/a"));
    }

    #[test]
    fn what_is_no_agent_is_an_error() {
        let step = AgentVersion::new("/bin/true");
        let read = |said: &str| {
            let Action::Command { read, .. } = step.action() else { unreachable!("a command") };
            read(&Answer::new(0, said, ""))
        };
        assert!(read("hello\n").is_err());
        assert_eq!(read(&format!("talia-agent {}\n", Version::own())).unwrap(), Version::own());
    }
}
