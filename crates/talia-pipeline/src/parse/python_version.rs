//! Which interpreters a project accepts.

/// Whether a version such as `3.11.7` satisfies a specifier such as
/// `>=3.11,<4`, or one of Poetry's (`^3.11`, `~3.11`). What cannot be read is
/// taken as satisfied: the manager has the last word.
///
/// Source: PEP 440, Poetry's manual (*Dependency specification*).
///
/// ```
/// use talia_pipeline::parse::python_version::satisfies;
///
/// assert!(satisfies("3.11.7", ">=3.11,<4.0"));
/// assert!(!satisfies("3.11.7", "^3.12"));
/// ```
pub fn satisfies(version: &str, specifier: &str) -> bool {
    let version = numbers(version);
    specifier.split("||").any(|alternative| {
        alternative
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .all(|part| one(&version, part))
    })
}

fn numbers(text: &str) -> Vec<u64> {
    text.trim().split('.').map_while(|part| part.trim().parse().ok()).collect()
}

fn one(version: &[u64], part: &str) -> bool {
    let split = part.find(|c: char| c.is_ascii_digit() || c == '*').unwrap_or(part.len());
    let (operator, bound) = part.split_at(split);
    let wildcard = bound.trim().ends_with('*');
    let bound = numbers(bound);
    if bound.is_empty() {
        return true;
    }
    // Missing numbers are zeros: 3.11 is 3.11.0.
    let padded = |numbers: &[u64]| [0, 1, 2].map(|at| numbers.get(at).copied().unwrap_or(0));
    let (have, want) = (padded(version), padded(&bound));
    let same_start = |count: usize| have[..count.min(3)] == want[..count.min(3)];
    match operator.trim() {
        ">=" => have >= want,
        ">" => have > want,
        "<=" => have <= want,
        "<" => have < want,
        "!=" => !if wildcard { same_start(bound.len()) } else { have == want },
        "==" | "=" if wildcard => same_start(bound.len()),
        "==" | "=" | "===" => have == want,
        // Poetry: a bare `3.11` is exactly 3.11.0, but a bare `3.11.*` is all of 3.11.
        "" if wildcard => same_start(bound.len()),
        "" => same_start(bound.len()),
        "^" => have >= want && have[0] == want[0],
        "~" => have >= want && same_start(bound.len().min(2)),
        "~=" => have >= want && same_start(bound.len().saturating_sub(1)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specifiers_of_both_kinds() {
        for (version, specifier, expected) in [
            ("3.11.7", ">=3.11", true),
            ("3.11.7", ">=3.12", false),
            ("3.11.7", "<3.12,>=3.9", true),
            ("3.12.0", "<3.12", false),
            ("3.11.7", "^3.10", true),
            ("3.11.7", "~3.11", true),
            ("3.11.7", "~3.10", false),
            ("3.11.7", "~=3.10", true),
            ("3.11.7", "~=3.10.2", false),
            ("3.11.7", "==3.11.*", true),
            ("3.11.7", "!=3.11.*", false),
            ("3.11.7", "==3.12.1", false),
            ("3.11.7", "*", true),
            ("3.11.7", "", true),
            ("3.11.7", ">=3.8, <3.10 || >=3.11", true),
            ("3.11.7", ">3.11", true),
        ] {
            assert_eq!(satisfies(version, specifier), expected, "{version} {specifier}");
        }
    }
}
