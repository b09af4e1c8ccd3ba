//! The live view: finished steps settle above, one line for each running step below.

use std::collections::BTreeMap;

use crate::{event::Event, world::World};

use super::{
    Report,
    console::{Console, Style},
    text::{self, Closing},
};

/// The pictures of the mark before a running step.
const SPINNER: [&str; 8] = ["⠋", "⠙", "⠸", "⠴", "⠦", "⠧", "⠇", "⠏"];
/// The least time between two drawings, in milliseconds.
const REDRAW_MS: u128 = 80;

/// The report for a terminal.
pub struct Terminal {
    console: Console,
    clock: World,
    verbose: bool,
    closing: Closing,
    running: BTreeMap<Vec<u32>, Running>,
    finished: usize,
    steps: usize,
    drawn_lines: usize,
    drawn_at: u128,
    began: u128,
}

struct Running {
    label: String,
    since: u128,
    last_line: String,
}

impl Terminal {
    /// A report to this console; `clock` tells how long steps run.
    pub fn new(console: Console, clock: World, verbose: bool) -> Self {
        let began = clock.elapsed().as_millis();
        Self {
            console,
            clock,
            verbose,
            closing: Closing::new(),
            running: BTreeMap::new(),
            finished: 0,
            steps: 0,
            drawn_lines: 0,
            drawn_at: 0,
            began,
        }
    }

    fn now(&self) -> u128 {
        self.clock.elapsed().as_millis()
    }

    /// Prints a line that stays, above the live lines.
    fn settle(&mut self, line: &str) {
        let erase = self.erase();
        self.console.print(&format!("{erase}{line}\n"));
    }

    /// What takes the live lines away.
    fn erase(&mut self) -> String {
        let up = std::mem::take(&mut self.drawn_lines);
        if up == 0 { String::new() } else { format!("\x1b[{up}A\r\x1b[J") }
    }

    fn draw(&mut self) {
        self.drawn_at = self.now();
        self.console.measure();
        let mut screen = self.erase();
        let width = self.console.width().saturating_sub(1).max(20);
        let now = self.now();
        let spin = SPINNER[usize::try_from(now / 100).unwrap_or(0) % SPINNER.len()];
        for running in self.running.values() {
            let took = text::duration(u64::try_from(now - running.since).unwrap_or(0));
            let line = format!("{spin} {} {took:>12}  ", text::name(&running.label));
            let room = width.saturating_sub(line.chars().count());
            let said = self.console.paint(Style::Faint, &text::cut(&running.last_line, room));
            screen.push_str(&text::cut(&line, width));
            screen.push_str(&said);
            screen.push('\n');
        }
        if !self.running.is_empty() {
            let took = text::duration(u64::try_from(now - self.began).unwrap_or(0));
            let line = format!("  {} of {} steps, {took}", self.finished, self.steps);
            screen.push_str(&self.console.paint(Style::Faint, &text::cut(&line, width)));
            screen.push('\n');
            self.drawn_lines = self.running.len() + 1;
        }
        self.console.print(&screen);
    }

    fn draw_if_due(&mut self) {
        if self.now() - self.drawn_at >= REDRAW_MS {
            self.draw();
        }
    }
}

/// `2.1.3` as numbers, so that `10` comes after `9`.
fn place(id: &str) -> Vec<u32> {
    id.split('.').filter_map(|part| part.parse().ok()).collect()
}

impl Report for Terminal {
    fn event(&mut self, event: &Event) {
        self.closing.note(event);
        match event {
            Event::FlowStarted { flow, root, steps, .. } => {
                self.steps = *steps;
                let title = self.console.paint(Style::Strong, flow);
                self.settle(&format!("{title} {}", text::safe(root.as_str())));
            }
            Event::StepStarted { id, label, .. } => {
                let running = Running {
                    label: text::first_line(label),
                    since: self.now(),
                    last_line: String::new(),
                };
                self.running.insert(place(id), running);
                self.draw();
            }
            Event::CommandStarted { id, command, .. } if self.verbose => {
                let line = format!("{id} $ {}", text::safe(&command.to_string()));
                let line = self.console.paint(Style::Faint, &line);
                self.settle(&line);
                self.draw();
            }
            Event::Output { id, text: said, .. } | Event::Progress { id, text: said } => {
                let line = text::first_line(said).trim().to_owned();
                if self.verbose && matches!(event, Event::Output { .. }) {
                    self.settle(&format!("{id} | {}", text::safe(said)));
                }
                if !line.is_empty()
                    && let Some(running) = self.running.get_mut(&place(id))
                {
                    running.last_line = line;
                }
                self.draw_if_due();
            }
            Event::Note { text: said } => {
                let line = self.console.paint(Style::Faint, &format!("- {}", text::safe(said)));
                self.settle(&line);
                self.draw();
            }
            Event::Skipped { reason } => {
                self.settle(&format!("- left out: {}", text::safe(reason)));
                self.draw();
            }
            Event::StepFinished { id, label, outcome, duration_ms, summary, .. } => {
                self.running.remove(&place(id));
                self.finished += 1;
                let line = text::step_line(&self.console, label, *outcome, *duration_ms, summary);
                self.settle(&line);
                self.draw();
            }
            Event::Remote { id, told } => {
                if let Some(line) = text::remote_line(&self.console, told) {
                    self.settle(&line);
                }
                if let Event::StepStarted { label, .. } = &**told
                    && let Some(running) = self.running.get_mut(&place(id))
                {
                    running.last_line = text::first_line(label);
                }
                self.draw();
            }
            Event::FlowFinished { .. } => {
                self.running.clear();
                let closing = self.closing.text(&self.console, event);
                self.settle(closing.trim_end_matches('\n'));
            }
            Event::Unknown { text: said } => self.settle(&text::safe(said)),
            _ => {}
        }
    }

    fn tick(&mut self) {
        if !self.running.is_empty() {
            self.draw();
        }
    }
}
