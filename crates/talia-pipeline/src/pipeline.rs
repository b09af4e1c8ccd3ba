//! Runs a flow, or records it: the entry for every binary that uses this library.

use std::{
    collections::BTreeMap,
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc, Mutex,
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    command_line::CommandLine,
    context::Context,
    error::{Error, ErrorKind, Result},
    event::{Event, Failure},
    exit_code::ExitCode,
    plan::{Plan, Unplanned},
    preflight::{self, Requirement},
    process::{self, Cancel, RUN_MARK, RunMark, Supervisor},
    report::Report,
    runner::{Core, Fake, Limits, Progress, Recorder, Runner, Shell, Slots, masked, told},
    secret::{Masker, Secret, Secrets},
    state::State,
    world::World,
};

/// How many events may wait for a slow report before the work waits too.
const EVENTS_IN_FLIGHT: usize = 1024;
/// How often a report is asked to redraw.
const TICK: Duration = Duration::from_millis(100);

/// A flow's surroundings: where, with which limits, who is told.
///
/// ```no_run
/// use talia_pipeline::{Action, CommandLine, Context, Pipeline, Result, Step, World};
///
/// struct Hello;
/// impl Step for Hello {
///     type Output = ();
///     fn label(&self) -> String { "say hello".into() }
///     fn action(&self) -> Action<'_, ()> {
///         Action::command(CommandLine::new("echo").arg("hello"), |_| Ok(()))
///     }
///     fn assume(&self) {}
/// }
///
/// fn flow(cx: &Context) -> Result<()> {
///     cx.run(Hello)
/// }
///
/// let mut pipeline = Pipeline::new("hello", "/srv/app", World::real()?);
/// println!("{}", pipeline.plan(flow)?);
/// let finished = pipeline.run(flow);
/// assert_eq!(finished.exit_code.code(), 0);
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
pub struct Pipeline {
    name: String,
    root: Utf8PathBuf,
    world: World,
    state: Option<State>,
    secrets: Secrets,
    jobs: usize,
    fail_fast: bool,
    limits: Limits,
    timeout: Option<Duration>,
    reports: Vec<Box<dyn Report>>,
    cancel: Cancel,
    adopt_orphans: bool,
}

/// How a run ended.
#[derive(Debug)]
pub struct Finished<T> {
    /// What the flow gave.
    pub result: Result<T>,
    /// The exit code for the process.
    pub exit_code: ExitCode,
}

impl Pipeline {
    /// A pipeline of this name for the project at `root`.
    pub fn new(name: impl Into<String>, root: impl Into<Utf8PathBuf>, world: World) -> Self {
        Self {
            name: name.into(),
            root: root.into(),
            world,
            state: None,
            secrets: Secrets::default(),
            jobs: thread::available_parallelism().map_or(2, usize::from).max(2),
            fail_fast: false,
            limits: Limits {
                step: Duration::from_secs(30 * 60),
                grace: Duration::from_secs(5),
                finally: Duration::from_secs(2),
                at_most: None,
            },
            timeout: None,
            reports: Vec::new(),
            cancel: Cancel::new(),
            adopt_orphans: false,
        }
    }

    /// Keeps logs in this state and locks it for the run.
    #[must_use]
    pub fn state(mut self, state: State) -> Self {
        self.state = Some(state);
        self
    }

    /// The secrets that commands may name.
    #[must_use]
    pub fn secrets(mut self, declared: impl IntoIterator<Item = Secret>) -> Self {
        let read = |path: &Utf8Path| std::fs::read(self.root.join(path));
        self.secrets = Secrets::resolve(declared, &|name| self.world.variable_os(name), &read);
        self
    }

