//! What kind of Python project a folder holds, read from its files alone.

mod detect;
mod find;

pub use detect::{Detect, Project};
pub use find::{FindProjects, is_project};
