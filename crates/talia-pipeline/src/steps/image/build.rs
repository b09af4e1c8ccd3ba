//! Builds an image from a Dockerfile.

use std::{collections::BTreeMap, fs};

use camino::Utf8PathBuf;

use crate::{
    command_line::{CommandLine, Effect},
    diagnostic::Diagnostic,
    error::Error,
    hole,
    parse::buildkit::Build,
    step::{Action, Answer, Step, Summary, Touches},
};

/// How much of BuildKit's progress is kept to be read.
const PROGRESS_BYTES: usize = 8 << 20;

/// Which client drives BuildKit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Builder {
    /// `docker buildx build --load`.
    Buildx,
    /// `docker build` with `DOCKER_BUILDKIT=1`, where the plugin is not there.
    BuildKit,
}

/// What a build gave.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Built {
    /// The image's id: `sha256:…`.
    pub id: String,
    /// How many instructions there were.
    pub instructions: usize,
    /// How many of them came from the cache.
    pub cached: usize,
}

/// `docker buildx build --load --progress=plain --iidfile=FILE … -- CONTEXT`: an
/// image, loaded into the engine.
///
/// Accepts exit 0; exit 1 is read for the Dockerfile's line. Writes the image and
/// `FILE` with its id. Labels follow the OCI image specification. A build secret
/// is passed by name through the environment and is in no layer and no argument.
///
/// Source: Docker's manual, *docker buildx build*; OCI image-spec, *Annotations*.
///
/// ```
/// use talia_pipeline::{Step, steps::image::{Builder, ImageBuild}};
///
/// let step = ImageBuild::new(Builder::Buildx, "/srv/app", "/state/image-id")
///     .tag("ghcr.io/talia/backend:main-12ab")
///     .image_label("org.opencontainers.image.revision", "12ab");
/// assert_eq!(step.label(), "build image");
/// ```
#[derive(Debug)]
pub struct ImageBuild {
    builder: Builder,
    context: Utf8PathBuf,
    id_file: Utf8PathBuf,
    dockerfile: Utf8PathBuf,
    tags: Vec<String>,
    labels: BTreeMap<String, String>,
    build_args: BTreeMap<String, String>,
    secrets: Vec<String>,
    target: Option<String>,
    platform: Option<String>,
    cache_from: Vec<String>,
    cache_to: Vec<String>,
    shown_dockerfile: Option<Utf8PathBuf>,
    config: Option<Utf8PathBuf>,
    attested: bool,
}

impl ImageBuild {
    /// Builds the folder `context` and leaves the image's id in `id_file`.
    pub fn new(
        builder: Builder,
        context: impl Into<Utf8PathBuf>,
        id_file: impl Into<Utf8PathBuf>,
    ) -> Self {
        let context = context.into();
        Self {
            builder,
            dockerfile: context.join("Dockerfile"),
            context,
            id_file: id_file.into(),
            tags: Vec::new(),
            labels: BTreeMap::new(),
            build_args: BTreeMap::new(),
            secrets: Vec::new(),
            target: None,
            platform: None,
            cache_from: Vec::new(),
            cache_to: Vec::new(),
            shown_dockerfile: None,
            config: None,
            attested: false,
        }
    }

    /// Uses this Dockerfile instead of the context's own.
    #[must_use]
    pub fn dockerfile(mut self, path: impl Into<Utf8PathBuf>) -> Self {
        self.dockerfile = path.into();
        self
    }

    /// The Dockerfile's name in messages, relative to the project.
    #[must_use]
    pub fn shown_dockerfile(mut self, path: impl Into<Utf8PathBuf>) -> Self {
        self.shown_dockerfile = Some(path.into());
        self
    }

