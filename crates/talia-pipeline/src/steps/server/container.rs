//! The containers of an environment, as the engine shows them.

use std::time::Duration;

use crate::{
    command_line::{CommandLine, Effect},
    error::Result,
    protocol::{ReleaseId, RevisionId, Slot, SlotState},
    step::{Action, Answer, Step, Summary},
};

/// One container of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Container {
    /// Its id.
    pub id: String,
    /// `running`, `exited`, `restarting`, …
    pub state: String,
    /// What the engine says of it: `Up 3 minutes (healthy)`.
    pub status: String,
    /// Where it runs.
    pub slot: Option<Slot>,
    /// The release that it belongs to.
    pub release: Option<ReleaseId>,
    /// That release's revision.
    pub revision: Option<RevisionId>,
}

impl Container {
    /// Whether its process runs.
    pub fn is_running(&self) -> bool {
        self.state == "running"
    }

    /// As a client is told.
    pub fn told(&self) -> SlotState {
        SlotState {
            slot: self.slot,
            container: self.id.chars().take(12).collect(),
            state: self.status.clone(),
            release: self.release.clone(),
            revision: self.revision.clone(),
        }
    }
}

/// `docker container ls --all --filter=label=talia.environment=ENV
/// --format=…`: every container of an environment's releases.
///
/// Accepts exit 0. Reads labels, which a release's override file sets.
#[derive(Debug)]
pub struct Containers {
    environment: String,
}

/// The containers of an environment's releases.
fn list(environment: &str) -> CommandLine {
    CommandLine::new("docker")
        .args(["container", "ls", "--all", "--no-trunc"])
        .option("--filter", format!("label=talia.environment={environment}"))
        .option("--format", FORMAT)
        .effect(Effect::Read)
        .requires("docker-engine")
        .stdout_is_data()
        .timeout(Duration::from_secs(30))
}

/// Tabs cannot be in what the engine says here.
const FORMAT: &str = "{{.ID}}\t{{.State}}\t{{.Status}}\t{{.Label \"talia.slot\"}}\t\
                      {{.Label \"talia.release\"}}\t{{.Label \"talia.revision\"}}";

impl Containers {
    /// Asks for those of this environment.
    pub fn new(environment: impl Into<String>) -> Self {
        Self { environment: environment.into() }
    }
}

fn read(answer: &Answer) -> Result<Vec<Container>> {
    let stdout = answer.stdout();
    stdout
        .lines()
        .map(|line| {
            let mut parts = line.split('\t');
            let mut next = || parts.next().ok_or_else(|| answer.unreadable("six columns"));
            Ok(Container {
                id: next()?.to_owned(),
                state: next()?.to_owned(),
                status: next()?.to_owned(),
                // A container of somebody else's making may lack what ours have.
                slot: next()?.parse().ok(),
                release: next()?.parse().ok(),
                revision: next()?.parse().ok(),
            })
        })
        .collect()
}

impl Step for Containers {
    type Output = Vec<Container>;

    fn label(&self) -> String {
        "containers".into()
    }

    fn action(&self) -> Action<'_, Vec<Container>> {
        let line = list(&self.environment).purpose("which releases run");
        Action::command(line, read)
    }

    fn assume(&self) -> Vec<Container> {
        Vec::new()
    }

    fn summary(&self, found: &Vec<Container>) -> Summary {
        let told: Vec<String> = found
            .iter()
            .map(|one| {
                let slot = one.slot.map_or("no slot", Slot::name);
                let release = one.release.as_ref().map_or("no release", ReleaseId::as_str);
                format!("{slot}: {release}, {}", one.status)
            })
            .collect();
        Summary::line(if told.is_empty() { "none".to_owned() } else { told.join("; ") })
    }
}

/// `docker container ls --all --filter=label=talia.environment=ENV --format=…
/// --filter=label=talia.release=ID`: the container of one release; `None` where there
/// is none.
///
/// Accepts exit 0.
#[derive(Debug)]
pub struct ContainerOf {
    environment: String,
    release: ReleaseId,
    slot: Slot,
}

impl ContainerOf {
    /// Asks for the container of this release, which runs in this slot.
    pub fn new(environment: impl Into<String>, release: &ReleaseId, slot: Slot) -> Self {
        Self { environment: environment.into(), release: release.clone(), slot }
    }
}

impl Step for ContainerOf {
    type Output = Option<Container>;

    fn label(&self) -> String {
        format!("container in {}", self.slot)
    }

    fn action(&self) -> Action<'_, Option<Container>> {
        let line = list(&self.environment)
            .option("--filter", format!("label=talia.release={}", self.release))
            .purpose("whether the release's container runs");
        Action::command(line, |answer| Ok(read(answer)?.into_iter().next()))
    }

    fn assume(&self) -> Option<Container> {
        Some(Container {
            id: crate::hole::named("container id"),
            state: "running".to_owned(),
            status: "Up".to_owned(),
            slot: Some(self.slot),
            release: Some(self.release.clone()),
            revision: None,
        })
    }

    fn summary(&self, found: &Option<Container>) -> Summary {
        Summary::line(found.as_ref().map_or("none", |one| one.status.as_str()))
    }
}

