//! One rule, as a line of a filter file has it.

use std::{fmt, str::FromStr};

use crate::{
    error::{Error, Result},
    parse::visible,
};

use super::pattern::{Pattern, Place};

/// Whether what a [`Pattern`] means is published, and whether it may be deleted.
///
/// A line is a rule of rsync's, or a pattern alone, which is then excluded:
///
/// | rule | published | on the server |
/// |---|---|---|
/// | `a`, `- a`, `exclude a` | no | stays |
/// | `+ a`, `include a` | yes | deleted when it is not in the source |
/// | `H a`, `hide a`; `S a`, `show a` | no; yes | |
/// | `P a`, `protect a`; `R a`, `risk a` | | stays; deleted when it is not in the source |
///
/// Behind the first character come modifiers: `!` means what the pattern does not, `p`
/// that the rule does not hold in a folder that is deleted, `s` and `r` make `-` and
/// `+` hold for what is published alone, or for the server alone: `-s a`, `-!p a`;
/// behind a word after a comma: `exclude,s a`.
///
/// Rules that read other files (`.`, `:`, `merge`, `dir-merge`), clear the list (`!`),
/// mean attributes (`x`) or lists of rsync's own (`C`), and patterns for the paths of
/// one machine (`/`) are refused.
///
/// Source: rsync's manual, *FILTER RULES IN DEPTH*.
///
/// ```
/// use talia_pipeline::landing::Rule;
///
/// let rule: Rule = "/drafts/".parse()?;
/// assert_eq!(rule.to_string(), "- /drafts/");
/// let rule: Rule = "protect,p /downloads/".parse()?;
/// assert_eq!(rule.to_string(), "Pp /downloads/");
/// assert!("!keep.me".parse::<Rule>().is_err());
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pattern: Pattern,
    is_include: bool,
    side: Option<Side>,
    is_negated: bool,
    is_perishable: bool,
}

/// Where a rule holds, if not on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// What is published.
    Sender,
    /// What is deleted.
    Receiver,
}

impl Rule {
    /// A rule for one side that excludes.
    pub(super) fn one_sided(side: Side, pattern: &str) -> Option<Self> {
        let (is_include, is_negated, is_perishable) = (false, false, false);
        let pattern = Pattern::read(pattern).ok()?;
        Some(Self { pattern, is_include, side: Some(side), is_negated, is_perishable })
    }

    /// Whether it excludes this place; `None` when it says nothing about it.
    pub(super) fn excludes(&self, side: Side, place: &Place<'_>, in_deleted: bool) -> Option<bool> {
        let other_side = self.side.is_some_and(|own| own != side);
        if other_side || in_deleted && self.is_perishable {
            return None;
        }
        let meant = self.pattern.matches_place(place) != self.is_negated;
        meant.then_some(!self.is_include)
    }
}

/// The rules of rsync: a word, a letter.
const WORDS: [(&str, char); 6] = [
    ("exclude", '-'),
    ("include", '+'),
    ("hide", 'H'),
    ("show", 'S'),
    ("protect", 'P'),
    ("risk", 'R'),
];
/// Those that are not for a tree's own rules.
const REFUSED: [(&str, char); 3] = [("merge", '.'), ("dir-merge", ':'), ("clear", '!')];
/// All that may stand behind a rule's letter.
const MODIFIERS: &str = "/!srpxCwen-+";

/// What stands in front of the pattern: the letter and the modifiers, then the pattern.
fn head(line: &str) -> Option<(char, &str, &str)> {
    let all = || WORDS.into_iter().chain(REFUSED);
    for (word, letter) in all() {
        match line.strip_prefix(word).map(|rest| (rest, rest.chars().next())) {
            Some((rest, Some(' '))) => return Some((letter, "", &rest[1..])),
            Some((rest, Some(','))) => {
                let (modifiers, pattern) = rest[1..].split_once(' ').unwrap_or((&rest[1..], ""));
                return Some((letter, modifiers, pattern));
            }
            _ => {}
        }
    }
    let letter = line.chars().next().filter(|first| all().any(|(_, letter)| letter == *first))?;
    let rest = &line[1..];
    let rest = rest.strip_prefix(',').unwrap_or(rest);
    let (modifiers, pattern) = rest.split_once(' ')?;
    // `-foo bar` and `Has a blank` are names.
    modifiers.chars().all(|c| MODIFIERS.contains(c)).then_some((letter, modifiers, pattern))
}

impl FromStr for Rule {
    type Err = Error;

