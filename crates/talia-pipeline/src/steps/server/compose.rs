//! `docker compose` on the server: one project for each slot.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    command_line::{CommandLine, Effect},
    error::Error,
    parse::compose::Project,
    server::{Judge, Layout, Reading},
    settings::Policy,
    step::{Action, Answer, Step, Summary},
};

/// A compose project with the files that it is made from, all of them named: without
/// names Compose would look for some itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compose {
    project: String,
    folder: Utf8PathBuf,
    files: Vec<String>,
    docker_config: Option<Utf8PathBuf>,
}

impl Compose {
    /// The project of this name, from `docker-compose.yml` in `folder`. Relative paths
    /// in it count from there, and `.env` there is what `${NAME}` is taken from.
    pub fn new(project: impl Into<String>, folder: impl Into<Utf8PathBuf>) -> Self {
        let files = vec!["docker-compose.yml".to_owned()];
        Self { project: project.into(), folder: folder.into(), files, docker_config: None }
    }

    /// Adds a file of the folder, whose settings count more.
    #[must_use]
    pub fn with(mut self, file: impl Into<String>) -> Self {
        self.files.push(file.into());
        self
    }

    /// Uses the registry login in this folder.
    #[must_use]
    pub fn docker_config(mut self, folder: impl Into<Utf8PathBuf>) -> Self {
        self.docker_config = Some(folder.into());
        self
    }

    /// The folder of its files.
    pub fn folder(&self) -> &Utf8Path {
        &self.folder
    }

    /// Its name.
    pub fn project(&self) -> &str {
        &self.project
    }

    /// Its files.
    pub fn paths(&self) -> impl Iterator<Item = Utf8PathBuf> {
        self.files.iter().map(|file| self.folder.join(file))
    }

    /// `docker compose … VERB`, without that verb's own words.
    fn line(&self, verb: &str) -> CommandLine {
        self.line_with(&self.folder.join(".env"), verb)
    }

    fn line_with(&self, env: &Utf8Path, verb: &str) -> CommandLine {
        let mut line = CommandLine::new("docker")
            .args(["compose", "--ansi=never", "--progress=plain"])
            .option("--project-name", &self.project)
            .option("--project-directory", self.folder.as_str())
            .option("--env-file", env.as_str());
        for path in self.paths() {
            line = line.option("--file", path.as_str());
        }
        if let Some(folder) = &self.docker_config {
            line = line.env("DOCKER_CONFIG", folder.as_str());
        }
        line.arg(verb).requires("docker-engine")
    }
}

/// `docker compose … config --format=json`: why the server's policy refuses a project,
/// as Compose itself reads its files; [as it is written](Self::as_written), also with `--no-interpolate
/// --no-path-resolution --env-file=/dev/null`.
///
/// Accepts exit 0, and 1, 14 and 15 (a mistake in the files). Every value of `.env` is
/// in the output, so it is in no log and shown to nobody.
///
/// Two readings are needed. As the project is used, Compose shows what every `${NAME}`
/// becomes, but neither `env_file`, nor services of a profile that nothing starts, nor
/// volumes that no service has. As it is written, all of these are there, and paths
/// that count from the file's own folder can be told; and `.env` is not read at all.
#[derive(Debug)]
pub struct ComposeConfig {
    compose: Compose,
    layout: Layout,
    policy: Policy,
    reading: Reading,
}

impl ComposeConfig {
    /// Judges this project, as it is used, by this policy.
    pub fn new(compose: Compose, layout: &Layout, policy: &Policy) -> Self {
        let (layout, policy) = (layout.clone(), policy.clone());
        Self { compose, layout, policy, reading: Reading::AsUsed }
    }

    /// Reads it as it is written, and nothing of `.env`.
    #[must_use]
    pub fn as_written(mut self) -> Self {
        self.reading = Reading::AsWritten;
        self
    }

