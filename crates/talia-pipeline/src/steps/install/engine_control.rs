use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    command_line::{CommandLine, Leaves},
    step::{Action, Step, Summary},
};

use super::{Engine, Privilege};

/// Where `dockerd` is, if it is there.
///
/// - In this process: looks into the folders where packages put it.
/// - Touches: nothing.
///
/// ```
/// use talia_pipeline::{Step, steps::install::EngineProgram};
///
/// assert_eq!(EngineProgram::new().label(), "where the engine's program is");
/// ```
#[derive(Debug, Clone)]
pub struct EngineProgram {
    folders: Vec<Utf8PathBuf>,
}

impl EngineProgram {
    /// In the usual folders. `PATH` does not count: `/usr/sbin` may not be in it.
    pub fn new() -> Self {
        let folders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin"];
        Self { folders: folders.map(Utf8PathBuf::from).to_vec() }
    }
}

impl Default for EngineProgram {
    fn default() -> Self {
        Self::new()
    }
}

impl Step for EngineProgram {
    type Output = Option<Utf8PathBuf>;

    fn label(&self) -> String {
        "where the engine's program is".into()
    }

    fn action(&self) -> Action<'_, Self::Output> {
        let folders: Vec<&str> = self.folders.iter().map(|folder| folder.as_str()).collect();
        Action::read(format!("look for dockerd in {}", folders.join(", ")), || {
            let mut candidates = self.folders.iter().map(|folder| folder.join("dockerd"));
            Ok(candidates.find(|candidate| candidate.is_file()))
        })
    }

    fn assume(&self) -> Self::Output {
        Some("/usr/sbin/dockerd".into())
    }

    fn summary(&self, path: &Self::Output) -> Summary {
        Summary::line(path.as_ref().map_or("not there", |path| path.as_str()))
    }
}

/// Starts an engine on a machine without an init system; see [`EngineEnable`]
/// for one with systemd. It is not ready yet then: [`super::EngineAnswers`] tells.
///
/// - Command: `start-stop-daemon --start --background … -- OPTION…`, as root. A
///   session, a log file and `/` as its folder: nothing of the caller's is held.
/// - Exits: 0, also when it runs already.
/// - Touches: the engine's folders; leaves the engine running.
/// - Source: start-stop-daemon(8), dockerd(8).
///
/// ```
/// use talia_pipeline::{Step, steps::install::{Engine, EngineStart, Privilege}};
///
/// let start = EngineStart::new(Privilege::Root, Engine::system(), "/usr/sbin/dockerd");
/// assert_eq!(start.label(), "start the engine");
/// ```
#[derive(Debug, Clone)]
pub struct EngineStart {
    privilege: Privilege,
    engine: Engine,
    program: Utf8PathBuf,
}

impl EngineStart {
    /// This engine, by this program.
    pub fn new(privilege: Privilege, engine: Engine, program: impl Into<Utf8PathBuf>) -> Self {
        Self { privilege, engine, program: program.into() }
    }
}

impl Step for EngineStart {
    type Output = ();

    fn label(&self) -> String {
        "start the engine".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let line = start_stop_daemon(self.privilege)
            .args(["--start", "--background", "--oknodo"])
            // An engine of this pid file that runs already is left alone.
            .option("--pidfile", self.engine.pid_file())
            .option("--exec", &self.program)
            // It would keep the folder of whoever started it from being unmounted.
            .arg("--chdir=/")
            // Without it what the engine says is lost, with pipes it would hold
            // the caller's.
            .option("--output", self.engine.log());
        // Operands, though they look like options: they are the engine's.
        let arguments = self.engine.arguments();
        let line = arguments.into_iter().fold(line, CommandLine::operand);
        let line = line
            .leaves(Leaves::Running)
            .provides("docker-engine")
            .purpose("start the engine, which no init system does here");
        Action::command(line, |_| Ok(()))
    }

    fn assume(&self) {}
}

/// Starts the machine's engine through systemd, now and at every boot.
///
/// - Command: `systemctl enable --now -- docker.service`, as root.
/// - Exits: 0, also when it runs already.
/// - Touches: the service.
/// - Source: systemctl(1).
///
/// ```
/// use talia_pipeline::{Step, steps::install::{EngineEnable, Privilege}};
///
/// assert_eq!(EngineEnable::new(Privilege::Root).label(), "start the engine's service");
/// ```
#[derive(Debug, Clone)]
pub struct EngineEnable {
    privilege: Privilege,
}

