use camino::Utf8PathBuf;

use crate::{
    digest::Digest,
    error::Error,
    step::{Action, Step, Summary},
    steps::image::Builder,
};

use super::image::RegistryImage;

/// The digest of an image that was pushed by its builder, as the registry knows it.
///
/// - Command, exits, errors: those of [`RegistryImage`].
/// - Touches: nothing. An image that is not there is an error here.
///
/// ```
/// use talia_pipeline::{Step, steps::{image::Builder, registry::PushedDigest}};
///
/// let step = PushedDigest::new(Builder::Buildx, "ghcr.io/talia/backend:main-12ab");
/// assert_eq!(step.label(), "digest of ghcr.io/talia/backend:main-12ab");
/// ```
#[derive(Debug, Clone)]
pub struct PushedDigest {
    look: RegistryImage,
    reference: String,
}

impl PushedDigest {
    /// Asked by this client, of this `REPOSITORY:TAG`.
    pub fn new(client: Builder, reference: impl Into<String>) -> Self {
        let reference = reference.into();
        Self { look: RegistryImage::new(client, &reference), reference }
    }

    /// Uses the login in this folder; see [`super::DockerConfig`].
    #[must_use]
    pub fn config(mut self, folder: impl Into<Utf8PathBuf>) -> Self {
        self.look = self.look.config(folder);
        self
    }

    /// Names the secret that was logged in with, for messages.
    #[must_use]
    pub fn credential(mut self, name: impl Into<String>) -> Self {
        self.look = self.look.credential(name);
        self
    }
}

impl Step for PushedDigest {
    type Output = Digest;

    fn label(&self) -> String {
        format!("digest of {}", self.reference)
    }

    fn action(&self) -> Action<'_, Digest> {
        Action::command(self.look.line(), |answer| match self.look.read(answer)? {
            Some(manifest) => Ok(manifest.digest),
            None => Err(Error::step(format!("the registry does not have {}", self.reference))),
        })
    }

    fn assume(&self) -> Digest {
        Digest::planned()
    }

    fn summary(&self, digest: &Digest) -> Summary {
        Summary::line(digest.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Answer, steps::testing::check};

    #[test]
    fn pushed_digest_minimal() {
        check("pushed_digest__minimal", &PushedDigest::new(Builder::Buildx, "ghcr.io/a/b:c"));
    }

    #[test]
    fn pushed_digest_everything() {
        let step = PushedDigest::new(Builder::BuildKit, "127.0.0.1:5000/a/b:c");
        check("pushed_digest__everything", &step.config("/run/x/docker").credential("TOKEN"));
    }

    #[test]
    fn pushed_digest_hostile() {
        let step = PushedDigest::new(Builder::Buildx, "--raw $(id)\nä");
        check("pushed_digest__hostile", &step.config("/it's \"x\""));
    }

    #[test]
    fn an_image_that_is_not_there_was_not_pushed() {
        let step = PushedDigest::new(Builder::Buildx, "r.example/a:b");
        let Action::Command { read, .. } = step.action() else { unreachable!("it is a command") };
        assert!(read(&Answer::new(1, "", "ERROR: r.example/a:b: not found\n")).is_err());
    }
}
