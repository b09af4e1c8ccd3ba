//! Grouped, stable text for logs and pipes.

use crate::event::Event;

use super::{
    Report,
    console::Console,
    text::{self, Closing},
};

/// One line for every finished step, failures repeated last. With `verbose`
/// also every command and every line that it says.
pub struct Plain {
    console: Console,
    verbose: bool,
    closing: Closing,
}

impl Plain {
    /// A report to this console.
    pub fn new(console: Console, verbose: bool) -> Self {
        Self { console, verbose, closing: Closing::new() }
    }
}

impl Report for Plain {
    fn event(&mut self, event: &Event) {
        self.closing.note(event);
        match event {
            Event::FlowStarted { flow, root, .. } => {
                self.console.print(&format!("{flow} {}\n", text::safe(root.as_str())));
            }
            Event::CommandStarted { id, command, .. } if self.verbose => {
                self.console.print(&format!("{id} $ {}\n", text::safe(&command.to_string())));
            }
            Event::Output { id, text: said, .. } if self.verbose => {
                self.console.print(&format!("{id} | {}\n", text::safe(said)));
            }
            Event::Note { text: said } => {
                self.console.print(&format!("- {}\n", text::safe(said)));
            }
            Event::Skipped { reason } => {
                self.console.print(&format!("- left out: {}\n", text::safe(reason)));
            }
            Event::StepFinished { label, outcome, duration_ms, summary, .. } => {
                let line = text::step_line(&self.console, label, *outcome, *duration_ms, summary);
                self.console.print(&format!("{line}\n"));
            }
            Event::Remote { told, .. } => {
                if let Some(line) = text::remote_line(&self.console, told) {
                    self.console.print(&format!("{line}\n"));
                }
            }
            Event::FlowFinished { .. } => {
                let closing = self.closing.text(&self.console, event);
                self.console.print(&closing);
            }
            Event::Unknown { text: said } => self.console.print(&format!("{}\n", text::safe(said))),
            _ => {}
        }
    }
}
