//! The flows: what the commands run. Each is an ordinary function of a context.

mod backup;
mod ci;
mod drill;
mod image;
pub mod install;
mod interpreter;
mod publish;
mod python_env;
mod remote;
mod restore;
mod selftest;
pub mod server;

pub use backup::{BackupOrder, backup};
pub use ci::{Ci, CiReport, Part, ci, coverage};
pub use drill::{DrillOrder, DrillPlace, drill};
pub use image::image;
pub use interpreter::interpreter;
pub use publish::{Chosen, Publish, Published, Registry, choose, log_in, publish};
pub use python_env::{python_env, tool_env};
pub use remote::Remote;
pub use restore::{RestoreOutlook, RestoreReport, restore, restore_outlook};
pub use selftest::{SelftestReport, selftest};
