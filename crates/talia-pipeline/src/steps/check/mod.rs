//! What decides whether code is good: lint, tests, coverage.

mod clean;
mod coverage;
mod pytest;
mod ruff;

pub use clean::RemoveReports;
pub use coverage::{CoverageGate, Judged};
pub use pytest::{Pytest, Tests};
pub use ruff::{RuffCheck, RuffFormat};
