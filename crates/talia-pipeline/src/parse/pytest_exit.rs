//! What pytest's exit code means.

use std::fmt;

/// How pytest ended, by its documented exit codes.
///
/// ```
/// use talia_pipeline::parse::pytest_exit::PytestExit;
///
/// let exit = PytestExit::from_code(5);
/// assert_eq!(exit, PytestExit::NoTests);
/// assert_eq!(exit.to_string(), "no test was found");
/// assert!(exit.hint().unwrap().contains("testpaths"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PytestExit {
    /// 0: all tests passed.
    Passed,
    /// 1: tests ran and some failed.
    Failed,
    /// 2: interrupted, by a signal or because test files could not be loaded.
    Interrupted,
    /// 3: pytest itself, a plugin or a `conftest.py` broke.
    InternalError,
    /// 4: wrong command line or configuration.
    Usage,
    /// 5: no test was collected, or all were deselected.
    NoTests,
    /// A number that pytest does not define, such as a plugin's.
    Other(i32),
}

impl PytestExit {
    /// The meaning of the number.
    pub fn from_code(code: i32) -> Self {
        match code {
            0 => Self::Passed,
            1 => Self::Failed,
            2 => Self::Interrupted,
            3 => Self::InternalError,
            4 => Self::Usage,
            5 => Self::NoTests,
            other => Self::Other(other),
        }
    }

    /// The number.
    pub fn code(self) -> i32 {
        match self {
            Self::Passed => 0,
            Self::Failed => 1,
            Self::Interrupted => 2,
            Self::InternalError => 3,
            Self::Usage => 4,
            Self::NoTests => 5,
            Self::Other(code) => code,
        }
    }

    /// Whether a report was written that tells what happened to each test.
    pub fn has_report(self) -> bool {
        matches!(self, Self::Passed | Self::Failed | Self::Interrupted | Self::NoTests)
    }

    /// What to do next. Nothing after success.
    pub fn hint(self) -> Option<&'static str> {
        Some(match self {
            Self::Passed => return None,
            Self::Failed => "run the failed tests again with `pytest --last-failed`",
            Self::Interrupted => {
                "if test files could not be loaded, install what they import; \
                 `pytest --collect-only` shows each of them"
            }
            Self::InternalError => {
                "look for INTERNALERROR in the log; `pytest -p no:NAME` leaves one plugin out"
            }
            Self::Usage => {
                "a missing plugin makes its options unknown: compare `addopts` in pyproject.toml, \
                 pytest.ini, tox.ini or setup.cfg with what is installed"
            }
            Self::NoTests => {
                "check `testpaths` and `python_files` in the project's configuration, \
                 and the folder that pytest starts in"
            }
            Self::Other(1..=128) => {
                "a plugin such as pytest-cov may end pytest with a number of its own"
            }
            Self::Other(_) => {
                "a signal or a crash of the interpreter ended it: `python -X faulthandler -m pytest` shows where"
            }
        })
    }
}

impl fmt::Display for PytestExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passed => "all tests passed",
            Self::Failed => "tests failed",
            Self::Interrupted => "the test run was interrupted, or test files could not be loaded",
            Self::InternalError => "pytest or one of its plugins broke",
            Self::Usage => "pytest was called or configured wrongly",
            Self::NoTests => "no test was found",
            Self::Other(code) => {
                return write!(f, "pytest ended with exit code {code}, which it does not define");
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_meaning_and_keeps_its_number() {
        for code in -2..140 {
            let exit = PytestExit::from_code(code);
            assert_eq!(exit.code(), code);
            assert!(!exit.to_string().is_empty());
            assert_eq!(exit.hint().is_none(), code == 0);
        }
        assert!(PytestExit::NoTests.has_report() && !PytestExit::Usage.has_report());
    }
}
