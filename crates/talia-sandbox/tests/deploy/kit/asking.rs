//! A request on its way: what ssh runs, and what came back.

use std::{
    io::{Read, Write as _},
    process::{Child, Command, Stdio},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use serde::de::DeserializeOwned;
use talia_pipeline::Event;

/// No request of a test takes longer.
const PATIENCE: Duration = Duration::from_secs(120);

/// A client that waits for its answer.
pub(crate) struct Asking {
    child: Child,
    streams: Option<[JoinHandle<String>; 2]>,
    began: Instant,
}

/// What a request was answered with.
#[derive(Debug)]
pub(crate) struct Said {
    /// The agent's exit; none where a signal ended the client.
    pub(crate) exit: Option<i32>,
    pub(crate) events: Vec<Event>,
    /// What ssh and sudo say, for whoever reads a failure.
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Asking {
    pub(crate) fn start(mut command: Command, stdin: &[u8]) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let began = Instant::now();
        let mut child = command.spawn().unwrap();
        let stream = |stream: Option<Box<dyn Read + Send>>| {
            thread::spawn(move || {
                let mut bytes = Vec::new();
                drop(stream.unwrap().read_to_end(&mut bytes));
                String::from_utf8_lossy(&bytes).into_owned()
            })
        };
        let streams = [
            stream(child.stdout.take().map(|stream| Box::new(stream) as _)),
            stream(child.stderr.take().map(|stream| Box::new(stream) as _)),
        ];
        // A request that takes nothing may be over before it is told so.
        drop(child.stdin.take().unwrap().write_all(stdin));
        Self { child, streams: Some(streams), began }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Ends the client, as a closed laptop does.
    pub(crate) fn kill(mut self) -> Said {
        drop(self.child.kill());
        self.said()
    }

    #[track_caller]
    pub(crate) fn wait(mut self) -> Said {
        while !self.is_over() {
            if self.began.elapsed() > PATIENCE {
                drop(self.child.kill());
                let said = self.said();
                panic!("no end within {PATIENCE:?}: {said:#?}");
            }
            thread::sleep(Duration::from_millis(20));
        }
        self.said()
    }

    fn said(&mut self) -> Said {
        let status = self.child.wait().unwrap();
        let [stdout, stderr] = self.streams.take().unwrap().map(|stream| stream.join().unwrap());
        Said {
            exit: status.code(),
            events: stdout.lines().map(Event::parse).collect(),
            stderr,
            took: self.began.elapsed(),
        }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        if self.streams.is_some() {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

impl Said {
    /// The typed answer of a request that has succeeded.
    #[track_caller]
    pub(crate) fn answer<T: DeserializeOwned>(&self) -> T {
        assert_eq!(self.exit, Some(0), "{self:#?}");
        let answer = self.events.iter().find_map(|event| match event {
            Event::Answered { answer } => Some(answer.clone()),
            _ => None,
        });
        let answer = answer.unwrap_or_else(|| panic!("no answer: {self:#?}"));
        serde_json::from_value(answer).unwrap()
    }

    /// Why it has failed, with every hint and last line.
    pub(crate) fn failure(&self) -> String {
        let failures = self.events.iter().filter_map(|event| match event {
            Event::FlowFinished { failures, .. } => Some(failures),
            _ => None,
        });
        let told = failures.flatten().map(|failure| {
            let hint = failure.hint.as_deref().unwrap_or_default();
            format!("{}\n{hint}\n{}", failure.message, failure.last_lines.join("\n"))
        });
        told.collect::<Vec<_>>().join("\n")
    }

    /// Exit, time and the first words of why, for a line of the table.
    pub(crate) fn brief(&self) -> String {
        let exit = self.exit.map_or("killed".to_owned(), |exit| format!("exit {exit}"));
        let why = match self.failure().trim() {
            "" => String::new(),
            why => format!(": {}", super::words(why)),
        };
        format!("{exit} after {:.1} s{why}", self.took.as_secs_f64())
    }

    /// Every step with its end and its time, a line each.
    pub(crate) fn steps(&self) -> String {
        let steps = self.events.iter().filter_map(|event| match event {
            Event::StepFinished { label, outcome, duration_ms, .. } => {
                Some(format!("    {label}: {outcome:?} after {duration_ms} ms"))
            }
            _ => None,
        });
        steps.collect::<Vec<_>>().join("\n")
    }

    /// Fails unless it has failed with this exit, for this reason.
    #[track_caller]
    pub(crate) fn failed(&self, exit: i32, reasons: &[&str]) {
        let told = format!("{}\n{}", self.failure(), self.stderr);
        assert_eq!(self.exit, Some(exit), "{told}");
        for reason in reasons {
            assert!(told.contains(reason), "{reason:?} is not in:\n{told}");
        }
    }
}