    fn judge(&self, project: &Project) -> Judged {
        let Self { compose, layout, policy, reading } = self;
        let judge = Judge::new(layout, policy, &compose.project, &compose.folder, *reading);
        let others =
            project.services().map(|(name, _)| name).filter(|name| *name != policy.service);
        Judged { refused: judge.refusals(project), others: others.map(str::to_owned).collect() }
    }
}

/// What a compose project asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Judged {
    /// What the policy does not allow.
    pub refused: Vec<String>,
    /// Its services beside the one that is released.
    pub others: Vec<String>,
}

impl Step for ComposeConfig {
    type Output = Judged;

    fn label(&self) -> String {
        match self.reading {
            Reading::AsWritten => "compose file, as written".into(),
            Reading::AsUsed => "compose file".into(),
        }
    }

    fn action(&self) -> Action<'_, Judged> {
        let line = match self.reading {
            Reading::AsWritten => self
                .compose
                .line_with(Utf8Path::new("/dev/null"), "config")
                .args(["--no-interpolate", "--no-path-resolution"]),
            Reading::AsUsed => self.compose.line("config"),
        };
        let line = line
            .arg("--format=json")
            .effect(Effect::Read)
            .accept([0, 1, 14, 15])
            .stdout_is_private()
            .capture_bytes(16 << 20)
            .timeout(Duration::from_secs(60))
            .purpose("what the compose file asks for");
        Action::command(line, move |answer: &Answer| {
            if answer.exit() != 0 {
                return Err(Error::usage("Compose cannot read its files")
                    .tail(answer.last_lines(5))
                    .hint("correct docker-compose.yml or .env on the server, or push them anew"));
            }
            // What was said instead may hold values, so it is not shown.
            Project::read(answer.stdout_bytes())
                .map(|project| self.judge(&project))
                .map_err(|expected| Error::step(format!("Compose does not show {expected}")))
        })
    }

    fn assume(&self) -> Judged {
        Judged::default()
    }

    fn summary(&self, judged: &Judged) -> Summary {
        Summary::line(match judged.refused.len() {
            0 => "asks for nothing that the policy does not allow".to_owned(),
            count => format!("{count} refusals"),
        })
    }
}

/// `docker compose … up --detach --no-deps --no-build --pull=never --remove-orphans
/// SERVICE`: starts a release in its slot.
///
/// Accepts exit 0. The project is the slot's own, so nothing of anybody else counts as
/// an orphan. What runs already from the same files is left as it is.
#[derive(Debug)]
pub struct SlotUp {
    compose: Compose,
    service: String,
}

impl SlotUp {
    /// Starts this service of the project.
    pub fn new(compose: Compose, service: impl Into<String>) -> Self {
        Self { compose, service: service.into() }
    }
}

impl Step for SlotUp {
    type Output = ();

    fn label(&self) -> String {
        format!("start {}", self.compose.project)
    }

    fn action(&self) -> Action<'_, ()> {
        let line = self
            .compose
            .line("up")
            // The others of the file run elsewhere; an image that is not there is an error.
            .args(["--detach", "--no-deps", "--no-build", "--pull=never", "--remove-orphans"])
            .operand(&self.service)
            .timeout(Duration::from_secs(300))
            .purpose("the new release, beside the live one");
        Action::command(line, |_| Ok(()))
    }

    fn assume(&self) {}
}

/// `docker compose … run --rm --no-deps --no-TTY SERVICE COMMAND…`: a command in a
/// one-off container of the new image, such as a migration.
///
/// Accepts exit 0. The service's own command does not run.
#[derive(Debug)]
pub struct Migrate {
    compose: Compose,
    service: String,
    command: Vec<String>,
}

impl Migrate {
    /// Runs this command in a container of this service.
    pub fn new(compose: Compose, service: impl Into<String>, command: &[String]) -> Self {
        Self { compose, service: service.into(), command: command.to_vec() }
    }
}

impl Step for Migrate {
    type Output = ();

    fn label(&self) -> String {
        "migrate".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let line = self
            .compose
            .line("run")
            .args(["--rm", "--no-deps", "--no-TTY", "--quiet-pull"])
            .operand(&self.service)
            .args(&self.command)
            .purpose("the new release's migrations");
        Action::command(line, |_| Ok(()))
    }

