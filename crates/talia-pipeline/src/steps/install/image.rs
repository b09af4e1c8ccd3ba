use std::time::Duration;

use camino::Utf8PathBuf;

use crate::{
    command_line::{CommandLine, Effect},
    hole,
    step::{Action, Step, Summary},
};

use super::Engine;

/// The variables of an image that is made from a plain tree, which has none: a
/// `PATH`, and where each common client looks for certificates.
const VARIABLES: [&str; 5] = [
    "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "ENV LANG=C.UTF-8",
    "ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt",
    "ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt",
    "ENV REQUESTS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt",
];

/// Whether an image is there: its id, or `None`.
///
/// - Command: `docker image inspect --format '{{.Id}}' -- IMAGE`.
/// - Exits: 0, and 1 where the image is not there.
/// - Touches: nothing. At most 20 seconds.
/// - Errors: the engine does not answer, which is exit 1 as well.
/// - Source: docker-image-inspect(1).
///
/// ```
/// use talia_pipeline::{Step, steps::install::{Engine, ImageThere}};
///
/// let question = ImageThere::new(&Engine::system(), "talia-base:bookworm");
/// assert_eq!(question.label(), "whether talia-base:bookworm is there");
/// ```
#[derive(Debug, Clone)]
pub struct ImageThere {
    host: Option<String>,
    image: String,
}

impl ImageThere {
    /// This image, in this engine.
    pub fn new(engine: &Engine, image: impl Into<String>) -> Self {
        Self { host: engine.host(), image: image.into() }
    }
}

impl Step for ImageThere {
    type Output = Option<String>;

    fn label(&self) -> String {
        format!("whether {} is there", self.image)
    }

    fn action(&self) -> Action<'_, Option<String>> {
        let line = docker(self.host.as_deref())
            .args(["image", "inspect", "--format", "{{.Id}}"])
            .operand(&self.image)
            .accept([0, 1])
            .effect(Effect::Read)
            .timeout(Duration::from_secs(20))
            .purpose("see whether the image is there");
        Action::command(line, |answer| {
            let said = answer.stdout();
            match answer.exit() {
                0 => Ok(Some(said.trim().to_owned())),
                _ if answer.stderr().to_lowercase().contains("no such image") => Ok(None),
                _ => Err(answer.unreadable("an image's id")),
            }
        })
    }

    /// The case with the most to do: a plan should show all that may come.
    fn assume(&self) -> Option<String> {
        None
    }

    fn summary(&self, id: &Option<String>) -> Summary {
        Summary::line(id.as_deref().unwrap_or("no"))
    }
}

/// Makes an image from a tar file. The tag appears when all is in, not before.
///
/// - Command: `docker import --message … --change … -- TAR IMAGE`.
/// - Exits: 0.
/// - Touches: the engine's images. At most 600 seconds.
/// - Errors: a full disk, a name that is no image name.
/// - Source: docker-import(1).
///
/// ```
/// use talia_pipeline::{Step, steps::install::{Engine, ImageImport}};
///
/// let import = ImageImport::new(&Engine::system(), "/var/tmp/x.tar", "talia-base:bookworm");
/// assert_eq!(import.label(), "import talia-base:bookworm");
/// ```
#[derive(Debug, Clone)]
pub struct ImageImport {
    host: Option<String>,
    tar: Utf8PathBuf,
    image: String,
    labels: Vec<String>,
}

impl ImageImport {
    /// Into this engine, under this name.
    pub fn new(engine: &Engine, tar: impl Into<Utf8PathBuf>, image: impl Into<String>) -> Self {
        Self { host: engine.host(), tar: tar.into(), image: image.into(), labels: Vec::new() }
    }

    /// Adds a label; images built on it inherit it.
    #[must_use]
    pub fn label_of_image(mut self, name: &str, value: &str) -> Self {
        self.labels.push(format!("LABEL {name}={value}"));
        self
    }
}

impl Step for ImageImport {
    type Output = String;

    fn label(&self) -> String {
        format!("import {}", self.image)
    }

    fn action(&self) -> Action<'_, String> {
        let changes = VARIABLES.iter().copied().chain(self.labels.iter().map(String::as_str));
        let line = changes.fold(
            docker(self.host.as_deref()).args([
                "import",
                "--message",
                "made from Debian's packages by talia-pipeline",
            ]),
            |line, change| line.args(["--change", change]),
        );
        let line = line
            .args(["--change", "CMD [\"bash\"]"])
            .operand(self.tar.as_str())
            .operand(&self.image)
            .requires("docker-engine")
            .timeout(Duration::from_secs(600))
            .purpose("make an image from the tree");
        Action::command(line, |answer| {
            let said = answer.stdout();
            let id = said.lines().map(str::trim).find(|line| line.starts_with("sha256:"));
            id.map(str::to_owned).ok_or_else(|| answer.unreadable("the image's id"))
        })
    }

    fn assume(&self) -> String {
        hole::named("image id")
    }

    fn summary(&self, id: &String) -> Summary {
        Summary::line(id.clone())
    }
}

/// What a client says when it did not reach a registry at all. Any other answer,
/// `unauthorized` too, comes from one.
const NOT_REACHED: [&str; 13] = [
    "no such host",
    "connection refused",
    "i/o timeout",
    "no route to host",
    "network is unreachable",
    "client.timeout",
    "tls handshake timeout",
    "x509:",
    "server misbehaving",
    "proxyconnect",
    "eof",
    "context deadline exceeded",
    "connection reset",
];

