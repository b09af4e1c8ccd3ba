use crate::{
    command_line::{CommandLine, Effect},
    hole,
    step::{Action, Answer, Step, Summary},
};

/// Where the machine's apt has a release from: the address of its `main`.
/// `None` where no archive of apt has it.
///
/// Apt knows only what it has fetched: on a fresh machine ask after
/// [`super::AptUpdate`], as a step and not as a question.
///
/// - Command: `apt-get indextargets --format '$(SITE)' -- …`. Needs no rights.
/// - Exits: 0.
/// - Touches: nothing.
/// - Source: apt-get(8), `indextargets`; the fields are those of apt's
///   `acquire-additional-files` document.
///
/// ```
/// use talia_pipeline::{Step, hole, steps::install::ArchiveAddress};
///
/// let address = ArchiveAddress::new("bookworm").label("Debian");
/// assert!(address.assume().is_some_and(|address| hole::is_in(&address)));
/// ```
#[derive(Debug, Clone)]
pub struct ArchiveAddress {
    codename: String,
    label: Option<String>,
}

impl ArchiveAddress {
    /// Of the release of this code name.
    pub fn new(codename: impl Into<String>) -> Self {
        Self { codename: codename.into(), label: None }
    }

    /// Of an archive that calls itself so. `Debian` leaves out the security
    /// archive, which has the release's code name too.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }
}

impl Step for ArchiveAddress {
    type Output = Option<String>;

    fn label(&self) -> String {
        format!("where apt has {} from", self.codename)
    }

    fn action(&self) -> Action<'_, Option<String>> {
        let mut line =
            targets("$(SITE)").arg(format!("Codename: {}", self.codename)).arg("Component: main");
        if let Some(label) = &self.label {
            line = line.arg(format!("Label: {label}"));
        }
        Action::command(line, |answer| Ok(first_address(answer)))
    }

    fn assume(&self) -> Option<String> {
        Some(hole::named("archive address"))
    }

    fn summary(&self, address: &Option<String>) -> Summary {
        Summary::line(address.as_deref().unwrap_or("nowhere"))
    }
}

/// Only a network address can be given to another tool or be read in another
/// release: not a `cdrom:`, a `file:` or a mirror list.
fn first_address(answer: &Answer) -> Option<String> {
    let said = answer.stdout();
    let mut lines = said.lines().map(|line| line.trim().trim_end_matches('/'));
    lines
        .find(|line| line.starts_with("http://") || line.starts_with("https://"))
        .map(str::to_owned)
}

/// The machine's own archives of a release, updates and security included, as
/// the lines of a `sources.list`: what an image of that release should have.
///
/// - Command: `apt-get indextargets --format 'deb $(SITE) $(RELEASE) $(COMPONENT)' -- …`.
///   Needs no rights; ask after [`super::AptUpdate`].
/// - Exits: 0.
/// - Touches: nothing.
/// - Errors: none; without an archive the text is empty.
/// - Source: apt-get(8), sources.list(5).
///
/// ```
/// use talia_pipeline::{Step, steps::install::ArchiveSources};
///
/// assert_eq!(ArchiveSources::new("bookworm").label(), "apt's archives of bookworm");
/// ```
#[derive(Debug, Clone)]
pub struct ArchiveSources {
    codename: String,
}

impl ArchiveSources {
    /// Of the release of this code name.
    pub fn new(codename: impl Into<String>) -> Self {
        Self { codename: codename.into() }
    }
}

impl Step for ArchiveSources {
    type Output = String;

    fn label(&self) -> String {
        format!("apt's archives of {}", self.codename)
    }

    fn action(&self) -> Action<'_, String> {
        let line = targets("deb $(SITE) $(RELEASE) $(COMPONENT)");
        Action::command(line, |answer| Ok(lines_of(&self.codename, answer)))
    }

    fn assume(&self) -> String {
        hole::named("apt's archives")
    }

    fn summary(&self, lines: &String) -> Summary {
        Summary::line(format!("{} archives", lines.lines().count()))
    }
}

/// `bookworm`, `bookworm-updates` and `bookworm-security`, not the next release
/// that the machine may know too.
fn lines_of(codename: &str, answer: &Answer) -> String {
    let ours = |line: &&str| {
        let mut words = line.split(' ').skip(1);
        let address = words.next().unwrap_or_default();
        let rest = words.next().and_then(|release| release.strip_prefix(codename));
        address.starts_with("http")
            && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    answer.stdout().lines().filter(ours).map(|line| format!("{line}\n")).collect()
}

fn targets(format: &str) -> CommandLine {
    CommandLine::new("apt-get")
        .args(["indextargets", "--format", format])
        .operand("Created-By: Packages")
        .effect(Effect::Read)
        .purpose("ask apt for the addresses of its archives")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    #[test]
    fn address_minimal() {
        check("archive_address__minimal", &ArchiveAddress::new("trixie"));
    }
    #[test]
    fn address_everything() {
        check("archive_address__everything", &ArchiveAddress::new("bookworm").label("Debian"));
    }
    #[test]
    fn address_hostile() {
        let address = ArchiveAddress::new("-o APT::x='é'\n").label("it's \"$(ID)\"");
        check("archive_address__hostile", &address);
    }
    #[test]
    fn sources_minimal() {
        check("archive_sources__minimal", &ArchiveSources::new("bookworm"));
    }

    #[test]
    fn archive_sources_hostile() {
        check("archive_sources__hostile", &ArchiveSources::new("book'worm\n$x"));
    }

    #[test]
    fn the_first_network_address_counts() {
        let answer =
            Answer::new(0, "file:/srv/d\nhttps://archive.example/debian/\nhttp://b/\n", "");
        assert_eq!(first_address(&answer).as_deref(), Some("https://archive.example/debian"));
        assert_eq!(first_address(&Answer::new(0, "cdrom:[x]/\n", "")), None);
    }

    #[test]
    fn only_lines_of_the_release_are_taken() {
        let said = "deb http://a/debian bookworm main\ndeb http://a/debian bookworm-updates main\n\
                    deb http://a/debian trixie main\ndeb file:/x bookworm main\n\
                    deb http://a/x bookwormish main\n";
        let lines = lines_of("bookworm", &Answer::new(0, said, ""));
        assert_eq!(
            lines,
            "deb http://a/debian bookworm main\ndeb http://a/debian bookworm-updates main\n"
        );
    }
}
