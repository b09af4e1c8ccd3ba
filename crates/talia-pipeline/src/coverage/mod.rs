//! What to make of a coverage report: whether it is enough, and where to look.
//!
//! Pure: reports, diffs and lists of files come in, verdicts and text go out.

mod changed;
mod gate;
mod locate;
mod percent;
mod table;

pub use changed::{Changed, ChangedFileCoverage};
pub use gate::{Gate, Measure, Violation};
pub use locate::{Located, Place};
pub use percent::{Percent, Rate};
pub use table::Table;
