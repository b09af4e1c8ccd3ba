//! One command line: what would be typed, and everything that matters beside it.

use std::{collections::BTreeMap, fmt, time::Duration};

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use crate::{hole, quote};

mod parts;

pub use parts::{Effect, EnvValue, Leaves, Stdin, Stdout};

/// How much of a command's output is kept for its reader, unless it says so.
const CAPTURE_BYTES: usize = 1 << 20;

/// A program, its arguments, and all that decides what happens when it runs.
///
/// A value: comparable, serialisable, and built without any effect. `Display`
/// gives text that a POSIX shell turns back into the same program with the same
/// arguments, folder, declared environment and input. Secrets show as `"$NAME"`.
///
/// ```
/// use talia_pipeline::CommandLine;
///
/// let line = CommandLine::new("ruff")
///     .arg("check")
///     .operand("my app/main.py")
///     .cwd("/srv/app")
///     .env("RUFF_CACHE_DIR", "/tmp/ruff")
///     .purpose("find mistakes");
/// assert_eq!(
///     line.to_string(),
///     "(cd /srv/app && RUFF_CACHE_DIR=/tmp/ruff ruff check -- 'my app/main.py')"
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandLine {
    program: String,
    args: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cwd: Option<Utf8PathBuf>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    env: BTreeMap<String, EnvValue>,
    #[serde(default, skip_serializing_if = "is_default")]
    stdin: Stdin,
    accepted: Vec<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timeout_seconds: Option<u64>,
    #[serde(default = "one_attempt", skip_serializing_if = "is_one")]
    attempts: u32,
    effect: Effect,
    #[serde(default, skip_serializing_if = "is_default")]
    leaves: Leaves,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    requires: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    provides: Vec<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    purpose: String,
    #[serde(skip, default = "default_capture")]
    capture_bytes: usize,
    #[serde(skip)]
    stdout: Stdout,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
fn one_attempt() -> u32 {
    1
}
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_one(attempts: &u32) -> bool {
    *attempts == 1
}
fn default_capture() -> usize {
    CAPTURE_BYTES
}

impl CommandLine {
    /// A command that runs `program`: a name to look up, or a path.
    pub fn new(program: impl Into<String>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            cwd: None,
            env: BTreeMap::new(),
            stdin: Stdin::Empty,
            accepted: vec![0],
            timeout_seconds: None,
            attempts: 1,
            effect: Effect::Local,
            leaves: Leaves::Nothing,
            requires: Vec::new(),
            provides: Vec::new(),
            purpose: String::new(),
            capture_bytes: CAPTURE_BYTES,
            stdout: Stdout::Shown,
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds several arguments.
    #[must_use]
    pub fn args<I: IntoIterator<Item = impl Into<String>>>(mut self, args: I) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Adds `--name=value` as one argument, so that a value that begins with a
    /// dash is never taken for an option.
    #[must_use]
    pub fn option(self, name: &str, value: impl AsRef<str>) -> Self {
        let arg = format!("{name}={}", value.as_ref());
        self.arg(arg)
    }

    /// Adds an operand; the first one is preceded by `--`, so that a name that
    /// begins with a dash is never taken for an option.
    #[must_use]
    pub fn operand(mut self, operand: impl Into<String>) -> Self {
        if !self.args.iter().any(|arg| arg == "--") {
            self.args.push("--".to_owned());
        }
        self.arg(operand)
    }

    /// Sets the folder to run in.
    #[must_use]
    pub fn cwd(mut self, cwd: impl Into<Utf8PathBuf>) -> Self {
        self.cwd = Some(cwd.into());
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), EnvValue::Text(value.into()));
        self
    }

    /// Sets a variable to the secret of this name when the process is spawned.
    #[must_use]
    pub fn env_secret(mut self, name: impl Into<String>, secret: impl Into<String>) -> Self {
        self.env.insert(name.into(), EnvValue::Secret(secret.into()));
        self
    }

    /// Takes a variable away, whatever the caller's environment holds.
    #[must_use]
    pub fn env_remove(mut self, name: impl Into<String>) -> Self {
        self.env.insert(name.into(), EnvValue::Removed);
        self
    }

    /// Sets what it reads from standard input.
    #[must_use]
    pub fn stdin(mut self, stdin: Stdin) -> Self {
        self.stdin = stdin;
        self
    }

    /// Sets the exit codes that its reader wants to see; 0 alone unless set.
    #[must_use]
    pub fn accept(mut self, exits: impl IntoIterator<Item = i32>) -> Self {
        self.accepted = exits.into_iter().collect();
        self
    }

    /// Ends it after this time, whatever the settings say. Whole seconds.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout_seconds = Some(timeout.as_secs().max(1));
        self
    }

    /// Tries up to this many times. For a download or a push, nothing else.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// Sets what it may change; [`Effect::Local`] unless set.
    #[must_use]
    pub fn effect(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }

    /// Sets what it may leave running; nothing unless set.
    #[must_use]
    pub fn leaves(mut self, leaves: Leaves) -> Self {
        self.leaves = leaves;
        self
    }

    /// Names something beside the program that must be there, such as
    /// `docker-engine`; see [`crate::preflight`].
    #[must_use]
    pub fn requires(mut self, tool: impl Into<String>) -> Self {
        self.requires.push(tool.into());
        self
    }

    /// Names a program or a tool that is there once this has succeeded, such as
    /// what a package manager brings, so that [`crate::preflight`] does not miss
    /// it for the commands that follow.
    #[must_use]
    pub fn provides(mut self, tool: impl Into<String>) -> Self {
        self.provides.push(tool.into());
        self
    }

    /// Says in a few words what it is for.
    #[must_use]
    pub fn purpose(mut self, purpose: impl Into<String>) -> Self {
        self.purpose = purpose.into();
        self
    }

    /// Keeps this many bytes of each output stream for the reader; 1 MiB
    /// unless set. The full output is in the step's log in any case.
    #[must_use]
    pub fn capture_bytes(mut self, bytes: usize) -> Self {
        self.capture_bytes = bytes;
        self
    }

    /// Says that standard output is for the reader alone, such as JSON, and no
    /// text for people.
    #[must_use]
    pub fn stdout_is_data(mut self) -> Self {
        self.stdout = Stdout::Data;
        self
    }

    /// Says that standard output is for the reader alone and holds what nobody else may
    /// see, such as every value of a `.env`: it is not even in the step's log.
    #[must_use]
    pub fn stdout_is_private(mut self) -> Self {
        self.stdout = Stdout::Private;
        self
    }

    /// Says that standard output is [events](crate::Event) as JSON lines: what
    /// happens on another machine is told as it happens. Other lines are shown.
    #[must_use]
    pub fn stdout_is_events(mut self) -> Self {
        self.stdout = Stdout::Events;
        self
    }

    /// The program, as given.
    pub fn program(&self) -> &str {
        &self.program
    }
    /// The arguments, without the program.
    pub fn arguments(&self) -> &[String] {
        &self.args
    }
    /// The folder to run in.
    pub fn directory(&self) -> Option<&Utf8Path> {
        self.cwd.as_deref()
    }
    /// The declared variables.
    pub fn environment(&self) -> &BTreeMap<String, EnvValue> {
        &self.env
    }
    /// What it reads from standard input.
    pub fn input(&self) -> &Stdin {
        &self.stdin
    }
    /// The exit codes that its reader wants to see.
    pub fn accepted(&self) -> &[i32] {
        &self.accepted
    }
    /// Its own time limit.
    pub fn time_limit(&self) -> Option<Duration> {
        self.timeout_seconds.map(Duration::from_secs)
    }
    /// How often it may be tried.
    pub fn max_attempts(&self) -> u32 {
        self.attempts
    }
    /// What it may change.
    pub fn effect_kind(&self) -> Effect {
        self.effect
    }
    /// What it may leave running.
    pub fn leaves_kind(&self) -> Leaves {
        self.leaves
    }
    /// What must be there beside the program.
    pub fn required_tools(&self) -> &[String] {
        &self.requires
    }
    /// What is there once it has succeeded.
    pub fn provided_tools(&self) -> &[String] {
        &self.provides
    }
    /// What it is for.
    pub fn purpose_text(&self) -> &str {
        &self.purpose
    }
    /// How many bytes of each stream are kept for the reader.
    pub fn capture_limit(&self) -> usize {
        self.capture_bytes
    }
    /// For whom standard output is.
    pub fn stdout_kind(&self) -> Stdout {
        self.stdout
    }

    /// The names of the secrets that it needs.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let from_env = self.env.values().filter_map(|value| match value {
            EnvValue::Secret(name) => Some(name.as_str()),
            _ => None,
        });
        let from_stdin = match &self.stdin {
            Stdin::Secret(name) => Some(name.as_str()),
            _ => None,
        };
        from_env.chain(from_stdin)
    }

    /// Every text that could hold a hole.
    fn texts(&self) -> impl Iterator<Item = &str> {
        let env = self.env.values().filter_map(|value| match value {
            EnvValue::Text(text) => Some(text.as_str()),
            _ => None,
        });
        let stdin = match &self.stdin {
            Stdin::Text(text) => Some(text.as_str()),
            Stdin::File(path) => Some(path.as_str()),
            _ => None,
        };
        std::iter::once(self.program.as_str())
            .chain(self.args.iter().map(String::as_str))
            .chain(self.cwd.as_deref().map(Utf8Path::as_str))
            .chain(env)
            .chain(stdin)
    }

    /// The names of the holes that are not filled yet.
    pub fn holes(&self) -> Vec<String> {
        self.texts().filter(|text| hole::is_in(text)).map(hole::shown).collect()
    }

    /// Whether `self` is `planned` with its holes filled.
    ///
    /// What is compared is what a process can see: program, arguments, folder
    /// and declared environment.
    pub fn fills(&self, planned: &Self) -> bool {
        fn text(value: &EnvValue) -> &str {
            match value {
                EnvValue::Text(text) => text,
                EnvValue::Secret(name) => name,
                EnvValue::Removed => "",
            }
        }
        let same = |planned: &str, actual: &str| hole::matches(planned, actual);
        same(&planned.program, &self.program)
            && planned.args.len() == self.args.len()
            && planned.args.iter().zip(&self.args).all(|(p, a)| same(p, a))
            && match (&planned.cwd, &self.cwd) {
                (Some(p), Some(a)) => same(p.as_str(), a.as_str()),
                (None, None) => true,
                _ => false,
            }
            && planned.env.len() == self.env.len()
            && planned.env.iter().zip(&self.env).all(|((pk, pv), (ak, av))| {
                pk == ak
                    && std::mem::discriminant(pv) == std::mem::discriminant(av)
                    && same(text(pv), text(av))
            })
    }

    /// The program and its arguments alone, as a shell would read them.
    pub fn words(&self) -> String {
        let words = std::iter::once(self.program.as_str())
            .chain(self.args.iter().map(String::as_str))
            .map(hole::shown);
        quote::join(words)
    }
}

