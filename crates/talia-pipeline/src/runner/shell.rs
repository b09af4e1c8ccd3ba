//! The real runner: turns a command line into a process and its end into an answer.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::{self, File},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use camino::Utf8PathBuf;

use crate::{
    command_line::{CommandLine, EnvValue, Leaves, Stdin},
    error::{Error, Result},
    event::{Event, Stream},
    process::{self, Cancel, Ended, Fate, Spawn, Stray, Supervisor},
    secret::{Masker, Secrets},
    state::State,
    step::Answer,
    world::{DEFAULT_PATH, World, find_program},
};

use super::{
    core::Limits,
    kept::Kept,
    masking::{mask_text, masked},
    output::Output,
};

/// Executes commands. One per run; the recorder uses it for observations.
pub(crate) struct Shell {
    world: World,
    environment: BTreeMap<OsString, OsString>,
    supervisor: Supervisor,
    secrets: Secrets,
    masker: Masker,
    logs: Option<Utf8PathBuf>,
    /// A question is asked once per run: the plan and the run get one answer.
    observed: Mutex<Vec<(CommandLine, Answer)>>,
    /// What the recording has found out otherwise.
    pub(super) kept: Kept,
}

impl Shell {
    pub(crate) fn new(
        world: World,
        supervisor: Supervisor,
        secrets: Secrets,
        state: Option<&State>,
        run: &str,
    ) -> Self {
        let masker = Masker::new(secrets.values());
        Self {
            environment: world.child_environment(),
            world,
            supervisor,
            secrets,
            masker,
            logs: state.map(|state| state.logs(run)),
            observed: Mutex::default(),
            kept: Kept::default(),
        }
    }

    pub(crate) fn world(&self) -> &World {
        &self.world
    }

    pub(crate) fn supervisor(&self) -> &Supervisor {
        &self.supervisor
    }

    /// The same text with every secret masked.
    pub(crate) fn masked_text(&self, text: String) -> String {
        mask_text(&text, &self.masker).unwrap_or(text)
    }

    /// The same event with every secret masked in every text.
    pub(crate) fn masked(&self, event: Event) -> Event {
        masked(event, &self.masker)
    }

    /// Whether a secret of this name is known and set.
    pub(crate) fn secret_is_there(&self, name: &str) -> Result<()> {
        self.secrets.value(name).map(drop)
    }

    /// Where the full output of a step is written.
    pub(crate) fn log_path(&self, id: &str, label: &str) -> Option<Utf8PathBuf> {
        let path = self.logs.as_ref()?.join(log_name(id, label));
        path.exists().then_some(path)
    }

    pub(super) fn open_log(&self, id: &str, label: &str) -> Option<File> {
        let folder = self.logs.as_ref()?;
        fs::create_dir_all(folder).ok()?;
        let path = folder.join(log_name(id, label));
        File::options().create(true).append(true).open(path).ok()
    }

