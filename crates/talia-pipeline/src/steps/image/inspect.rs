//! What the engine says about an image.

use serde::{Deserialize, Serialize};

use crate::{
    command_line::{CommandLine, Effect},
    hole,
    step::{Action, Step, Summary},
};

/// An image of the engine's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Image {
    /// Its id: `sha256:…`.
    pub id: String,
    /// Its size in bytes, all layers.
    pub size_bytes: u64,
    /// How many layers it has.
    pub layers: usize,
    /// Its tags.
    pub tags: Vec<String>,
}

/// `docker image inspect --format={{json .}} -- ID`: size and layers of an image.
///
/// Accepts exit 0. Changes nothing. Fails where the engine has no such image.
///
/// Source: Docker's manual, *docker image inspect*.
#[derive(Debug)]
pub struct ImageInspect {
    id: String,
}

impl ImageInspect {
    /// Asks for the image of this id or name.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into() }
    }
}

/// The fields that are read; newer engines leave empty ones out.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answered {
    id: String,
    #[serde(default)]
    size: u64,
    #[serde(default, rename = "RootFS")]
    root_fs: Option<RootFs>,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RootFs {
    #[serde(default)]
    layers: Option<Vec<String>>,
}

impl Step for ImageInspect {
    type Output = Image;

    fn label(&self) -> String {
        "inspect image".into()
    }

    fn action(&self) -> Action<'_, Image> {
        let line = CommandLine::new("docker")
            .args(["image", "inspect", "--format={{json .}}"])
            .operand(&self.id)
            .effect(Effect::Read)
            .requires("docker-engine")
            .stdout_is_data()
            .purpose("size and layers of the image");
        Action::command(line, |answer| {
            let read: Answered = serde_json::from_slice(answer.stdout_bytes())
                .map_err(|cause| answer.unreadable("an image as JSON").caused_by(cause))?;
            Ok(Image {
                id: read.id,
                size_bytes: read.size,
                layers: read.root_fs.and_then(|root| root.layers).unwrap_or_default().len(),
                tags: read.repo_tags.unwrap_or_default(),
            })
        })
    }

    fn assume(&self) -> Image {
        Image { id: hole::named("image id"), size_bytes: 0, layers: 0, tags: Vec::new() }
    }

    fn summary(&self, image: &Image) -> Summary {
        let id = image.id.trim_start_matches("sha256:");
        Summary::line(format!(
            "{} · {} MB · {} layers",
            &id[..id.len().min(12)],
            image.size_bytes.div_ceil(1_000_000),
            image.layers
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Answer, steps::testing::check};

    fn read(text: &str) -> crate::Result<Image> {
        let step = ImageInspect::new("x");
        let Action::Command { read, .. } = step.action() else { unreachable!("it is a command") };
        read(&Answer::new(0, text, ""))
    }

    #[test]
    fn old_and_new_engines_are_read() {
        let old = r#"{"Id":"sha256:ab","RepoTags":["a:b"],"Size":5,"VirtualSize":5,"RootFS":{"Type":"layers","Layers":["x","y"]}}"#;
        let image = read(old).expect("it is an image");
        assert_eq!((image.size_bytes, image.layers, image.tags), (5, 2, vec!["a:b".to_owned()]));
        let bare =
            read(r#"{"Id":"sha256:ab","RootFS":{"Type":"layers"}}"#).expect("it is an image");
        assert_eq!((bare.size_bytes, bare.layers), (0, 0));
    }

    #[test]
    fn what_is_no_json_is_an_error() {
        assert!(read("[]").is_err());
        assert!(read("").is_err());
    }

    #[test]
    fn image_inspect_minimal() {
        check("image_inspect__minimal", &ImageInspect::new("sha256:12ab"));
    }

    #[test]
    fn image_inspect_hole() {
        check("image_inspect__hole", &ImageInspect::new(hole::named("image id")));
    }

    #[test]
    fn image_inspect_hostile() {
        check("image_inspect__hostile", &ImageInspect::new("-it's $HOME\n"));
    }
}
