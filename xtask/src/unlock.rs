//! `cargo xtask unlock`.

use clap::{ArgMatches, Command};
use talia_pipeline::{ExitCode, Result, World, protocol::Role, report::console};

use crate::environment::{Target, changing};

pub(crate) fn command() -> Command {
    changing("unlock").about("End every process that holds a server's lock").after_help(
        "`cargo xtask status` names the holder; `cargo xtask cancel` asks it to end first. The \
             next deploy\nputs right what was left half done.\n\n\
             Examples:\n  cargo xtask unlock --env production",
    )
}

pub(crate) fn run(matches: &ArgMatches, world: World) -> Result<ExitCode> {
    let target = Target::open(matches, world, Role::Admin)?;
    let (ended, code) = target.change("unlock", matches, |cx, remote| remote.unlock(cx))?;
    if let Some(ended) = ended {
        console::print(&told(&ended));
    }
    Ok(code)
}

fn told(ended: &[u32]) -> String {
    if ended.is_empty() {
        return "Nobody held the lock.\n".to_owned();
    }
    let numbers: Vec<String> = ended.iter().map(u32::to_string).collect();
    format!("The lock is free; ended: process {}.\n", numbers.join(", "))
}

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn whoever_was_ended_is_named() {
        assert_eq!(told(&[]), "Nobody held the lock.\n");
        assert_eq!(told(&[7, 8]), "The lock is free; ended: process 7, 8.\n");
    }
}
