//! What a load has seen.

use std::{collections::BTreeMap, fmt, time::Duration};

use super::Kind;
use crate::kit::Yard;

/// How many reasons of each kind are kept.
const REASONS: usize = 8;

/// What the clients of one kind have seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) requests: usize,
    pub(crate) failures: usize,
    /// The first failures: when since the start, and why.
    pub(crate) reasons: Vec<(Duration, String)>,
    /// How often a websocket was closed and opened again.
    pub(crate) reconnects: usize,
    /// How long each took, in microseconds.
    took: Vec<u32>,
    /// Who answered: how often, and when the first and the last such request began.
    answered: BTreeMap<String, (usize, Duration, Duration)>,
}

impl Seen {
    pub(crate) fn passed(&mut self, began: Duration, took: Duration, revision: Option<String>) {
        self.requests += 1;
        self.took.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
        if let Some(revision) = revision {
            let (count, _, last) = self.answered.entry(revision).or_insert((0, began, began));
            *count += 1;
            *last = began.max(*last);
        }
    }

    pub(crate) fn failed(&mut self, began: Duration, reason: String) {
        self.requests += 1;
        self.failures += 1;
        if self.reasons.len() < REASONS {
            self.reasons.push((began, reason));
        }
    }

    fn percentile(&self, hundredths: usize) -> Duration {
        let mut took = self.took.clone();
        took.sort_unstable();
        let at = (took.len() * hundredths).div_ceil(100).saturating_sub(1);
        Duration::from_micros(took.get(at).copied().unwrap_or_default().into())
    }
}

/// What a whole load has seen, by the kind of client.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) kinds: BTreeMap<Kind, Seen>,
    pub(crate) lasted: Duration,
}

impl Told {
    pub(crate) fn requests(&self) -> usize {
        self.kinds.values().map(|seen| seen.requests).sum()
    }

    pub(crate) fn failures(&self) -> usize {
        self.kinds.values().map(|seen| seen.failures).sum()
    }

    /// The revisions that have answered, in the order in which they began to.
    pub(crate) fn revisions(&self) -> Vec<String> {
        let mut first: BTreeMap<&String, Duration> = BTreeMap::new();
        for (revision, (_, began, _)) in self.kinds.values().flat_map(|seen| &seen.answered) {
            let at = first.entry(revision).or_insert(*began);
            *at = (*at).min(*began);
        }
        let mut order: Vec<(Duration, &String)> =
            first.into_iter().map(|(revision, at)| (at, revision)).collect();
        order.sort();
        order.into_iter().map(|(_, revision)| revision.clone()).collect()
    }

    /// How long after `new` answered first a request to `old` still began; a websocket
    /// stays where it is, and does not count.
    pub(crate) fn overlap(&self, old: &str, new: &str) -> Duration {
        let kinds = || self.kinds.iter().filter(|(kind, _)| **kind != Kind::Websocket);
        let times = |revision: &str| {
            let found: Vec<_> =
                kinds().filter_map(|(_, seen)| seen.answered.get(revision)).copied().collect();
            found
        };
        let last_old = times(old).iter().map(|(_, _, last)| *last).max();
        let first_new = times(new).iter().map(|(_, first, _)| *first).min();
        last_old.unwrap_or_default().saturating_sub(first_new.unwrap_or(Duration::MAX))
    }

    /// Fails with everything that was seen where anything has failed; gives how much it was.
    #[track_caller]
    pub(crate) fn lost_nothing(&self) -> String {
        assert!(self.failures() == 0 && self.requests() > 0, "\n{self}");
        for (kind, seen) in &self.kinds {
            assert!(seen.requests > 0, "no {kind:?} at all\n{self}");
        }
        self.brief()
    }

    /// How many requests, and how many of them have failed.
    pub(crate) fn brief(&self) -> String {
        format!("{} requests, {} failed", self.requests(), self.failures())
    }

    /// How many clients of this kind have noticed something; fails where any other has.
    #[track_caller]
    pub(crate) fn lost_only(&self, kind: Kind) -> usize {
        let lost = self.kinds.get(&kind).map_or(0, |seen| seen.failures);
        assert!(self.failures() == lost && self.requests() > 0, "\n{self}");
        lost
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lasted = self.lasted.as_secs_f64();
        writeln!(f, "{:<12}{:>9}{:>9}{:>10}{:>10}", "kind", "requests", "failed", "p50", "p99")?;
        for (kind, seen) in &self.kinds {
            let ms = |of: usize| format!("{:.1} ms", seen.percentile(of).as_secs_f64() * 1e3);
            let (name, requests, failures) = (format!("{kind:?}"), seen.requests, seen.failures);
            writeln!(f, "{name:<12}{requests:>9}{failures:>9}{:>10}{:>10}", ms(50), ms(99))?;
            for (at, reason) in &seen.reasons {
                writeln!(f, "    at {:.3} s: {reason}", at.as_secs_f64())?;
            }
            if seen.reconnects > 0 {
                writeln!(f, "    reconnected {} times", seen.reconnects)?;
            }
        }
        write!(f, "{}, in {lasted:.1} s", self.brief())
    }
}

/// A number that is read wrongly would hide a failure.
pub(crate) fn what_was_seen_is_told(_: &Yard) {
    let at = Duration::from_millis;
    let mut seen = Seen::default();
    for n in 1..=200 {
        let revision = if n <= 100 { "a" } else { "b" };
        seen.passed(at(n), at(n), Some(revision.to_owned()));
    }
    // One that began after the switch, and reached the old one.
    seen.passed(at(131), at(1), Some("a".to_owned()));
    seen.failed(at(201), "reset".to_owned());
    assert_eq!((seen.percentile(50), seen.percentile(99)), (at(100), at(198)));
    let told = Told { kinds: BTreeMap::from([(Kind::Fresh, seen)]), lasted: at(1000) };
    assert_eq!((told.requests(), told.failures()), (202, 1));
    assert_eq!(told.revisions(), ["a", "b"]);
    assert_eq!(told.overlap("a", "b"), at(30));
    assert_eq!(told.overlap("a", "c"), Duration::ZERO);
    assert!(told.to_string().contains("at 0.201 s: reset"), "{told}");
}
