//! GitHub's workflow commands: taking their power from what a child prints,
//! and escaping what we print ourselves.
//!
//! The runner reads every line of a step's output. It acts on a line that has
//! `::` as its first characters that are not white space (`::set-output …::…`),
//! and on `##[` anywhere in a line. Lines end at `\n`, `\r` and `\r\n`. It
//! searches with the rules of a language (.NET compares strings by culture
//! there), which do not see zero-width characters, and it trims every Unicode
//! space. See `ActionCommand.cs` and `OutputManager.cs` in `actions/runner`.

use std::borrow::Cow;

/// Takes the power from every workflow command in the text, visibly: a space
/// parts the two colons or the two number signs, and all else stays as it is.
///
/// Which commands exist does not matter, so that a future one is covered.
/// Whatever a reader might take for a line's end counts as one, and
/// zero-width characters and escape sequences of a terminal hide nothing.
///
/// Call it last, on whole lines: removing or masking characters afterwards, or
/// breaking a line, can make a new command.
///
/// ```
/// use talia_pipeline::parse::workflow_commands::neutralise;
///
/// assert_eq!(neutralise("::set-output name=a::b"), ": :set-output name=a::b");
/// assert_eq!(neutralise("50 %\r ::add-mask::x"), "50 %\r : :add-mask::x");
/// assert_eq!(neutralise("a ##[group]b"), "a # #[group]b");
/// assert_eq!(neutralise("tests/test_a.py::test_b PASSED"), "tests/test_a.py::test_b PASSED");
/// ```
pub fn neutralise(text: &str) -> Cow<'_, str> {
    if !text.contains([':', '#']) {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    let mut copied = 0;
    let mut start = 0;
    for line in text.split_inclusive(ends_line) {
        for cut in cuts(line) {
            out.push_str(&text[copied..start + cut]);
            out.push(' ');
            copied = start + cut;
        }
        start += line.len();
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

/// Where the line must be cut, in rising order.
fn cuts(line: &str) -> Vec<usize> {
    let colons = behind_leading_space(line)
        .strip_prefix(':')
        .filter(|rest| follows(rest, ':').is_some())
        .map(|rest| line.len() - rest.len());
    let signs = line.match_indices('#').filter_map(|(index, sign)| {
        let rest = &line[index + sign.len()..];
        follows(follows(rest, '#')?, '[').map(|_| index + sign.len())
    });
    colons.into_iter().chain(signs).collect()
}

/// What comes behind the character, if it is the next that can be seen.
fn follows(text: &str, next: char) -> Option<&str> {
    text.trim_start_matches(is_invisible).strip_prefix(next)
}

/// The line from its first visible character on. An escape sequence in front
/// is passed over as well: whoever removes it later must not make a command.
fn behind_leading_space(line: &str) -> &str {
    let mut rest = line;
    loop {
        let trimmed =
            rest.trim_start_matches(|char: char| char.is_whitespace() || is_invisible(char));
        // The trimming has taken the escape character itself.
        let escape =
            rest.len() > trimmed.len() && line[..line.len() - trimmed.len()].ends_with('\u{1b}');
        let Some(sequence) = trimmed.strip_prefix('[').filter(|_| escape) else { return trimmed };
        let Some(end) = sequence.find(|char: char| ('@'..='~').contains(&char)) else {
            return trimmed;
        };
        rest = &sequence[end + 1..];
    }
}

fn ends_line(char: char) -> bool {
    matches!(
        char,
        '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

/// Control characters, and what Unicode lists as Default_Ignorable_Code_Point.
fn is_invisible(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// Escapes the message of a workflow command of our own.
///
/// ```
/// use talia_pipeline::parse::workflow_commands::{escape_data, escape_property};
///
/// let (file, message) = ("a,b.py", "100 %\nwrong: x");
/// assert_eq!(
///     format!("::error file={}::{}", escape_property(file), escape_data(message)),
///     "::error file=a%2Cb.py::100 %25%0Awrong: x"
/// );
/// ```
pub fn escape_data(text: &str) -> Cow<'_, str> {
    escape(text, &['%', '\r', '\n'])
}

/// Escapes a property of a workflow command of our own, such as `file=…`.
pub fn escape_property(text: &str) -> Cow<'_, str> {
    escape(text, &['%', '\r', '\n', ':', ','])
}

fn escape<'a>(text: &'a str, special: &[char]) -> Cow<'a, str> {
    if !text.contains(special) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        if special.contains(&char) {
            out.push_str(&format!("%{:02X}", u32::from(char)));
        } else {
            out.push(char);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the runner reads a line, but without seeing invisible characters.
    fn is_command(line: &str) -> bool {
        let seen: String =
            line.chars().filter(|&char| !is_invisible(char) || char.is_whitespace()).collect();
        seen.trim_start().starts_with("::") || seen.contains("##[")
    }

    #[test]
    fn commands_lose_their_power_wherever_they_hide() {
        let hostile = [
            "::set-output name=x::y",
            "::ADD-MASK::x",
            "  \t::stop-commands::tok",
            "\u{a0}\u{3000}::error::x",
            "\u{feff}::error::x",
            ":\u{200b}:error::x",
            "\u{ad}:\u{feff}:error::x",
            "\0::error::x",
            "\u{1b}[0m::error::x",
            "\u{1b}[1;31m \u{1b}[K::error::x",
            "progress\r::set-env name=PATH::/x",
            "a\r\n::debug::b",
            "a\u{85}::debug::b",
            "a\u{2028}::debug::b\u{2029}::c::",
            "a\u{b}::x::\u{c}::y::",
            "##[group]x",
            "text ##[error]x ##[\u{200b}end]",
            "###[x]",
            "##\u{200d}[x]#\u{feff}#[y]",
            ":::x::",
            "::::",
            "::",
        ];
        for text in hostile {
            let safe = neutralise(text);
            for line in safe.split(ends_line) {
                assert!(!is_command(line), "{text:?} gave {line:?}");
            }
            let without: String = safe.chars().filter(|&char| char != ' ').collect();
            assert_eq!(without, text.replace(' ', ""), "only spaces are added");
            assert_eq!(neutralise(&safe), safe, "once is enough");
        }
    }

    #[test]
    fn ordinary_output_is_untouched() {
        for text in [
            "",
            "a::b",
            "tests/a.py::b",
            "x: ::y",
            "# title",
            "#[derive(Debug)]",
            "# #[x",
            "http://[::1]:80",
            ": a",
            "std::fmt",
        ] {
            assert!(matches!(neutralise(text), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn escapes_are_those_of_the_runner() {
        assert_eq!(escape_data("%0A\r\n:,"), "%250A%0D%0A:,");
        assert_eq!(escape_property("%\r\n:,ä"), "%25%0D%0A%3A%2Cä");
        assert!(matches!(escape_property("plain"), Cow::Borrowed(_)));
    }
}
