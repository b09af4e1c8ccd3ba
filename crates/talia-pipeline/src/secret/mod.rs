//! Secrets: names that become values only where a process is spawned, and the
//! masker that keeps the values out of everything a person or a file is shown.
//!
//! A [`Secret`] can be printed, compared and kept in a plan, because it is a
//! name and a source. A [`SecretValue`] can be none of that. A [`Masker`] is
//! built from the values and goes over every stream that a child writes.

mod automaton;
mod forms;
mod masker;
mod name;
mod reading;
mod secret_value;
mod stream;
mod vault;

pub use masker::Masker;
pub use name::{Secret, looks_secret};
pub use secret_value::{MINIMUM_LENGTH, SecretValue};
pub use stream::MaskStream;
pub use vault::Secrets;
