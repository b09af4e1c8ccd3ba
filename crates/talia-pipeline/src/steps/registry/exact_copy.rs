use std::time::Duration;

use crate::{
    command_line::{CommandLine, Effect},
    step::{Action, Step, Summary},
};

/// Observation: whether this buildx can point a tag at a manifest without wrapping
/// it in an index, which changes the tag's digest.
///
/// - Command: `docker buildx imagetools create --help`; it can where its options
///   have `--prefer-index` (0.15 and later).
/// - Exits: 0.
/// - Touches: nothing.
/// - Source: Docker's manual, *docker buildx imagetools create*.
///
/// ```
/// use talia_pipeline::{Step, steps::registry::CopiesExactly};
///
/// assert_eq!(CopiesExactly.label(), "whether tags are moved exactly");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct CopiesExactly;

impl Step for CopiesExactly {
    type Output = bool;

    fn label(&self) -> String {
        "whether tags are moved exactly".into()
    }

    fn action(&self) -> Action<'_, bool> {
        let line = CommandLine::new("docker")
            .args(["buildx", "imagetools", "create", "--help"])
            .effect(Effect::Read)
            .timeout(Duration::from_secs(20))
            .stdout_is_data()
            .purpose("which options buildx has");
        Action::command(line, |answer| Ok(answer.stdout().contains("--prefer-index")))
    }

    fn assume(&self) -> bool {
        true
    }

    fn summary(&self, exactly: &bool) -> Summary {
        Summary::line(if *exactly { "yes" } else { "no, a moved tag is an index of one image" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    #[test]
    fn copies_exactly_minimal() {
        check("copies_exactly__minimal", &CopiesExactly);
    }
}
