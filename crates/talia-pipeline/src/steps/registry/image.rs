use camino::Utf8PathBuf;
use serde::Deserialize;

use crate::{
    command_line::CommandLine,
    digest::Digest,
    error::{Error, Result},
    step::{Action, Answer, Step, Summary},
    steps::image::Builder,
};

use super::failure::{Reason, question, reason, refused, registry_of};

/// What a registry has under a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Manifest {
    /// Its digest.
    pub digest: Digest,
    /// The manifests that it lists, where it is an index: one for each platform,
    /// and those of attestations.
    pub listed: Vec<Digest>,
}

impl Manifest {
    /// Whether it is this manifest, or an index that lists it.
    pub fn is_or_lists(&self, digest: &Digest) -> bool {
        self.digest == *digest || self.listed.contains(digest)
    }
}

/// Observation: whether a registry has an image, and its digest.
///
/// - Command: `docker buildx imagetools inspect --format={{json .Manifest}} --
///   REFERENCE`; without the buildx plugin `docker manifest inspect --verbose
///   [--insecure] -- REFERENCE`, which tells neither a refused credential from an
///   image that is not there, nor the digest of an image for several platforms.
/// - Exits: 0; 1 is read: `None` when the registry has no such image.
/// - Touches: nothing. At most 60 seconds.
/// - Errors: preflight when the registry refuses the credential or cannot be reached.
/// - Source: Docker's manual, *docker buildx imagetools inspect*; messages seen with
///   buildx 0.13 and docker-registry 2.8.
///
/// ```
/// use talia_pipeline::{Step, steps::{image::Builder, registry::RegistryImage}};
///
/// let step = RegistryImage::new(Builder::Buildx, "ghcr.io/talia/backend:main-12ab");
/// assert_eq!(step.label(), "look for ghcr.io/talia/backend:main-12ab");
/// ```
#[derive(Debug, Clone)]
pub struct RegistryImage {
    client: Builder,
    reference: String,
    config: Option<Utf8PathBuf>,
    credential: Option<String>,
}

impl RegistryImage {
    /// By this client, under this reference: `REPOSITORY:TAG` or `REPOSITORY@DIGEST`.
    pub fn new(client: Builder, reference: impl Into<String>) -> Self {
        Self { client, reference: reference.into(), config: None, credential: None }
    }

    /// Uses the login in this folder; see [`super::DockerConfig`].
    #[must_use]
    pub fn config(mut self, folder: impl Into<Utf8PathBuf>) -> Self {
        self.config = Some(folder.into());
        self
    }

    /// Names the secret that was logged in with, for messages.
    #[must_use]
    pub fn credential(mut self, name: impl Into<String>) -> Self {
        self.credential = Some(name.into());
        self
    }

    pub(super) fn line(&self) -> CommandLine {
        let line = question(self.config.as_deref());
        let line = match self.client {
            Builder::Buildx => {
                line.args(["buildx", "imagetools", "inspect", "--format={{json .Manifest}}"])
            }
            Builder::BuildKit => {
                let line = line.args(["manifest", "inspect", "--verbose"]);
                // buildx knows by itself that a loopback registry may speak plain HTTP.
                if is_loopback(&self.reference) { line.arg("--insecure") } else { line }
            }
        };
        line.operand(&self.reference).purpose("whether the registry has the image")
    }

    pub(super) fn read(&self, answer: &Answer) -> Result<Option<Manifest>> {
        if answer.exit() != 0 {
            return match reason(&answer.stderr()) {
                Reason::NotFound => Ok(None),
                _ => Err(refused(
                    answer,
                    registry_of(&self.reference),
                    self.credential.as_deref(),
                    &format!("to look for {}", self.reference),
                )),
            };
        }
        let bytes = answer.stdout_bytes();
        let unreadable = |cause| answer.unreadable("a manifest as JSON").caused_by(cause);
        let (digest, listed) = match self.client {
            Builder::Buildx => {
                let told: Inspected = serde_json::from_slice(bytes).map_err(unreadable)?;
                (told.digest, told.manifests.unwrap_or_default())
            }
            Builder::BuildKit => {
                let told: Verbose = serde_json::from_slice(bytes).map_err(|cause| {
                    if bytes.trim_ascii_start().starts_with(b"[") {
                        Error::preflight(format!(
                            "{} is for several platforms, and its digest is not told without buildx",
                            self.reference
                        ))
                        .hint("install the buildx plugin: `cargo xtask doctor` tells how")
                    } else {
                        unreadable(cause)
                    }
                })?;
                (told.descriptor.digest, Vec::new())
            }
        };
        let listed: Result<_> = listed.iter().map(|one| Digest::parse(&one.digest)).collect();
        Ok(Some(Manifest { digest: Digest::parse(&digest)?, listed: listed? }))
    }
}

