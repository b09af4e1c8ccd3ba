//! `cargo xtask`: argv → settings → flow → exit code.

mod ci;
mod cli;
mod coverage;
mod doctor;
mod sandbox;
mod selftest;
mod session;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main().into()
}
