//! What could not be counted, gathered so that a million oddities are one
//! sentence.

/// How often each oddity was met.
#[derive(Default)]
pub(super) struct Notes {
    pub(super) nameless_classes: u64,
    pub(super) unnumbered_lines: u64,
    pub(super) lines_without_hits: u64,
    pub(super) impossible_conditions: u64,
}

impl Notes {
    pub(super) fn sentences(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        let mut say = |count: u64, one: &str, many: &str| {
            if count == 1 {
                sentences.push(one.to_owned());
            } else if count > 1 {
                sentences.push(format!("{count} {many}"));
            }
        };
        say(
            self.nameless_classes,
            "a class without a file name is not counted",
            "classes without a file name are not counted",
        );
        say(
            self.unnumbered_lines,
            "a line without a readable number is not counted",
            "lines without a readable number are not counted",
        );
        say(
            self.lines_without_hits,
            "a line without a readable number of hits counts as missed",
            "lines without a readable number of hits count as missed",
        );
        say(
            self.impossible_conditions,
            "a line claims more covered branches than it has",
            "lines claim more covered branches than they have",
        );
        sentences
    }
}
