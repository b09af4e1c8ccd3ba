//! The measured lines of one file, at about one byte a line.
//!
//! A report may hold millions of lines, so they are kept as what a sorted list
//! is mostly made of: small steps. A line number is an identifier and may be as
//! large as a `u64`; it never becomes a size.

use std::{cmp::Ordering, iter, mem};

use super::report::Counts;

/// One measured line of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Line {
    /// Its number as the report has it. Some tools write 0.
    pub number: u64,
    /// Whether any test ran it.
    pub hit: bool,
    /// The branches that leave it; both are 0 where there are none.
    pub branches: Counts,
}

impl Line {
    pub(super) fn new(number: u64, hit: bool, branches: Counts) -> Self {
        Self { number, hit, branches }
    }

    /// Adds what another entry says about the same line.
    fn unite(&mut self, other: Self) {
        self.hit |= other.hit;
        self.branches.valid = self.branches.valid.max(other.branches.valid);
        self.branches.covered = self.branches.covered.max(other.branches.covered);
    }
}

const HIT: u8 = 1;
const BRANCHES: u8 = 1 << 1;
const MORE: u8 = 1 << 7;
const STEP_BITS: u32 = 5;

/// Measured lines in ascending order, each number once.
///
/// Each line is one byte: bit 0 hit, bit 1 branches follow, bits 2 to 6 the step
/// from the number before, bit 7 more of the step follows in groups of 7 bits.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    count: usize,
    last: u64,
}

impl Lines {
    /// Appends a line that is higher than all so far.
    fn append(&mut self, line: Line) {
        let step = line.number - self.last;
        let mut flags = (step as u8 & 0x1f) << 2;
        if line.hit {
            flags |= HIT;
        }
        if line.branches.valid > 0 {
            flags |= BRANCHES;
        }
        let rest = step >> STEP_BITS;
        if rest == 0 {
            self.bytes.push(flags);
        } else {
            self.bytes.push(flags | MORE);
            self.append_number(rest);
        }
        if line.branches.valid > 0 {
            self.append_number(line.branches.valid);
            self.append_number(line.branches.covered);
        }
        self.count += 1;
        self.last = line.number;
    }

    fn append_number(&mut self, mut number: u64) {
        while number >= u64::from(MORE) {
            self.bytes.push(number as u8 | MORE);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Line> + '_ {
        let mut bytes = self.bytes.iter().copied();
        let mut number = 0u64;
        iter::from_fn(move || {
            let flags = bytes.next()?;
            let mut step = u64::from((flags >> 2) & 0x1f);
            if flags & MORE != 0 {
                step |= read_number(&mut bytes) << STEP_BITS;
            }
            number = number.wrapping_add(step);
            let branches = if flags & BRANCHES != 0 {
                let valid = read_number(&mut bytes);
                Counts { valid, covered: read_number(&mut bytes) }
            } else {
                Counts::default()
            };
            Some(Line { number, hit: flags & HIT != 0, branches })
        })
    }

    pub(super) fn merge(&self, other: &Self) -> Self {
        let mut merged = Self {
            bytes: Vec::with_capacity(self.bytes.len().max(other.bytes.len())),
            ..Self::default()
        };
        let (mut left, mut right) = (self.iter().peekable(), other.iter().peekable());
        loop {
            let order = match (left.peek(), right.peek()) {
                (None, None) => return merged,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(a), Some(b)) => a.number.cmp(&b.number),
            };
            let mut first = if order == Ordering::Greater { None } else { left.next() };
            let second = if order == Ordering::Less { None } else { right.next() };
            if let (Some(line), Some(other)) = (&mut first, second) {
                line.unite(other);
            }
            merged.extend(first.or(second));
        }
    }

    fn extend(&mut self, line: Option<Line>) {
        if let Some(line) = line {
            self.append(line);
        }
    }
}

fn read_number(bytes: &mut impl Iterator<Item = u8>) -> u64 {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let byte = bytes.next().unwrap_or(0);
        number |= u64::from(byte & !MORE) << shift;
        if byte & MORE == 0 {
            break;
        }
    }
    number
}

/// How many lines out of order wait until they are sorted together.
const PENDING: usize = 4096;

