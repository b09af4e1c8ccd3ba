//! What a flow holds: it runs steps, asks questions, and branches.

use std::{
    cell::{Cell, RefCell},
    panic::{self, AssertUnwindSafe},
    sync::Arc,
    thread,
    time::Duration,
};

use crate::{
    error::{Error, ErrorKind, Result},
    event::Event,
    process::Cancel,
    runner::Core,
    step::Step,
};

type Branch<'b> = Box<dyn FnOnce(&Context) -> Result<()> + Send + 'b>;
type Deferred = Box<dyn FnOnce(&Core) -> Result<()> + Send>;

/// A flow's hold on the world. `Send`, not `Sync`: a branch of [`Context::join`]
/// gets its own, and one that takes its parent's does not compile.
///
/// ```compile_fail
/// use talia_pipeline::{Context, Result, Step};
///
/// fn flow<S: Step<Output = ()>>(cx: &Context, a: S, b: S) -> Result<()> {
///     cx.join(|_| cx.run(a), |_| cx.run(b))?; // the parent's `cx`
///     Ok(())
/// }
/// ```
///
/// ```
/// use talia_pipeline::{Context, Result, Step};
///
/// fn flow<S: Step<Output = ()>>(cx: &Context, a: S, b: S) -> Result<()> {
///     cx.join(|cx| cx.run(a), |cx| cx.run(b))?;
///     Ok(())
/// }
/// ```
pub struct Context {
    core: Arc<Core>,
    cancel: Cancel,
    prefix: String,
    next: Cell<u32>,
    deferred: RefCell<Vec<Deferred>>,
}

