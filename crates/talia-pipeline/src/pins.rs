//! The versions of what is brought in when a project or a machine has none.
//!
//! They are part of this library's version: a newer one is a change here.

/// Checks and formats Python code.
pub const RUFF: &str = "0.17.6";
/// Runs tests. The last line that still takes Python 3.9.
pub const PYTEST: &str = "8.4.2";
/// Measures coverage under pytest. This one takes every pytest since 4.6, so it
/// never changes the version that a project has chosen.
pub const PYTEST_COV: &str = "5.0.0";
/// Installs from `uv.lock`.
pub const UV: &str = "0.13.9";
/// Installs from `poetry.lock`.
pub const POETRY: &str = "2.5.1";
/// Poetry's plugin that writes the lock as requirements.
pub const POETRY_EXPORT: &str = "1.10.1";
/// For a lock that was written by Poetry 1.
pub const POETRY_1: &str = "1.8.5";
/// The plugin for it.
pub const POETRY_1_EXPORT: &str = "1.8.0";
