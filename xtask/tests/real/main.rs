//! `cargo xtask` as a person runs it, against the real tools.
//!
//! A tool that is not there fails its tests and names what brings it in; nothing
//! is skipped. `cargo xtask selftest --fast` leaves all of them out.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]
#![expect(clippy::disallowed_methods, reason = "tests arrange processes and measure time by hand")]

mod broken;
mod broken_image;
mod broken_settings;
mod canary;
mod fidelity;
mod plan_only;
mod project;
mod same;
mod secrets;
#[path = "../../../crates/talia-pipeline/tests/real/support.rs"]
mod support;
mod trace;
mod usage;
