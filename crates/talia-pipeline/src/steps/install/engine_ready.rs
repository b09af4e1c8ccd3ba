use std::{
    fs,
    io::{ErrorKind, Read as _, Write as _},
    os::unix::net::UnixStream,
    thread,
    time::Duration,
};

use camino::Utf8PathBuf;

use crate::{
    error::Error,
    hole,
    step::{Action, Step, Summary},
};

use super::{Engine, PidFile, PidState};

/// How often one [`EngineAnswers`] asks, and the pause between two questions.
const QUESTIONS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(50);
/// How long an engine that has taken the question may think.
const PATIENCE: Duration = Duration::from_secs(1);

/// Whether an engine serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It does; this is what it calls itself.
    Ready(String),
    /// Not yet. `alive`: the process of its pid file runs.
    NotYet {
        /// Whether there is a process that may still become ready.
        alive: bool,
    },
    /// The caller may not talk to it.
    Forbidden,
}

/// Waits a short time for an engine to serve: about one second, so that a flow
/// can repeat it, count, and be cancelled in between.
///
/// - In this process: `GET /_ping` over the engine's socket, every 50 ms.
/// - Touches: nothing.
/// - Source: the engine's HTTP API, `/_ping`.
///
/// ```
/// use talia_pipeline::{Step, steps::install::{Engine, EngineAnswers}};
///
/// assert_eq!(EngineAnswers::new(&Engine::system()).label(), "whether the engine answers");
/// ```
#[derive(Debug, Clone)]
pub struct EngineAnswers {
    socket: Utf8PathBuf,
    pid_file: PidFile,
}

impl EngineAnswers {
    /// This engine.
    pub fn new(engine: &Engine) -> Self {
        let pid_file = PidFile::new(engine.pid_file(), "dockerd");
        Self { socket: engine.socket(), pid_file }
    }

    fn wait(&self) -> Readiness {
        for _ in 0..QUESTIONS {
            match ping(&self.socket) {
                Ok(Some(name)) => return Readiness::Ready(name),
                Ok(None) => {}
                Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                    return Readiness::Forbidden;
                }
                // It took its whole time: a second is over.
                Err(error) if is_timeout(error.kind()) => break,
                Err(_) => {}
            }
            thread::sleep(PAUSE);
        }
        let alive = matches!(self.pid_file.state(), PidState::Live(_));
        Readiness::NotYet { alive }
    }
}

fn is_timeout(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// What the engine calls itself, if it says that it is well.
fn ping(socket: &Utf8PathBuf) -> std::io::Result<Option<String>> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")?;
    let mut answer = Vec::new();
    // More than a head is never needed, whoever listens there.
    stream.take(8192).read_to_end(&mut answer)?;
    Ok(name_in(&String::from_utf8_lossy(&answer)))
}

fn name_in(answer: &str) -> Option<String> {
    let mut lines = answer.lines();
    let status = lines.next()?.split(' ').nth(1)?;
    if status != "200" {
        return None;
    }
    let server = lines.find_map(|line| line.strip_prefix("Server: "));
    Some(server.unwrap_or("an engine").trim().to_owned())
}

impl Step for EngineAnswers {
    type Output = Readiness;

    fn label(&self) -> String {
        "whether the engine answers".into()
    }

    fn action(&self) -> Action<'_, Readiness> {
        Action::read(format!("GET /_ping over {}", self.socket), || Ok(self.wait()))
    }

    fn assume(&self) -> Readiness {
        Readiness::Ready("an engine".into())
    }

    fn summary(&self, readiness: &Readiness) -> Summary {
        Summary::line(match readiness {
            Readiness::Ready(name) => name,
            Readiness::NotYet { alive: true } => "it is starting",
            Readiness::NotYet { alive: false } => "not yet",
            Readiness::Forbidden => "the caller may not talk to it",
        })
    }
}

/// The process number of a running engine, as text: a hole in a plan.
///
/// - In this process: reads the engine's pid file and `/proc`.
/// - Touches: nothing.
/// - Errors: the engine does not run.
///
/// ```
/// use talia_pipeline::{Step, hole, steps::install::{Engine, EnginePid}};
///
/// assert!(hole::is_in(&EnginePid::new(&Engine::system()).assume()));
/// ```
#[derive(Debug, Clone)]
pub struct EnginePid {
    path: Utf8PathBuf,
    pid_file: PidFile,
}

