use std::time::Duration;

use camino::Utf8PathBuf;

use crate::{
    command_line::Effect,
    digest::Digest,
    step::{Action, Step},
};

use super::{
    failure::{docker, registry_of},
    tag::ImageTag,
};

/// Points a tag of a repository at an image that is there already.
///
/// - Command: `docker buildx imagetools create [--prefer-index=false]
///   --tag=REPOSITORY:TAG -- REPOSITORY@DIGEST`: on the registry's side, nothing is
///   pulled or pushed but the manifest.
/// - Exits: 0. Up to 2 attempts, the same tag at the same image again changes nothing;
///   over within [`MoveTag::WITHIN`], because a lock is not held for ever.
/// - Touches: the registry. A registry has no compare-and-set: who moves a tag must
///   hold a lock of its own.
/// - Note: buildx before 0.15 does not know `--prefer-index` and wraps a single
///   manifest in an index, so that the tag's own digest is another one; see
///   [`super::Manifest::is_or_lists`] and [`super::CopiesExactly`].
/// - Source: Docker's manual, *docker buildx imagetools create*.
///
/// ```
/// use talia_pipeline::{Step, digest::Digest, steps::registry::{ImageTag, MoveTag}};
///
/// let step = MoveTag::new("ghcr.io/talia/backend", ImageTag::latest(), Digest::planned());
/// assert_eq!(step.label(), "move latest");
/// ```
#[derive(Debug, Clone)]
pub struct MoveTag {
    repository: String,
    tag: ImageTag,
    digest: Digest,
    exactly: bool,
    config: Option<Utf8PathBuf>,
    credential: Option<String>,
}

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(8);

impl MoveTag {
    /// Longer than both attempts take, with the pause between them.
    pub const WITHIN: Duration = Duration::from_secs(18);

    /// Points this tag of this repository at the image of this digest.
    pub fn new(repository: impl Into<String>, tag: ImageTag, digest: Digest) -> Self {
        let repository = repository.into();
        Self { repository, tag, digest, exactly: false, config: None, credential: None }
    }

    /// Whether the client can copy a manifest as it is; see [`super::CopiesExactly`].
    #[must_use]
    pub fn exactly(mut self, exactly: bool) -> Self {
        self.exactly = exactly;
        self
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

impl Step for MoveTag {
    type Output = ();

    fn label(&self) -> String {
        format!("move {}", self.tag)
    }

    fn action(&self) -> Action<'_, ()> {
        let registry = registry_of(&self.repository);
        let purpose = match &self.credential {
            Some(name) => format!("move a tag in {registry} with the credential {name}"),
            None => format!("move a tag in {registry}"),
        };
        let mut line = docker(self.config.as_deref()).args(["buildx", "imagetools", "create"]);
        if self.exactly {
            line = line.arg("--prefer-index=false");
        }
        let line = line
            .option("--tag", self.tag.of(&self.repository))
            .operand(self.digest.of(&self.repository))
            .effect(Effect::Remote)
            .attempts(2)
            .timeout(ATTEMPT)
            .requires("docker-buildx")
            .purpose(purpose);
        Action::command(line, |_| Ok(()))
    }

    fn assume(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    #[test]
    fn move_tag_minimal() {
        let step = MoveTag::new("ghcr.io/talia/backend", ImageTag::latest(), Digest::planned());
        check("move_tag__minimal", &step);
    }

    #[test]
    fn move_tag_everything() {
        let digest = Digest::parse(&format!("sha256:{}", "12ab".repeat(16))).expect("it is one");
        let tag = ImageTag::parse("stable_1.0").expect("it is one");
        let step = MoveTag::new("127.0.0.1:5000/a/b", tag, digest)
            .exactly(true)
            .config("/run/x/docker")
            .credential("REGISTRY_TOKEN");
        check("move_tag__everything", &step);
    }

    #[test]
    fn move_tag_hostile() {
        let step = MoveTag::new("--append $(id)\n", ImageTag::latest(), Digest::planned());
        check("move_tag__hostile", &step.config("/it's \"x\""));
    }
}