impl CommandLine {
    /// As `Display`, with `$name` in the place of each long path of `names`, where
    /// a shell that knows these variables makes the same words of it.
    pub(crate) fn shortened(&self, names: &[(&str, &Utf8Path)]) -> String {
        self.render(&|quoted| {
            // Inside quotes a variable would not be expanded.
            if quoted.starts_with('\'') {
                return quoted;
            }
            names.iter().fold(quoted, |text, (name, path)| {
                let mut pieces = text.split(path.as_str());
                let mut short = pieces.next().unwrap_or_default().to_owned();
                for piece in pieces {
                    // Behind a variable's name a letter would be a part of it.
                    if piece.is_empty() || piece.starts_with(['/', ':']) {
                        short.push_str(&format!("${name}"));
                    } else {
                        short.push_str(path.as_str());
                    }
                    short.push_str(piece);
                }
                short
            })
        })
    }

    /// As a shell reads it; `spell` has the last word on every quoted word.
    fn render(&self, spell: &dyn Fn(String) -> String) -> String {
        let quoted = |text: &str| spell(quote::argument(&hole::shown(text)).into_owned());
        let mut text = String::new();
        match &self.stdin {
            Stdin::Text(input) => text.push_str(&format!("printf %s {} | ", quoted(input))),
            Stdin::Secret(name) => text.push_str(&format!("printf %s \"${name}\" | ")),
            Stdin::Empty | Stdin::File(_) => {}
        }
        let removed = self.env.iter().filter(|(_, value)| matches!(value, EnvValue::Removed));
        let removed: Vec<&String> = removed.map(|(name, _)| name).collect();
        // `env` is a program: a variable is taken away by it, and a name that a
        // shell would not accept on the left of `=` can be set by it alone.
        let plain_names = self.env.keys().all(|name| is_shell_name(name));
        if !removed.is_empty() || !plain_names {
            text.push_str("env ");
            for name in removed {
                text.push_str(&format!("-u {} ", quoted(name)));
            }
        }
        for (name, value) in &self.env {
            match value {
                EnvValue::Text(value) if is_shell_name(name) => {
                    text.push_str(&format!("{name}={} ", quoted(value)));
                }
                EnvValue::Text(value) => {
                    text.push_str(&format!("{} ", quoted(&format!("{name}={value}"))));
                }
                EnvValue::Secret(secret) => text.push_str(&format!("{name}=\"${secret}\" ")),
                EnvValue::Removed => {}
            }
        }
        text.push_str(&spell(quote::quote(&hole::shown(&self.program)).into_owned()));
        for arg in &self.args {
            text.push_str(&format!(" {}", quoted(arg)));
        }
        if let Stdin::File(path) = &self.stdin {
            text.push_str(&format!(" < {}", quoted(path.as_str())));
        }
        match &self.cwd {
            // `cd -` goes back, and `cd -x` takes an option.
            Some(cwd) if cwd.as_str().starts_with('-') => {
                format!("(cd {} && {text})", quoted(&format!("./{cwd}")))
            }
            Some(cwd) => format!("(cd {} && {text})", quoted(cwd.as_str())),
            None => text,
        }
    }
}

impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(&|quoted| quoted))
    }
}

fn is_shell_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}
