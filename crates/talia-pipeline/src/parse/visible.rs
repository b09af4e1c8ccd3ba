//! Foreign names, made safe to print.

/// The text with everything escaped that would move the cursor, start a
/// terminal sequence, reorder the line or hide.
///
/// File and element names come from files that anybody may have written, and
/// end up on terminals and in CI logs.
pub(crate) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' => shown.push_str("\\\\"),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            _ if character.is_control() || changes_layout(character) => {
                shown.extend(character.escape_unicode());
            }
            _ => shown.push(character),
        }
    }
    shown
}

/// As [`visible`], for a name that is not UTF-8: such bytes are escaped as `\xff`.
pub(crate) fn visible_bytes(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        shown.push_str(&visible(chunk.valid()));
        shown.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    shown
}

/// Bidirectional controls, line separators and characters without a width:
/// not `is_control`, and yet a line that holds one does not read as it is.
fn changes_layout(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{61c}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_the_cursor_is_escaped() {
        assert_eq!(visible_bytes(b"\xffa\n\xc3\xc3\xa9\\"), "\\xffa\\n\\xc3é\\\\");
        assert_eq!(visible("a\u{1b}[2J\n\u{202e}b\\é"), "a\\u{1b}[2J\\n\\u{202e}b\\\\é");
    }
}
