//! The mark that every child carries, and what can be read from it.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
    path::Path,
};

use super::{command::Leaves, kernel};

/// The variable that marks the children of a run.
///
/// It survives everything but `env -i`: forks, sessions, the death of the
/// runner. Its value is one mark for each run that the process is inside of,
/// the innermost last, separated by spaces.
pub const RUN_MARK: &str = "TALIA_RUN_MARK";

/// Marks of another layout are nobody's.
const LAYOUT: &str = "1";

/// What marks the children of one run: who runs, since when, with which state
/// folder.
///
/// Runner and start time say later whether that run still lives; the state
/// folder says whose leftovers they are; the process id namespace keeps the
/// children of a container from being judged outside of it, where their
/// runner has another number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunMark {
    pub(super) runner: Runner,
    run: String,
    outer: Option<OsString>,
}

/// Who runs, and for which state folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Runner {
    pub(super) state: u64,
    pub(super) namespace: u64,
    pub(super) pid: i32,
    pub(super) start: u64,
}

/// One mark, read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) runner: Runner,
    pub(super) serial: u64,
    pub(super) leaves: Leaves,
}

impl RunMark {
    /// The mark of a run of this process with this state folder.
    ///
    /// The folder counts by its canonical path, so that one that is deleted
    /// and made again is still the same.
    pub fn new(run: &str, state_folder: &Path) -> Self {
        let folder = state_folder.canonicalize();
        let folder = folder.as_deref().unwrap_or(state_folder);
        let own = kernel::own();
        let runner = Runner {
            state: fnv1a(folder.as_os_str().as_bytes()),
            namespace: own.namespace,
            pid: own.pid,
            start: own.start,
        };
        Self { runner, run: plain(run), outer: None }
    }

    /// Says that this run is itself inside a step of another run, with the
    /// value of [`RUN_MARK`] that this process was started with.
    #[must_use]
    pub fn inside(mut self, outer: Option<OsString>) -> Self {
        self.outer = outer.filter(|outer| !outer.is_empty());
        self
    }

    /// The value for one command.
    pub(super) fn command(&self, serial: u64, leaves: Leaves, step: &str) -> OsString {
        let Runner { state, namespace, pid, start } = &self.runner;
        let (run, step) = (&self.run, plain(step));
        let letter = match leaves {
            Leaves::Nothing => 'n',
            Leaves::UntilFlowEnds => 'f',
            Leaves::Running => 'r',
        };
        let mut value = self.outer.clone().unwrap_or_default();
        if !value.is_empty() {
            value.push(" ");
        }
        value.push(format!(
            "{LAYOUT}:{state:016x}:{namespace}:{pid}:{start}:{serial}:{letter}:{run}/{step}"
        ));
        value
    }
}

#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "no environment can be read there")
)]
impl Mark {
    /// Whether it was given by this process.
    pub(super) fn is_own(&self) -> bool {
        let own = kernel::own();
        let Runner { namespace, pid, start, .. } = self.runner;
        (namespace, pid, start) == (own.namespace, own.pid, own.start)
    }

    /// All marks of a value, the innermost last.
    pub(super) fn all(value: &OsStr) -> Vec<Self> {
        value.to_str().unwrap_or_default().split(' ').filter_map(Self::one).collect()
    }

    fn one(text: &str) -> Option<Self> {
        let mut parts = text.splitn(8, ':');
        if parts.next()? != LAYOUT {
            return None;
        }
        let runner = Runner {
            state: u64::from_str_radix(parts.next()?, 16).ok()?,
            namespace: parts.next()?.parse().ok()?,
            pid: parts.next()?.parse().ok()?,
            start: parts.next()?.parse().ok()?,
        };
        let serial = parts.next()?.parse().ok()?;
        let leaves = match parts.next()? {
            "n" => Leaves::Nothing,
            "f" => Leaves::UntilFlowEnds,
            "r" => Leaves::Running,
            _ => return None,
        };
        parts.next()?;
        Some(Self { runner, serial, leaves })
    }
}

/// Text that cannot be mistaken for the mark's own punctuation.
fn plain(text: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
    text.chars().take(80).map(|c| if safe(c) { c } else { '_' }).collect()
}

/// FNV-1a: short, and the same in every build, which the standard library's
/// hasher does not promise. It tells folders apart and protects nothing.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_back_whatever_the_step_is_called() {
        let run = RunMark::new("run 1:x", Path::new("/"));
        for step in ["", "ruff", "a b:c/d", "-\n\u{e4}", &"long".repeat(100)] {
            for leaves in [Leaves::Nothing, Leaves::UntilFlowEnds, Leaves::Running] {
                let marks = Mark::all(&run.command(7, leaves, step));
                assert_eq!(marks, [Mark { runner: run.runner.clone(), serial: 7, leaves }]);
            }
        }
    }

    #[test]
    fn an_inner_run_keeps_the_marks_of_the_outer_one() {
        let outer = RunMark::new("outer", Path::new("/tmp"));
        let inner = RunMark::new("inner", Path::new("/")).inside(Some(outer.command(
            1,
            Leaves::Nothing,
            "xtask",
        )));
        let marks = Mark::all(&inner.command(2, Leaves::Running, "s"));
        assert_eq!(marks.iter().map(|mark| mark.serial).collect::<Vec<_>>(), [1, 2]);
        assert_ne!(marks[0].runner.state, marks[1].runner.state);
    }

    #[test]
    fn what_is_no_mark_is_nobodys() {
        for text in ["", "x", "1:", "2:0:0:1:1:1:n:a/b", "1:0:0:1:1:1:z:a/b", "1:0:0:1:1:1:n"] {
            assert_eq!(Mark::all(OsStr::new(text)), [], "{text}");
        }
    }
}
