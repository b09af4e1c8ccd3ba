//! The one place that prints.

use std::{
    io::{self, Write},
    panic,
    sync::{Arc, Mutex, PoisonError},
};

use rustix::termios;

use crate::secret::Masker;

/// Where a report writes.
pub struct Console {
    to: Box<dyn Write + Send>,
    width: usize,
    color: bool,
}

impl Console {
    /// Standard output.
    pub fn stdout() -> Self {
        let width = termios::tcgetwinsize(io::stdout()).map_or(0, |size| usize::from(size.ws_col));
        Self {
            to: Box::new(io::stdout()),
            width: if width == 0 { 100 } else { width },
            color: false,
        }
    }

    /// A buffer, for tests and for text that goes elsewhere.
    pub fn buffer(width: usize) -> (Self, Arc<Mutex<Vec<u8>>>) {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        (Self { to: Box::new(Buffer(Arc::clone(&bytes))), width, color: false }, bytes)
    }

    /// Whether to use colour.
    #[must_use]
    pub fn color(mut self, color: bool) -> Self {
        self.color = color;
        self
    }

    /// The number of columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Measures the terminal again; it may have been resized.
    pub(super) fn measure(&mut self) {
        if let Ok(size) = termios::tcgetwinsize(io::stdout())
            && size.ws_col > 0
        {
            self.width = usize::from(size.ws_col);
        }
    }

    /// Prints. A reader that has gone away is no reason to stop working.
    pub fn print(&mut self, text: &str) {
        drop(self.to.write_all(text.as_bytes()).and_then(|()| self.to.flush()));
    }

    /// `text` in this style, or plain where there is no colour.
    pub(super) fn paint(&self, style: Style, text: &str) -> String {
        if !self.color {
            return text.to_owned();
        }
        let code = match style {
            Style::Good => "32",
            Style::Bad => "1;31",
            Style::Warning => "33",
            Style::Faint => "2",
            Style::Strong => "1",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// How a piece of text looks.
#[derive(Clone, Copy)]
pub(super) enum Style {
    Good,
    Bad,
    Warning,
    Faint,
    Strong,
}

struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Prints to standard output, for commands that run no flow.
pub fn print(text: &str) {
    Console::stdout().print(text);
}

/// Prints to standard output what is worth nothing without a reader.
///
/// # Errors
/// When nobody reads any more.
pub fn try_print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Prints to standard error.
pub fn print_error(text: &str) {
    drop(io::stderr().write_all(text.as_bytes()));
}

/// Whether standard output is a terminal.
pub fn is_terminal() -> bool {
    io::IsTerminal::is_terminal(&io::stdout())
}

/// Whether somebody is there to be asked: what is printed is seen, and what is typed
/// is read.
pub fn can_ask() -> bool {
    is_terminal() && io::IsTerminal::is_terminal(&io::stdin())
}

/// Asks a question of yes or no; anything but `y` or `yes` is a no.
pub fn ask(question: &str) -> bool {
    print(&format!("{question} [y/N] "));
    let mut answer = String::new();
    drop(io::stdin().read_line(&mut answer));
    ["y", "yes"].contains(&answer.trim().to_lowercase().as_str())
}

/// Masks secrets in the message of a panic, which would be printed as it is.
/// It concerns the whole process, so only a binary should ask for it.
pub fn mask_panics(masker: Masker) {
    panic::set_hook(Box::new(move |info| {
        let said = masker.mask(&info.to_string()).into_owned();
        print_error(&format!("internal error, please report it: {said}\n"));
    }));
}
