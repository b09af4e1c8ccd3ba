//! cargo: what checks a Rust workspace, for a project's own self test, and what builds
//! the agent.

mod agent;
mod check;
mod test;

pub use agent::AgentBuild;
pub use check::{CargoClippy, CargoDoc, CargoFmt};
pub use test::{CargoTest, TestCounts};

use camino::Utf8Path;

use crate::command_line::CommandLine;

/// A cargo command in this workspace, without colour codes in what it says.
fn cargo(root: &Utf8Path) -> CommandLine {
    CommandLine::new("cargo").cwd(root).env("CARGO_TERM_COLOR", "never")
}
