//! Named holes: values that only a run can know, such as an image's digest.
//!
//! A plan shows `⟨image digest⟩` where the run will put the value. Inside, a
//! hole is delimited by two noncharacters that Unicode reserves for internal
//! use, so no file name or argument can be mistaken for one.

const OPEN: char = '\u{FDD0}';
const CLOSE: char = '\u{FDD1}';

/// The stand-in for a value that only a run can know.
///
/// ```
/// use talia_pipeline::hole;
///
/// let planned = format!("ghcr.io/talia/backend@{}", hole::named("image digest"));
/// assert!(hole::is_in(&planned));
/// assert_eq!(hole::shown(&planned), "ghcr.io/talia/backend@⟨image digest⟩");
/// assert!(hole::matches(&planned, "ghcr.io/talia/backend@sha256:12ab"));
/// ```
pub fn named(name: &str) -> String {
    format!("{OPEN}{name}{CLOSE}")
}

/// Whether the text still has a hole. The shell runner refuses such a command.
pub fn is_in(text: &str) -> bool {
    text.contains(OPEN)
}

/// The text for people, with holes as `⟨name⟩`.
pub fn shown(text: &str) -> String {
    text.replace(OPEN, "⟨").replace(CLOSE, "⟩")
}

/// Whether `actual` is `planned` with every hole filled by at least one character.
pub fn matches(planned: &str, actual: &str) -> bool {
    let mut pieces = planned.split(OPEN);
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = actual.strip_prefix(first) else { return false };
    let literals: Vec<&str> =
        pieces.map(|piece| piece.split_once(CLOSE).map_or("", |(_, literal)| literal)).collect();
    for (index, literal) in literals.iter().enumerate() {
        let last = index + 1 == literals.len();
        let Some(filled) = rest.chars().next().map(char::len_utf8) else { return false };
        let found = if last {
            rest.ends_with(literal).then(|| rest.len() - literal.len()).filter(|&at| at >= filled)
        } else {
            rest[filled..].find(literal).map(|at| at + filled)
        };
        let Some(at) = found else { return false };
        rest = &rest[at + literal.len()..];
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hole_matches_any_value_that_is_not_empty() {
        let planned = format!("--tag={}:main", named("image"));
        assert!(matches(&planned, "--tag=x:main"));
        assert!(matches(&planned, "--tag=é:main:main"));
        assert!(!matches(&planned, "--tag=:main"));
        assert!(!matches(&planned, "--tag=x:other"));
        assert!(!matches("plain", "plainer"));
        assert!(matches("plain", "plain"));
    }

    #[test]
    fn several_holes_are_filled_from_left_to_right() {
        let planned = format!("{}/{}", named("a"), named("b"));
        assert!(matches(&planned, "x/y"));
        assert!(!matches(&planned, "x/"));
        assert!(!matches(&planned, "/y"));
    }
}