    /// Adds a tag: `ghcr.io/talia/backend:main-12ab`.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Adds a label.
    #[must_use]
    pub fn image_label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(name.into(), value.into());
        self
    }

    /// Adds a build argument. It ends up in the image's history: no secrets.
    #[must_use]
    pub fn build_arg(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.build_args.insert(name.into(), value.into());
        self
    }

    /// Gives the build the secret of this name, mounted as `/run/secrets/NAME`.
    #[must_use]
    pub fn secret(mut self, name: impl Into<String>) -> Self {
        self.secrets.push(name.into());
        self
    }

    /// Stops at this stage.
    #[must_use]
    pub fn target(mut self, target: Option<String>) -> Self {
        self.target = target;
        self
    }

    /// Builds for this platform: `linux/amd64`.
    #[must_use]
    pub fn platform(mut self, platform: Option<String>) -> Self {
        self.platform = platform;
        self
    }

    /// Reads cached layers from here: `type=gha`.
    #[must_use]
    pub fn cache_from(mut self, sources: &[String]) -> Self {
        self.cache_from = sources.to_vec();
        self
    }

    /// Writes cached layers to here: `type=gha,mode=max`.
    #[must_use]
    pub fn cache_to(mut self, targets: &[String]) -> Self {
        self.cache_to = targets.to_vec();
        self
    }

    /// Uses this docker configuration and the login in it; see
    /// [`crate::steps::registry::DockerConfig`].
    #[must_use]
    pub fn config(mut self, folder: impl Into<Utf8PathBuf>) -> Self {
        self.config = Some(folder.into());
        self
    }

    /// Attaches the list of packages (SBOM) and the provenance, and pushes the image
    /// under its tags at once: an engine has no place for attestations, so the image
    /// is not loaded into it. For a builder that
    /// [attests](crate::steps::registry::Driver::attests) alone; without the buildx
    /// plugin it does nothing.
    #[must_use]
    pub fn attested_and_pushed(mut self, attested: bool) -> Self {
        self.attested = attested;
        self
    }

    fn line(&self) -> CommandLine {
        let mut line = CommandLine::new("docker");
        line = match self.builder {
            Builder::Buildx if self.attested => line
                .args(["buildx", "build", "--push", "--sbom=true", "--provenance=mode=max"])
                .effect(Effect::Remote),
            // Without `--load` the image of a remote builder stays there.
            Builder::Buildx => line.args(["buildx", "build", "--load"]),
            Builder::BuildKit => line.arg("build").env("DOCKER_BUILDKIT", "1"),
        };
        if let Some(folder) = &self.config {
            line = line.env("DOCKER_CONFIG", folder.as_str());
        }
        line = line
            // The one form that can be read: a line for each thing, no redrawing.
            .arg("--progress=plain")
            .option("--iidfile", &self.id_file)
            .option("--file", &self.dockerfile);
        for tag in &self.tags {
            line = line.option("--tag", tag);
        }
        for (name, value) in &self.labels {
            line = line.option("--label", format!("{name}={value}"));
        }
        for (name, value) in &self.build_args {
            line = line.option("--build-arg", format!("{name}={value}"));
        }
        for name in &self.secrets {
            line = line.option("--secret", format!("id={name},env={name}")).env_secret(name, name);
        }
        if let Some(target) = &self.target {
            line = line.option("--target", target);
        }
        if let Some(platform) = &self.platform {
            line = line.option("--platform", platform);
        }
        for source in &self.cache_from {
            line = line.option("--cache-from", source);
        }
        for target in &self.cache_to {
            line = line.option("--cache-to", target);
        }
        line.operand(self.context.as_str())
            .accept([0, 1])
            .requires("docker-engine")
            .capture_bytes(PROGRESS_BYTES)
            .purpose("the container image")
    }

    fn read(&self, answer: &Answer) -> crate::Result<Built> {
        let build = Build::parse(&answer.stderr());
        if answer.exit() == 0 {
            let id = fs::read_to_string(&self.id_file).map_err(|cause| {
                Error::step(format!("the engine left no image id in {}", self.id_file))
                    .caused_by(cause)
            })?;
            return Ok(Built {
                id: id.trim().to_owned(),
                instructions: build.instructions,
                cached: build.cached,
            });
        }
        let shown = self.shown_dockerfile.as_ref().unwrap_or(&self.dockerfile);
        if !self.dockerfile.exists() {
            return Err(Error::usage(format!(
                "there is no {shown}: {} does not exist",
                self.dockerfile
            ))
            .hint("add it, or name another one with `backend.image.dockerfile`"));
        }
        let reason = build.failure.clone().unwrap_or_else(|| "the build failed".to_owned());
        let text = fs::read_to_string(&self.dockerfile).unwrap_or_default();
        let mut finding = Diagnostic::error(&reason).file(shown.clone());
        if let Some(line) = build.line_in(&text) {
            finding = finding.line(line);
        }
        let said = if build.said.is_empty() { answer.last_lines(10) } else { build.said };
        Err(Error::step("the image could not be built").diagnostics(vec![finding]).tail(said))
    }
}

impl Step for ImageBuild {
    type Output = Built;

    fn label(&self) -> String {
        "build image".into()
    }

    fn action(&self) -> Action<'_, Built> {
        Action::command(self.line(), |answer| self.read(answer))
    }

    fn assume(&self) -> Built {
        Built { id: hole::named("image id"), instructions: 0, cached: 0 }
    }

    fn touches(&self) -> Option<Touches> {
        let touches = Touches::new(&self.context).reads(["**"]).reads([self.dockerfile.as_str()]);
        Some(touches.tools(["docker"]).writes(&self.id_file))
    }

    fn summary(&self, built: &Built) -> Summary {
        Summary::line(format!("{} of {} instructions cached", built.cached, built.instructions))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    #[test]
    fn image_build_minimal() {
        check("image_build__minimal", &ImageBuild::new(Builder::Buildx, "/srv/app", "/state/id"));
    }

    #[test]
    fn image_build_without_the_plugin() {
        let step = ImageBuild::new(Builder::BuildKit, "/srv/app", "/state/id");
        check("image_build__without_the_plugin", &step);
    }

    #[test]
    fn image_build_everything() {
        let step = ImageBuild::new(Builder::Buildx, "/srv/app", "/state/id")
            .dockerfile("/srv/app/docker/Dockerfile.prod")
            .tag("ghcr.io/talia/backend:main-12ab")
            .tag("ghcr.io/talia/backend:latest")
            .image_label("org.opencontainers.image.revision", "12ab")
            .build_arg("BASE_IMAGE", "debian:bookworm-slim")
            .secret("PIP_INDEX_URL")
            .target(Some("runtime".into()))
            .platform(Some("linux/arm64".into()))
            .cache_from(&["type=gha".into()])
            .cache_to(&["type=gha,mode=max".into()]);
        check("image_build__everything", &step);
    }

    #[test]
    fn image_build_attested() {
        let step = ImageBuild::new(Builder::Buildx, "/srv/app", "/state/id")
            .tag("ghcr.io/talia/backend:main-12ab")
            .config("/run/x/docker")
            .attested_and_pushed(true);
        check("image_build__attested", &step);
    }

    #[test]
    fn image_build_hostile() {
        let step = ImageBuild::new(Builder::Buildx, "-context", "/state/it's id")
            .tag("-t$(id)")
            .image_label("a b", "line\nbreak")
            .build_arg("X", "\"'`ä");
        check("image_build__hostile", &step);
    }
}
