//! The texts that every report for people shares.

use crate::{
    diagnostic::Diagnostic,
    event::{Event, Failure, Outcome},
    parse::terminal::{Colours, terminal_safe},
};

use super::console::{Console, Style};

/// How many findings of one failure are shown; the log has them all.
const SHOWN_FINDINGS: usize = 20;
/// How many of the last lines of a failed command are shown.
const SHOWN_LINES: usize = 20;

/// The longest line that is shown, in characters; the log has it all.
const SHOWN_WIDTH: usize = 2000;

/// Text that is not ours, so that it cannot move the cursor or hide anything.
pub(super) fn safe(text: &str) -> String {
    terminal_safe(text.as_bytes(), Colours::Drop, SHOWN_WIDTH).into_owned()
}

/// `1.2 s`, `3 min 05 s`.
pub(super) fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    if seconds < 60 {
        format!("{}.{} s", seconds, ms % 1000 / 100)
    } else {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    }
}

/// How many columns a step's name has.
const NAME_WIDTH: usize = 32;

/// A step's name in its column; a long one is cut, the log's name has it all.
pub(super) fn name(label: &str) -> String {
    pad(&cut(&first_line(label), NAME_WIDTH), NAME_WIDTH)
}

/// The mark before a finished step.
pub(super) fn mark(console: &Console, outcome: Outcome) -> String {
    match outcome {
        Outcome::Passed => console.paint(Style::Good, "✓"),
        Outcome::Failed => console.paint(Style::Bad, "✗"),
        Outcome::Cancelled => console.paint(Style::Warning, "■"),
        Outcome::Blocked => console.paint(Style::Warning, "▲"),
    }
}

/// The line for a finished step: mark, name, duration, result.
pub(super) fn step_line(
    console: &Console,
    label: &str,
    outcome: Outcome,
    duration_ms: u64,
    summary: &str,
) -> String {
    let summary = first_line(summary);
    let label = name(label);
    let took = format!("{:>12}", duration(duration_ms));
    format!("{} {label} {}  {summary}", mark(console, outcome), console.paint(Style::Faint, &took))
        .trim_end()
        .to_owned()
}

/// What happened on another machine, where it is worth a line of its own.
pub(super) fn remote_line(console: &Console, event: &Event) -> Option<String> {
    let line = match event {
        Event::StepFinished { label, outcome, duration_ms, summary, .. } => {
            step_line(console, label, *outcome, *duration_ms, summary)
        }
        Event::Note { text } => format!("- {}", safe(text)),
        Event::Skipped { reason } => format!("- left out: {}", safe(reason)),
        Event::Unknown { text } => safe(text),
        _ => return None,
    };
    Some(format!("  {} {line}", console.paint(Style::Faint, "│")))
}

/// Fills with blanks up to a width.
pub(super) fn pad(text: &str, width: usize) -> String {
    let used = text.chars().count();
    format!("{text}{}", " ".repeat(width.saturating_sub(used)))
}

/// At most this many characters, with an ellipsis where something is cut.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// The first line, safe to print.
pub(super) fn first_line(text: &str) -> String {
    safe(text.lines().next().unwrap_or_default())
}

/// One failure: what, where, the last lines, what to do next, the full log.
pub(super) fn failure(console: &Console, failure: &Failure, log: Option<&str>) -> String {
    let mut text = String::new();
    let step = first_line(failure.step.as_deref().unwrap_or("flow"));
    let title =
        format!("{} {}", console.paint(Style::Bad, "✗"), console.paint(Style::Strong, &step));
    text.push_str(&format!("{title}: {}\n", safe_block(&failure.message, "  ").trim()));
    // Settings tell the place in the message already, with the line and a caret.
    let told = |finding: &&Diagnostic| !failure.message.contains(&finding.to_string());
    let untold: Vec<Diagnostic> = failure.diagnostics.iter().filter(told).cloned().collect();
    text.push_str(&findings(&untold));
    let from = failure.last_lines.len().saturating_sub(SHOWN_LINES);
    for line in &failure.last_lines[from..] {
        let line = console.paint(Style::Faint, &format!("│ {}", safe(line)));
        text.push_str(&format!("  {line}\n"));
    }
    if let Some(hint) = &failure.hint {
        text.push_str(&format!("  {} {}\n", console.paint(Style::Good, "hint:"), safe(hint)));
    }
    if let Some(log) = log {
        text.push_str(&format!("  full log: {}\n", safe(log)));
    }
    text
}

