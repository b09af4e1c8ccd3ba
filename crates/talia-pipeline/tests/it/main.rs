//! The library as a whole, through its public door: real children, real
//! pipes, and what is left of them. One idea a file.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod kit;

mod exit_codes;
mod process;
mod retries;
mod side_by_side;