impl EnginePid {
    /// Of this engine.
    pub fn new(engine: &Engine) -> Self {
        let path = engine.pid_file();
        Self { pid_file: PidFile::new(&path, "dockerd"), path }
    }
}

impl Step for EnginePid {
    type Output = String;

    fn label(&self) -> String {
        "the engine's process".into()
    }

    fn action(&self) -> Action<'_, String> {
        Action::read(format!("read {}", self.path), || match self.pid_file.state() {
            PidState::Live(pid) => Ok(pid.to_string()),
            PidState::Absent | PidState::Stale => {
                Err(Error::step(format!("{} names no running engine", self.path)))
            }
        })
    }

    fn assume(&self) -> String {
        hole::named("engine's process")
    }

    fn summary(&self, pid: &String) -> Summary {
        Summary::line(pid.clone())
    }
}

/// The last 20 lines of a log file; none where it cannot be read.
///
/// - In this process: reads the file's last 16 KiB.
/// - Touches: nothing.
///
/// ```
/// use talia_pipeline::{Step, steps::install::LogTail};
///
/// assert_eq!(LogTail::new("/var/log/x.log").label(), "the end of /var/log/x.log");
/// ```
#[derive(Debug, Clone)]
pub struct LogTail {
    path: Utf8PathBuf,
}

impl LogTail {
    /// Of this file.
    pub fn new(path: impl Into<Utf8PathBuf>) -> Self {
        Self { path: path.into() }
    }

    fn read(&self) -> std::io::Result<Vec<String>> {
        use std::io::{Seek as _, SeekFrom};
        let mut file = fs::File::open(&self.path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(16 * 1024)))?;
        let mut end = Vec::new();
        file.read_to_end(&mut end)?;
        let end = String::from_utf8_lossy(&end);
        let lines: Vec<&str> = end.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = lines.len().saturating_sub(20);
        Ok(lines[last..].iter().map(|&line| line.to_owned()).collect())
    }
}

impl Step for LogTail {
    type Output = Vec<String>;

    fn label(&self) -> String {
        format!("the end of {}", self.path)
    }

    fn action(&self) -> Action<'_, Vec<String>> {
        Action::read(format!("read the end of {}", self.path), || {
            Ok(self.read().unwrap_or_default())
        })
    }

    fn assume(&self) -> Vec<String> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    const HOSTILE: &str = "/var/tmp/it's \"ü\"\n";

    #[test]
    fn answers_minimal() {
        check("engine_answers__minimal", &EngineAnswers::new(&Engine::system()));
    }
    #[test]
    fn answers_private() {
        check("engine_answers__private", &EngineAnswers::new(&Engine::private("/var/tmp/e")));
    }
    #[test]
    fn answers_hostile() {
        check("engine_answers__hostile", &EngineAnswers::new(&Engine::private(HOSTILE)));
    }
    #[test]
    fn pid_minimal() {
        check("engine_pid__minimal", &EnginePid::new(&Engine::system()));
    }
    #[test]
    fn pid_private() {
        check("engine_pid__private", &EnginePid::new(&Engine::private("/var/tmp/e")));
    }
    #[test]
    fn pid_hostile() {
        check("engine_pid__hostile", &EnginePid::new(&Engine::private(HOSTILE)));
    }
    #[test]
    fn log_minimal() {
        check("log_tail__minimal", &LogTail::new("/var/log/dockerd.log"));
    }
    #[test]
    fn log_relative() {
        check("log_tail__relative", &LogTail::new("dockerd.log"));
    }
    #[test]
    fn log_hostile() {
        check("log_tail__hostile", &LogTail::new(HOSTILE));
    }

    #[test]
    fn the_engine_names_itself_when_it_is_well() {
        let well =
            "HTTP/1.0 200 OK\r\nApi-Version: 1.41\r\nServer: Docker/20.10.24 (linux)\r\n\r\nOK";
        assert_eq!(name_in(well).as_deref(), Some("Docker/20.10.24 (linux)"));
        assert_eq!(name_in("HTTP/1.0 503 Service Unavailable\r\n\r\n"), None);
        assert_eq!(name_in(""), None);
    }

    #[test]
    fn no_socket_and_no_process_is_not_yet() {
        let engine = Engine::private("/nowhere");
        assert_eq!(EngineAnswers::new(&engine).wait(), Readiness::NotYet { alive: false });
        assert!(LogTail::new(engine.log()).read().is_err());
    }
}