/// Findings, a line each.
pub(super) fn findings(diagnostics: &[Diagnostic]) -> String {
    let mut text = String::new();
    for diagnostic in diagnostics.iter().take(SHOWN_FINDINGS) {
        text.push_str(&safe_block(&diagnostic.to_string(), "  "));
    }
    if diagnostics.len() > SHOWN_FINDINGS {
        text.push_str(&format!("  … and {} more\n", diagnostics.len() - SHOWN_FINDINGS));
    }
    text
}

/// Lines, indented and safe to print.
fn safe_block(block: &str, indent: &str) -> String {
    block.lines().map(|line| format!("{indent}{}\n", safe(line))).collect()
}

/// How many steps did not pass, and why not.
fn ended(failures: &[Failure]) -> String {
    let is_cancelled = |failure: &&Failure| failure.exit_code == 130;
    let cancelled = failures.iter().filter(is_cancelled).count();
    let told = [(failures.len() - cancelled, "failed"), (cancelled, "cancelled")];
    told.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!(", {n} {what}")).collect()
}

/// What is told after the last step: details, failures, and how it ended.
pub(super) struct Closing {
    details: Vec<String>,
    logs: Vec<(String, String)>,
}

impl Closing {
    pub(super) fn new() -> Self {
        Self { details: Vec::new(), logs: Vec::new() }
    }

    /// Remembers what has to be told at the end.
    pub(super) fn note(&mut self, event: &Event) {
        if let Event::StepFinished { label, details, log, outcome, diagnostics, .. } = event {
            if let Some(details) = details {
                self.details.push(safe_block(details, "  "));
            }
            if *outcome == Outcome::Passed && !diagnostics.is_empty() {
                self.details.push(findings(diagnostics));
            }
            if let Some(log) = log {
                self.logs.push((label.clone(), log.to_string()));
            }
        }
    }

    /// The log of the step of this name.
    fn log_of(&self, step: Option<&str>) -> Option<&str> {
        let found = self.logs.iter().rev().find(|(label, _)| Some(label.as_str()) == step);
        found.map(|(_, log)| log.as_str())
    }

    /// The end of a run, as text.
    pub(super) fn text(&self, console: &Console, event: &Event) -> String {
        let Event::FlowFinished {
            flow,
            exit_code,
            duration_ms,
            passed,
            failures,
            allowed,
            not_run,
        } = event
        else {
            return String::new();
        };
        let mut text = String::new();
        for details in &self.details {
            text.push_str(&format!("\n{details}"));
        }
        for label in allowed {
            let label = first_line(label);
            text.push_str(&format!(
                "\n{} {label}: failed, allowed\n",
                console.paint(Style::Warning, "!")
            ));
        }
        for one in failures {
            text.push_str(&format!(
                "\n{}",
                failure(console, one, self.log_of(one.step.as_deref()))
            ));
        }
        // In a run that passed, what was planned and not run was not needed.
        if !not_run.is_empty() && *exit_code != 0 {
            let labels: Vec<String> = not_run.iter().map(|label| first_line(label)).collect();
            text.push_str(&format!("\nnot run: {}\n", labels.join(", ")));
        }
        let verdict = match exit_code {
            0 => console.paint(Style::Good, "passed"),
            3 => console.paint(Style::Warning, "something needed is missing"),
            4 => console.paint(Style::Warning, "refused"),
            5 => console.paint(Style::Bad, "has left the state unknown"),
            130 => console.paint(Style::Warning, "interrupted"),
            _ => console.paint(Style::Bad, "failed"),
        };
        let steps = if *passed == 1 { "step" } else { "steps" };
        text.push_str(&format!(
            "\n{flow} {verdict} in {}: {passed} {steps} passed{}\n",
            duration(*duration_ms),
            ended(failures),
        ));
        text
    }
}
