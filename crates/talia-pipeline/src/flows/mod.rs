//! The flows: what the commands run. Each is an ordinary function of a context.

mod backup;
mod ci;
mod image;
pub mod install;
mod interpreter;
mod python_env;
mod selftest;

pub use backup::{BackupOrder, backup};
pub use ci::{Ci, CiReport, Part, ci, coverage};
pub use image::image;
pub use interpreter::interpreter;
pub use python_env::{python_env, tool_env};
pub use selftest::{SelftestReport, selftest};