impl Context {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        let cancel = core.cancel.clone();
        Self::at(core, cancel, String::new())
    }

    fn at(core: Arc<Core>, cancel: Cancel, prefix: String) -> Self {
        let (next, deferred) = (Cell::new(0), RefCell::default());
        Self { core, cancel, prefix, next, deferred }
    }

    /// The next place at this level. Places come from the position in the flow,
    /// so they are the same in the plan and in every run.
    fn place(&self) -> String {
        self.next.set(self.next.get() + 1);
        format!("{}{}", self.prefix, self.next.get())
    }

    fn child(&self, place: &str) -> Self {
        self.child_under(place, self.cancel.clone())
    }

    fn child_under(&self, place: &str, cancel: Cancel) -> Self {
        Self::at(Arc::clone(&self.core), cancel, format!("{place}."))
    }

    /// Runs a step and gives its answer.
    ///
    /// # Errors
    /// When the step fails, is blocked by something missing, or is cancelled.
    pub fn run<S: Step>(&self, step: S) -> Result<S::Output> {
        self.core.run(&self.place(), &step, &self.cancel)
    }

    /// Asks a question whose answer is needed to make the plan. It is answered
    /// for real in every mode, so it must change nothing. A command is asked once,
    /// for the plan and the run together; work in this process is done for each.
    ///
    /// # Errors
    /// When the question cannot be answered, or when the step has an effect.
    pub fn observe<S: Step>(&self, question: S) -> Result<S::Output> {
        self.core.observe(&self.place(), &question, &self.cancel, false)
    }

    /// As [`Context::observe`], but the run asks anew: for what somebody else may have
    /// changed while the run was at work. The plan goes on with the answer that it has.
    ///
    /// # Errors
    /// As [`Context::observe`].
    pub fn observe_anew<S: Step>(&self, question: S) -> Result<S::Output> {
        self.core.observe(&self.place(), &question, &self.cancel, true)
    }

    /// As [`Context::observe`], and the run takes the answer of its plan, of work in this
    /// process too: for what takes long to find out, and stands before every effect.
    ///
    /// # Errors
    /// As [`Context::observe`].
    pub fn observe_once<S>(&self, question: S) -> Result<S::Output>
    where
        S: Step<Output: Clone + 'static>,
    {
        self.core.observe_once(&self.place(), &question, &self.cancel)
    }

    /// As [`Context::observe_once`], for two questions that are answered side by side.
    ///
    /// # Errors
    /// With what failed of both.
    pub fn observe_both<A, B>(&self, a: A, b: B) -> Result<(A::Output, B::Output)>
    where
        A: Step<Output: Clone + 'static>,
        B: Step<Output: Clone + 'static>,
    {
        let (one, other) = (self.place(), self.place());
        self.core.observe_both(((&one, a), (&other, b)), &self.cancel)
    }

    /// As [`Context::observe`], where no answer is an answer too: `None` when the
    /// program is not there or fails.
    ///
    /// # Errors
    /// When the run is cancelled, or when the step has an effect.
    pub fn probe<S: Step>(&self, question: S) -> Result<Option<S::Output>> {
        match self.observe(question) {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if matches!(error.kind(), ErrorKind::Step | ErrorKind::Preflight) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Where a program is along `PATH`, if it is there. Answered for real in every
    /// mode; it stands in the plan.
    pub fn find_program(&self, name: &str) -> Option<camino::Utf8PathBuf> {
        self.core.find_program(&self.place(), name)
    }

    /// What names this run, and the folder of its logs. A plan has none.
    pub fn run_id(&self) -> Option<&str> {
        self.core.run.as_deref()
    }

    /// Runs two branches side by side and waits for both.
    ///
    /// # Errors
    /// With every failure of the branches.
    pub fn join<A: Send, B: Send>(
        &self,
        a: impl FnOnce(&Self) -> Result<A> + Send,
        b: impl FnOnce(&Self) -> Result<B> + Send,
    ) -> Result<(A, B)> {
        let (mut ra, mut rb) = (None, None);
        self.branch(vec![into(&mut ra, a), into(&mut rb, b)])?;
        let (Some(ra), Some(rb)) = (ra, rb) else { unreachable!("every branch has succeeded") };
        Ok((ra, rb))
    }

    /// As [`Context::join`], for three.
    ///
    /// # Errors
    /// With every failure of the branches.
    pub fn join3<A: Send, B: Send, C: Send>(
        &self,
        a: impl FnOnce(&Self) -> Result<A> + Send,
        b: impl FnOnce(&Self) -> Result<B> + Send,
        c: impl FnOnce(&Self) -> Result<C> + Send,
    ) -> Result<(A, B, C)> {
        let (mut ra, mut rb, mut rc) = (None, None, None);
        self.branch(vec![into(&mut ra, a), into(&mut rb, b), into(&mut rc, c)])?;
        let (Some(ra), Some(rb), Some(rc)) = (ra, rb, rc) else {
            unreachable!("every branch has succeeded")
        };
        Ok((ra, rb, rc))
    }

    /// As [`Context::join`], for four.
    ///
    /// # Errors
    /// With every failure of the branches.
    pub fn join4<A: Send, B: Send, C: Send, D: Send>(
        &self,
        a: impl FnOnce(&Self) -> Result<A> + Send,
        b: impl FnOnce(&Self) -> Result<B> + Send,
        c: impl FnOnce(&Self) -> Result<C> + Send,
        d: impl FnOnce(&Self) -> Result<D> + Send,
    ) -> Result<(A, B, C, D)> {
        let (mut ra, mut rb, mut rc, mut rd) = (None, None, None, None);
        let branches = vec![into(&mut ra, a), into(&mut rb, b), into(&mut rc, c), into(&mut rd, d)];
        self.branch(branches)?;
        let (Some(ra), Some(rb), Some(rc), Some(rd)) = (ra, rb, rc, rd) else {
            unreachable!("every branch has succeeded")
        };
        Ok((ra, rb, rc, rd))
    }

    /// As [`Context::join`], for any number of branches of one kind.
    ///
    /// # Errors
    /// With every failure of the branches.
    pub fn join_all<T: Send, F: FnOnce(&Self) -> Result<T> + Send>(
        &self,
        branches: impl IntoIterator<Item = F>,
    ) -> Result<Vec<T>> {
        let branches: Vec<F> = branches.into_iter().collect();
        let mut results: Vec<Option<T>> = branches.iter().map(|_| None).collect();
        let boxed = results.iter_mut().zip(branches).map(|(slot, f)| into(slot, f)).collect();
        self.branch(boxed)?;
        Ok(results.into_iter().flatten().collect())
    }

    /// Puts steps under one name.
    ///
    /// # Errors
    /// Whatever `steps` gives.
    pub fn group<T>(&self, name: &str, steps: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        let inner = self.child(&self.place());
        self.core.open_group(name);
        let ended = run_branch(&inner, steps);
        self.core.close();
        ended.unwrap_or_else(|payload| panic::resume_unwind(payload))
    }

    /// Runs steps that an interrupt does not stop: what has to be finished or put
    /// right, however the run ends. A second interrupt still ends them.
    ///
    /// # Errors
    /// Whatever `steps` gives.
    pub fn sheltered<T>(&self, steps: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        let inner = self.child_under(&self.place(), self.cancel.sheltered());
        run_branch(&inner, steps).unwrap_or_else(|payload| panic::resume_unwind(payload))
    }

    /// The time by now, in milliseconds since 1970; 0 in a fixed world.
    pub(crate) fn now_ms(&self) -> u64 {
        self.core.now_ms()
    }

    /// Time since the world was read: for a deadline over several steps.
    pub(crate) fn elapsed(&self) -> Duration {
        self.core.elapsed()
    }

    /// Whether the run was asked to end. Steps are refused then; a flow that puts
    /// something right asks this first.
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// Says that a part of the flow is left out, and why.
    pub fn skip(&self, reason: &str) {
        self.core.emit(Event::Skipped { reason: reason.to_owned() });
    }

    /// Says something worth knowing: an assumption, a choice, a thing brought in.
    pub fn note(&self, text: impl Into<String>) {
        self.core.emit(Event::Note { text: text.into() });
    }

    /// Runs this step when the flow, branch or group ends, however it ends, and
    /// after a cancellation too, with a short time limit of its own. Its place is
    /// here, so that it is the same wherever the flow ends.
    pub fn finally<S: Step + 'static>(&self, step: S) {
        let place = self.place();
        let run = move |core: &Core| core.run_at_the_end(&place, &step).map(drop);
        self.deferred.borrow_mut().push(Box::new(run));
    }

    /// Runs what [`Context::finally`] has put off, the last one first.
    pub(crate) fn finish<T>(&self, result: Result<T>) -> Result<T> {
        let mut failures = Vec::new();
        let mut result = result;
        let deferred: Vec<Deferred> = self.deferred.borrow_mut().drain(..).rev().collect();
        for step in deferred {
            failures.extend(step(&self.core).err());
        }
        if !failures.is_empty() {
            if let Err(error) = result {
                failures.insert(0, error);
            }
            result = Err(Error::all(failures));
        }
        result
    }

    fn branch(&self, branches: Vec<Branch<'_>>) -> Result<()> {
        let place = self.place();
        let contexts: Vec<Self> =
            (1..=branches.len()).map(|number| self.child(&format!("{place}.{number}"))).collect();
        let work = contexts.into_iter().zip(branches);
        let ended: Vec<thread::Result<Result<()>>> = if self.core.is_sequential() {
            self.core.open_parallel();
            let ended = work
                .map(|(cx, branch)| {
                    self.core.open_branch();
                    let ended = run_branch(&cx, branch);
                    self.core.close();
                    ended
                })
                .collect();
            self.core.close();
            ended
        } else {
            thread::scope(|scope| {
                let running: Vec<_> =
                    work.map(|(cx, branch)| scope.spawn(move || run_branch(&cx, branch))).collect();
                running.into_iter().map(|handle| handle.join().and_then(|ended| ended)).collect()
            })
        };
        let mut failures = Vec::new();
        let mut panicked = None;
        for result in ended {
            match result {
                Ok(Ok(())) => {}
                Ok(Err(error)) => failures.extend(error.into_failures()),
                Err(payload) => panicked = panicked.or(Some(payload)),
            }
        }
        if let Some(payload) = panicked {
            panic::resume_unwind(payload);
        }
        // A sibling that was cancelled because another one failed has not failed.
        if failures.iter().any(|error| error.kind() != ErrorKind::Interrupted) {
            failures.retain(|error| error.kind() != ErrorKind::Interrupted);
        }
        if failures.is_empty() { Ok(()) } else { Err(Error::all(failures)) }
    }
}

/// A branch that leaves its answer in `slot`.
fn into<'b, T: Send>(
    slot: &'b mut Option<T>,
    branch: impl FnOnce(&Context) -> Result<T> + Send + 'b,
) -> Branch<'b> {
    Box::new(move |cx| {
        *slot = Some(branch(cx)?);
        Ok(())
    })
}

/// Runs one branch or group; a panic cancels the others at once and is handed on.
fn run_branch<T>(
    cx: &Context,
    branch: impl FnOnce(&Context) -> Result<T>,
) -> thread::Result<Result<T>> {
    let ended = panic::catch_unwind(AssertUnwindSafe(|| branch(cx)));
    match ended {
        Ok(result) => Ok(cx.finish(result)),
        Err(payload) => {
            cx.core.stop();
            // What was put off still has to run; the panic is what counts.
            drop(cx.finish(Ok(())));
            Err(payload)
        }
    }
}