    fn assume(&self) {}
}

/// `docker compose --project-name=PROJECT down --timeout=SECONDS`: ends what runs in a
/// slot, and takes its containers away.
///
/// Accepts exit 0; tried five times, because the engine may be restarting. It needs no
/// file: Compose knows its own by their labels. Volumes stay.
#[derive(Debug)]
pub struct SlotDown {
    project: String,
    grace: Duration,
}

impl SlotDown {
    /// Ends this project; a container has `grace` to end its requests.
    pub fn new(project: impl Into<String>, grace: Duration) -> Self {
        Self { project: project.into(), grace }
    }
}

impl Step for SlotDown {
    type Output = ();

    fn label(&self) -> String {
        format!("end {}", self.project)
    }

    fn action(&self) -> Action<'_, ()> {
        let line = CommandLine::new("docker")
            .args(["compose", "--ansi=never", "--progress=plain"])
            .option("--project-name", &self.project)
            .args(["down", "--remove-orphans"])
            .option("--timeout", self.grace.as_secs().to_string())
            // Where no compose file lies that it could take for this project's.
            .cwd("/")
            .attempts(5)
            .requires("docker-engine")
            .timeout(self.grace + Duration::from_secs(60))
            .purpose("a release that is not live");
        Action::command(line, |_| Ok(()))
    }

    fn assume(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    fn minimal() -> Compose {
        Compose::new("talia-production-blue", "/opt/talia-backend/releases/1")
    }

    fn everything() -> Compose {
        minimal().with("compose.override.yml").with("slot.yml").docker_config("/etc/talia/p/docker")
    }

    fn hostile() -> Compose {
        Compose::new("-p", "/a b/$(id)").with("--x y")
    }

    fn config(compose: Compose) -> ComposeConfig {
        let policy = Policy::default();
        ComposeConfig::new(compose, &Layout::new(&"production".parse().unwrap(), &policy), &policy)
    }

    #[test]
    fn compose_config_minimal() {
        check("compose_config__minimal", &config(minimal()));
    }

    #[test]
    fn compose_config_hostile() {
        check("compose_config__hostile", &config(hostile()));
    }

    #[test]
    fn compose_config_everything() {
        check("compose_config__everything", &config(everything()).as_written());
    }

    #[test]
    fn services_that_no_release_starts_are_named() {
        let json = br#"{"services": {"api": {}, "redis": {"image": "redis"}}}"#;
        let judged = config(minimal()).judge(&Project::read(json).unwrap());
        assert_eq!(judged.others, ["redis"]);
    }

    #[test]
    fn slot_up_minimal() {
        check("slot_up__minimal", &SlotUp::new(minimal(), "api"));
    }

    #[test]
    fn slot_up_everything() {
        check("slot_up__everything", &SlotUp::new(everything(), "api"));
    }

    #[test]
    fn slot_up_hostile() {
        check("slot_up__hostile", &SlotUp::new(hostile(), "--help"));
    }

    #[test]
    fn migrate_minimal() {
        check("migrate__minimal", &Migrate::new(minimal(), "api", &["alembic".into()]));
    }

    #[test]
    fn migrate_everything() {
        let command = ["alembic".into(), "upgrade".into(), "head".into()];
        check("migrate__everything", &Migrate::new(everything(), "api", &command));
    }

    #[test]
    fn migrate_hostile() {
        check("migrate__hostile", &Migrate::new(hostile(), "-x", &["--rm; $(id)".into()]));
    }

    #[test]
    fn slot_down_minimal() {
        check("slot_down__minimal", &SlotDown::new("talia-production-blue", Duration::ZERO));
    }

    #[test]
    fn slot_down_everything() {
        let step = SlotDown::new("talia-staging-green", Duration::from_secs(10));
        check("slot_down__everything", &step);
    }

    #[test]
    fn slot_down_hostile() {
        check("slot_down__hostile", &SlotDown::new("-x $(id)", Duration::from_secs(1)));
    }
}
