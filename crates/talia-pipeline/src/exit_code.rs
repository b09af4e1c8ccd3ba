//! The exit codes of every command, one meaning each.

use std::fmt;

/// How a run ended, as the number that the process returns.
///
/// When several things went wrong, [`ExitCode::worst`] tells which one counts.
///
/// ```
/// use talia_pipeline::ExitCode;
///
/// assert_eq!(ExitCode::StepFailed.worst(ExitCode::Interrupted), ExitCode::Interrupted);
/// assert_eq!(ExitCode::Preflight.code(), 3);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExitCode {
    /// 0: everything that was asked for is done.
    Success,
    /// 1: a step failed.
    StepFailed,
    /// 2: the command line, the settings or an input file is wrong.
    Usage,
    /// 3: something needed is missing: a program, a secret, a running engine.
    Preflight,
    /// 4: a guard refused.
    Refused,
    /// 5: the state is unknown, such as after a lost connection.
    Unknown,
    /// 130: interrupted by a signal.
    Interrupted,
}

impl ExitCode {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::StepFailed => 1,
            Self::Usage => 2,
            Self::Preflight => 3,
            Self::Refused => 4,
            Self::Unknown => 5,
            Self::Interrupted => 130,
        }
    }

    /// The one that counts when both happened: 5, then 130, 4, 2, 1, 3, 0.
    #[must_use]
    pub fn worst(self, other: Self) -> Self {
        if self.rank() >= other.rank() { self } else { other }
    }

    fn rank(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Preflight => 1,
            Self::StepFailed => 2,
            Self::Usage => 3,
            Self::Refused => 4,
            Self::Interrupted => 5,
            Self::Unknown => 6,
        }
    }
}

impl fmt::Display for ExitCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Success => "passed",
            Self::StepFailed => "failed",
            Self::Usage => "wrong usage",
            Self::Preflight => "something needed is missing",
            Self::Refused => "refused",
            Self::Unknown => "state unknown",
            Self::Interrupted => "interrupted",
        })
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.code())
    }
}