#[derive(Deserialize)]
struct Inspected {
    digest: String,
    #[serde(default)]
    manifests: Option<Vec<Descriptor>>,
}

#[derive(Deserialize)]
struct Verbose {
    #[serde(rename = "Descriptor")]
    descriptor: Descriptor,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
}

impl Step for RegistryImage {
    type Output = Option<Manifest>;

    fn label(&self) -> String {
        format!("look for {}", self.reference)
    }

    fn action(&self) -> Action<'_, Self::Output> {
        Action::command(self.line(), |answer| self.read(answer))
    }

    fn assume(&self) -> Self::Output {
        None
    }

    fn summary(&self, found: &Self::Output) -> Summary {
        Summary::line(match found {
            Some(manifest) => manifest.digest.as_str(),
            None => "not there",
        })
    }
}

/// Whether the registry is on this machine.
fn is_loopback(reference: &str) -> bool {
    let host = registry_of(reference);
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name == "localhost" || name.starts_with("127.") || name == "[::1]"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ErrorKind, steps::testing::check};

    const REFERENCE: &str = "ghcr.io/talia/backend:main-12ab";

    fn read(client: Builder, exit: i32, stdout: &str, stderr: &str) -> Result<Option<Manifest>> {
        let step = RegistryImage::new(client, REFERENCE).credential("REGISTRY_TOKEN");
        let Action::Command { read, .. } = step.action() else { unreachable!("it is a command") };
        read(&Answer::new(exit, stdout, stderr))
    }

    fn digest(digit: &str) -> Digest {
        Digest::parse(&format!("sha256:{}", digit.repeat(64))).expect("it is one")
    }

    #[test]
    fn registry_image_minimal() {
        check("registry_image__minimal", &RegistryImage::new(Builder::Buildx, REFERENCE));
    }

    #[test]
    fn registry_image_without_the_plugin() {
        let step = RegistryImage::new(Builder::BuildKit, "127.0.0.1:5000/a:b");
        check("registry_image__without_the_plugin", &step);
    }

    #[test]
    fn registry_image_everything() {
        let step = RegistryImage::new(Builder::Buildx, Digest::planned().of("127.0.0.1:5000/a"))
            .config("/run/x/docker")
            .credential("TOKEN");
        check("registry_image__everything", &step);
    }

    #[test]
    fn registry_image_hostile() {
        let step = RegistryImage::new(Builder::Buildx, "--raw $(id)\nä").config("/it's \"x\"");
        check("registry_image__hostile", &step);
    }

    #[test]
    fn one_manifest_and_an_index_are_read() {
        let one = format!("{{\"mediaType\":\"x\",\"digest\":\"{}\",\"size\":529}}", digest("a"));
        let found = read(Builder::Buildx, 0, &one, "").expect("it is read").expect("it is there");
        assert_eq!((found.digest.clone(), found.listed.len()), (digest("a"), 0));
        let index = format!(
            "{{\"digest\":\"{}\",\"manifests\":[{{\"digest\":\"{}\"}}]}}",
            digest("b"),
            digest("a")
        );
        let found = read(Builder::Buildx, 0, &index, "").expect("it is read").expect("it is there");
        assert!(found.is_or_lists(&digest("a")) && found.is_or_lists(&digest("b")));
        assert!(!found.is_or_lists(&digest("c")));
        let verbose =
            format!("{{\"Ref\":\"x\",\"Descriptor\":{{\"digest\":\"{}\"}}}}", digest("a"));
        let found = read(Builder::BuildKit, 0, &verbose, "").expect("it is read");
        assert_eq!(found.expect("it is there").digest, digest("a"));
        let several = read(Builder::BuildKit, 0, "[]", "").expect_err("no digest");
        assert!(several.to_string().contains("several platforms"));
    }

    #[test]
    fn not_there_is_an_answer_and_the_rest_are_errors() {
        let not = format!("ERROR: {REFERENCE}: not found\n");
        assert_eq!(read(Builder::Buildx, 1, "", &not).expect("it is an answer"), None);
        let refused = read(Builder::Buildx, 1, "", "x: 401 Unauthorized").expect_err("refused");
        assert_eq!(refused.kind(), ErrorKind::Preflight);
        assert!(
            refused.to_string().contains("ghcr.io does not accept the credential REGISTRY_TOKEN")
        );
        assert!(read(Builder::Buildx, 1, "", "dial tcp: connection refused").is_err());
        assert!(read(Builder::Buildx, 0, "{}", "").is_err());
        assert!(read(Builder::Buildx, 0, "{\"digest\":\"sha256:1\"}", "").is_err());
    }
}
