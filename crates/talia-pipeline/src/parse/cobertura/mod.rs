//! Cobertura's `coverage.xml`, as coverage.py, gcovr, coverlet, PHPUnit, slather
//! and many others write it.
//!
//! [`Coverage::read`] reads one front to back in bounded memory: what is kept is
//! about one byte for each distinct line. Nothing that the header claims is
//! believed; every total is counted.

mod attributes;
mod canonical;
mod element;
mod encoding;
mod entities;
mod failure;
mod foreign;
mod header;
mod input;
mod lines;
mod namespaces;
mod notes;
mod place;
mod reader;
mod report;
mod tags;
mod values;
mod walk;

#[cfg(test)]
mod tests;

pub use header::Header;
pub use report::{Counts, Coverage, FileCoverage, Line};
