//! A Rust file as text, without what is not its own code.

/// One file.
pub(super) struct Source {
    /// Its path, from the folder that was looked through.
    pub(super) path: String,
    /// All of it.
    pub(super) text: String,
    /// The same without comments, without what stands in quotes, and without tests.
    pub(super) code: String,
}

impl Source {
    pub(super) fn new(path: &str, text: &str) -> Self {
        let code = without_tests(&without_text(text));
        Self { path: path.to_owned(), text: text.to_owned(), code }
    }

    /// Whether all of the file is for tests.
    pub(super) fn is_test(&self) -> bool {
        self.path.split('/').any(|part| part == "tests")
            || self.path.ends_with("tests.rs")
            || self.path.ends_with("steps/testing.rs")
            || self.path == "steps/testing.rs"
    }

    /// The module's names from the crate's root: `steps`, `git`, `diff`.
    pub(super) fn module(&self) -> Vec<&str> {
        let path = self.path.trim_end_matches(".rs");
        let path = path.strip_suffix("/mod").unwrap_or(path);
        path.split('/').filter(|part| *part != "lib" && *part != "main").collect()
    }
}

/// Blanks comments and the insides of literals; lines stay lines.
pub(super) fn without_text(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let blank = |out: &mut String, chars: &[char]| {
        out.extend(chars.iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
    };
    let mut at = 0;
    while at < chars.len() {
        let rest = &chars[at..];
        let length = match rest {
            ['/', '/', ..] => rest.iter().position(|&c| c == '\n').unwrap_or(rest.len()),
            ['/', '*', ..] => block_comment(rest),
            ['r', ..] | ['b', 'r', ..] if !follows_a_word(&out) => raw_string(rest).unwrap_or(0),
            ['"', ..] => quoted(rest, '"'),
            ['\'', '\\', ..] => quoted(rest, '\''),
            // Else the apostrophe begins a lifetime.
            ['\'', _, '\'', ..] => 3,
            _ => 0,
        };
        match length {
            0 => out.push(rest[0]),
            _ => blank(&mut out, &rest[..length]),
        }
        at += length.max(1);
    }
    out
}

fn follows_a_word(out: &str) -> bool {
    out.ends_with(|c: char| c.is_alphanumeric() || c == '_')
}

fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    at
}

fn quoted(rest: &[char], end: char) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != end {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

fn raw_string(rest: &[char]) -> Option<usize> {
    let from = rest.iter().position(|&c| c == 'r')? + 1;
    let signs = rest[from..].iter().take_while(|&&c| c == '#').count();
    if rest.get(from + signs) != Some(&'"') {
        return None;
    }
    let end: String = std::iter::once('"').chain(std::iter::repeat_n('#', signs)).collect();
    let body: String = rest[from + signs + 1..].iter().collect();
    let length = body.find(&end).map_or(body.chars().count(), |at| body[..at].chars().count());
    Some((from + signs + 1 + length + end.len()).min(rest.len()))
}

/// Takes away every module that is for tests alone.
fn without_tests(code: &str) -> String {
    let mut out = String::new();
    let mut lines = code.split_inclusive('\n').peekable();
    while let Some(line) = lines.next() {
        if !line.starts_with("#[cfg(test)]") {
            out.push_str(line);
            continue;
        }
        let mut depth = 0;
        for line in lines.by_ref() {
            depth += line.matches('{').count() as i64 - line.matches('}').count() as i64;
            // More attributes may stand before the module itself.
            if depth == 0 && !line.starts_with("#[") && (line.contains(';') || line.contains('}')) {
                break;
            }
        }
    }
    out
}

/// The code between the brace, bracket or parenthesis at the front and its end.
pub(super) fn enclosed(code: &str) -> &str {
    let mut depth = 0;
    for (at, c) in code.char_indices() {
        match c {
            '(' | '{' | '[' => depth += 1,
            ')' | '}' | ']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &code[1.min(at)..at];
        }
    }
    code
}

/// The pieces between the commas that stand in no bracket of any kind.
pub(super) fn pieces(list: &str) -> Vec<&str> {
    let (mut depth, mut from, mut found) = (0, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '(' | '{' | '[' | '<' => depth += 1,
            // `->` ends nothing.
            '>' if list[..at].ends_with('-') => {}
            ')' | '}' | ']' | '>' => depth -= 1,
            ',' if depth == 0 => {
                found.push(list[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    found.push(list[from..].trim());
    found.retain(|piece| !piece.is_empty());
    found
}

#[test]
fn comments_and_literals_are_no_code() {
    let code = without_text(
        "a // b\n/* c /* d */ e */ f(\"g\\\"h\", r#\"i\"j\"#, '\\'', 'k', b\"l\") 'life br\"m\" var\n",
    );
    let words: Vec<&str> = code.split_whitespace().collect();
    assert_eq!(words, ["a", "f(", ",", ",", ",", ",", "b", ")", "'life", "var"]);
    assert_eq!(code.lines().count(), 2);
}

#[test]
fn test_modules_are_no_code() {
    let text =
        "a\n#[cfg(test)]\n#[expect(x)]\nmod tests {\n  fn b() {}\n}\nc\n#[cfg(test)]\nmod d;\ne\n";
    assert_eq!(Source::new("x.rs", text).code, "a\nc\ne\n");
}

#[test]
fn lists_are_cut_at_their_own_commas() {
    assert_eq!(
        pieces("a: B<C, D>, e: impl Fn(f, g) -> H, "),
        ["a: B<C, D>", "e: impl Fn(f, g) -> H"]
    );
    assert_eq!(enclosed("{a{b}c}d"), "a{b}c");
}
