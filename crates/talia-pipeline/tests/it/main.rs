//! The library as a whole, through its public door: real children, real
//! pipes, and what is left of them. One idea a file.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod kit;
mod scenario;

mod cancel;
mod environment;
mod events;
mod exit_codes;
mod finally;
mod github;
mod infra;
mod memory;
mod output;
mod plan;
mod poll;
mod preflight;
mod process;
mod quoting;
mod retries;
mod secrets;
mod side_by_side;
mod signals;
mod state;
mod tidy;
mod xshell;
