//! POSIX shell quoting: words that a shell gives back byte for byte.
//!
//! The rules are those of the Shell Command Language in POSIX.1-2017
//! (section 2.2, quoting; 2.4, reserved words; 2.9.1, simple commands).

use std::borrow::Cow;

/// Words that a shell takes as grammar where a command begins. The second half
/// is what bash and zsh add to POSIX: a line is pasted into whichever runs.
const RESERVED: &[&str] = &[
    "case",
    "do",
    "done",
    "elif",
    "else",
    "esac",
    "fi",
    "for",
    "if",
    "in",
    "then",
    "until",
    "while",
    "coproc",
    "end",
    "foreach",
    "function",
    "nocorrect",
    "noglob",
    "repeat",
    "select",
    "time",
];

/// Quotes one word so that it is safe anywhere in a command, the first place
/// included: neither a reserved word nor an assignment is taken for one.
///
/// A word of harmless characters stays bare. A word whose only special
/// characters are apostrophes stands in double quotes, because that reads
/// better; everything else stands in single quotes, newlines too.
///
/// A NUL cannot be part of an argument and is passed through. Quoting cannot
/// keep a shell from preferring its own `cd` or `echo` to a program of that
/// name, nor bash from taking a program called `%1` for a job.
///
/// ```
/// use talia_pipeline::quote::quote;
///
/// assert_eq!(quote("--output-format=json"), "--output-format=json");
/// assert_eq!(quote(""), "''");
/// assert_eq!(quote("$HOME/a b"), "'$HOME/a b'");
/// assert_eq!(quote("it's"), r#""it's""#);
/// assert_eq!(quote("FOO=bar"), "'FOO=bar'");
/// ```
pub fn quote(text: &str) -> Cow<'_, str> {
    if is_bare(text) && !is_grammar(text) { Cow::Borrowed(text) } else { quoted(text) }
}

/// Quotes a program and its arguments as one line.
///
/// Only the first word can be grammar, so that `NAME=value` and `if` stay bare
/// as arguments: `docker run --env NAME=value` reads as it is written by hand.
///
/// ```
/// use talia_pipeline::quote::join;
///
/// assert_eq!(join(["git", "commit", "--message", "a b"]), "git commit --message 'a b'");
/// assert_eq!(join(["env", "NAME=value"]), "env NAME=value");
/// assert_eq!(join(["NAME=value", "if"]), "'NAME=value' if");
/// ```
pub fn join<I>(words: I) -> String
where
    I: IntoIterator,
    I::Item: AsRef<str>,
{
    let mut line = String::new();
    for (index, word) in words.into_iter().enumerate() {
        let word = word.as_ref();
        if index == 0 {
            line.push_str(&quote(word));
        } else {
            line.push(' ');
            line.push_str(&argument(word));
        }
    }
    line
}

/// One word that is not the first of a command, as a shell reads it.
pub(crate) fn argument(word: &str) -> Cow<'_, str> {
    if is_bare(word) { Cow::Borrowed(word) } else { quoted(word) }
}

/// Whether no shell gives any character of the word a meaning.
fn is_bare(text: &str) -> bool {
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:,@%+=".contains(&byte);
    !text.is_empty()
        && text.bytes().all(harmless)
        // zsh expands a leading `=` to a program's path; a leading `%` names a job.
        && !text.starts_with(['=', '%'])
}

/// Whether a shell would take the bare word as grammar where a command begins.
fn is_grammar(text: &str) -> bool {
    RESERVED.contains(&text) || is_assignment(text)
}

