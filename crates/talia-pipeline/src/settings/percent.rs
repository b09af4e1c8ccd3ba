//! A percentage as TOML writes it.

use crate::coverage::Percent;

/// What is expected where something else stands.
const SHAPE: &str = "a percentage from 0 to 100, such as 85 or 93.1";

/// Reads a plain decimal from its digits: `85`, `93.1`, `1_0.5`, `+7`. A float's
/// value would not do: 93.1 is no binary fraction.
pub(super) fn read(text: &str) -> Result<Percent, &'static str> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let is_number = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_digit())
            && part.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_')
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    if !is_number(whole) || !is_number(fraction) {
        return Err(SHAPE);
    }
    let decimals = fraction.replace('_', "").trim_end_matches('0').len();
    digits.replace('_', "").parse().map_err(|_| match decimals {
        0..=9 => SHAPE,
        _ => "a percentage with at most nine decimals",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact() {
        let shown = |text| read(text).map(|percent| percent.to_string());
        assert_eq!(shown("93.1").as_deref(), Ok("93.1 %"));
        assert_eq!(shown("+8_5.2_5").as_deref(), Ok("85.25 %"));
        assert_eq!(shown("100.000").as_deref(), Ok("100 %"));
        assert_eq!(shown("0.000000001").as_deref(), Ok("0.000000001 %"));
    }

    #[test]
    fn anything_else_is_no_percentage() {
        let wrong =
            ["", "-0", "-1", "101", "100.00001", "7e1", "nan", "inf", "0x10", "5.", ".5", "85%"];
        for text in wrong {
            assert_eq!(read(text), Err(SHAPE), "{text}");
        }
        assert_eq!(read("1.0123456789"), Err("a percentage with at most nine decimals"));
    }
}
