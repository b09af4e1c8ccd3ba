//! Events for a client at the other end of a pipe, who may be slow or gone.

use std::{
    collections::VecDeque,
    io::{self, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::event::Event;

use super::Report;

/// How many events wait for a slow client; the oldest are dropped beyond it.
const WAITING: usize = 4096;

/// How much of a line is written at a time: as long as something goes, there is a reader.
const CHUNK: usize = 64 << 10;

/// Writes events as JSON lines on a thread of its own, so that whoever reads them can
/// neither block the work nor end it.
pub struct Feed {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
}

/// The end that a pipeline is given; see [`Feed::report`].
pub struct FeedReport(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<String>,
    dropped: usize,
    /// How many chunks were written.
    written: usize,
    /// Nothing more will come.
    over: bool,
    /// All that came is written, or nobody reads any more.
    done: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, event: &Event) {
        let mut state = self.lock();
        if state.done {
            return;
        }
        if state.waiting.len() >= WAITING {
            state.waiting.pop_front();
            state.dropped += 1;
        }
        state.waiting.push_back(event.to_json());
        drop(state);
        self.changed.notify_all();
    }

    fn write_to(&self, mut out: impl Write, gone: impl Fn()) {
        loop {
            let mut state = self.lock();
            while state.waiting.is_empty() && !state.over {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            let dropped = std::mem::take(&mut state.dropped);
            let Some(line) = state.waiting.pop_front() else { break };
            drop(state);
            let lost = (dropped > 0).then(|| {
                let text = format!("{dropped} events were not read in time; the journal has them");
                Event::Note { text }.to_json()
            });
            let lines = lost.iter().chain([&line]);
            let text: String = lines.map(|line| format!("{line}\n")).collect();
            let write = |chunk: &[u8]| {
                out.write_all(chunk)?;
                self.lock().written += 1;
                Ok(())
            };
            let written: io::Result<()> = text.as_bytes().chunks(CHUNK).try_for_each(write);
            if written.and_then(|()| out.flush()).is_err() {
                gone();
                break;
            }
        }
        self.lock().done = true;
        self.changed.notify_all();
    }
}

impl Feed {
    /// Feeds this writer; `gone` is told once when nobody reads any more.
    pub fn new(out: impl Write + Send + 'static, gone: impl Fn() + Send + 'static) -> Self {
        let shared = Arc::new(Shared::default());
        let writer = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.write_to(out, gone))
        };
        Self { shared, writer: Some(writer) }
    }

    /// The end for a [pipeline](crate::Pipeline).
    pub fn report(&self) -> FeedReport {
        FeedReport(Arc::clone(&self.shared))
    }

    /// Tells one event more.
    pub fn tell(&self, event: &Event) {
        self.shared.push(event);
    }

    /// Tells one event more, and first waits for a slow client rather than drop one; `false`
    /// where nobody reads any more, or where it is to `stop`.
    pub fn tell_in_turn(&self, event: &Event, stop: impl Fn() -> bool) -> bool {
        const NAP: Duration = Duration::from_millis(50);
        let mut state = self.shared.lock();
        while state.waiting.len() >= WAITING && !state.done {
            if stop() {
                return false;
            }
            let waited = self.shared.changed.wait_timeout(state, NAP);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let is_read = !state.done;
        drop(state);
        self.shared.push(event);
        is_read
    }

    /// Whether nobody reads any more, as far as writing has shown it.
    pub fn is_gone(&self) -> bool {
        self.shared.lock().done
    }

    /// Waits until all is written, but no longer than this while nothing goes: a client
    /// that has stopped reading is not waited for.
    pub fn finish(mut self, at_most: Duration) {
        let mut state = self.shared.lock();
        state.over = true;
        self.shared.changed.notify_all();
        let (mut left, mut written) = (at_most, state.written);
        const NAP: Duration = Duration::from_millis(20);
        while !state.done && !left.is_zero() {
            if state.written != written {
                (left, written) = (at_most, state.written);
            }
            let waited = self.shared.changed.wait_timeout(state, NAP);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            left = left.saturating_sub(NAP);
        }
        let done = state.done;
        drop(state);
        // A writer that hangs in the pipe ends with the process.
        if let Some(writer) = self.writer.take().filter(|_| done) {
            drop(writer.join());
        }
    }
}

impl Report for FeedReport {
    fn event(&mut self, event: &Event) {
        if !matches!(event, Event::Progress { .. }) {
            self.0.push(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind, Result};
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> Result<()> {
            Ok(())
        }
    }

    struct Broken;

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> Result<usize> {
            Err(Error::from(ErrorKind::BrokenPipe))
        }
        fn flush(&mut self) -> Result<()> {
            Ok(())
        }
    }

    /// Never takes anything.
    struct Stopped;

    impl Write for Stopped {
        fn write(&mut self, _: &[u8]) -> Result<usize> {
            loop {
                thread::park();
            }
        }
        fn flush(&mut self) -> Result<()> {
            Ok(())
        }
    }

    fn note(number: usize) -> Event {
        Event::Note { text: number.to_string() }
    }

    #[test]
    fn everything_is_written_in_order() {
        let page = Page::default();
        let feed = Feed::new(page.clone(), || {});
        (0..100).for_each(|number| feed.tell(&note(number)));
        feed.finish(Duration::from_secs(10));
        let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        let read: Vec<Event> = text.lines().map(Event::parse).collect();
        assert_eq!(read, (0..100).map(note).collect::<Vec<_>>());
    }

    /// Takes each line slowly.
    struct Slow(Page);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> Result<usize> {
            thread::sleep(Duration::from_micros(50));
            self.0.write(bytes)
        }
        fn flush(&mut self) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_slow_reader_is_waited_for_where_nothing_may_be_lost() {
        let page = Page::default();
        let feed = Feed::new(Slow(page.clone()), || {});
        let all = WAITING * 2;
        for number in 0..all {
            assert!(feed.tell_in_turn(&note(number), || false));
            assert!(feed.shared.lock().waiting.len() <= WAITING, "memory is bounded");
        }
        feed.finish(Duration::from_secs(10));
        let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        let read: Vec<Event> = text.lines().map(Event::parse).collect();
        assert_eq!(read, (0..all).map(note).collect::<Vec<_>>());

        let feed = Feed::new(Stopped, || {});
        let told = (0..WAITING * 2).take_while(|number| feed.tell_in_turn(&note(*number), || true));
        assert!(told.count() <= WAITING + 1, "whoever is to stop waits for nobody");
        feed.finish(Duration::from_millis(100));
    }

    #[test]
    fn a_reader_that_has_gone_is_told_of_and_does_no_harm() {
        let gone = Arc::new(AtomicBool::new(false));
        let feed = Feed::new(Broken, {
            let gone = Arc::clone(&gone);
            move || gone.store(true, Ordering::SeqCst)
        });
        (0..10_000).for_each(|number| feed.tell(&note(number)));
        while !feed.is_gone() {
            thread::yield_now();
        }
        feed.finish(Duration::from_secs(10));
        assert!(gone.load(Ordering::SeqCst));
    }

    #[test]
    fn a_reader_that_has_stopped_blocks_nobody() {
        let feed = Feed::new(Stopped, || {});
        let mut report = feed.report();
        (0..50_000).for_each(|number| report.event(&note(number)));
        assert!(feed.shared.lock().waiting.len() <= WAITING, "memory is bounded");
        feed.finish(Duration::from_millis(100));
    }
}
