use camino::Utf8PathBuf;

use crate::{
    command_line::Effect,
    digest::Digest,
    error::Result,
    step::{Action, Answer, Step, Summary},
};

use super::failure::{docker, registry_of};

/// Pushes an image of the engine's under a tag, and gives the digest that the
/// registry knows it by.
///
/// - Command: `docker push -- REFERENCE`, not `--quiet`: the digest stands in the
///   last line.
/// - Exits: 0. Up to 3 attempts: layers that have arrived are not sent again.
/// - Touches: the registry. An image that is there already is not sent again, and
///   gives the same digest.
/// - Errors: what the registry said; they name the credential.
/// - Source: Docker's manual, *docker image push*.
///
/// ```
/// use talia_pipeline::{Step, steps::registry::ImagePush};
///
/// let step = ImagePush::new("ghcr.io/talia/backend:main-12ab");
/// assert_eq!(step.label(), "push ghcr.io/talia/backend:main-12ab");
/// ```
#[derive(Debug, Clone)]
pub struct ImagePush {
    reference: String,
    config: Option<Utf8PathBuf>,
    credential: Option<String>,
}

impl ImagePush {
    /// The image of this `REPOSITORY:TAG`.
    pub fn new(reference: impl Into<String>) -> Self {
        Self { reference: reference.into(), config: None, credential: None }
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
}

impl Step for ImagePush {
    type Output = Digest;

    fn label(&self) -> String {
        format!("push {}", self.reference)
    }

    fn action(&self) -> Action<'_, Digest> {
        let registry = registry_of(&self.reference);
        let purpose = match &self.credential {
            Some(name) => format!("push to {registry} with the credential {name}"),
            None => format!("push to {registry}"),
        };
        let line = docker(self.config.as_deref())
            .arg("push")
            .operand(&self.reference)
            .effect(Effect::Remote)
            .attempts(3)
            .requires("docker-engine")
            .purpose(purpose);
        Action::command(line, digest_in)
    }

    fn assume(&self) -> Digest {
        Digest::planned()
    }

    fn summary(&self, digest: &Digest) -> Summary {
        Summary::line(digest.as_str())
    }
}

/// `TAG: digest: sha256:… size: N`.
fn digest_in(answer: &Answer) -> Result<Digest> {
    let said = answer.stdout();
    let digest = said.lines().rev().find_map(|line| {
        let (_, rest) = line.split_once(": digest: ")?;
        Digest::parse(rest.split_whitespace().next()?).ok()
    });
    digest.ok_or_else(|| answer.unreadable("the digest of what was pushed"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    #[test]
    fn the_digest_is_read_from_the_last_line() {
        let hex = "12ab".repeat(16);
        let said = format!(
            "The push refers to repository [127.0.0.1:5000/a]\n6a53: Layer already exists\n\
             main-1: digest: sha256:{hex} size: 529\n"
        );
        let digest = digest_in(&Answer::new(0, said, "")).expect("it is there");
        assert_eq!(digest.as_str(), format!("sha256:{hex}"));
        assert!(digest_in(&Answer::new(0, "127.0.0.1:5000/a:main-1\n", "")).is_err());
        assert!(digest_in(&Answer::new(0, "x: digest: sha256:12 size: 1\n", "")).is_err());
    }

    #[test]
    fn image_push_minimal() {
        check("image_push__minimal", &ImagePush::new("ghcr.io/talia/backend:main-12ab"));
    }

    #[test]
    fn image_push_everything() {
        let step = ImagePush::new("127.0.0.1:5000/a/b:main-12ab")
            .config("/run/x/docker")
            .credential("REGISTRY_TOKEN");
        check("image_push__everything", &step);
    }

    #[test]
    fn image_push_hostile() {
        check("image_push__hostile", &ImagePush::new("--all-tags $(id)\n").config("/it's"));
    }
}
