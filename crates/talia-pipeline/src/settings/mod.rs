//! The project's settings: `infra/pipeline.toml`, read once and checked whole.
//!
//! Every key is optional. What a key means, which values it takes and what holds
//! without it stands at its field, from [`Settings`] down; the file in this
//! repository shows all of them with comments.
//!
//! A mistake is an [`Error`](crate::Error) of kind [`Usage`](crate::ErrorKind::Usage)
//! that points at it:
//!
//! ```
//! use talia_pipeline::settings::Settings;
//!
//! let text = "[backend.coverage]\nlinse = 85\n";
//! let error = Settings::parse(text, Settings::PATH.into()).expect_err("a key is misspelt");
//! assert_eq!(
//!     error.to_string(),
//!     "infra/pipeline.toml:2:1: unknown key `linse` in [backend.coverage]
//!     2 | linse = 85
//!       | ^^^^^"
//! );
//! assert_eq!(error.hint_text(), Some("did you mean `lines`?"));
//! ```
//!
//! A file that is no TOML gives its first mistake alone, because what follows it
//! would be guesswork. All other mistakes are told together, in the file's order,
//! as blocks of one message; then each block carries its own hint. The findings of
//! the error hold the same mistakes for programs: the first line of a block is its
//! finding's `Display`, so a report that shows the message leaves them out.
//!
//! Paths are checked as text, never on the disk: whether a folder exists is for
//! the step that needs it to say.

mod environment;
mod file;
mod findings;
mod grammar;
mod image_name;
mod landing;
mod model;
mod path;
mod percent;
mod policy;
mod read;
mod source;
mod suggest;
mod syntax;
mod table;
#[cfg(test)]
mod tests;
mod values;

pub use environment::{Agent, Environment};
pub use landing::{Landing, LandingPolicy, Reload};
pub use model::{
    Backend, Coverage, Image, Limits, Manager, Project, Python, SecretSources, Settings, Tests,
};
pub use policy::{Backups, ComposeRights, Health, Listen, Policy, Strategy};
