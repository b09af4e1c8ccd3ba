//! `cargo xtask`: argv → settings → flow → exit code.

mod backup;
mod cancel;
mod ci;
mod cli;
mod coverage;
mod doctor;
mod environment;
mod logs;
mod maintenance;
mod releases;
mod restore;
mod sandbox;
mod selftest;
mod server;
mod session;
mod status;
mod text;
mod unlock;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main().into()
}