/// Collects lines in whatever order they come and unites equal numbers.
///
/// Ascending lines go straight to the compact form. Others wait in a small
/// buffer, which becomes a sorted run; runs of like size are merged, so that
/// any order costs `n log n` and never more than a few bytes a line.
#[derive(Default)]
pub(super) struct Collector {
    ascending: Lines,
    newest: Option<Line>,
    pending: Vec<Line>,
    runs: Vec<Lines>,
}

impl Collector {
    #[inline]
    pub(super) fn push(&mut self, line: Line) {
        match &mut self.newest {
            Some(newest) if line.number > newest.number => {
                let done = mem::replace(newest, line);
                self.ascending.append(done);
            }
            Some(newest) if line.number == newest.number => newest.unite(line),
            Some(_) => self.push_late(line),
            None => self.newest = Some(line),
        }
    }

    fn push_late(&mut self, line: Line) {
        self.pending.push(line);
        if self.pending.len() >= PENDING {
            self.sort_pending();
        }
    }

    fn sort_pending(&mut self) {
        // `sort_by_key` is stable and fast on runs that are sorted already.
        self.pending.sort_by_key(|line| line.number);
        let mut run = Lines::default();
        let mut newest: Option<Line> = None;
        for line in self.pending.drain(..) {
            match &mut newest {
                Some(newest) if newest.number == line.number => newest.unite(line),
                _ => run.extend(newest.replace(line)),
            }
        }
        run.extend(newest);
        self.add_run(run);
    }

    fn add_run(&mut self, run: Lines) {
        self.runs.push(run);
        while let [.., before, last] = self.runs.as_slice()
            && before.count <= last.count.saturating_mul(2)
        {
            let merged = before.merge(last);
            self.runs.truncate(self.runs.len() - 2);
            self.runs.push(merged);
        }
    }

    /// Adds lines that were collected elsewhere.
    pub(super) fn absorb(&mut self, other: &Lines) {
        other.iter().for_each(|line| self.push(line));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.newest.is_none()
    }

    pub(super) fn finish(mut self) -> Lines {
        if !self.pending.is_empty() {
            self.sort_pending();
        }
        let newest = self.newest.take();
        self.ascending.extend(newest);
        let mut all = mem::take(&mut self.ascending);
        while let Some(run) = self.runs.pop() {
            all = all.merge(&run);
        }
        all.bytes.shrink_to_fit();
        all
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn collect(lines: impl IntoIterator<Item = (u64, bool, u64, u64)>) -> Vec<Line> {
        let mut collector = Collector::default();
        for (number, hit, valid, covered) in lines {
            collector.push(Line::new(number, hit, Counts { valid, covered }));
        }
        collector.finish().iter().collect()
    }

    #[test]
    fn any_number_survives() {
        let numbers = [0, 1, 31, 32, 33, 64, 4095, 4096, u64::MAX / 2, u64::MAX - 1, u64::MAX];
        let lines = collect(numbers.map(|number| (number, number % 2 == 0, number, number / 2)));
        assert_eq!(lines.iter().map(|line| line.number).collect::<Vec<_>>(), numbers);
        for line in lines {
            assert_eq!(line.hit, line.number % 2 == 0);
            assert_eq!(
                line.branches,
                if line.number == 0 {
                    Counts::default()
                } else {
                    Counts { valid: line.number, covered: line.number / 2 }
                }
            );
        }
    }

    #[test]
    fn any_order_gives_the_same_lines() {
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        for round in 0..20 {
            let mut truth: BTreeMap<u64, (bool, u64, u64)> = BTreeMap::new();
            let mut input = Vec::new();
            for _ in 0..3000 + round * 2000 {
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
                let number = seed % 9000;
                let (hit, valid) = (seed & (1 << 40) != 0, (seed >> 50) & 3);
                let covered = if valid == 0 { 0 } else { (seed >> 55) % (valid + 1) };
                input.push((number, hit, valid, covered));
                let entry = truth.entry(number).or_default();
                *entry = (entry.0 | hit, entry.1.max(valid), entry.2.max(covered));
            }
            let got: Vec<_> = collect(input)
                .iter()
                .map(|line| (line.number, (line.hit, line.branches.valid, line.branches.covered)))
                .collect();
            assert_eq!(got, truth.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_descending_file_stays_compact() {
        let mut collector = Collector::default();
        for number in (0..200_000).rev() {
            collector.push(Line::new(number, true, Counts::default()));
        }
        let lines = collector.finish();
        assert_eq!(lines.count, 200_000);
        assert_eq!(lines.bytes.len(), 200_000);
    }
}
