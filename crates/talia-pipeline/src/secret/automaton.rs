//! The one place that knows `aho-corasick`: an automaton over all patterns
//! that is fed byte by byte and says how much of its past may still matter.

use aho_corasick::{
    Anchored, MatchKind,
    automaton::{Automaton as _, StateID},
    nfa::contiguous::NFA,
};

/// Where an automaton stands between two bytes.
pub(super) type State = StateID;

/// Every match is reported, overlapping ones too, and not only the leftmost
/// longest: of two secrets that overlap, the tail of the second is as secret
/// as the first. Besides, matches that never depend on an earlier choice are
/// what makes a stream equal however it is cut.
pub(super) struct Automaton {
    nfa: NFA,
    start: State,
    /// By state: how many of the last bytes are the beginning of a pattern.
    depths: Vec<u32>,
    /// The highest of the states that end a pattern: they come first.
    last_match: usize,
    longest: usize,
}

impl Automaton {
    /// Builds it. `None` if there is nothing to look for.
    pub(super) fn new<'a>(patterns: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let patterns: Vec<&[u8]> = patterns.collect();
        if patterns.is_empty() {
            return None;
        }
        let nfa = NFA::builder()
            .match_kind(MatchKind::Standard)
            .prefilter(false)
            .dense_depth(DENSE_DEPTH)
            .build(&patterns)
            .expect("fewer than 2^31 states: the values stand in memory");
        let start = nfa.start_state(Anchored::No).expect("built for unanchored search");
        // A pattern's every beginning is a state of its own, and there are no
        // other states, so walking along all patterns visits all of them.
        let (mut depths, mut last_match) = (Vec::new(), 0);
        for pattern in &patterns {
            let mut state = start;
            for (index, &byte) in pattern.iter().enumerate() {
                state = nfa.next_state(Anchored::No, state, byte);
                if depths.len() <= state.as_usize() {
                    depths.resize(state.as_usize() + 1, 0);
                }
                depths[state.as_usize()] = index as u32 + 1;
                if nfa.is_match(state) {
                    last_match = last_match.max(state.as_usize());
                }
            }
        }
        let longest = patterns.iter().map(|pattern| pattern.len()).max().unwrap_or_default();
        Some(Self { nfa, start, depths, last_match, longest })
    }

    /// Where every reading begins.
    #[inline(always)]
    pub(super) fn start(&self) -> State {
        self.start
    }

    /// One byte further.
    #[inline(always)]
    pub(super) fn next(&self, state: State, byte: u8) -> State {
        self.nfa.next_state(Anchored::No, state, byte)
    }

    /// The length of the longest pattern that ends here; 0 if none does.
    #[inline(always)]
    pub(super) fn match_length(&self, state: State) -> usize {
        if state.as_usize() <= self.last_match { self.longest_match(state) } else { 0 }
    }

    #[cold]
    fn longest_match(&self, state: State) -> usize {
        if !self.nfa.is_match(state) {
            return 0;
        }
        let lengths = (0..self.nfa.match_len(state))
            .map(|index| self.nfa.pattern_len(self.nfa.match_pattern(state, index)));
        lengths.max().unwrap_or_default()
    }

    /// How many of the last bytes are the beginning of a pattern, which more
    /// bytes may complete.
    #[inline(always)]
    pub(super) fn depth(&self, state: State) -> usize {
        self.depths.get(state.as_usize()).map_or(0, |&depth| depth as usize)
    }

    /// The length of the longest pattern.
    #[inline(always)]
    pub(super) fn longest(&self) -> usize {
        self.longest
    }
}

/// States that near the start have a full table instead of a list to search:
/// nearly every byte of ordinary output is read there.
const DENSE_DEPTH: usize = 4;
