//! Text that tools write, read into structs. Pure: nothing here prints, spawns,
//! or reads the environment, the clock or a file of its own accord.

pub mod app_log;
pub mod buildkit;
pub mod cobertura;
pub mod compose;
pub mod compose_ps;
pub mod database_url;
pub mod env_file;
pub mod git_status;
pub mod health;
pub mod itemize;
pub mod junit;
pub mod line_diff;
pub mod nginx;
pub mod pyproject;
pub mod pytest_exit;
pub mod python_version;
pub mod requirements;
pub mod ruff;
pub mod terminal;
pub mod unified_diff;
mod visible;
pub mod workflow_commands;

pub(crate) use visible::{visible, visible_bytes};
