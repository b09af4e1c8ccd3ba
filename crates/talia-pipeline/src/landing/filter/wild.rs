//! Stars, question marks and classes: read, and matched in bounded time.

use super::{class::Class, pattern::Part};

/// Reads what stands for something else. Gives what is wrong with it.
pub(super) fn read(text: &str) -> Result<Vec<Part>, &'static str> {
    let mut rest = text.as_bytes();
    let mut parts = Vec::new();
    while let [first, behind @ ..] = rest {
        rest = behind;
        parts.push(match first {
            b'*' => {
                let more = rest.iter().take_while(|byte| **byte == b'*').count();
                rest = &rest[more..];
                if more == 0 { Part::Star } else { Part::Deep }
            }
            b'?' => Part::One,
            b'[' => {
                let (class, behind) = Class::read(rest)?;
                rest = behind;
                Part::Class(class)
            }
            b'\\' => {
                let (byte, behind) = rest.split_first().ok_or("ends with a backslash")?;
                rest = behind;
                Part::Byte(*byte)
            }
            byte => Part::Byte(*byte),
        });
    }
    Ok(parts)
}

/// Whether the parts are all of this text.
///
/// Of each kind of star only the last one is tried again: what an earlier one could
/// take more, the later one takes as well.
pub(super) fn matches(parts: &[Part], text: &[u8]) -> bool {
    let (mut part, mut at) = (0, 0);
    let (mut star, mut deep) = (None, None);
    loop {
        match parts.get(part) {
            Some(Part::Star) => {
                part += 1;
                star = Some((part, at));
                continue;
            }
            Some(Part::Deep) => {
                part += 1;
                (star, deep) = (None, Some((part, at)));
                continue;
            }
            Some(single) if text.get(at).is_some_and(|byte| single.takes(*byte)) => {
                (part, at) = (part + 1, at + 1);
                continue;
            }
            None if at == text.len() => return true,
            _ => {}
        }
        // Let the last star take one byte more, and go on behind it.
        let more = |from: Option<(usize, usize)>, passes_slash: bool| {
            from.filter(|(_, at)| text.get(*at).is_some_and(|byte| passes_slash || *byte != b'/'))
                .map(|(part, at)| (part, at + 1))
        };
        if let Some(longer) = more(star, false) {
            (star, (part, at)) = (Some(longer), longer);
        } else if let Some(longer) = more(deep, true) {
            (star, deep, (part, at)) = (None, Some(longer), longer);
        } else {
            return false;
        }
    }
}

impl Part {
    /// Whether it stands for this byte.
    fn takes(&self, byte: u8) -> bool {
        match self {
            Self::Byte(own) => *own == byte,
            Self::One => byte != b'/',
            Self::Class(class) => byte != b'/' && class.has(byte),
            Self::Star | Self::Deep => false,
        }
    }
}
