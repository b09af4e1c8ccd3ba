//! Questions to the engine.

use crate::{
    command_line::{CommandLine, Effect},
    step::{Action, Step, Summary},
    tool::version_in,
};

/// Observation: the version of the buildx plugin.
///
/// `docker buildx version`. Accepts exit 0; fails where the plugin is not there.
#[derive(Debug)]
pub struct Buildx;

impl Step for Buildx {
    type Output = String;

    fn label(&self) -> String {
        "docker buildx".into()
    }

    fn action(&self) -> Action<'_, String> {
        let line = CommandLine::new("docker")
            .args(["buildx", "version"])
            .effect(Effect::Read)
            .timeout(std::time::Duration::from_secs(20))
            .purpose("whether the buildx plugin is there");
        Action::command(line, |answer| {
            let numbers =
                version_in(&answer.stdout()).ok_or_else(|| answer.unreadable("a version"))?;
            Ok(numbers.iter().map(u64::to_string).collect::<Vec<_>>().join("."))
        })
    }

    fn assume(&self) -> String {
        "0.13".into()
    }

    fn summary(&self, version: &String) -> Summary {
        Summary::line(version)
    }
}

/// Observation: the id of an image that the engine has already.
///
/// `docker image inspect --format={{.Id}} -- IMAGE`. Accepts exit 0; fails where
/// the engine has no such image or does not answer.
#[derive(Debug)]
pub struct ImagePresent {
    image: String,
}

impl ImagePresent {
    /// Asks for this image: `debian:bookworm-slim`.
    pub fn new(image: impl Into<String>) -> Self {
        Self { image: image.into() }
    }
}

impl Step for ImagePresent {
    type Output = String;

    fn label(&self) -> String {
        format!("image {}", self.image)
    }

    fn action(&self) -> Action<'_, String> {
        let line = CommandLine::new("docker")
            .args(["image", "inspect", "--format={{.Id}}"])
            .operand(&self.image)
            .effect(Effect::Read)
            .timeout(std::time::Duration::from_secs(20))
            .purpose("whether the engine has the image");
        Action::command(line, |answer| Ok(answer.stdout().trim().to_owned()))
    }

    fn assume(&self) -> String {
        crate::hole::named("image id")
    }

    fn summary(&self, id: &String) -> Summary {
        Summary::line(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    #[test]
    fn buildx_minimal() {
        check("buildx__minimal", &Buildx);
    }

    #[test]
    fn image_present_minimal() {
        check("image_present__minimal", &ImagePresent::new("debian:bookworm-slim"));
    }

    #[test]
    fn image_present_hostile() {
        check("image_present__hostile", &ImagePresent::new("--help; $(id)"));
    }
}
