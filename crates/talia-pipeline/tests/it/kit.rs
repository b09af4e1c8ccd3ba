//! What these tests share: a folder that goes away, steps made of a script, and
//! a report that remembers.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use camino::{Utf8Path, Utf8PathBuf};
use talia_pipeline::{
    Action, CommandLine, Context, Effect, Event, Failure, Outcome, Pipeline, Report, Result, Step,
    World,
};

/// How long something may take that a loaded machine delays.
pub(crate) const LOAD: Duration = Duration::from_secs(10);

/// The time now.
#[expect(clippy::disallowed_methods, reason = "tests measure time by hand")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Waits for something that must happen soon.
#[track_caller]
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = now() + LOAD * 2;
    while !holds() {
        assert!(now() < until, "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A word that no other process of this machine has in its arguments.
pub(crate) fn tag() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // The digits are also a number of seconds, so that `sleep` takes it.
    format!("700.{:07}{:04}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The living processes that have the word in their arguments.
pub(crate) fn tagged(tag: &str) -> Vec<u32> {
    let own = std::process::id();
    let listed = Utf8Path::new("/proc").read_dir_utf8().unwrap().flatten();
    let pids = listed.filter_map(|entry| entry.file_name().parse::<u32>().ok());
    pids.filter(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        *pid != own && String::from_utf8_lossy(&line).contains(tag)
    })
    .collect()
}

/// A folder that is gone afterwards.
pub(crate) struct Folder(Utf8PathBuf);

impl Folder {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self::named("talia it")
    }

    /// One whose name begins like this.
    pub(crate) fn named(name: &str) -> Self {
        let temp = Utf8PathBuf::from_path_buf(std::env::temp_dir()).unwrap();
        let folder = temp.join(format!("{name}-{}", tag()));
        fs::create_dir(&folder).unwrap();
        Self(folder.canonicalize_utf8().unwrap())
    }

    /// Its path.
    pub(crate) fn path(&self) -> &Utf8Path {
        &self.0
    }

    /// A path inside.
    pub(crate) fn join(&self, name: &str) -> Utf8PathBuf {
        self.0.join(name)
    }

    /// Makes a file inside.
    pub(crate) fn write(&self, name: &str, content: &str) -> Utf8PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Makes a program inside.
    pub(crate) fn program(&self, name: &str, content: &str) -> Utf8PathBuf {
        let path = self.write(name, content);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// What a file inside says; nothing where there is none.
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap_or_default()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// A step that runs a command and gives what it said.
#[derive(Clone)]
pub(crate) struct Run {
    label: String,
    line: CommandLine,
}

impl Run {
    /// Runs this command.
    pub(crate) fn new(label: &str, line: CommandLine) -> Self {
        Self { label: label.to_owned(), line }
    }

    /// Runs a script of `sh`.
    pub(crate) fn sh(label: &str, script: &str) -> Self {
        Self::new(label, CommandLine::new("sh").arg("-c").arg(script))
    }

    /// Changes the command.
    pub(crate) fn with(mut self, change: impl FnOnce(CommandLine) -> CommandLine) -> Self {
        self.line = change(self.line);
        self
    }

    /// Says that it changes nothing.
    pub(crate) fn reads(self) -> Self {
        self.with(|line| line.effect(Effect::Read))
    }
}

impl Step for Run {
    type Output = String;
    fn label(&self) -> String {
        self.label.clone()
    }
    fn action(&self) -> Action<'_, String> {
        Action::command(self.line.clone(), |answer| Ok(answer.stdout().into_owned()))
    }
    fn assume(&self) -> String {
        "assumed".to_owned()
    }
}

/// A step that works in this process.
#[derive(Clone)]
pub(crate) struct Work {
    label: String,
    work: Arc<dyn Fn() -> Result<()> + Send + Sync>,
}

impl Work {
    /// Does this.
    pub(crate) fn new(label: &str, work: impl Fn() -> Result<()> + Send + Sync + 'static) -> Self {
        Self { label: label.to_owned(), work: Arc::new(work) }
    }
}

impl Step for Work {
    type Output = ();
    fn label(&self) -> String {
        self.label.clone()
    }
    fn action(&self) -> Action<'_, ()> {
        Action::work("do it", || (self.work)())
    }
    fn assume(&self) {}
}

/// A report that remembers every event and when it came.
#[derive(Clone, Default)]
pub(crate) struct Events(Arc<Mutex<Vec<(Instant, Event)>>>);

/// What [`Event::FlowFinished`] says.
pub(crate) struct End {
    pub(crate) exit_code: u8,
    pub(crate) passed: usize,
    pub(crate) failures: Vec<Failure>,
    pub(crate) allowed: Vec<String>,
    pub(crate) not_run: Vec<String>,
}

impl End {
    /// The steps that failed, in the order of the flow.
    pub(crate) fn failed(&self) -> Vec<&str> {
        self.failures.iter().map(|failure| failure.step.as_deref().unwrap_or("")).collect()
    }
}

impl Report for Events {
    fn event(&mut self, event: &Event) {
        self.0.lock().unwrap().push((now(), event.clone()));
    }
}

impl Events {
    /// All of them, with the time of each.
    pub(crate) fn timed(&self) -> Vec<(Instant, Event)> {
        self.0.lock().unwrap().clone()
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Event> {
        self.timed().into_iter().map(|(_, event)| event).collect()
    }

    /// All of them as JSON lines.
    pub(crate) fn json(&self) -> String {
        self.all().iter().map(|event| event.to_json() + "\n").collect()
    }

    /// How every step ended, by its label.
    pub(crate) fn outcomes(&self) -> BTreeMap<String, Outcome> {
        let ended = |event| match event {
            Event::StepFinished { label, outcome, .. } => Some((label, outcome)),
            _ => None,
        };
        self.all().into_iter().filter_map(ended).collect()
    }

    /// The full log of the step of this name.
    #[track_caller]
    pub(crate) fn log(&self, step: &str) -> Utf8PathBuf {
        let log = |event| match event {
            Event::StepFinished { label, log, .. } if label == step => log,
            _ => None,
        };
        self.all().into_iter().find_map(log).expect("the step has a log")
    }

    /// The labels of the steps that began, in the order in which they did.
    pub(crate) fn began(&self) -> Vec<String> {
        let began = |event| match event {
            Event::StepStarted { label, .. } => Some(label),
            _ => None,
        };
        self.all().into_iter().filter_map(began).collect()
    }

    /// Every line that a command said.
    pub(crate) fn lines(&self) -> Vec<String> {
        let said = |event| match event {
            Event::Output { text, .. } => Some(text),
            _ => None,
        };
        self.all().into_iter().filter_map(said).collect()
    }

    /// The last event, which every run must have, once.
    #[track_caller]
    pub(crate) fn end(&self) -> End {
        let ends = self.all().into_iter().filter_map(|event| match event {
            Event::FlowFinished { exit_code, passed, failures, allowed, not_run, .. } => {
                Some(End { exit_code, passed, failures, allowed, not_run })
            }
            _ => None,
        });
        let mut ends: Vec<End> = ends.collect();
        assert_eq!(ends.len(), 1, "one end");
        ends.remove(0)
    }
}

/// A pipeline in this process's surroundings, with short limits, and what it tells.
pub(crate) fn pipeline() -> (Pipeline, Events) {
    let events = Events::default();
    let pipeline = Pipeline::new("test", "/", World::real().unwrap())
        .jobs(8)
        .grace(Duration::from_millis(500))
        .step_timeout(Duration::from_secs(60))
        .report(events.clone());
    (pipeline, events)
}

/// Runs this flow; gives its exit code, what it gave and what was told.
pub(crate) fn run<T: Send>(flow: impl Fn(&Context) -> Result<T>) -> (u8, Result<T>, Events) {
    let (mut pipeline, events) = pipeline();
    let finished = pipeline.run(flow);
    (finished.exit_code.code(), finished.result, events)
}
