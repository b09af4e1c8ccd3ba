use std::time::Duration;

use camino::Utf8PathBuf;
use talia_pipeline::{Action, CommandLine, Stdin, Step};

/// Builds an image from a recipe alone, without any other file.
///
/// - Command: `docker build --progress=plain --target=… --tag=… -`, the recipe on
///   standard input.
/// - Exits: 0.
/// - Touches: the engine's images. At most 900 seconds.
/// - Errors: a package that cannot be had.
/// - Source: docker-build(1).
///
/// ```
/// use talia_pipeline::Step;
/// use talia_sandbox::steps::ImageMade;
///
/// let step = ImageMade::new("FROM x AS a\n", "a", "talia-sandbox-a:1");
/// assert_eq!(step.label(), "build talia-sandbox-a:1");
/// ```
#[derive(Debug, Clone)]
pub struct ImageMade {
    recipe: String,
    stage: String,
    image: String,
    scratch: Option<Utf8PathBuf>,
}

impl ImageMade {
    /// This stage of this recipe, under this name.
    pub fn new(
        recipe: impl Into<String>,
        stage: impl Into<String>,
        image: impl Into<String>,
    ) -> Self {
        Self { recipe: recipe.into(), stage: stage.into(), image: image.into(), scratch: None }
    }

    /// Where docker may leave its copy of the recipe: it does not take it away again.
    #[must_use]
    pub fn scratch(mut self, folder: impl Into<Utf8PathBuf>) -> Self {
        self.scratch = Some(folder.into());
        self
    }
}

impl Step for ImageMade {
    type Output = ();

    fn label(&self) -> String {
        format!("build {}", self.image)
    }

    fn action(&self) -> Action<'_, ()> {
        let line = CommandLine::new("docker")
            .args(["build", "--progress=plain"])
            .option("--target", &self.stage)
            .option("--tag", &self.image)
            .arg("-")
            .env("DOCKER_BUILDKIT", "1")
            .stdin(Stdin::Text(self.recipe.clone()))
            .requires("docker-engine")
            .attempts(2)
            .timeout(Duration::from_secs(900))
            .purpose("make the image, once");
        let line = match &self.scratch {
            Some(folder) => line.env("TMPDIR", folder.as_str()),
            None => line,
        };
        Action::command(line, |_| Ok(()))
    }

    fn assume(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    #[test]
    fn minimal() {
        check("image_made__minimal", &ImageMade::new("FROM x AS a\n", "a", "sandbox-a:1"));
    }

    #[test]
    fn everything() {
        let recipe = "FROM x AS a\nRUN printf '%s\\n' \"$HOME\"\n";
        check(
            "image_made__everything",
            &ImageMade::new(recipe, "a", "sandbox-a:1").scratch("/s t"),
        );
    }

    #[test]
    fn hostile() {
        check("image_made__hostile", &ImageMade::new("# it's ü\n", "-a b", "-x$(id)"));
    }
}
