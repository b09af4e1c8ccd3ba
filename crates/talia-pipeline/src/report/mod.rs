//! Who tells people and programs what happens.

pub mod console;
mod feed;
mod github;
mod journal;
mod json_lines;
mod plain;
mod terminal;
mod text;

pub use console::Console;
pub use feed::{Feed, FeedReport};
pub use github::GitHub;
pub use journal::Journal;
pub use json_lines::JsonLines;
pub use plain::Plain;
pub use terminal::Terminal;

use crate::event::Event;

/// A consumer of events. It runs on a thread of its own; when it is slow, the
/// work waits for it rather than filling the memory.
pub trait Report: Send {
    /// Something happened.
    fn event(&mut self, event: &Event);

    /// Nothing happened for a moment; a live view redraws.
    fn tick(&mut self) {}
}
