//! A record of the app's own log: one JSON object a line.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// What matters of a record.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[non_exhaustive]
pub struct AppRecord {
    /// When, in milliseconds since 1970.
    #[serde(skip)]
    pub at_ms: Option<u64>,
    /// When, as it is written.
    #[serde(default)]
    pub time: Option<String>,
    /// `INFO`, `ERROR`, …
    #[serde(default)]
    pub level: Option<String>,
    /// Who says it.
    #[serde(default)]
    pub logger: Option<String>,
    /// What.
    #[serde(default)]
    pub message: Option<String>,
    /// The request that it belongs to.
    #[serde(default)]
    pub request_id: Option<String>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

impl AppRecord {
    /// What else it says, for people: `method=GET path=/api/health status=200`.
    pub fn others(&self) -> String {
        let told = self.others.iter().map(|(name, value)| match value {
            Value::String(text) => format!("{name}={text}"),
            value => format!("{name}={value}"),
        });
        told.collect::<Vec<_>>().join(" ")
    }
}

/// Reads a line; what is no such record has no fields.
///
/// ```
/// use talia_pipeline::parse::app_log;
///
/// let line = r#"{"time":"2026-11-24T08:15:00.250+00:00","level":"INFO","request_id":"7"}"#;
/// assert_eq!(app_log::read(line).at_ms, Some(1_795_508_100_250));
/// assert_eq!(app_log::read("a traceback").level, None);
/// ```
pub fn read(line: &str) -> AppRecord {
    let mut record: AppRecord = serde_json::from_str(line).unwrap_or_default();
    record.at_ms = record.time.as_deref().and_then(milliseconds);
    record
}

/// `2026-11-24T08:15:00.250+00:00`, as RFC 3339 has it.
fn milliseconds(time: &str) -> Option<u64> {
    let digits = |range: std::ops::Range<usize>| -> Option<i64> {
        let text = time.get(range)?;
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
    };
    let (year, month, day) = (digits(0..4)?, digits(5..7)?, digits(8..10)?);
    let (hour, minute, second) = (digits(11..13)?, digits(14..16)?, digits(17..19)?);
    let rest = time.get(19..)?;
    let (fraction, zone) = match rest.strip_prefix('.') {
        Some(rest) => {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let padded = format!("{:0<3}", &rest[..end.min(3)]);
            (padded.parse::<i64>().ok()?, &rest[end..])
        }
        None => (0, rest),
    };
    let offset = match zone.as_bytes() {
        b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), ..] if zone.len() == 6 => {
            let minutes =
                zone.get(1..3)?.parse::<i64>().ok()? * 60 + zone.get(4..6)?.parse::<i64>().ok()?;
            if *sign == b'-' { -minutes } else { minutes }
        }
        _ => return None,
    };
    let days = days(year, month, day)?;
    let seconds = days * 86_400 + hour * 3600 + (minute - offset) * 60 + second;
    u64::try_from(seconds * 1000 + fraction).ok()
}

/// Days since 1970-01-01. Years that begin in March put the leap day at their end.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || year < 1970 {
        return None;
    }
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let in_year = (153 * month + 2) / 5 + day - 1;
    Some(365 * year + year / 4 - year / 100 + year / 400 + in_year - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_zone() {
        for time in [
            "2026-11-24T08:15:00+00:00",
            "2026-11-24T08:15:00Z",
            "2026-11-24T09:45:00.000+01:30",
            "2026-11-24T03:15:00-05:00",
        ] {
            assert_eq!(milliseconds(time), Some(1_795_508_100_000), "{time}");
        }
        for bad in ["", "2026-11-24", "2026-13-24T08:15:00Z", "2026-11-24T08:15:00", "ä"] {
            assert_eq!(milliseconds(bad), None, "{bad}");
        }
    }
}
