//! What a misspelt word was probably meant to be.

/// Longer words are no slip of the hand, and comparing them costs.
const LONGEST: usize = 64;

/// The known word that is nearest, if one is near enough to be meant.
pub(super) fn nearest<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let length = word.chars().count();
    if length == 0 || length > LONGEST {
        return None;
    }
    let plain = plain(word);
    known
        .into_iter()
        .filter_map(|candidate| Some((distance(&plain, candidate)?, candidate)))
        // Of equals the first stays: the order is that of the documentation.
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// How far a word is from a candidate; `None`: too far.
fn distance(word: &str, candidate: &str) -> Option<usize> {
    let candidate = plain(candidate);
    // A word that was begun or went on too long: `timeout` for `timeout_seconds`.
    let (short, long) = if word.len() < candidate.len() {
        (word, candidate.as_str())
    } else {
        (candidate.as_str(), word)
    };
    let begun = short.len() >= 3 && long.starts_with(short);
    let distance = strsim::damerau_levenshtein(word, &candidate);
    let allowed = (candidate.chars().count() / 3).max(1);
    (begun || distance <= allowed).then_some(distance)
}

/// Case and the kind of dash are no difference that matters.
fn plain(word: &str) -> String {
    word.to_lowercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 5] = ["lines", "file_lines", "branches", "timeout_seconds", "base"];

    #[test]
    fn slips_of_the_hand_are_understood() {
        assert_eq!(nearest("linse", KEYS), Some("lines"));
        assert_eq!(nearest("Branch", KEYS), Some("branches"));
        assert_eq!(nearest("file-lines", KEYS), Some("file_lines"));
        assert_eq!(nearest("timeout", KEYS), Some("timeout_seconds"));
    }

    #[test]
    fn other_words_are_not() {
        assert_eq!(nearest("colour", KEYS), None);
        assert_eq!(nearest("", KEYS), None);
        assert_eq!(nearest("x", KEYS), None);
        assert_eq!(nearest(&"lines".repeat(100), KEYS), None);
    }
}
