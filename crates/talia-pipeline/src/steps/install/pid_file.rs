use std::fs;

use camino::{Utf8Path, Utf8PathBuf};

use crate::step::{Action, Step, Summary};

/// What a pid file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PidState {
    /// There is none, or none that can be read.
    Absent,
    /// Its process runs and is the one that it should be.
    Live(u32),
    /// Its process has ended, or is another program by now.
    Stale,
}

/// Whether the process of a pid file still runs.
///
/// A file of a killed engine makes the next one refuse to start, and "does the
/// process exist" is not the question: a killed one stays as a zombie until its
/// parent takes notice, and its number may belong to another program.
///
/// - In this process: reads the file and `/proc/<pid>/stat`.
/// - Touches: nothing.
/// - Source: proc(5).
///
/// ```
/// use talia_pipeline::{Step, steps::install::PidFile};
///
/// let question = PidFile::new("/run/docker.pid", "dockerd");
/// assert_eq!(question.label(), "whether the dockerd of /run/docker.pid runs");
/// ```
#[derive(Debug, Clone)]
pub struct PidFile {
    path: Utf8PathBuf,
    program: String,
    proc: Utf8PathBuf,
}

impl PidFile {
    /// The file of this program.
    pub fn new(path: impl Into<Utf8PathBuf>, program: impl Into<String>) -> Self {
        Self { path: path.into(), program: program.into(), proc: "/proc".into() }
    }

    pub(super) fn state(&self) -> PidState {
        let Ok(text) = fs::read_to_string(&self.path) else { return PidState::Absent };
        let Ok(pid) = text.trim().parse() else { return PidState::Stale };
        if runs(&self.proc, pid, &self.program) { PidState::Live(pid) } else { PidState::Stale }
    }
}

/// `stat` is `PID (NAME) STATE …`; the name may hold anything, brackets too, and
/// the kernel keeps its first 15 bytes.
fn runs(proc: &Utf8Path, pid: u32, program: &str) -> bool {
    let Ok(stat) = fs::read(proc.join(pid.to_string()).join("stat")) else { return false };
    let stat = String::from_utf8_lossy(&stat);
    let (Some(open), Some(close)) = (stat.find('('), stat.rfind(')')) else { return false };
    let name = stat.get(open + 1..close).unwrap_or_default();
    let state = stat.get(close + 1..).unwrap_or_default().trim_start();
    let kept = program.get(..15).unwrap_or(program);
    name == kept && !state.starts_with(['Z', 'X', 'x'])
}

impl Step for PidFile {
    type Output = PidState;

    fn label(&self) -> String {
        format!("whether the {} of {} runs", self.program, self.path)
    }

    fn action(&self) -> Action<'_, PidState> {
        Action::read(format!("read {} and {}", self.path, self.proc), || Ok(self.state()))
    }

    fn assume(&self) -> PidState {
        PidState::Absent
    }

    fn summary(&self, state: &PidState) -> Summary {
        Summary::line(match state {
            PidState::Absent => "there is no such file".to_owned(),
            PidState::Live(pid) => format!("process {pid} runs"),
            PidState::Stale => "its process has ended".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    #[test]
    fn minimal() {
        check("pid_file__minimal", &PidFile::new("/run/docker.pid", "dockerd"));
    }
    #[test]
    fn containerd() {
        let path = "/run/docker/containerd/containerd.pid";
        check("pid_file__containerd", &PidFile::new(path, "containerd"));
    }
    #[test]
    fn hostile() {
        check("pid_file__hostile", &PidFile::new("-it's \"ü\"\n", "a b\n"));
    }

    /// A folder of this test alone, with a pid file of process 7 and, where
    /// `stat` is given, that process.
    fn state(test: &str, text: &str, stat: Option<&str>) -> PidState {
        let folder = std::env::temp_dir().join(format!("talia-{test}-{}", std::process::id()));
        let folder = Utf8PathBuf::from_path_buf(folder).expect("a path of UTF-8");
        fs::create_dir_all(folder.join("7")).unwrap();
        fs::write(folder.join("docker.pid"), text).unwrap();
        if let Some(stat) = stat {
            fs::write(folder.join("7/stat"), stat).unwrap();
        }
        let mut file = PidFile::new(folder.join("docker.pid"), "dockerd");
        file.proc = folder.clone();
        let state = file.state();
        fs::remove_dir_all(&folder).unwrap();
        state
    }

    #[test]
    fn only_the_running_program_itself_is_live() {
        assert_eq!(state("live", "7\n", Some("7 (dockerd) S 1 7")), PidState::Live(7));
        assert_eq!(state("zombie", "7", Some("7 (dockerd) Z 1 7")), PidState::Stale);
        assert_eq!(state("other", "7", Some("7 (a) (dockerd) S 1")), PidState::Stale);
        assert_eq!(state("ended", "7", None), PidState::Stale);
        assert_eq!(state("empty", "", None), PidState::Stale);
        assert_eq!(PidFile::new("/nowhere/x.pid", "dockerd").state(), PidState::Absent);
    }
}
