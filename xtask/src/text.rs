//! Times, sizes and columns, as people read them.

use talia_pipeline::protocol::utc;

/// `2026-11-24 05:15 UTC, 3 h ago`; both times in milliseconds since 1970.
pub(crate) fn ago(now_ms: u64, at_ms: u64) -> String {
    let seconds = now_ms.saturating_sub(at_ms) / 1000;
    let age = match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    };
    format!("{}, {age} ago", utc(at_ms))
}

/// Names and values, the values below each other.
pub(crate) fn rows(lines: &[(&str, String)]) -> String {
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    lines.iter().map(|(name, value)| format!("{name:<width$}  {value}\n")).collect()
}

/// Lines of the same parts, those of each kind below each other.
pub(crate) fn columns<const N: usize>(lines: &[[String; N]]) -> String {
    let width = |at: usize| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |line: &[String; N]| {
        let parts = line.iter().zip(widths).map(|(part, width)| format!("{part:<width$}"));
        format!("{}\n", parts.collect::<Vec<_>>().join("  ").trim_end())
    };
    lines.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_short() {
        let ended = |seconds: u64| ago(seconds * 1000 + 5, 5);
        assert!(ended(119).ends_with(", 119 s ago") && ended(120).ends_with(", 2 min ago"));
        assert!(ended(7200).ends_with(", 2 h ago") && ended(172_800).ends_with(", 2 days ago"));
        assert!(ago(0, 5).ends_with(", 0 s ago"), "clocks differ");
    }
}