/// `NAME=…`, and `NAME+=…` as bash has it.
fn is_assignment(text: &str) -> bool {
    let Some((name, _)) = text.split_once('=') else { return false };
    let name = name.strip_suffix('+').unwrap_or(name);
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn quoted(text: &str) -> Cow<'_, str> {
    if !text.contains('\'') {
        return Cow::Owned(format!("'{text}'"));
    }
    // `!` is history in an interactive bash, even between double quotes.
    if !text.contains(['"', '$', '`', '\\', '!', '\n', '\r']) {
        return Cow::Owned(format!("\"{text}\""));
    }
    Cow::Owned(format!("'{}'", text.replace('\'', r"'\''")))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the proof of quoting is a real shell")]
mod tests {
    use std::{
        fs,
        io::Write,
        os::unix::fs::symlink,
        path::PathBuf,
        process::{Command, Stdio},
    };

    use super::*;

    /// Marsaglia's xorshift: the same hostile words on every machine.
    struct Random(u64);

    impl Random {
        fn below(&mut self, end: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 % end as u64) as usize
        }

        fn word(&mut self, pieces: &[String]) -> String {
            (0..self.below(9)).map(|_| pieces[self.below(pieces.len())].as_str()).collect()
        }
    }

    fn pieces() -> Vec<String> {
        let mut pieces: Vec<String> =
            (1..=127_u8).map(|byte| char::from(byte).to_string()).collect();
        let more = [
            "'", "'", "\"", "\\", "\\'", "$", "$HOME", "$(id)", "`id`", "${x}", "*", "?", "[a-z]",
            "~", "~root", "a:~", "A=~", "\n", "\r\n", "\n\n", "{a,b}", "{1..3}", "!", "!!", "#",
            " #", ";", "&&", "|", ">x", "<<EOF", "EOF", "--", "-n", "-e", "%s", "%", "=", "A=",
            "A+=", "ä", "日本", "😀", "\u{a0}", "\u{2028}", "\u{85}", "\u{feff}", "é", "abc", "if",
            "\\n", "\\\n", "'\\''",
        ];
        pieces.extend(more.map(str::to_owned));
        pieces
    }

    /// Runs the script in a clean `sh` and gives what it wrote.
    fn sh(script: &str, path: &str) -> Vec<u8> {
        let mut child = Command::new("/bin/sh")
            .env_clear()
            .env("PATH", path)
            .current_dir(std::env::temp_dir())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let script = script.to_owned();
        let writer = std::thread::spawn(move || stdin.write_all(script.as_bytes()));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap().unwrap();
        assert!(output.status.success(), "{}", output.status);
        output.stdout
    }

    fn split(bytes: &[u8]) -> Vec<String> {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        text.split_terminator('\0').map(str::to_owned).collect()
    }

    #[test]
    fn sh_gives_thousands_of_hostile_words_back() {
        let (pieces, mut random) = (pieces(), Random(0x7a11_a5ee_d000_0001));
        let (mut script, mut expected) = (String::new(), Vec::new());
        for _ in 0..4000 {
            let words: Vec<String> = (0..=random.below(4)).map(|_| random.word(&pieces)).collect();
            // `.` marks the end of a line, so that an empty list shows, too.
            let line =
                join(["printf", r"%s\0"].into_iter().chain(words.iter().map(String::as_str)));
            script.push_str(&line);
            script.push_str(" .\n");
            expected.extend(words);
            expected.push(".".to_owned());
        }
        let mut given = split(&sh(&script, "/usr/bin:/bin"));
        for (index, (given, expected)) in given.iter().zip(&expected).enumerate() {
            assert_eq!(given, expected, "word {index}");
        }
        given.truncate(expected.len());
        assert_eq!(given.len(), expected.len());
    }

    #[test]
    fn every_single_character_survives_alone_and_in_a_word() {
        let words: Vec<String> = pieces()
            .iter()
            .flat_map(|piece| [piece.clone(), format!("a{piece}b"), format!("{piece}~")])
            .collect();
        let script: String =
            words.iter().map(|word| format!("printf '%s\\0' {}\n", quote(word))).collect();
        assert_eq!(split(&sh(&script, "/usr/bin:/bin")), words);
    }

    /// A folder in which every given name is a program that prints its own
    /// name and its arguments.
    fn programs(names: &[String]) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("talia-quote-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let program = folder.join("printer");
        fs::write(&program, "#!/bin/sh\nprintf '%s\\0' \"${0##*/}\" \"$@\"\n").unwrap();
        fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        for name in names {
            symlink("printer", folder.join(name)).unwrap();
        }
        folder
    }

    #[test]
    fn the_first_word_is_the_program_whatever_it_is_called() {
        let mut random = Random(42);
        let hostile = [
            "FOO=bar", "A=", "_x=1", "A+=b", "{", "}", "!", "~", "~root", "#a", "-x", "a b",
            "it's", "'",
        ];
        let more = [
            "=ls", "%1", "$HOME", "`id`", "*", "a;b", "a\nb", "ä", "\\", "\"", "[[", "]]", "a=b c",
            "&",
        ];
        let mut names: Vec<String> =
            hostile.iter().chain(&more).map(|&name| name.to_owned()).collect();
        names.extend(RESERVED.iter().map(|&name| name.to_owned()));
        let pieces = pieces();
        while names.len() < 300 {
            let name = random.word(&pieces).replace('/', "_");
            // dash's own commands are found before any file of their name.
            let taken = ["", ".", "..", "printer", ":", "["];
            if !names.contains(&name) && !taken.contains(&name.as_str()) && !name.ends_with('\n') {
                names.push(name);
            }
        }
        let folder = programs(&names);
        let script: String =
            names.iter().map(|name| join([name.as_str(), name, "."]) + "\n").collect();
        let given = split(&sh(&script, folder.to_str().unwrap()));
        fs::remove_dir_all(&folder).unwrap();
        let expected: Vec<&str> =
            names.iter().flat_map(|name| [name.as_str(), name, "."]).collect();
        assert_eq!(given, expected);
    }

    #[test]
    fn what_a_person_reads() {
        let cases = [
            ("plain", "plain"),
            ("-x", "-x"),
            ("/a/b.c", "/a/b.c"),
            ("a@b:22", "a@b:22"),
            ("if", "'if'"),
            ("!", "'!'"),
            ("~/x", "'~/x'"),
            ("a\nb", "'a\nb'"),
            ("it's $5", r"'it'\''s $5'"),
            ("'", "\"'\""),
            ("--a=b", "--a=b"),
            ("a.b=c", "a.b=c"),
        ];
        for (text, expected) in cases {
            assert_eq!(quote(text), expected);
        }
    }
}