/// Whether a container registry answers, so that images can be pulled.
///
/// - Command: `docker manifest inspect -- IMAGE`: nothing is pulled, and no engine
///   is needed.
/// - Exits: 0, and 1 where there is no registry or no such image.
/// - Touches: nothing. At most 5 seconds; a registry that needs longer for a few
///   hundred bytes is none to pull from.
/// - Source: docker-manifest-inspect(1).
///
/// ```
/// use talia_pipeline::{Step, steps::install::RegistryAnswers};
///
/// let question = RegistryAnswers::new("debian:bookworm-slim");
/// assert_eq!(question.label(), "whether the registry of debian:bookworm-slim answers");
/// ```
#[derive(Debug, Clone)]
pub struct RegistryAnswers {
    image: String,
}

impl RegistryAnswers {
    /// The registry of this image.
    pub fn new(image: impl Into<String>) -> Self {
        Self { image: image.into() }
    }
}

impl Step for RegistryAnswers {
    type Output = bool;

    fn label(&self) -> String {
        format!("whether the registry of {} answers", self.image)
    }

    fn action(&self) -> Action<'_, bool> {
        let line = docker(None)
            .args(["manifest", "inspect"])
            .operand(&self.image)
            .accept([0, 1])
            .effect(Effect::Read)
            .timeout(Duration::from_secs(5))
            .stdout_is_data()
            .purpose("see whether a container registry answers");
        Action::command(line, |answer| {
            let said = answer.stderr().to_lowercase();
            Ok(answer.exit() == 0 || !NOT_REACHED.iter().any(|sign| said.contains(sign)))
        })
    }

    /// The case with the most to do: a plan should show all that may come.
    fn assume(&self) -> bool {
        false
    }

    fn summary(&self, answers: &bool) -> Summary {
        Summary::line(if *answers { "yes" } else { "no" })
    }
}

fn docker(host: Option<&str>) -> CommandLine {
    let line = CommandLine::new("docker");
    host.into_iter().fold(line, |line, host| line.env("DOCKER_HOST", host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;
    use crate::{Answer, Fake, Pipeline, Result, World};

    const HOSTILE: &str = "-it's \"ü\" $x\n";

    fn system() -> Engine {
        Engine::system()
    }

    #[test]
    fn there_minimal() {
        check("image_there__minimal", &ImageThere::new(&system(), "talia-base:bookworm"));
    }
    #[test]
    fn there_everything() {
        let engine = Engine::private("/var/tmp/e");
        check("image_there__everything", &ImageThere::new(&engine, "r.example/a/b@sha256:0"));
    }
    #[test]
    fn there_hostile() {
        check("image_there__hostile", &ImageThere::new(&Engine::private(HOSTILE), HOSTILE));
    }
    #[test]
    fn import_minimal() {
        check("image_import__minimal", &ImageImport::new(&system(), "/var/tmp/x.tar", "base:1"));
    }
    #[test]
    fn import_everything() {
        let engine = Engine::private("/var/tmp/e");
        let import = ImageImport::new(&engine, "/var/tmp/x.tar", "base:1");
        check("image_import__everything", &import.label_of_image("talia.base", "bookworm"));
    }
    #[test]
    fn import_hostile() {
        let import = ImageImport::new(&system(), HOSTILE, HOSTILE);
        check("image_import__hostile", &import.label_of_image(HOSTILE, HOSTILE));
    }
    #[test]
    fn registry_minimal() {
        check("registry_answers__minimal", &RegistryAnswers::new("debian:bookworm-slim"));
    }
    #[test]
    fn registry_everything() {
        check("registry_answers__everything", &RegistryAnswers::new("r.example:5000/a/b:1"));
    }
    #[test]
    fn registry_hostile() {
        check("registry_answers__hostile", &RegistryAnswers::new(HOSTILE));
    }

    fn ask<S: Step>(step: S, exit: i32, stderr: &'static str) -> Result<S::Output> {
        let pipeline = Pipeline::new("test", "/", World::fixed("/", []));
        let fake = Fake::new(move |_| Answer::new(exit, "sha256:12\n", stderr));
        pipeline.fake(fake, |cx| cx.observe(step)).0
    }

    #[test]
    fn a_registry_that_refuses_answers_all_the_same() {
        let answers = |exit, stderr| ask(RegistryAnswers::new("debian:x"), exit, stderr).unwrap();
        assert!(answers(0, ""));
        assert!(answers(1, "manifest unknown: manifest unknown"));
        assert!(answers(1, "unauthorized: authentication required"));
        assert!(!answers(1, "dial tcp: lookup r.example on 192.0.2.1:53: no such host"));
        assert!(!answers(1, "proxyconnect tcp: dial tcp 192.0.2.1:3128: connect: x"));
    }

    #[test]
    fn an_engine_that_is_down_is_not_a_missing_image() {
        let there = |exit, stderr| ask(ImageThere::new(&system(), "base:1"), exit, stderr);
        assert_eq!(there(0, "").unwrap().as_deref(), Some("sha256:12"));
        assert_eq!(there(1, "Error: No such image: base:1").unwrap(), None);
        assert!(there(1, "Cannot connect to the Docker daemon at unix:///x").is_err());
    }
}
