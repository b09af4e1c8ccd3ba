//! How the containers of a project on this machine are.

use std::time::Duration;

use crate::{
    command_line::{CommandLine, Effect},
    error::{Error, Result},
    hole,
    parse::compose_ps::{ProjectContainer, Published, containers},
    step::{Action, Answer, Pace, Step, Summary, Verdict},
};

use super::compose::LocalProject;

/// How long they may take to be well.
const DEADLINE: Duration = Duration::from_secs(60);

/// The containers of a project, with the ports that this machine gives out for them.
///
/// - Command: `docker compose --project-directory=FOLDER --file=FILE … ps --all
///   --format=json`.
/// - Exits: 0.
/// - Touches: nothing.
/// - Source: Docker's manual, *docker compose ps*.
///
/// ```
/// use talia_pipeline::{Step, steps::local::{ComposePs, LocalProject}};
///
/// let project = LocalProject::new("/srv/app", ["/srv/app/docker-compose.yml"]);
/// assert_eq!(ComposePs::new(project).label(), "docker compose ps");
/// ```
#[derive(Debug, Clone)]
pub struct ComposePs {
    project: LocalProject,
}

impl ComposePs {
    /// Of this project.
    pub fn new(project: LocalProject) -> Self {
        Self { project }
    }
}

fn line(project: &LocalProject) -> CommandLine {
    project
        .line("ps")
        .args(["--all", "--format=json"])
        .effect(Effect::Read)
        .stdout_is_data()
        .timeout(Duration::from_secs(20))
        .purpose("which ports are published, and how its containers are")
}

fn read(answer: &Answer) -> Result<Vec<ProjectContainer>> {
    containers(&answer.stdout())
        .map_err(|why| Error::step(format!("docker compose ps has told {why}")))
}

impl Step for ComposePs {
    type Output = Vec<ProjectContainer>;

    fn label(&self) -> String {
        "docker compose ps".into()
    }

    fn action(&self) -> Action<'_, Self::Output> {
        Action::command(line(&self.project), read)
    }

    /// One that publishes a port, which nobody knows yet.
    fn assume(&self) -> Self::Output {
        let address = format!("http://127.0.0.1:{}", hole::named("published port"));
        let published = vec![Published { target: 0, address }];
        vec![ProjectContainer { published, ..ProjectContainer::default() }]
    }

    fn summary(&self, found: &Self::Output) -> Summary {
        let told = found.iter().flat_map(|one| {
            one.published.iter().map(move |port| format!("{} {}", one.service, port.address))
        });
        let told: Vec<String> = told.collect();
        Summary::line(if told.is_empty() { "no port".to_owned() } else { told.join(", ") })
    }
}

/// Waits until all containers of a project run, and until those that have a health check
/// are healthy. One that has ended well is well.
///
/// - Command: that of [`ComposePs`], every half second for a minute.
/// - Exits: 0.
/// - Touches: nothing.
/// - Errors: a container has ended with an error.
///
/// ```
/// use talia_pipeline::{Step, steps::local::{ContainersHealthy, LocalProject}};
///
/// let project = LocalProject::new("/srv/app", ["/srv/app/docker-compose.yml"]);
/// assert_eq!(ContainersHealthy::new(project).label(), "wait for the containers");
/// ```
#[derive(Debug, Clone)]
pub struct ContainersHealthy {
    project: LocalProject,
}

impl ContainersHealthy {
    /// Of this project.
    pub fn new(project: LocalProject) -> Self {
        Self { project }
    }
}

fn judge(found: &[ProjectContainer]) -> Result<Verdict<String>> {
    let (mut well, mut unchecked) = (Vec::new(), Vec::new());
    for one in found {
        let service = &one.service;
        match (one.state.as_str(), one.health.as_str(), one.exit_code) {
            ("exited", _, 0) => {}
            ("exited" | "dead", _, code) => {
                return Err(Error::step(format!("the container of {service} ended with {code}")));
            }
            ("running", "healthy", _) => well.push(service.as_str()),
            ("running", "", _) => unchecked.push(service.as_str()),
            ("running", health, _) => return Ok(Verdict::Again(format!("{service} is {health}"))),
            (state, ..) => return Ok(Verdict::Again(format!("{service} is {state}"))),
        }
    }
    let told = |services: Vec<&str>, are: &str| {
        (!services.is_empty()).then(|| format!("{}: {are}", services.join(", ")))
    };
    let told = [told(well, "healthy"), told(unchecked, "running, without a health check")];
    let told: Vec<String> = told.into_iter().flatten().collect();
    Ok(match told.is_empty() {
        true => Verdict::Again("no container runs".to_owned()),
        false => Verdict::Done(told.join("; ")),
    })
}

impl Step for ContainersHealthy {
    type Output = String;

    fn label(&self) -> String {
        "wait for the containers".into()
    }

    fn action(&self) -> Action<'_, String> {
        let pace = Pace { interval: Duration::from_millis(500), deadline: DEADLINE };
        Action::poll(line(&self.project), pace, |one| judge(&read(one.answer)?))
    }

    fn assume(&self) -> String {
        "healthy".to_owned()
    }

    fn summary(&self, told: &String) -> Summary {
        Summary::line(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    fn project() -> LocalProject {
        LocalProject::new("/srv/app", ["/srv/app/docker-compose.yml"])
    }

    fn hostile() -> LocalProject {
        LocalProject::new("/srv/it's $x", ["/srv/-f\n.yml"])
    }

    #[test]
    fn compose_ps_minimal() {
        check("compose_ps__minimal", &ComposePs::new(project()));
    }

    #[test]
    fn compose_ps_hostile() {
        check("compose_ps__hostile", &ComposePs::new(hostile()));
    }

    #[test]
    fn containers_healthy_minimal() {
        check("containers_healthy__minimal", &ContainersHealthy::new(project()));
    }

    #[test]
    fn containers_healthy_hostile() {
        check("containers_healthy__hostile", &ContainersHealthy::new(hostile()));
    }

    #[test]
    fn every_container_has_its_say() {
        let judged = |all: &[(&str, &str, i32)]| {
            let told = |(state, health, exit_code): &(&str, &str, i32)| ProjectContainer {
                service: "api".into(),
                state: (*state).into(),
                health: (*health).into(),
                exit_code: *exit_code,
                ..ProjectContainer::default()
            };
            judge(&all.iter().map(told).collect::<Vec<_>>())
        };
        let (well, once) = (("running", "healthy", 0), ("exited", "", 0));
        let done = |told: &str| Verdict::Done(told.to_owned());
        assert_eq!(judged(&[well, once]).unwrap(), done("api: healthy"));
        let both = "api: healthy; api: running, without a health check";
        assert_eq!(judged(&[("running", "", 0), well]).unwrap(), done(both));
        for later in [
            &[well, ("running", "starting", 0)][..],
            &[("running", "unhealthy", 0)],
            &[("created", "", 0), well],
            &[("restarting", "", 1)],
            &[once],
            &[],
        ] {
            assert!(matches!(judged(later).unwrap(), Verdict::Again(_)), "{later:?}");
        }
        let error = judged(&[well, ("exited", "", 3)]).unwrap_err();
        assert_eq!(error.to_string(), "the container of api ended with 3");
    }
}
