//! Who asks, and whether they are sure.

use clap::{Arg, ArgMatches};
use talia_pipeline::{Error, Result, World, protocol::Who, report::console};

use crate::{cli, environment::Target};

/// `--yes`.
pub(crate) fn yes() -> Arg {
    cli::flag("yes", "Do not ask; needed where nobody can be asked")
}

/// Whether a person is to be asked before something changes.
pub(crate) struct Asking {
    is_needed: bool,
}

impl Asking {
    /// As the environment's `confirm` and the command line say.
    ///
    /// A usage error where somebody has to be asked and nobody is there.
    pub(crate) fn new(matches: &ArgMatches, target: &Target) -> Result<Self> {
        let is_needed = target.environment.confirm && !matches.get_flag("yes");
        let is_plan = matches.contains_id("plan");
        if is_needed && !is_plan && !console::can_ask() {
            return Err(Error::usage(format!(
                "{} is asked for on a terminal, and this is none",
                target.remote.environment()
            ))
            .hint("say `--yes`; `--plan` shows what would be done"));
        }
        Ok(Self { is_needed })
    }

    pub(crate) fn is_needed(&self) -> bool {
        self.is_needed
    }

    /// Asks, once what it is about has been shown.
    pub(crate) fn ask(&self, question: &str) -> Result<()> {
        if console::ask(question) {
            return Ok(());
        }
        Err(Error::refused("nothing was done: it was not confirmed"))
    }
}

/// Who asks, as a server's journal and lock name it: `github/talia/backend/42` in a
/// workflow, else `ana@laptop`.
pub(crate) fn who(world: &World) -> Who {
    let variable = |name: &str| world.variable(name);
    let told = match (world.on_github_actions(), variable("GITHUB_REPOSITORY")) {
        (true, Some(repository)) => {
            format!("github/{repository}/{}", variable("GITHUB_RUN_ID").unwrap_or("0"))
        }
        _ => {
            let user = variable("USER").or(variable("LOGNAME")).unwrap_or("somebody");
            let file = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
            let host = variable("HOSTNAME").unwrap_or(file.trim());
            if host.is_empty() { user.to_owned() } else { format!("{user}@{host}") }
        }
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || ".@:/_-".contains(c);
    let told: String = told.chars().map(|c| if plain(c) { c } else { '-' }).take(100).collect();
    let told = told.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    let somebody = || "somebody".parse().unwrap_or_else(|_| unreachable!("it is a name"));
    told.parse().unwrap_or_else(|_| somebody())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_asks_has_a_name_that_a_request_can_hold() {
        let name = |variables: &[(&str, &str)]| {
            who(&World::fixed("/", variables.iter().copied())).to_string()
        };
        assert_eq!(name(&[("USER", "ana"), ("HOSTNAME", "lap top")]), "ana@lap-top");
        let workflow = [
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_REPOSITORY", "talia/backend"),
            ("GITHUB_RUN_ID", "42"),
            ("USER", "runner"),
        ];
        assert_eq!(name(&workflow), "github/talia/backend/42");
        assert_eq!(name(&[("USER", "-ä;"), ("HOSTNAME", "$(id)")]), "id-");
        assert_eq!(name(&[("USER", &"a".repeat(200)), ("HOSTNAME", "h")]).len(), 100);
    }
}
