//! Faults on order, so that tests can see what a kill leaves at every boundary of a
//! run. Compiled in only with the feature `fault-injection`.
//!
//! One fault a line: what (`die`, `stop`, `fail`), when (`before`, `after`), and which
//! action: its number in this process, counted from 1, or the beginning of its label.
//!
//! ```text
//! die after 7
//! stop before "switch to"
//! fail before "ask as clients do"
//! ```
//!
//! `die` kills this process, `stop` stops it until somebody continues it, `fail` lets
//! the action fail. A journal tells how many actions a run has. What is only observed
//! changes nothing, and has no boundary.

use std::{
    str::FromStr,
    sync::{Mutex, PoisonError},
};

use rustix::process::{Signal, getpid, kill_process};

use crate::error::{Error, Result};

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Die,
    Stop,
    Fail,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Before,
    After,
}

enum Which {
    Number(usize),
    Label(String),
}

struct Fault(What, When, Which);

impl FromStr for Fault {
    type Err = Error;

    fn from_str(line: &str) -> Result<Self> {
        let read = || {
            let (what, rest) = line.split_once(' ')?;
            let (when, which) = rest.split_once(' ')?;
            let what = match what {
                "die" => What::Die,
                "stop" => What::Stop,
                "fail" => What::Fail,
                _ => return None,
            };
            let when = match when {
                "before" => When::Before,
                "after" => When::After,
                _ => return None,
            };
            let label = which.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            let which = match label {
                Some(label) => Which::Label(label.to_owned()),
                None => Which::Number(which.parse().ok()?),
            };
            Some(Self(what, when, which))
        };
        read().ok_or_else(|| Error::usage(format!("{line:?} orders no fault")))
    }
}

/// What is ordered, and how many actions have begun.
static ORDERED: Mutex<(Vec<Fault>, usize)> = Mutex::new((Vec::new(), 0));

/// Orders faults for this process; those that were ordered before are forgotten, and
/// actions are counted anew.
///
/// # Errors
/// A usage error for a line that orders nothing.
pub fn order(text: &str) -> Result<()> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let faults: Vec<Fault> = lines.map(str::parse).collect::<Result<_>>()?;
    *ORDERED.lock().unwrap_or_else(PoisonError::into_inner) = (faults, 0);
    Ok(())
}

/// An action that has begun.
pub(super) struct Boundary<'a> {
    label: &'a str,
    number: usize,
}

/// An action of this label is about to begin.
pub(super) fn before(label: &str) -> Result<Boundary<'_>> {
    let number = {
        let mut ordered = ORDERED.lock().unwrap_or_else(PoisonError::into_inner);
        ordered.1 += 1;
        ordered.1
    };
    let boundary = Boundary { label, number };
    boundary.reach(When::Before).map(|()| boundary)
}

impl Boundary<'_> {
    /// It has succeeded.
    pub(super) fn after(self) -> Result<()> {
        self.reach(When::After)
    }

    fn reach(&self, now: When) -> Result<()> {
        let what = {
            let ordered = ORDERED.lock().unwrap_or_else(PoisonError::into_inner);
            let here = |which: &Which| match which {
                Which::Number(number) => *number == self.number,
                Which::Label(label) => self.label.starts_with(label.as_str()),
            };
            let mut faults = ordered.0.iter();
            faults.find(|Fault(_, when, which)| *when == now && here(which)).map(|fault| fault.0)
        };
        match what {
            None => Ok(()),
            Some(What::Fail) => Err(Error::step("a fault was ordered here").in_step(self.label)),
            Some(what) => {
                let signal = if what == What::Die { Signal::KILL } else { Signal::STOP };
                kill_process(getpid(), signal)
                    .map_err(|cause| Error::step("no fault can be made").caused_by(cause))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_made_where_it_was_ordered() {
        // One test alone: what is ordered holds for the whole process.
        order("\nfail before \"a \"\n  fail after 3\n").unwrap();
        assert!(before("a step").is_err());
        assert!(before("another").unwrap().after().is_ok());
        let third = before("third").unwrap();
        assert_eq!(third.number, 3);
        let error = third.after().expect_err("it was ordered");
        assert_eq!(error.step_label(), Some("third"));
        order("").unwrap();
        assert!(before("a step").unwrap().after().is_ok());
        for bad in ["die", "die after", "die after x", "burn after 1", "die at 1", "die after \"x"]
        {
            assert!(order(bad).is_err(), "{bad}");
        }
    }
}
