use std::time::Duration;

use talia_pipeline::{Action, Answer, CommandLine, Effect, Result, Step, Summary};

/// What an engine keeps apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Containers, running or not.
    Container,
    /// Networks.
    Network,
    /// Volumes.
    Volume,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Network => "network",
            Self::Volume => "volume",
        }
    }

    fn several(self, count: usize) -> String {
        format!("{count} {}{}", self.word(), if count == 1 { "" } else { "s" })
    }
}

/// Which containers, networks or volumes carry these labels: their names, and for a
/// container whether it runs.
///
/// - Command: `docker container ls --all --filter=label=… --format=…`, and the same of
///   networks and volumes.
/// - Exits: 0.
/// - Touches: nothing. At most 30 seconds.
/// - Source: docker-ps(1), docker-network-ls(1), docker-volume-ls(1).
///
/// ```
/// use talia_pipeline::Step;
/// use talia_sandbox::steps::{Kind, Labelled};
///
/// let question = Labelled::new(Kind::Volume, ["a=b"]);
/// assert_eq!(question.label(), "which volumes are the sandbox's");
/// ```
#[derive(Debug, Clone)]
pub struct Labelled {
    kind: Kind,
    labels: Vec<String>,
}

impl Labelled {
    /// What of this kind carries all of these labels.
    pub fn new(kind: Kind, labels: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { kind, labels: labels.into_iter().map(Into::into).collect() }
    }
}

impl Step for Labelled {
    type Output = Vec<(String, bool)>;

    fn label(&self) -> String {
        format!("which {}s are the sandbox's", self.kind.word())
    }

    fn action(&self) -> Action<'_, Self::Output> {
        let line = CommandLine::new("docker").args([self.kind.word(), "ls"]);
        let line = match self.kind {
            Kind::Container => {
                line.args(["--all", "--no-trunc"]).option("--format", "{{.Names}} {{.State}}")
            }
            Kind::Network | Kind::Volume => line.option("--format", "{{.Name}} there"),
        };
        let filter =
            |line: CommandLine, label: &String| line.option("--filter", format!("label={label}"));
        let line = self
            .labels
            .iter()
            .fold(line, filter)
            .effect(Effect::Read)
            .requires("docker-engine")
            .timeout(Duration::from_secs(30))
            .purpose("see what there is of the sandbox");
        Action::command(line, |answer| {
            let said = answer.stdout();
            let lines = said.lines().filter_map(|line| line.trim().split_once(' '));
            let mut found: Vec<(String, bool)> =
                lines.map(|(name, state)| (name.to_owned(), state == "running")).collect();
            found.sort();
            Ok(found)
        })
    }

    fn assume(&self) -> Self::Output {
        Vec::new()
    }

    fn summary(&self, found: &Self::Output) -> Summary {
        Summary::line(self.kind.several(found.len()))
    }
}

/// Removes containers with their nameless volumes, networks, or volumes, at once.
///
/// - Command: `docker container rm --force --volumes -- NAME…`, `docker network rm --
///   NAME…`, `docker volume rm --force -- NAME…`.
/// - Exits: 0; 1 where one of them has gone meanwhile.
/// - Touches: exactly these. At most 60 seconds.
/// - Errors: one of them is in use.
/// - Source: docker-rm(1), docker-network-rm(1), docker-volume-rm(1).
///
/// ```
/// use talia_pipeline::Step;
/// use talia_sandbox::steps::{Kind, Removed};
///
/// assert_eq!(Removed::new(Kind::Container, ["a", "b"]).label(), "remove 2 containers");
/// ```
#[derive(Debug, Clone)]
pub struct Removed {
    kind: Kind,
    names: Vec<String>,
}

impl Removed {
    /// Of this kind, those of these names.
    pub fn new(kind: Kind, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { kind, names: names.into_iter().map(Into::into).collect() }
    }
}

impl Step for Removed {
    type Output = ();

    fn label(&self) -> String {
        format!("remove {}", self.kind.several(self.names.len()))
    }

    fn action(&self) -> Action<'_, ()> {
        let line = CommandLine::new("docker").args([self.kind.word(), "rm"]);
        let line = match self.kind {
            Kind::Container => line.args(["--force", "--volumes"]),
            Kind::Volume => line.arg("--force"),
            Kind::Network => line,
        };
        let line = self
            .names
            .iter()
            .fold(line, CommandLine::operand)
            .accept([0, 1])
            .timeout(Duration::from_secs(60))
            .purpose("leave nothing of the sandbox");
        Action::command(line, gone)
    }

    fn assume(&self) {}
}

/// Whether all of them have gone, by this or by something else.
pub(super) fn gone(answer: &Answer) -> Result<()> {
    let said = answer.stderr();
    let other = said.lines().find(|line| !line.to_lowercase().contains("no such"));
    match other.filter(|_| answer.exit() != 0) {
        None => Ok(()),
        Some(_) => Err(answer.unreadable("that they are removed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    #[test]
    fn labelled_containers() {
        check("labelled__containers", &Labelled::new(Kind::Container, ["a=b", "c=d"]));
    }
    #[test]
    fn labelled_networks() {
        check("labelled__networks", &Labelled::new(Kind::Network, ["a=b"]));
    }
    #[test]
    fn labelled_hostile() {
        check("labelled__hostile", &Labelled::new(Kind::Volume, ["-it's=\nü"]));
    }
    #[test]
    fn removed_containers() {
        check("removed__containers", &Removed::new(Kind::Container, ["a", "b"]));
    }
    #[test]
    fn removed_networks() {
        check("removed__networks", &Removed::new(Kind::Network, ["a"]));
    }
    #[test]
    fn removed_hostile() {
        check("removed__hostile", &Removed::new(Kind::Volume, ["-it's", "\nü"]));
    }
}