impl EngineEnable {
    /// With these rights.
    pub fn new(privilege: Privilege) -> Self {
        Self { privilege }
    }
}

impl Step for EngineEnable {
    type Output = ();

    fn label(&self) -> String {
        "start the engine's service".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let line = self
            .privilege
            .line("systemctl")
            .args(["enable", "--now"])
            .operand("docker.service")
            .leaves(Leaves::Running)
            .provides("docker-engine")
            .purpose("start the engine, now and at every boot");
        Action::command(line, |_| Ok(()))
    }

    fn assume(&self) {}
}

/// Stops an engine that this run has started, and its containers with it.
///
/// It has no time limit of its own: the wait is the command's, and when a run is
/// cancelled the signal alone is enough, because the engine goes on by itself.
///
/// - Command: `start-stop-daemon --stop --pid=PID --exec=PROGRAM --retry=TERM/30`,
///   as root: SIGTERM, then up to 30 seconds until it has ended. Another process
///   that has the number by then is left alone.
/// - Exits: 0, also when it has ended before; 2 when it does not end.
/// - Touches: the engine and its containers. Never kills: containers would live on.
/// - Source: start-stop-daemon(8).
///
/// ```
/// use talia_pipeline::{Step, steps::install::{EngineStop, Privilege}};
///
/// let stop = EngineStop::new(Privilege::Root, "4711", "/usr/sbin/dockerd");
/// assert_eq!(stop.label(), "stop the engine");
/// ```
#[derive(Debug, Clone)]
pub struct EngineStop {
    privilege: Privilege,
    pid: String,
    program: Utf8PathBuf,
}

impl EngineStop {
    /// The engine of this process number (a hole in a plan) and program.
    pub fn new(
        privilege: Privilege,
        pid: impl Into<String>,
        program: impl AsRef<Utf8Path>,
    ) -> Self {
        Self { privilege, pid: pid.into(), program: program.as_ref().to_owned() }
    }
}

impl Step for EngineStop {
    type Output = ();

    fn label(&self) -> String {
        "stop the engine".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let line = start_stop_daemon(self.privilege)
            .args(["--stop", "--oknodo"])
            .option("--pid", &self.pid)
            .option("--exec", &self.program)
            .arg("--retry=TERM/30")
            .purpose("stop the engine that this run has started");
        Action::command(line, |_| Ok(()))
    }

    fn assume(&self) {}
}

/// By its path: a caller's `PATH` may lack `/usr/sbin`.
fn start_stop_daemon(privilege: Privilege) -> CommandLine {
    privilege.system_line("/usr/sbin/start-stop-daemon", &[])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    const HOSTILE: &str = "/var/tmp/it's \"ü\" $x\n-y";

    fn start(engine: Engine) -> EngineStart {
        EngineStart::new(Privilege::Root, engine, "/usr/sbin/dockerd")
    }

    #[test]
    fn program() {
        check("engine_program__minimal", &EngineProgram::new());
    }
    #[test]
    fn start_minimal() {
        check("engine_start__minimal", &start(Engine::system()));
    }
    #[test]
    fn start_everything() {
        let engine = Engine::private("/var/tmp/e").option("--bridge=none").option("--debug");
        let start = EngineStart::new(Privilege::Sudo, engine, "/usr/bin/dockerd");
        check("engine_start__everything", &start);
    }
    #[test]
    fn start_hostile() {
        check("engine_start__hostile", &start(Engine::private(HOSTILE).option("--label=a b\n")));
    }
    #[test]
    fn enable_minimal() {
        check("engine_enable__minimal", &EngineEnable::new(Privilege::Root));
    }
    #[test]
    fn enable_everything() {
        check("engine_enable__everything", &EngineEnable::new(Privilege::Sudo));
    }
    #[test]
    fn stop_minimal() {
        let stop = EngineStop::new(Privilege::Root, "4711", "/usr/sbin/dockerd");
        check("engine_stop__minimal", &stop);
    }
    #[test]
    fn stop_everything() {
        let pid = crate::hole::named("engine's process");
        check(
            "engine_stop__everything",
            &EngineStop::new(Privilege::Sudo, pid, "/usr/bin/dockerd"),
        );
    }
    #[test]
    fn stop_hostile() {
        check("engine_stop__hostile", &EngineStop::new(Privilege::Root, "-1 \n'", HOSTILE));
    }
}
