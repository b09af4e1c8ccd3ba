//! `cargo xtask`: argv → settings → flow → exit code.

mod ci;
mod cli;
mod coverage;
mod doctor;
mod environment;
mod sandbox;
mod selftest;
mod session;
mod status;
mod text;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main().into()
}