    fn from_str(line: &str) -> Result<Self> {
        let wrong = |why: &str| Error::usage(format!("the rule `{}` {why}", visible(line)));
        let (letter, modifiers, pattern) = match head(line) {
            Some(parts) => parts,
            None if line == "-C" => {
                return Err(wrong("stands for a list of rsync's own")
                    .hint("write the patterns out, or `- -C` for a file of this name"));
            }
            None if matches!(line, "!" | "clear") => ('!', "", ""),
            None if line.starts_with('!') => {
                return Err(wrong("does not take anything back").hint(format!(
                    "put `+ {}` before what excludes it, or write `- {}` for a name like this",
                    line.trim_start_matches('!'),
                    line,
                )));
            }
            None => ('-', "", line),
        };
        let (is_include, mut side) = match letter {
            '-' => (false, None),
            '+' => (true, None),
            'H' => (false, Some(Side::Sender)),
            'S' => (true, Some(Side::Sender)),
            'P' => (false, Some(Side::Receiver)),
            'R' => (true, Some(Side::Receiver)),
            _ => {
                return Err(wrong(match letter {
                    '!' => "takes back what other places have said",
                    _ => "would read another file",
                })
                .hint(format!("write the rules out, or `- {line}` for a file of this name")));
            }
        };
        let (mut is_negated, mut is_perishable) = (false, false);
        let takes_sides = side.is_none();
        let (mut sends, mut receives) = (false, false);
        for modifier in modifiers.chars() {
            match modifier {
                '!' => is_negated = true,
                'p' => is_perishable = true,
                's' if takes_sides => sends = true,
                'r' if takes_sides => receives = true,
                '/' => {
                    return Err(wrong("is for the paths of one machine").hint(
                        "without the modifier, a pattern that begins with `/` is for the \
                               top of the source, and of the folder on the server",
                    ));
                }
                _ => {
                    return Err(wrong(&format!(
                        "has the modifier `{}`",
                        visible(&modifier.to_string())
                    ))
                    .hint("`!`, `p`, and for `-` and `+` also `s` and `r` are taken"));
                }
            }
        }
        match (sends, receives) {
            (true, false) => side = Some(Side::Sender),
            (false, true) => side = Some(Side::Receiver),
            _ => {}
        }
        Ok(Self { pattern: pattern.parse()?, is_include, side, is_negated, is_perishable })
    }
}

impl fmt::Display for Rule {
    /// As rsync's `--filter` takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.side, self.is_include) {
            (None, false) => "-",
            (None, true) => "+",
            (Some(Side::Sender), false) => "H",
            (Some(Side::Sender), true) => "S",
            (Some(Side::Receiver), false) => "P",
            (Some(Side::Receiver), true) => "R",
        })?;
        f.write_str(if self.is_negated { "!" } else { "" })?;
        f.write_str(if self.is_perishable { "p" } else { "" })?;
        write!(f, " {}", self.pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_rule_is_read() {
        for (line, rule) in [
            ("a", "- a"),
            ("- a", "- a"),
            ("exclude a", "- a"),
            ("-, a", "- a"),
            ("+ a", "+ a"),
            ("include,!p a", "+!p a"),
            ("H a", "H a"),
            ("hide a", "H a"),
            ("-s a", "H a"),
            ("+s a", "S a"),
            ("show a", "S a"),
            ("-r a", "P a"),
            ("P a", "P a"),
            ("protect,p a", "Pp a"),
            ("+rp! a", "R!p a"),
            ("-sr a", "- a"),
            ("risk a b", "R a b"),
            ("- - a", "- - a"),
            // Names.
            ("-foo bar", "- -foo bar"),
            ("-x", "- -x"),
            ("Has a blank", "- Has a blank"),
            ("hide", "- hide"),
            ("shows a", "- shows a"),
            (".htaccess", "- .htaccess"),
            ("#*#", "- #*#"),
        ] {
            assert_eq!(line.parse::<Rule>().unwrap().to_string(), rule, "{line}");
            assert_eq!(rule.parse::<Rule>().unwrap().to_string(), rule, "{line}");
        }
    }

    #[test]
    fn what_is_not_taken_says_what_to_write() {
        let lines = [
            ". other",
            ": .rules",
            "merge x",
            "dir-merge,n- x",
            "!",
            "clear",
            "!keep.me",
            "-C",
            "-C x",
            "-x user.a",
            "-/ /srv/a",
            "Ps a",
            "- ",
            "+ [a",
            "- a ",
            "hide,",
            "-w a",
        ];
        let mut said = String::new();
        for line in lines {
            let error = line.parse::<Rule>().unwrap_err();
            said.push_str(&format!("{error}\n"));
            if let Some(hint) = error.hint_text() {
                said.push_str(&format!("  {hint}\n"));
            }
        }
        insta::assert_snapshot!(said, @r"
        the rule `. other` would read another file
          write the rules out, or `- . other` for a file of this name
        the rule `: .rules` would read another file
          write the rules out, or `- : .rules` for a file of this name
        the rule `merge x` would read another file
          write the rules out, or `- merge x` for a file of this name
        the rule `dir-merge,n- x` would read another file
          write the rules out, or `- dir-merge,n- x` for a file of this name
        the rule `!` takes back what other places have said
          write the rules out, or `- !` for a file of this name
        the rule `clear` takes back what other places have said
          write the rules out, or `- clear` for a file of this name
        the rule `!keep.me` does not take anything back
          put `+ keep.me` before what excludes it, or write `- !keep.me` for a name like this
        the rule `-C` stands for a list of rsync's own
          write the patterns out, or `- -C` for a file of this name
        the rule `-C x` has the modifier `C`
          `!`, `p`, and for `-` and `+` also `s` and `r` are taken
        the rule `-x user.a` has the modifier `x`
          `!`, `p`, and for `-` and `+` also `s` and `r` are taken
        the rule `-/ /srv/a` is for the paths of one machine
          without the modifier, a pattern that begins with `/` is for the top of the source, and of the folder on the server
        the rule `Ps a` has the modifier `s`
          `!`, `p`, and for `-` and `+` also `s` and `r` are taken
        the pattern `` says nothing
        the pattern `[a` has a `[` without its `]`; write `\[` where a name has one
        the pattern `a ` begins or ends with a blank; write `[ ]` where a name does
        the pattern `` says nothing
        the rule `-w a` has the modifier `w`
          `!`, `p`, and for `-` and `+` also `s` and `r` are taken
        ");
    }
}
