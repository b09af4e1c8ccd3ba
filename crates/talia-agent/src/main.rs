//! `talia-agent`: what answers a client's requests on a server.
//!
//! - `talia-agent gate ENVIRONMENT deploy|admin`: the forced command of a key. The
//!   request is `SSH_ORIGINAL_COMMAND`.
//! - `talia-agent ask ENVIRONMENT REQUEST…`: the same for root on the server itself,
//!   such as a timer's nightly backup.
//! - `talia-agent version`.

mod answer;
mod brought;
mod gate;
mod holders;
mod landing;
mod logs;
mod plans;
mod secrets;
mod serve;

use std::process::ExitCode;

fn main() -> ExitCode {
    gate::main().into()
}
