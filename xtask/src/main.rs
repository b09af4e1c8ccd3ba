//! `cargo xtask`: argv → settings → flow → exit code.

mod asking;
mod ci;
mod cli;
mod coverage;
mod deploy;
mod doctor;
mod environment;
mod rollback;
mod sandbox;
mod selftest;
mod session;
mod status;
mod text;
mod told;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main().into()
}
