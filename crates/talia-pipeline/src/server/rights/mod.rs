//! What a compose file may ask of the host.
//!
//! A compose file is as good as root on its host, so it gets what is listed here and
//! what the server's policy names, and nothing more: a key that nobody has thought of
//! is refused, whatever a newer Compose makes of it.

mod judge;
mod place;
mod service;

#[cfg(test)]
mod tests;

pub use judge::{Judge, Reading};