/// `docker container inspect --format={{.RestartCount}} -- CONTAINER`: how often the
/// engine had to start it again.
///
/// Accepts exit 0.
#[derive(Debug)]
pub struct ContainerRestarts {
    container: String,
}

impl ContainerRestarts {
    /// Asks for this container.
    pub fn new(container: impl Into<String>) -> Self {
        Self { container: container.into() }
    }
}

impl Step for ContainerRestarts {
    type Output = u32;

    fn label(&self) -> String {
        "restarts of the container".into()
    }

    fn action(&self) -> Action<'_, u32> {
        let line = CommandLine::new("docker")
            .args(["container", "inspect"])
            .option("--format", "{{.RestartCount}}")
            .operand(&self.container)
            .effect(Effect::Read)
            .stdout_is_data()
            .timeout(Duration::from_secs(30))
            .purpose("whether it ended and was started again");
        Action::command(line, |answer| {
            answer.stdout().trim().parse().map_err(|_| answer.unreadable("a number"))
        })
    }

    fn assume(&self) -> u32 {
        0
    }

    fn summary(&self, restarts: &u32) -> Summary {
        Summary::line(restarts.to_string())
    }
}

/// `docker container logs --tail=LINES -- CONTAINER`: what a container said last.
///
/// Accepts exit 0 and 1: one that has gone says nothing.
#[derive(Debug)]
pub struct ContainerLog {
    container: String,
    lines: u32,
}

impl ContainerLog {
    /// The last `lines` of this container.
    pub fn new(container: impl Into<String>, lines: u32) -> Self {
        Self { container: container.into(), lines }
    }
}

impl Step for ContainerLog {
    type Output = Vec<String>;

    fn label(&self) -> String {
        "last lines of the container".into()
    }

    fn action(&self) -> Action<'_, Vec<String>> {
        let line = CommandLine::new("docker")
            .args(["container", "logs"])
            .option("--tail", self.lines.to_string())
            .operand(&self.container)
            .effect(Effect::Read)
            .accept([0, 1])
            .timeout(Duration::from_secs(20))
            .purpose("what it said before it failed");
        let most = usize::try_from(self.lines).unwrap_or(usize::MAX);
        Action::command(line, move |answer| {
            let (stdout, stderr) = (answer.stdout(), answer.stderr());
            let lines: Vec<String> =
                stdout.lines().chain(stderr.lines()).map(str::to_owned).collect();
            Ok(lines[lines.len().saturating_sub(most)..].to_vec())
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

    #[test]
    fn containers_minimal() {
        check("containers__minimal", &Containers::new("production"));
    }

    #[test]
    fn containers_hostile() {
        check("containers__hostile", &Containers::new("-x; $(id)"));
    }

    fn id() -> ReleaseId {
        "20261124T081500Z-0123456789ab".parse().unwrap()
    }

    #[test]
    fn container_of_minimal() {
        let step = ContainerOf::new("production", &id(), Slot::Blue);
        check("container_of__minimal", &step);
    }

    #[test]
    fn container_of_everything() {
        check("container_of__everything", &ContainerOf::new("staging-2", &id(), Slot::Green));
    }

    #[test]
    fn container_of_hostile() {
        check("container_of__hostile", &ContainerOf::new("-x; $(id)", &id(), Slot::Green));
    }

    #[test]
    fn container_restarts_minimal() {
        check("container_restarts__minimal", &ContainerRestarts::new("0123456789ab"));
    }

    #[test]
    fn container_restarts_hostile() {
        check("container_restarts__hostile", &ContainerRestarts::new("--size"));
    }

    #[test]
    fn container_log_minimal() {
        check("container_log__minimal", &ContainerLog::new("0123456789ab", 20));
    }

    #[test]
    fn container_log_everything() {
        check("container_log__everything", &ContainerLog::new("talia-production-blue-api-1", 1));
    }

    #[test]
    fn container_log_hostile() {
        check("container_log__hostile", &ContainerLog::new("--since=0", 20));
    }

    #[test]
    fn a_line_is_one_container_whatever_it_lacks() {
        let sha = "0123456789abcdef0123456789abcdef01234567";
        let said = format!(
            "ab12\trunning\tUp 3 minutes (healthy)\tblue\t20261124T081500Z-0123456789ab\t{sha}\n\
             cd34\texited\tExited (1) 2 hours ago\t\t\t\n"
        );
        let found = read(&Answer::new(0, said, "")).unwrap();
        assert!(found[0].is_running() && !found[1].is_running());
        assert_eq!((found[0].slot, found[1].slot), (Some(Slot::Blue), None));
        assert_eq!(found[0].revision.as_ref().unwrap().as_str(), sha);
        assert!(read(&Answer::new(0, "ab12\trunning\n", "")).is_err());
    }
}
