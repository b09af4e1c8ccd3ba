//! What a command says on its way to the log, the reader and the reports.

use std::{collections::VecDeque, fs::File, io::Write as _};

use crate::{
    command_line::Stdout,
    event::{Event, Stream},
    parse::terminal::{Colours, terminal_safe},
    secret::{MaskStream, Masker},
};

/// The longest line that an event carries, in bytes; the log has it all.
const LINE_BYTES: usize = 4096;
/// The longest event of another machine, in bytes; a longer one is shown as text.
const EVENT_BYTES: usize = 1 << 18;

/// One command's output streams: masked, logged, kept for the reader, cut into
/// lines. Memory is bounded by the reader's limit, whatever the command says.
pub(super) struct Output<'a> {
    id: &'a str,
    log: Option<File>,
    emit: &'a dyn Fn(Event),
    masker: Masker,
    stdout: Side,
    stderr: Side,
}

struct Side {
    stream: Stream,
    mask: MaskStream,
    kept: VecDeque<u8>,
    limit: usize,
    truncated: bool,
    line: Vec<u8>,
    line_length: usize,
    line_limit: usize,
    kind: Stdout,
}

impl<'a> Output<'a> {
    pub(super) fn new(
        id: &'a str,
        log: Option<File>,
        masker: &Masker,
        limit: usize,
        stdout: Stdout,
        emit: &'a dyn Fn(Event),
    ) -> Self {
        let side = |stream, kind| Side {
            stream,
            mask: masker.stream(),
            kept: VecDeque::new(),
            limit,
            truncated: false,
            line: Vec::new(),
            line_length: 0,
            line_limit: if kind == Stdout::Events { EVENT_BYTES } else { LINE_BYTES },
            kind,
        };
        let stdout = side(Stream::Stdout, stdout);
        let stderr = side(Stream::Stderr, Stdout::Shown);
        Self { id, log, emit, masker: masker.clone(), stdout, stderr }
    }

    /// Takes bytes as they come.
    pub(super) fn take(&mut self, stream: Stream, bytes: &[u8]) {
        let side = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        let mut clean = Vec::with_capacity(bytes.len());
        side.mask.push(bytes, &mut clean);
        pass(side, &clean, (self.id, &self.masker), &mut self.log, self.emit);
    }

    /// The line that is not finished yet, such as the test that is running.
    pub(super) fn unfinished(&self) -> Option<String> {
        [&self.stdout, &self.stderr]
            .into_iter()
            .find(|side| side.kind == Stdout::Shown && !side.line.is_empty())
            .map(|side| readable(&side.line, &self.masker))
    }

    /// The last thing it said: the unfinished line, else the last whole one.
    pub(super) fn last_said(&self) -> Option<String> {
        self.unfinished().or_else(|| {
            [&self.stdout, &self.stderr]
                .into_iter()
                .filter(|side| side.kind == Stdout::Shown)
                .find_map(|side| {
                    let mut end: Vec<u8> =
                        side.kept.iter().rev().take(LINE_BYTES).copied().collect();
                    end.reverse();
                    let last = end
                        .split(|&byte| byte == b'\n')
                        .rfind(|line| !line.trim_ascii().is_empty());
                    last.map(|line| readable(line, &self.masker))
                })
        })
    }

    /// Ends both streams; gives what was kept, and whether something was not.
    pub(super) fn finish(mut self) -> (Vec<u8>, Vec<u8>, bool) {
        for side in [&mut self.stdout, &mut self.stderr] {
            let mut rest = Vec::new();
            side.mask.finish(&mut rest);
            pass(side, &rest, (self.id, &self.masker), &mut self.log, self.emit);
            if side.line_length > 0 {
                end_line(side, self.id, &self.masker, self.emit);
            }
        }
        let truncated = self.stdout.truncated || self.stderr.truncated;
        (self.stdout.kept.into(), self.stderr.kept.into(), truncated)
    }
}

fn pass(
    side: &mut Side,
    clean: &[u8],
    (id, masker): (&str, &Masker),
    log: &mut Option<File>,
    emit: &dyn Fn(Event),
) {
    if clean.is_empty() {
        return;
    }
    // A log that cannot be written, on a full disk say, must not end the step.
    let logged = side.kind != Stdout::Private;
    if logged && log.as_mut().is_some_and(|file| file.write_all(clean).is_err()) {
        *log = None;
        emit(Event::Note { text: format!("the log of step {id} cannot be written any further") });
    }
    side.kept.extend(clean);
    if side.kept.len() > side.limit {
        side.kept.drain(..side.kept.len() - side.limit);
        side.truncated = true;
    }
    if matches!(side.kind, Stdout::Data | Stdout::Private) {
        return;
    }
    for piece in clean.split_inclusive(|&byte| byte == b'\n') {
        let (text, ends) = match piece.strip_suffix(b"\n") {
            Some(text) => (text, true),
            None => (piece, false),
        };
        let room = side.line_limit.saturating_sub(side.line.len());
        side.line.extend(&text[..text.len().min(room)]);
        side.line_length += text.len();
        if ends {
            end_line(side, id, masker, emit);
        }
    }
}

/// A line for people. What is taken out to make it harmless can bring the parts of
/// a secret together, so it is masked once more.
fn readable(line: &[u8], masker: &Masker) -> String {
    masker.mask(&terminal_safe(line, Colours::Drop, LINE_BYTES)).into_owned()
}

fn end_line(side: &mut Side, id: &str, masker: &Masker, emit: &dyn Fn(Event)) {
    if side.kind == Stdout::Events && side.line_length == side.line.len() {
        let event = std::str::from_utf8(&side.line).map(Event::parse);
        if let Ok(event) = event
            && !matches!(event, Event::Unknown { .. })
        {
            side.line.clear();
            side.line_length = 0;
            return emit(Event::Remote { id: id.to_owned(), told: Box::new(event) });
        }
    }
    side.line.truncate(LINE_BYTES);
    let mut text = readable(&side.line, masker);
    if side.line_length > side.line.len() {
        text.push_str(&format!(" … {} bytes more", side.line_length - side.line.len()));
    }
    side.line.clear();
    side.line_length = 0;
    emit(Event::Output { id: id.to_owned(), stream: side.stream, text });
}
