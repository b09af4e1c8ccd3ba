use std::time::Duration;

use talia_pipeline::{Action, CommandLine, Effect, Step, Summary};

use super::labelled::gone;

/// Under which names the engine of this machine has images of a repository: `REPO:TAG`;
/// where a later build has taken the tag, `REPO@DIGEST`.
///
/// - Command: `docker image ls --digests --no-trunc --format=… -- REPO`.
/// - Exits: 0.
/// - Touches: nothing. At most 30 seconds.
/// - Source: docker-image-ls(1).
///
/// ```
/// use talia_pipeline::Step;
/// use talia_sandbox::steps::ImagesOf;
///
/// let question = ImagesOf::new("127.0.0.1:10007/talia/backend");
/// assert_eq!(question.label(), "which images are of 127.0.0.1:10007/talia/backend");
/// ```
#[derive(Debug, Clone)]
pub struct ImagesOf {
    repository: String,
}

impl ImagesOf {
    /// Those of this repository: registry and name, without a tag.
    pub fn new(repository: impl Into<String>) -> Self {
        Self { repository: repository.into() }
    }

    /// The name in one line of the answer, where it is one of this repository.
    fn name(&self, line: &str) -> Option<String> {
        let mut words = line.split(' ');
        let (repository, tag, digest) = (words.next()?, words.next()?, words.next()?);
        if repository != self.repository {
            return None;
        }
        match (tag, digest) {
            ("<none>", "<none>") => None,
            ("<none>", digest) => Some(format!("{repository}@{digest}")),
            (tag, _) => Some(format!("{repository}:{tag}")),
        }
    }
}

impl Step for ImagesOf {
    type Output = Vec<String>;

    fn label(&self) -> String {
        format!("which images are of {}", self.repository)
    }

    fn action(&self) -> Action<'_, Vec<String>> {
        let line = CommandLine::new("docker")
            .args(["image", "ls", "--digests", "--no-trunc"])
            .option("--format", "{{.Repository}} {{.Tag}} {{.Digest}}")
            .operand(&self.repository)
            .effect(Effect::Read)
            .requires("docker-engine")
            .timeout(Duration::from_secs(30))
            .purpose("see which images deploys have built for the sandbox");
        Action::command(line, |answer| {
            let said = answer.stdout();
            let mut names: Vec<String> =
                said.lines().filter_map(|line| self.name(line.trim())).collect();
            names.sort();
            names.dedup();
            Ok(names)
        })
    }

    fn assume(&self) -> Vec<String> {
        Vec::new()
    }

    fn summary(&self, names: &Vec<String>) -> Summary {
        Summary::line(several(names.len()))
    }
}

fn several(count: usize) -> String {
    format!("{count} image{}", if count == 1 { "" } else { "s" })
}

/// Takes these names from the engine's images; one without another name goes with it.
///
/// - Command: `docker image rm --force -- NAME…`.
/// - Exits: 0; 1 where one of them has gone meanwhile.
/// - Touches: exactly these names. At most 120 seconds.
/// - Errors: the engine's own.
/// - Source: docker-image-rm(1).
///
/// ```
/// use talia_pipeline::Step;
/// use talia_sandbox::steps::Untagged;
///
/// assert_eq!(Untagged::new(["127.0.0.1:10007/x:main-1"]).label(), "remove 1 image");
/// ```
#[derive(Debug, Clone)]
pub struct Untagged {
    names: Vec<String>,
}

impl Untagged {
    /// Those of these names.
    pub fn new(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { names: names.into_iter().map(Into::into).collect() }
    }
}

impl Step for Untagged {
    type Output = ();

    fn label(&self) -> String {
        format!("remove {}", several(self.names.len()))
    }

    fn action(&self) -> Action<'_, ()> {
        // A container may have been started from one by hand: it keeps what it needs.
        let line = CommandLine::new("docker").args(["image", "rm", "--force"]);
        let line = self
            .names
            .iter()
            .fold(line, CommandLine::operand)
            .accept([0, 1])
            .requires("docker-engine")
            .timeout(Duration::from_secs(120))
            .purpose("leave no image of the sandbox's registry");
        Action::command(line, gone)
    }

    fn assume(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;
    use talia_pipeline::Answer;

    #[test]
    fn images_of_minimal() {
        check("images_of__minimal", &ImagesOf::new("127.0.0.1:10007/talia/backend"));
    }
    #[test]
    fn images_of_hostile() {
        check("images_of__hostile", &ImagesOf::new("-it's $(id)\nü"));
    }
    #[test]
    fn untagged_minimal() {
        check("untagged__minimal", &Untagged::new(["127.0.0.1:10007/talia/backend:main-1"]));
    }
    #[test]
    fn untagged_everything() {
        check("untagged__everything", &Untagged::new(["r/a:1", "r/a@sha256:0"]));
    }
    #[test]
    fn untagged_hostile() {
        check("untagged__hostile", &Untagged::new(["-it's", "\n$(id)"]));
    }

    #[test]
    fn no_name_of_another_repository_is_taken() {
        let step = ImagesOf::new("127.0.0.1:10007/talia/backend");
        let Action::Command { read, .. } = step.action() else { unreachable!("a command") };
        let own = "127.0.0.1:10007/talia/backend";
        let said = format!(
            "{own} main-2 sha256:2\n{own} <none> sha256:1\n{own} <none> <none>\n\
             {own}-other main-2 sha256:2\n127.0.0.1:10008/talia/backend main-2 <none>\n\
             talia-backend ci-2 <none>\n{own} main-2 sha256:2\n"
        );
        let names = read(&Answer::new(0, said, "")).unwrap();
        assert_eq!(names, [format!("{own}:main-2"), format!("{own}@sha256:1")]);
    }

    #[test]
    fn one_that_has_gone_meanwhile_is_no_error() {
        let step = Untagged::new(["a:1"]);
        let read = |said: &str| {
            let Action::Command { read, .. } = step.action() else { unreachable!("a command") };
            read(&Answer::new(1, "", said))
        };
        assert!(read("Error response from daemon: No such image: a:1\n").is_ok());
        assert!(read("Error response from daemon: x\n").is_err());
    }
}
