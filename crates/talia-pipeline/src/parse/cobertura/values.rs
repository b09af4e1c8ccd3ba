//! The numbers in attributes, in every way that tools write them.

use super::report::Counts;

/// Whether a `hits` value says that the line was reached: a number above zero.
///
/// `None` where it is no number at all. Negative numbers and `NaN` are not hits;
/// counters wider than any integer type are.
#[inline]
pub(super) fn hit(text: &str) -> Option<bool> {
    let (mut digits, mut above_zero) = (0, false);
    for byte in text.as_bytes() {
        digits += usize::from(byte.is_ascii_digit());
        above_zero |= *byte != b'0';
    }
    if digits == text.len() && digits > 0 {
        return Some(above_zero);
    }
    decimal(text).map(|number| number > 0.0)
}

/// A whole number, also as `1.0`, `1,0` or padded. `None` for everything else.
#[inline]
pub(super) fn whole(text: &str) -> Option<u64> {
    // A loop over bytes: this runs once a line, and `str::parse` checks for
    // more than is needed here.
    let bytes = text.as_bytes();
    if (1..=19).contains(&bytes.len()) {
        let mut number = 0;
        for byte in bytes {
            if !byte.is_ascii_digit() {
                return odd_whole(text);
            }
            number = number * 10 + u64::from(byte - b'0');
        }
        return Some(number);
    }
    odd_whole(text)
}

fn odd_whole(text: &str) -> Option<u64> {
    let text = text.trim();
    let (whole, fraction) = text.split_once(['.', ',']).unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.bytes().any(|digit| digit != b'0') {
        return None;
    }
    whole.parse().ok()
}

/// A number with a point or a comma. `None` where it is none; `NaN` is one.
pub(super) fn decimal(text: &str) -> Option<f64> {
    let text = text.trim();
    if text.contains(',') { text.replacen(',', ".", 1).parse().ok() } else { text.parse().ok() }
}

/// The two counts in `50% (1/2)`. The percentage before them is not read: it is
/// rounded, and in some locales written with a comma.
pub(super) fn condition_coverage(text: &str) -> Option<Counts> {
    let (_, rest) = text.rsplit_once('(')?;
    let (inside, _) = rest.split_once(')')?;
    let (covered, valid) = inside.split_once('/')?;
    Some(Counts { valid: whole(valid.trim())?, covered: whole(covered.trim())? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_are_numbers_above_zero() {
        for text in
            ["1", "18446744073709551615", "1e11", "100000000000", "1.0", "0,5", " 7 ", "inf"]
        {
            assert_eq!(hit(text), Some(true), "{text}");
        }
        for text in ["0", "-2", "NaN", "0.0", "-0", "000"] {
            assert_eq!(hit(text), Some(false), "{text}");
        }
        for text in ["", "many", "1 2", "0x1"] {
            assert_eq!(hit(text), None, "{text}");
        }
    }

    #[test]
    fn whole_numbers_reach_to_the_end_of_u64() {
        assert_eq!(whole("18446744073709551615"), Some(u64::MAX));
        assert_eq!(whole("18446744073709551616"), None);
        assert_eq!(whole("1.0"), Some(1));
        assert_eq!(whole(" 12 "), Some(12));
        for text in ["", "-1", "1.5", "1e3", ".", "1.", "NaN", "+1"] {
            assert_eq!(whole(text), None, "{text}");
        }
    }

    #[test]
    fn conditions_are_read_from_their_counts() {
        let read = |text| condition_coverage(text).map(|counts| (counts.covered, counts.valid));
        assert_eq!(read("50% (1/2)"), Some((1, 2)));
        assert_eq!(read("33.33333333333333% (1/3)"), Some((1, 3)));
        assert_eq!(read("33,3 % ( 1 / 3 )"), Some((1, 3)));
        assert_eq!(read("NaN (0/0)"), Some((0, 0)));
        assert_eq!(read("50%"), None);
        assert_eq!(read("(1/"), None);
        assert_eq!(read(")1/2("), None);
    }
}
