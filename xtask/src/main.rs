//! `cargo xtask`: argv → settings → flow → exit code.

mod asking;
mod backup;
mod backups;
mod cancel;
mod change;
mod ci;
mod cli;
mod coverage;
mod deploy;
mod doctor;
mod environment;
mod landing;
mod logs;
mod maintenance;
mod releases;
mod restore;
mod rollback;
mod sandbox;
mod selftest;
mod server;
mod session;
mod status;
mod text;
mod told;
mod unlock;
mod up;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main().into()
}
