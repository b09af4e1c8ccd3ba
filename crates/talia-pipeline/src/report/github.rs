//! GitHub Actions: a group for each step, annotations, a job summary.

use std::{
    collections::{BTreeMap, VecDeque},
    fs::File,
    io::Write as _,
};

use camino::Utf8PathBuf;

use crate::{
    diagnostic::{Diagnostic, Severity},
    event::{Event, Outcome},
    parse::workflow_commands::{escape_data, escape_property, neutralise},
};

use super::{
    Report,
    console::Console,
    text::{self, Closing},
};

/// GitHub drops a job summary near 1 MiB whole; stay well below.
const SUMMARY_BYTES: usize = 900 * 1024;
/// How much of what a step says is shown in its group, the end of it.
const GROUP_BYTES: usize = 256 * 1024;
/// GitHub shows ten annotations of a kind for a step.
const ANNOTATIONS: usize = 10;

/// The report for a job of GitHub Actions.
pub struct GitHub {
    console: Console,
    summary: Option<Utf8PathBuf>,
    prefix: String,
    closing: Closing,
    rows: Vec<String>,
    said: BTreeMap<String, Said>,
}

/// The end of what a step has said so far.
#[derive(Default)]
struct Said {
    lines: VecDeque<String>,
    bytes: usize,
}

impl Said {
    fn add(&mut self, line: &str) {
        self.bytes += line.len() + 1;
        self.lines.push_back(line.to_owned());
        while self.bytes > GROUP_BYTES {
            self.bytes -= self.lines.pop_front().map_or(self.bytes, |line| line.len() + 1);
        }
    }
}

impl GitHub {
    /// A report to this console. `summary` is `$GITHUB_STEP_SUMMARY`; `prefix` is
    /// the project's folder within the repository, for annotations.
    pub fn new(console: Console, summary: Option<Utf8PathBuf>, prefix: &str) -> Self {
        let prefix = prefix.trim_end_matches('/').to_owned();
        let (closing, rows, said) = (Closing::new(), Vec::new(), BTreeMap::new());
        Self { console, summary, prefix, closing, rows, said }
    }

    /// Prints text that is not ours, so that it cannot command the workflow.
    fn print_safely(&mut self, block: &str) {
        for line in block.lines() {
            let line = text::safe(line);
            self.console.print(&format!("{}\n", neutralise(&line)));
        }
    }

    fn annotate(&mut self, diagnostics: &[Diagnostic]) {
        for diagnostic in diagnostics.iter().take(ANNOTATIONS) {
            let level = match diagnostic.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            let mut properties = Vec::new();
            if let Some(file) = &diagnostic.file {
                let path = if self.prefix.is_empty() || file.is_absolute() {
                    file.to_string()
                } else {
                    format!("{}/{file}", self.prefix)
                };
                properties.push(format!("file={}", escape_property(&path)));
            }
            properties.extend(diagnostic.line.map(|line| format!("line={line}")));
            properties.extend(diagnostic.column.map(|column| format!("col={column}")));
            properties.extend(
                diagnostic.rule.as_ref().map(|rule| format!("title={}", escape_property(rule))),
            );
            let properties = properties.join(",");
            let space = if properties.is_empty() { "" } else { " " };
            let message = escape_data(&diagnostic.message);
            self.console.print(&format!("::{level}{space}{properties}::{message}\n"));
        }
    }

    fn write_summary(&mut self, event: &Event) {
        let Some(path) = &self.summary else { return };
        let Event::FlowFinished { flow, exit_code, .. } = event else { return };
        let verdict = if *exit_code == 0 { "passed" } else { "failed" };
        let mut page =
            format!("### {flow} {verdict}\n\n| | step | time | result |\n|---|---|---|---|\n");
        for row in &self.rows {
            page.push_str(row);
        }
        let (plain, _) = Console::buffer(100);
        let closing = self.closing.text(&plain, event);
        // A fence longer than any inside keeps the text from closing it.
        page.push_str(&format!(
            "\n~~~~~~~~text\n{}~~~~~~~~\n",
            closing.replace("~~~~~~~~", "~~~~~~~ ")
        ));
        let mut end = page.len().min(SUMMARY_BYTES);
        while !page.is_char_boundary(end) {
            end -= 1;
        }
        page.truncate(end);
        // The summary is an extra; the job's log has all of it.
        drop(
            File::options()
                .append(true)
                .create(true)
                .open(path)
                .and_then(|mut file| file.write_all(page.as_bytes())),
        );
    }
}

impl Report for GitHub {
    fn event(&mut self, event: &Event) {
        self.closing.note(event);
        match event {
            Event::FlowStarted { flow, root, .. } => {
                self.print_safely(&format!("{flow} {root}"));
            }
            Event::Output { id, text: said, .. } => {
                self.said.entry(id.clone()).or_default().add(said);
            }
            Event::Note { text: said } => self.print_safely(&format!("- {said}")),
            Event::Skipped { reason } => self.print_safely(&format!("- left out: {reason}")),
            Event::StepFinished {
                id,
                label,
                outcome,
                duration_ms,
                summary,
                diagnostics,
                failure,
                ..
            } => {
                let line = text::step_line(&self.console, label, *outcome, *duration_ms, summary);
                self.console.print(&format!("::group::{}\n", escape_data(&line)));
                for line in self.said.remove(id).unwrap_or_default().lines {
                    self.print_safely(&line);
                }
                self.console.print("::endgroup::\n");
                self.annotate(diagnostics);
                if let Some(failure) = failure
                    && *outcome != Outcome::Cancelled
                {
                    if failure.diagnostics.is_empty() {
                        let message = format!("{label}: {}", failure.message);
                        self.annotate(&[Diagnostic::error(message)]);
                    } else {
                        self.annotate(&failure.diagnostics);
                    }
                }
                let cell = |text: &str| text::first_line(text).replace('|', "\\|");
                let (plain, _) = Console::buffer(100);
                self.rows.push(format!(
                    "| {} | {} | {} | {} |\n",
                    text::mark(&plain, *outcome),
                    cell(label),
                    text::duration(*duration_ms),
                    cell(summary)
                ));
            }
            Event::Remote { told, .. } => {
                if let Some(line) = text::remote_line(&self.console, told) {
                    self.print_safely(&line);
                }
            }
            Event::FlowFinished { .. } => {
                let closing = self.closing.text(&self.console, event);
                self.print_safely(&closing);
                self.write_summary(event);
            }
            Event::Unknown { text: said } => self.print_safely(said),
            _ => {}
        }
    }
}