    /// Answers a question without telling anybody: with the answer that it has, unless it
    /// is to ask `anew`.
    pub(crate) fn observe(
        &self,
        line: &CommandLine,
        cancel: &Cancel,
        limits: Limits,
        anew: bool,
    ) -> Result<Answer> {
        if !anew {
            let observed = self.observed.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, answer)) = observed.iter().find(|(asked, _)| asked == line) {
                return accepted(line, answer.clone());
            }
        }
        let answer = self.spawn("observation", line, cancel, limits, None, &|_| {})??;
        let mut observed = self.observed.lock().unwrap_or_else(PoisonError::into_inner);
        observed.retain(|(asked, _)| asked != line);
        observed.push((line.clone(), answer.clone()));
        drop(observed);
        accepted(line, answer)
    }

    /// Runs a command for a step, as often as it may be tried.
    pub(crate) fn execute(
        &self,
        id: &str,
        label: &str,
        line: &CommandLine,
        cancel: &Cancel,
        limits: Limits,
        tell: &dyn Fn(Event),
    ) -> Result<Answer> {
        let mut attempt = 1;
        loop {
            tell(Event::CommandStarted {
                id: id.to_owned(),
                attempt,
                command: Box::new(line.clone()),
            });
            let started = self.world.elapsed();
            let log = self.open_log(id, label);
            let spawned = self.spawn(id, line, cancel, limits, log, tell);
            // What could not even start will not start at the next attempt.
            let started_at_all = spawned.is_ok();
            let result = spawned.and_then(|ended| ended);
            let took = self.world.elapsed().saturating_sub(started);
            tell(Event::CommandFinished {
                id: id.to_owned(),
                attempt,
                exit: result.as_ref().ok().map(Answer::exit),
                ended: match &result {
                    Ok(answer) => format!("exit {}", answer.exit()),
                    Err(error) => error.to_string(),
                },
                duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            });
            let result = result.and_then(|answer| accepted(line, answer.lasted(took)));
            match result {
                Err(error)
                    if started_at_all
                        && error.kind() == crate::ErrorKind::Step
                        && attempt < line.max_attempts()
                        && !cancel.is_cancelled() =>
                {
                    let pause = Duration::from_secs(1 << (attempt - 1).min(4));
                    tell(Event::Note {
                        text: format!(
                            "{label}: attempt {attempt} of {} failed ({error}); the next one in {} s",
                            line.max_attempts(),
                            pause.as_secs()
                        ),
                    });
                    wait(pause, cancel);
                    if cancel.is_cancelled() {
                        return Err(Error::interrupted(format!("{label} was cancelled")));
                    }
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    pub(super) fn spawn(
        &self,
        id: &str,
        line: &CommandLine,
        cancel: &Cancel,
        limits: Limits,
        log: Option<File>,
        tell: &dyn Fn(Event),
    ) -> Result<Result<Answer>> {
        let holes = line.holes();
        if !holes.is_empty() {
            return Err(Error::step(format!(
                "the command still has holes that nobody filled: {}",
                holes.join(", ")
            )));
        }
        if self.shows_a_secret(line) {
            return Err(Error::refused(format!(
                "an argument of {} holds a secret, which everybody on this machine could read",
                line.program()
            ))
            .hint("pass it by `env_secret`, or on standard input"));
        }
        let spawn = self.prepare(id, line)?;
        let timeout = line.time_limit().unwrap_or(limits.step);
        let timeout = limits.at_most.map_or(timeout, |most| most.min(timeout));
        let process_limits = process::Limits::new().timeout(timeout).grace(limits.grace);
        let started = self.world.elapsed();
        let mut output =
            Output::new(id, log, &self.masker, line.capture_limit(), line.stdout_kind(), tell);
        let mut said_in_time = None;
        let mut on_output = |stream: process::Stream, bytes: &[u8]| {
            // What comes after the time limit is what the command says of being
            // interrupted; what it was doing is what it said before.
            if said_in_time.is_none() && self.world.elapsed().saturating_sub(started) >= timeout {
                said_in_time = output.last_said();
            }
            let stream = match stream {
                process::Stream::Stdout => Stream::Stdout,
                process::Stream::Stderr => Stream::Stderr,
            };
            output.take(stream, bytes);
            if let Some(text) = output.unfinished() {
                tell(Event::Progress { id: id.to_owned(), text });
            }
        };
        let ended = self.supervisor.run(spawn, process_limits, cancel, &mut on_output);
        let last = said_in_time.or_else(|| output.last_said());
        let (stdout, stderr, truncated) = output.finish();
        let answer = |exit| {
            Answer::new(exit, stdout, stderr)
                .truncated(truncated)
                .lasted(self.world.elapsed().saturating_sub(started))
        };
        let finished = ended.map_err(|error| cannot_start(line, &error))?;
        for stray in &finished.strays {
            let name = line.program();
            tell(Event::Note { text: format!("{name} left a process behind: {}", told(stray)) });
        }
        Ok(match finished.ended {
            Ended::Exited(code) => Ok(answer(code)),
            Ended::Signalled(signal) => {
                // A shell's way to tell a signal; readers and `accept` know it.
                let answer = answer(128 + signal);
                if line.accepted().contains(&answer.exit()) {
                    Ok(answer)
                } else {
                    let program = line.program();
                    Err(Error::step(format!("{program} was ended by signal {signal}"))
                        .tail(answer.last_lines(20)))
                }
            }
            Ended::TimedOut => {
                let answer = answer(124);
                let said = last.unwrap_or_default();
                let mut message =
                    format!("{} took longer than {}", line.program(), seconds(timeout));
                if !said.trim().is_empty() {
                    message.push_str(&format!("; the last it said: {}", said.trim()));
                }
                Err(Error::step(message)
                    .tail(answer.last_lines(20))
                    .hint("raise `step_timeout_seconds` in the settings if it needs longer"))
            }
            Ended::Cancelled => {
                Err(Error::interrupted(format!("{} was cancelled", line.program())))
            }
            Ended::WantsTerminal => Err(Error::step(format!(
                "{} wants to read from the terminal, and a pipeline has none to give",
                line.program()
            ))
            .tail(answer(126).last_lines(20))
            .hint("find the option that answers its question, such as `--yes`")),
        })
    }

    /// Whether a secret stands where the system shows it: in a program's arguments.
    fn shows_a_secret(&self, line: &CommandLine) -> bool {
        let masks = |text: &String| matches!(self.masker.mask(text), std::borrow::Cow::Owned(_));
        !self.masker.is_empty() && line.arguments().iter().any(masks)
    }

    fn prepare(&self, id: &str, line: &CommandLine) -> Result<Spawn> {
        let mut environment = self.environment.clone();
        for (name, value) in line.environment() {
            match value {
                EnvValue::Text(text) => {
                    environment.insert(name.into(), text.into());
                }
                EnvValue::Secret(secret) => {
                    let value = self.secrets.value(secret)?.expose_os().to_owned();
                    environment.insert(name.into(), value);
                }
                EnvValue::Removed => {
                    environment.remove(&OsString::from(name));
                }
            }
        }
        let directory = line
            .directory()
            .map_or_else(|| self.world.directory().to_owned(), |d| self.world.directory().join(d));
        let path = environment
            .get(&OsString::from("PATH"))
            .and_then(|path| path.to_str())
            .filter(|path| !path.is_empty())
            .unwrap_or(DEFAULT_PATH);
        let program = find_program(line.program(), path, &directory).ok_or_else(|| {
            if directory.is_dir() {
                Error::preflight(format!("{} is not there", line.program()))
            } else {
                Error::step(format!("the folder {directory} does not exist"))
            }
        })?;
        let stdin = match line.input() {
            Stdin::Empty => process::Stdin::Null,
            Stdin::Text(text) => process::Stdin::Bytes(text.clone().into_bytes()),
            Stdin::Secret(name) => {
                process::Stdin::Bytes(self.secrets.value(name)?.expose().to_vec())
            }
            Stdin::File(file) => process::Stdin::File(directory.join(file).into()),
        };
        let leaves = match line.leaves_kind() {
            Leaves::Nothing => process::Leaves::Nothing,
            Leaves::UntilFlowEnds => process::Leaves::UntilFlowEnds,
            Leaves::Running => process::Leaves::Running,
        };
        Ok(Spawn::new(program, id)
            .args(line.arguments())
            .folder(directory)
            .environment(environment)
            .stdin(stdin)
            .leaves(leaves))
    }
}

/// A file name for a step's log, whatever the step is called.
fn log_name(id: &str, label: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    // A file name has 255 bytes at most.
    let slug: String = label.chars().take(80).map(plain).collect();
    format!("{id}-{slug}.log")
}

fn accepted(line: &CommandLine, answer: Answer) -> Result<Answer> {
    if line.accepted().contains(&answer.exit()) {
        Ok(answer)
    } else {
        Err(unexpected_exit(line, answer.exit(), &answer))
    }
}

/// The error for an exit code that the command line does not accept.
pub(crate) fn unexpected_exit(line: &CommandLine, exit: i32, answer: &Answer) -> Error {
    let program = line.program().rsplit('/').next().unwrap_or_default();
    let doing = match line.purpose_text() {
        "" => String::new(),
        purpose => format!(" ({purpose})"),
    };
    Error::step(format!("{program} ended with exit {exit}{doing}")).tail(answer.last_lines(20))
}

/// Sleeps, unless the run is cancelled meanwhile.
pub(super) fn wait(pause: Duration, cancel: &Cancel) {
    const NAP: Duration = Duration::from_millis(50);
    let mut left = pause;
    while !left.is_zero() && !cancel.is_cancelled() {
        std::thread::sleep(left.min(NAP));
        left = left.saturating_sub(NAP);
    }
}

/// A process that was left behind, as people read it.
pub(crate) fn told(stray: &Stray) -> String {
    let fate = match stray.fate {
        Fate::Ended => "it was ended",
        Fate::Unkillable => "it cannot be ended",
    };
    format!("{} ({}), {fate}", stray.name, stray.pid)
}

fn cannot_start(line: &CommandLine, error: &process::SpawnError) -> Error {
    Error::step(format!("{} cannot be started: {error}", line.program()))
}

fn seconds(duration: Duration) -> String {
    match duration.as_secs() {
        secs if secs >= 120 && secs % 60 == 0 => format!("{} minutes", secs / 60),
        secs => format!("{secs} s"),
    }
}