    /// How many actions may run at once; the number of processors unless set,
    /// at least 2.
    #[must_use]
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = jobs;
        self
    }

    /// Whether the first failed step cancels the whole run.
    #[must_use]
    pub fn fail_fast(mut self, fail_fast: bool) -> Self {
        self.fail_fast = fail_fast;
        self
    }

    /// The time limit of one command that names none; 30 minutes unless set.
    #[must_use]
    pub fn step_timeout(mut self, timeout: Duration) -> Self {
        self.limits.step = timeout;
        self
    }

    /// The time limit of the whole run; none unless set.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The time from an interrupt to the kill; 5 s unless set.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.limits.grace = grace;
        self
    }

    /// The time that all `finally` steps have after a cancellation; 2 s unless set.
    #[must_use]
    pub fn finally_limit(mut self, limit: Duration) -> Self {
        self.limits.finally = limit;
        self
    }

    /// Tells this report what happens.
    #[must_use]
    pub fn report(mut self, report: impl Report + 'static) -> Self {
        self.reports.push(Box::new(report));
        self
    }

    /// Ends the run when this is interrupted; see [`crate::signals`].
    #[must_use]
    pub fn cancel(mut self, cancel: Cancel) -> Self {
        self.cancel = cancel;
        self
    }

    /// Makes this process the parent of whatever its children abandon, and ends
    /// it with the step. It concerns the whole process, so only a binary that
    /// runs nothing else should ask for it. Linux; elsewhere it does nothing.
    #[must_use]
    pub fn adopt_orphans(mut self) -> Self {
        self.adopt_orphans = true;
        self
    }

    /// The caller's surroundings.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The values of the secrets, for a [`crate::secret::Masker`].
    pub fn secret_values(&self) -> impl Iterator<Item = &crate::secret::SecretValue> {
        self.secrets.values()
    }

    /// Looks these tools up, each with the command that installs it.
    ///
    /// # Errors
    /// When this process cannot watch over its children.
    pub fn look_up(&self, names: &[&str]) -> Result<Vec<Requirement>> {
        let shell = self.shell("doctor")?;
        Ok(preflight::look_up(names.iter().copied(), &shell, &self.cancel, self.limits))
    }

    fn shell(&self, run: &str) -> Result<Arc<Shell>> {
        let supervisor = Supervisor::new(self.mark(run));
        if self.adopt_orphans {
            supervisor.adopt_orphans().map_err(|cause| {
                Error::step("this process cannot adopt the orphans of its children")
                    .caused_by(cause)
            })?;
        }
        let (world, secrets) = (self.world.clone(), self.secrets.clone());
        Ok(Arc::new(Shell::new(world, supervisor, secrets, self.state.as_ref(), run)))
    }

    /// What tells the children of this run from everybody else's.
    fn mark(&self, run: &str) -> RunMark {
        let folder = self.state.as_ref().map_or(self.root.as_path(), State::dir);
        RunMark::new(run, folder.as_std_path()).inside(self.world.variable_os(RUN_MARK))
    }

    fn core(&self, runner: Runner, shell: &Arc<Shell>, cancel: Cancel) -> Core {
        Core {
            runner,
            run: None,
            shell: Arc::clone(shell),
            events: None,
            slots: Slots::new(self.jobs),
            cancel,
            limits: self.limits,
            fail_fast: self.fail_fast,
            missing: BTreeMap::new(),
            progress: Mutex::default(),
            timed_out: Mutex::default(),
            cleaned_by: Mutex::default(),
        }
    }

    /// Records the flow. Only observations and version look-ups are executed.
    ///
    /// # Errors
    /// Whatever the flow gives before its first effect: settings that are wrong,
    /// a question that cannot be answered.
    pub fn plan<T>(&self, flow: impl FnOnce(&Context) -> Result<T>) -> Result<Plan> {
        let shell = self.shell("plan")?;
        let plan = self.record(&shell, flow);
        shell.supervisor().finish(self.limits.grace);
        plan.map_err(|error| error.map_texts(&|text| shell.masked_text(text)))
    }

    /// Why [`Pipeline::plan`] has given this error instead, for other programs; masked.
    pub fn unplanned(&self, error: &Error) -> Unplanned {
        let (began, code) = (self.world.elapsed(), error.exit_code());
        let event = self.finished_event(&Progress::default(), &[], began, Some(error), code);
        let event = masked(event, &Masker::new(self.secrets.values()));
        Unplanned::new(&self.name, &self.root, event, code)
    }

    fn record<T>(
        &self,
        shell: &Arc<Shell>,
        flow: impl FnOnce(&Context) -> Result<T>,
    ) -> Result<Plan> {
        let core = self.core(Runner::Recorder(Recorder::new()), shell, self.cancel.child());
        let core = Arc::new(core);
        let cx = Context::new(Arc::clone(&core));
        cx.finish(flow(&cx))?;
        drop(cx);
        let Some(Core { runner: Runner::Recorder(recorder), cancel, .. }) = Arc::into_inner(core)
        else {
            unreachable!("every context of the recording has ended")
        };
        let nodes = recorder.into_nodes();
        let requirements = preflight::check(&nodes, shell, &cancel, self.limits);
        Ok(Plan {
            flow: self.name.clone(),
            root: self.root.clone(),
            state: self.state.as_ref().map(|state| state.dir().to_owned()),
            requirements,
            nodes,
        })
    }

    /// Runs the flow against a fake; gives its result and what was asked.
    pub fn fake<T>(
        &self,
        fake: Fake,
        flow: impl FnOnce(&Context) -> Result<T>,
    ) -> (Result<T>, Vec<CommandLine>) {
        let shell = match self.shell("fake") {
            Ok(shell) => shell,
            Err(error) => return (Err(error), Vec::new()),
        };
        let mut core = self.core(Runner::Fake(fake), &shell, Cancel::new());
        core.run = Some("fake".to_owned());
        let core = Arc::new(core);
        let cx = Context::new(Arc::clone(&core));
        let result = cx.finish(flow(&cx));
        let Runner::Fake(fake) = &core.runner else { unreachable!("the runner is the fake") };
        (result, fake.asked())
    }

    /// Records the flow, looks up what it needs, and runs it.
    ///
    /// The flow runs twice, first for the plan; so it must be a function of its
    /// context alone.
    ///
    /// # Panics
    /// When the flow panics: everything is ended first, then the panic goes on.
    pub fn run<T: Send>(&mut self, flow: impl Fn(&Context) -> Result<T>) -> Finished<T> {
        let run = format!("{:013}-{}", self.world.now_ms(), std::process::id());
        let began = self.world.elapsed();
        let (sender, receiver) = mpsc::sync_channel(EVENTS_IN_FLIGHT);
        let mut reports = std::mem::take(&mut self.reports);
        let outcome = thread::scope(|scope| {
            let (told, hears) = (&mut reports, receiver);
            let teller = scope.spawn(move || tell(&hears, told));
            let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
                self.run_and_tell(&run, began, &flow, sender)
            }));
            if let Err(payload) = teller.join() {
                panic::resume_unwind(payload);
            }
            outcome
        });
        self.reports = reports;
        match outcome {
            Ok(finished) => finished,
            Err(payload) => panic::resume_unwind(payload),
        }
    }

    fn run_and_tell<T: Send>(
        &self,
        run: &str,
        began: Duration,
        flow: &impl Fn(&Context) -> Result<T>,
        events: mpsc::SyncSender<Event>,
    ) -> Finished<T> {
        let prepared = self.prepare(run, flow);
        let (shell, plan, _lock) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                let exit_code = self.exit_code_of(Some(&error));
                let finished =
                    self.finished_event(&Progress::default(), &[], began, Some(&error), exit_code);
                // There is no shell yet to mask what went wrong before it.
                let masker = Masker::new(self.secrets.values());
                drop(events.send(masked(finished, &masker)));
                return Finished { result: Err(error), exit_code };
            }
        };
        let mut core = self.core(Runner::Shell, &shell, self.cancel.child());
        core.run = Some(run.to_owned());
        core.events = Some(events);
        core.missing = preflight::missing(&plan.requirements);
        let core = Arc::new(core);
        core.emit(Event::FlowStarted {
            flow: self.name.clone(),
            run: run.to_owned(),
            root: self.root.clone(),
            steps: plan.steps().len(),
            at_ms: self.world.now_ms(),
        });
        let result = thread::scope(|scope| {
            let (stop, stopped) = mpsc::channel::<()>();
            if let Some(timeout) = self.timeout {
                let core = &core;
                scope.spawn(move || {
                    if stopped.recv_timeout(timeout) == Err(RecvTimeoutError::Timeout) {
                        core.time_is_up(timeout);
                    }
                });
            }
            let cx = Context::new(Arc::clone(&core));
            let result = panic::catch_unwind(AssertUnwindSafe(|| flow(&cx)));
            let result = match result {
                Ok(result) => Ok(cx.finish(result)),
                Err(payload) => {
                    core.stop();
                    drop(cx.finish(Ok(())));
                    Err(payload)
                }
            };
            drop(stop);
            result
        });
        for survivor in shell.supervisor().finish(Duration::from_secs(1)) {
            core.emit(Event::Note { text: format!("left behind: {}", told(&survivor)) });
        }
        let masker = Masker::new(self.secrets.values());
        if let Some(state) = self.state.as_ref().filter(|_| !masker.is_empty())
            && let Err(error) = state.mask(&masker)
        {
            let text = format!("reports in {} may hold a secret: {error}", state.dir());
            core.emit(Event::Note { text });
        }
        let mut result = match result {
            Ok(result) => result,
            Err(payload) => panic::resume_unwind(payload),
        };
        if let Some(error) = core.timed_out() {
            // What failed by itself before the time was over is told as well.
            let others = result.err().map(Error::into_failures).unwrap_or_default();
            let others = others.into_iter().filter(|e| e.kind() != ErrorKind::Interrupted);
            result = Err(Error::all(std::iter::once(error).chain(others).collect()));
        }
        let error = result.as_ref().err();
        let exit_code = self.exit_code_of(error);
        let not_run = not_run(&plan, &core);
        let finished = self.finished_event(&core.progress(), &not_run, began, error, exit_code);
        core.emit(finished);
        Finished { result, exit_code }
    }

    fn prepare<T>(
        &self,
        run: &str,
        flow: &impl Fn(&Context) -> Result<T>,
    ) -> Result<(Arc<Shell>, Plan, Option<crate::state::StateLock>)> {
        let lock = self.state.as_ref().map(State::lock).transpose()?;
        if let Some(state) = &self.state {
            state.prune_logs();
        }
        self.secrets.refuse_short()?;
        let shell = self.shell(run)?;
        if lock.is_some() {
            // What a killed run of this project has left would work against this one.
            process::end_marked_leftovers(&self.mark(run), Duration::from_secs(1));
        }
        let plan = self.record(&shell, flow)?;
        Ok((shell, plan, lock))
    }

    fn exit_code_of(&self, error: Option<&Error>) -> ExitCode {
        let code = error.map_or(ExitCode::Success, Error::exit_code);
        if self.cancel.is_cancelled() { code.worst(ExitCode::Interrupted) } else { code }
    }

    fn finished_event(
        &self,
        progress: &Progress,
        not_run: &[String],
        began: Duration,
        error: Option<&Error>,
        exit_code: ExitCode,
    ) -> Event {
        let failures: Vec<Failure> =
            error.map(|e| e.failures().iter().map(Failure::from).collect()).unwrap_or_default();
        // Steps may share a name: as many as are told of are not allowed.
        let mut told: Vec<&String> = failures.iter().filter_map(|f| f.step.as_ref()).collect();
        let mut is_told = |label: &&String| {
            let at = told.iter().position(|step| step == label);
            at.map(|at| told.swap_remove(at)).is_some()
        };
        let failed = progress.failed.iter().map(|(_, label)| label);
        let timed_out = error.is_some_and(|error| error.kind() == ErrorKind::Interrupted);
        Event::FlowFinished {
            flow: self.name.clone(),
            exit_code: exit_code.code(),
            duration_ms: millis(self.world.elapsed().saturating_sub(began)),
            passed: progress.passed,
            allowed: failed.filter(|label| !is_told(label) && !timed_out).cloned().collect(),
            failures,
            not_run: not_run.to_vec(),
        }
    }
}

fn not_run(plan: &Plan, core: &Core) -> Vec<String> {
    let progress = core.progress();
    plan.steps()
        .into_iter()
        .filter(|planned| !progress.finished.contains(&planned.id))
        .map(|planned| planned.label.clone())
        .collect()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Hands every event to every report, and lets them redraw now and then.
fn tell(events: &Receiver<Event>, reports: &mut [Box<dyn Report>]) {
    loop {
        match events.recv_timeout(TICK) {
            Ok(event) => reports.iter_mut().for_each(|report| report.event(&event)),
            Err(RecvTimeoutError::Timeout) => reports.iter_mut().for_each(|report| report.tick()),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
