use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use serde::Deserialize;

use crate::{
    error::Result,
    step::{Action, Answer, Step, Summary},
};

use super::failure::{question, refused, registry_of};

/// Observation: the labels of an image in a registry, without pulling it.
///
/// - Command: `docker buildx imagetools inspect --format={{json .Image}} --
///   REFERENCE`. Of an image for several platforms, the labels that all have alike.
/// - Exits: 0; 1 is read for its reason.
/// - Touches: nothing. At most 60 seconds.
/// - Errors: preflight when the registry refuses or cannot be reached.
/// - Source: Docker's manual, *docker buildx imagetools inspect*.
///
/// ```
/// use talia_pipeline::{Step, steps::registry::ImageLabels};
///
/// let step = ImageLabels::new("ghcr.io/talia/backend:main-12ab");
/// assert_eq!(step.label(), "labels of ghcr.io/talia/backend:main-12ab");
/// ```
#[derive(Debug, Clone)]
pub struct ImageLabels {
    reference: String,
    config: Option<Utf8PathBuf>,
    credential: Option<String>,
}

impl ImageLabels {
    /// The label that holds the commit which an image was built from.
    pub const REVISION: &'static str = "org.opencontainers.image.revision";

    /// Of the image under this reference; by digest, so that nobody moves it.
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

    fn read(&self, answer: &Answer) -> Result<BTreeMap<String, String>> {
        if answer.exit() != 0 {
            let doing = format!("to read the labels of {}", self.reference);
            let (host, name) = (registry_of(&self.reference), self.credential.as_deref());
            return Err(refused(answer, host, name, &doing));
        }
        let told: Images = serde_json::from_slice(answer.stdout_bytes())
            .map_err(|cause| answer.unreadable("an image as JSON").caused_by(cause))?;
        let images = match told {
            Images::One(image) => vec![image],
            Images::Several(images) => images.into_values().collect(),
        };
        let labels = images.into_iter().map(|image| image.config.labels.unwrap_or_default());
        let common = labels.reduce(|mut common: BTreeMap<String, String>, other| {
            common.retain(|name, value| other.get(name) == Some(value));
            common
        });
        Ok(common.unwrap_or_default())
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Images {
    One(Image),
    Several(BTreeMap<String, Image>),
}

#[derive(Deserialize)]
struct Image {
    config: Config,
}

#[derive(Deserialize)]
struct Config {
    #[serde(rename = "Labels", default)]
    labels: Option<BTreeMap<String, String>>,
}

impl Step for ImageLabels {
    type Output = BTreeMap<String, String>;

    fn label(&self) -> String {
        format!("labels of {}", self.reference)
    }

    fn action(&self) -> Action<'_, Self::Output> {
        let line = question(self.config.as_deref())
            .args(["buildx", "imagetools", "inspect", "--format={{json .Image}}"])
            .operand(&self.reference)
            .purpose("which commit the image was built from");
        Action::command(line, |answer| self.read(answer))
    }

    fn assume(&self) -> Self::Output {
        BTreeMap::new()
    }

    fn summary(&self, labels: &Self::Output) -> Summary {
        Summary::line(match labels.get(Self::REVISION) {
            Some(revision) => format!("built from {revision}"),
            None => "names no revision".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    fn read(text: &str) -> Result<BTreeMap<String, String>> {
        let step = ImageLabels::new("x");
        let Action::Command { read, .. } = step.action() else { unreachable!("it is a command") };
        read(&Answer::new(0, text, ""))
    }

    #[test]
    fn labels_of_one_and_of_several_platforms_are_read() {
        let one = read(r#"{"os":"linux","config":{"Labels":{"a":"1"}}}"#).expect("one");
        assert_eq!(one.get("a").map(String::as_str), Some("1"));
        assert!(read(r#"{"config":{}}"#).expect("none").is_empty());
        let both = read(
            r#"{"linux/amd64":{"config":{"Labels":{"a":"1","b":"2"}}},"linux/arm64":{"config":{"Labels":{"a":"1","b":"3"}}}}"#,
        )
        .expect("two");
        assert_eq!(both.into_iter().collect::<Vec<_>>(), [("a".to_owned(), "1".to_owned())]);
        assert!(read("[]").is_err());
    }

    #[test]
    fn image_labels_minimal() {
        check("image_labels__minimal", &ImageLabels::new("ghcr.io/talia/backend:main-12ab"));
    }

    #[test]
    fn image_labels_everything() {
        let step = ImageLabels::new(crate::digest::Digest::planned().of("127.0.0.1:5000/a"));
        check("image_labels__everything", &step.config("/run/x/docker").credential("TOKEN"));
    }

    #[test]
    fn image_labels_hostile() {
        check("image_labels__hostile", &ImageLabels::new("-x $(id)\n").config("/it's \"x\""));
    }
}
