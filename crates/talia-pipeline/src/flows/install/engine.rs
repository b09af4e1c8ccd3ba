//! An engine that does not answer, brought to answer.

use crate::{
    context::Context,
    error::{Error, Result},
    steps::install::{
        Engine, EngineAnswers, EngineEnable, EnginePid, EngineProgram, EngineStart, EngineStop,
        LogTail, PidFile, PidState, Privilege, Readiness, RemoveTrees, SystemdRuns, way_out,
    },
};

use super::Machine;

/// How often [`EngineAnswers`] is asked, about a second each. After a kill the
/// engine first ends containers that live on, which takes ten seconds.
const PATIENCE: u32 = 60;
/// How many of these may go by without a process that could become ready.
const PATIENCE_WITHOUT_PROCESS: u32 = 5;

/// What a failure is shown under, whichever of the steps told of it.
const START: &str = "start the engine";

/// What to do where the engine does not talk to the caller.
pub(super) const NOT_IN_GROUP: &str = "let this user talk to the engine, which makes him as mighty \
     as root: `sudo usermod --append --groups docker \"$USER\"`, log in anew, then start again";

/// An engine that this run has started and that no init system looks after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartedEngine {
    privilege: Privilege,
    pid: String,
    program: String,
}

impl StartedEngine {
    /// Its process; `None` in a plan.
    pub fn pid(&self) -> Option<u32> {
        self.pid.parse().ok()
    }

    /// The step that stops it.
    pub fn stop(&self) -> EngineStop {
        EngineStop::new(self.privilege, &self.pid, &self.program)
    }
}

/// Starts the engine and waits until it answers. `None` where it was started
/// already and was only slow, and where systemd looks after it.
pub(super) fn start(
    cx: &Context,
    machine: &Machine,
    privilege: Privilege,
) -> Result<Option<StartedEngine>> {
    if let Some(host) = machine.docker_host().filter(|_| machine.engine().is_system()) {
        return Err(Error::preflight(format!(
            "the engine that DOCKER_HOST names, {host}, does not answer"
        ))
        .hint("start it there, or take DOCKER_HOST away to use one on this machine"));
    }
    let engine = machine.engine();
    cx.group("engine", |cx| {
        if engine.is_system() && cx.observe(SystemdRuns)? {
            cx.run(EngineEnable::new(privilege))?;
            wait(cx, engine, true)?;
            return Ok(None);
        }
        let program = match cx.observe(EngineProgram::new())? {
            Some(program) => program,
            None => cx.run(EngineProgram::new())?.ok_or_else(|| {
                Error::preflight("the engine's program `dockerd` is not there")
                    .hint("install the package docker.io; a client alone cannot run containers")
            })?,
        };
        let pid_file = PidFile::new(engine.pid_file(), "dockerd");
        match cx.observe(pid_file)? {
            PidState::Live(_) => {
                wait(cx, engine, false)?;
                return Ok(None);
            }
            PidState::Stale => {
                cx.run(RemoveTrees::new(privilege, [engine.pid_file()]))?;
            }
            PidState::Absent => {}
        }
        // The engine waits for the containerd of a stale file, until it gives up.
        let containerd = engine.containerd_pid_file();
        if cx.observe(PidFile::new(&containerd, "containerd"))? == PidState::Stale {
            cx.run(RemoveTrees::new(privilege, [containerd]))?;
        }
        cx.run(EngineStart::new(privilege, engine.clone(), &program))?;
        wait(cx, engine, false)?;
        let pid = cx.run(EnginePid::new(engine))?;
        Ok(Some(StartedEngine { privilege, pid, program: program.into_string() }))
    })
}

fn wait(cx: &Context, engine: &Engine, by_systemd: bool) -> Result<()> {
    let mut without_process = 0;
    for _ in 0..PATIENCE {
        match cx.run(EngineAnswers::new(engine))? {
            Readiness::Ready(_) => return Ok(()),
            Readiness::Forbidden => {
                return Err(Error::preflight("the engine runs, and this user may not talk to it")
                    .hint(NOT_IN_GROUP));
            }
            Readiness::NotYet { alive: true } => without_process = 0,
            Readiness::NotYet { alive: false } => without_process += 1,
        }
        if without_process == PATIENCE_WITHOUT_PROCESS && !by_systemd {
            return Err(failed(
                cx,
                engine,
                by_systemd,
                "the engine has ended right after its start",
            ));
        }
    }
    Err(failed(
        cx,
        engine,
        by_systemd,
        &format!("the engine does not answer after {PATIENCE} seconds"),
    ))
}

/// The engine says in its log why, in the last line that is more than news.
fn failed(cx: &Context, engine: &Engine, by_systemd: bool, what: &str) -> Error {
    let error = Error::step(what).in_step(START);
    if by_systemd {
        return error.hint("see `journalctl --unit=docker.service --lines=50`");
    }
    let mut tail = cx.run(LogTail::new(engine.log())).unwrap_or_default();
    tail.retain(|line| !line.contains("level=info"));
    let cause = tail.last().map(String::as_str).unwrap_or_default();
    let hint = way_out(cause)
        .map_or_else(|| format!("the reason is at the end of {}", engine.log()), str::to_owned);
    error.tail(tail).hint(hint)
}
