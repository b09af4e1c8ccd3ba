//! `docker compose` on this machine.

use camino::Utf8PathBuf;

use crate::{
    command_line::CommandLine,
    error::{Error, Result},
    step::{Action, Answer, Step, Summary},
};

/// A compose project of this machine: its folder and its files, all of them named.
/// Without names Compose would look for some itself; with one named it would leave the
/// override out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalProject {
    folder: Utf8PathBuf,
    files: Vec<Utf8PathBuf>,
    image: Option<String>,
}

impl LocalProject {
    /// What relative paths count from, and the files.
    pub fn new(
        folder: impl Into<Utf8PathBuf>,
        files: impl IntoIterator<Item = impl Into<Utf8PathBuf>>,
    ) -> Self {
        let files = files.into_iter().map(Into::into).collect();
        Self { folder: folder.into(), files, image: None }
    }

    /// Has the files run this image, by its id, as `TALIA_IMAGE`.
    #[must_use]
    pub fn image(mut self, id: impl Into<String>) -> Self {
        self.image = Some(id.into());
        self
    }

    /// What shows all that its containers have said.
    pub fn logs(&self) -> CommandLine {
        self.line("logs")
    }

    pub(super) fn line(&self, verb: &str) -> CommandLine {
        let mut line = CommandLine::new("docker")
            .args(["compose", "--ansi=never", "--progress=plain"])
            .option("--project-directory", &self.folder);
        for file in &self.files {
            line = line.option("--file", file);
        }
        if let Some(image) = &self.image {
            line = line.env("TALIA_IMAGE", image);
        }
        line.arg(verb).requires("docker-engine")
    }
}

/// Starts a project on this machine, building what it can build.
///
/// - Command: `docker compose --project-directory=FOLDER --file=FILE … up --detach
///   --build --remove-orphans`, with `TALIA_IMAGE` where an image is given.
/// - Exits: 0; 1 is read for its reason.
/// - Touches: containers and networks of this machine's engine, which go on.
/// - Errors: preflight when another program has its port.
/// - Source: Docker's manual, *docker compose up*.
///
/// ```
/// use talia_pipeline::{Step, steps::local::{ComposeUp, LocalProject}};
///
/// let project = LocalProject::new("/srv/app", ["/srv/app/docker-compose.yml"]);
/// assert_eq!(ComposeUp::new(project).label(), "docker compose up");
/// ```
#[derive(Debug, Clone)]
pub struct ComposeUp {
    project: LocalProject,
}

impl ComposeUp {
    /// Of this project.
    pub fn new(project: LocalProject) -> Self {
        Self { project }
    }
}

fn read(answer: &Answer) -> Result<()> {
    if answer.exit() == 0 {
        return Ok(());
    }
    let said = answer.stderr();
    let taken = ["address already in use", "port is already allocated"];
    let error = if taken.iter().any(|words| said.contains(words)) {
        Error::preflight("another program listens at a port that the backend needs")
            .hint("end it; `ss --listening --tcp --processes` names it")
    } else {
        Error::step(format!("docker compose ended with exit {}", answer.exit()))
    };
    Err(error.tail(answer.last_lines(20)))
}

impl Step for ComposeUp {
    type Output = ();

    fn label(&self) -> String {
        "docker compose up".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let line = self
            .project
            .line("up")
            .args(["--detach", "--build", "--remove-orphans"])
            .accept([0, 1])
            .purpose("start the backend on this machine");
        Action::command(line, read)
    }

    fn assume(&self) {}

    fn summary(&self, (): &()) -> Summary {
        let names = self.project.files.iter().filter_map(|file| file.file_name());
        Summary::line(names.collect::<Vec<_>>().join(", "))
    }
}

/// Ends a project on this machine and takes its containers and networks away. Volumes
/// stay.
///
/// - Command: `docker compose --project-directory=FOLDER --file=FILE … down
///   --remove-orphans`.
/// - Exits: 0, where nothing was there too.
/// - Touches: containers and networks of this machine's engine.
/// - Source: Docker's manual, *docker compose down*.
///
/// ```
/// use talia_pipeline::{Step, steps::local::{ComposeDown, LocalProject}};
///
/// let project = LocalProject::new("/srv/app", ["/srv/app/docker-compose.yml"]);
/// assert_eq!(ComposeDown::new(project).label(), "docker compose down");
/// ```
#[derive(Debug, Clone)]
pub struct ComposeDown {
    project: LocalProject,
}

impl ComposeDown {
    /// Of this project.
    pub fn new(project: LocalProject) -> Self {
        Self { project }
    }
}

impl Step for ComposeDown {
    type Output = ();

    fn label(&self) -> String {
        "docker compose down".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let line = self
            .project
            .line("down")
            .arg("--remove-orphans")
            .purpose("end the backend on this machine");
        Action::command(line, |_| Ok(()))
    }

    fn assume(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ErrorKind, hole, steps::testing::check};

    fn minimal() -> LocalProject {
        LocalProject::new("/srv/app", ["/srv/app/docker-compose.yml"])
    }

    fn everything() -> LocalProject {
        LocalProject::new("/srv/app", ["/srv/app/compose.yaml", "/srv/app/compose.override.yml"])
            .image(hole::named("image id"))
    }

    fn hostile() -> LocalProject {
        LocalProject::new("/srv/it's $x", ["/srv/-f\n.yml"]).image("$(id) ä")
    }

    #[test]
    fn compose_up_minimal() {
        check("compose_up__minimal", &ComposeUp::new(minimal()));
    }

    #[test]
    fn compose_up_everything() {
        check("compose_up__everything", &ComposeUp::new(everything()));
    }

    #[test]
    fn compose_up_hostile() {
        check("compose_up__hostile", &ComposeUp::new(hostile()));
    }

    #[test]
    fn compose_down_minimal() {
        check("compose_down__minimal", &ComposeDown::new(minimal()));
    }

    #[test]
    fn compose_down_everything() {
        check("compose_down__everything", &ComposeDown::new(everything()));
    }

    #[test]
    fn compose_down_hostile() {
        check("compose_down__hostile", &ComposeDown::new(hostile()));
    }

    #[test]
    fn a_port_that_is_taken_is_told_apart() {
        let said = "Bind for 127.0.0.1:8000 failed: port is already allocated\n";
        let error = read(&Answer::new(1, "", said)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Preflight);
        assert_eq!(read(&Answer::new(1, "", "x\n")).unwrap_err().kind(), ErrorKind::Step);
    }
}
