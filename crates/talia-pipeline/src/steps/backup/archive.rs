use std::{collections::BTreeSet, time::Duration};

use camino::Utf8PathBuf;

use crate::{
    command_line::{CommandLine, Effect},
    step::{Action, Step, Summary},
};

use super::{dump::CAPTURE_BYTES, failure::read_answer};

/// One line of a dump's list: `218; 1259 16399 TABLE public users talia`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    line: String,
    /// `class/object` of what it makes; `None` where it is about another entry.
    object: Option<String>,
    /// What stands behind the numbers: kind, schema, name, owner.
    text: String,
}

/// What the numbers of a row's data are of: tables, sequences.
const CLASS_OF_TABLES: &str = "1259";

/// Kinds of two or more words that could be taken for a shorter one.
const KINDS: &[&str] = &[
    "ACCESS METHOD",
    "CHECK CONSTRAINT",
    "DEFAULT ACL",
    "EVENT TRIGGER",
    "FK CONSTRAINT",
    "FOREIGN DATA WRAPPER",
    "FOREIGN SERVER",
    "FOREIGN TABLE",
    "INDEX ATTACH",
    "MATERIALIZED VIEW DATA",
    "MATERIALIZED VIEW",
    "OPERATOR CLASS",
    "OPERATOR FAMILY",
    "ROW SECURITY",
    "SEQUENCE OWNED BY",
    "SEQUENCE SET",
    "SHELL TYPE",
    "TABLE ATTACH",
    "TABLE DATA",
    "TEXT SEARCH CONFIGURATION",
    "TEXT SEARCH DICTIONARY",
    "TEXT SEARCH PARSER",
    "TEXT SEARCH TEMPLATE",
    "USER MAPPING",
];

impl Entry {
    fn read(line: &str) -> Option<Self> {
        if line.starts_with(';') {
            return None;
        }
        let (_, rest) = line.split_once("; ")?;
        let mut parts = rest.splitn(3, ' ');
        let (class, oid, text) = (parts.next()?, parts.next()?, parts.next()?);
        let object = match (class, oid) {
            (_, "0") => None,
            // The rows of a table.
            ("0", oid) => Some(format!("{CLASS_OF_TABLES}/{oid}")),
            (class, oid) => Some(format!("{class}/{oid}")),
        };
        Some(Self { line: line.to_owned(), object, text: text.to_owned() })
    }

    /// The kind, and what follows it.
    fn kind(&self) -> (&str, &str) {
        let long = KINDS.iter().find_map(|kind| {
            let rest = self.text.strip_prefix(kind)?.strip_prefix(' ')?;
            Some((&self.text[..kind.len()], rest))
        });
        long.or_else(|| self.text.split_once(' ')).unwrap_or((&self.text, ""))
    }

    /// Whether it makes this extension.
    fn makes_extension(&self, name: &str) -> bool {
        self.text.trim_end() == format!("EXTENSION - {name}")
    }

    /// Whether it makes one of these schemas, which one of these roles owns.
    fn makes_schema(&self, names: &[String], owners: &[String]) -> bool {
        // PostgreSQL's own role, which `public` belongs to.
        let owners = owners.iter().map(String::as_str).chain(["pg_database_owner"]);
        self.text.strip_prefix("SCHEMA - ").is_some_and(|rest| {
            owners.into_iter().any(|owner| {
                let name = rest.trim_end().strip_suffix(owner);
                name.and_then(|name| name.strip_suffix(' '))
                    .is_some_and(|name| names.iter().any(|known| known == name))
            })
        })
    }

    /// Whether it says something more of what `other` makes: a comment, a grant, the
    /// next value of a sequence. These have no number of their own, only the name; and
    /// as schema, name and owner may have blanks, every way to cut them counts.
    fn is_about(&self, other: &Self) -> bool {
        if self.object.is_some() {
            return false;
        }
        let (own_kind, own) = self.kind();
        let (kind, rest) = other.kind();
        if own_kind.starts_with("SEQUENCE ") {
            return kind == "SEQUENCE" && own == rest;
        }
        let cuts = rest.match_indices(' ').map(|(at, _)| (&rest[..at], &rest[at + 1..]));
        let mut cuts = cuts.chain(std::iter::once((rest, "")));
        cuts.any(|(schema, named)| {
            let Some(behind) = own.strip_prefix(schema).and_then(|own| own.strip_prefix(' '))
            else {
                return false;
            };
            let same = behind.strip_prefix(kind).and_then(|own| own.strip_prefix(' '));
            let column = || {
                behind.strip_prefix("COLUMN ").is_some_and(|own| {
                    // The owner is the same, and stands last.
                    named.match_indices(' ').any(|(at, _)| {
                        let behind = own.strip_prefix(&named[..at]);
                        behind
                            .is_some_and(|own| own.starts_with('.') && own.ends_with(&named[at..]))
                    })
                })
            };
            same.is_some_and(|own| own == named) || column()
        })
    }
}

/// What a dump has, in the order of its restore.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Archive {
    entries: Vec<Entry>,
}

impl Archive {
    fn read(text: &str) -> Self {
        Self { entries: text.lines().filter_map(Entry::read).collect() }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// A part of it: without these extensions themselves, without these objects
    /// (`class/object`), and without what is said of either. With it comes how many
    /// entries are left out.
    #[must_use]
    pub fn without(&self, extensions: &[String], objects: &BTreeSet<String>) -> (Self, usize) {
        self.left(|entry| {
            entry.object.as_ref().is_some_and(|object| objects.contains(object))
                || extensions.iter().any(|name| entry.makes_extension(name))
        })
    }

    /// A part of it: without these schemas themselves, whose owners are among these roles,
    /// and without what is said of them. What is in them stays.
    #[must_use]
    pub fn without_schemas(&self, names: &[String], owners: &[String]) -> Self {
        self.left(|entry| entry.makes_schema(names, owners)).0
    }

    fn left(&self, goes: impl Fn(&Entry) -> bool) -> (Self, usize) {
        let gone: Vec<&Entry> = self.entries.iter().filter(|entry| goes(entry)).collect();
        let mut kept = self.entries.clone();
        kept.retain(|entry| !goes(entry) && !gone.iter().any(|other| entry.is_about(other)));
        let left_out = self.entries.len() - kept.len();
        (Self { entries: kept }, left_out)
    }

    /// As `pg_restore --use-list` reads it.
    pub fn to_list(&self) -> String {
        self.entries.iter().map(|entry| format!("{}\n", entry.line)).collect()
    }
}

/// Lists what a dump has.
///
/// - Command: `pg_restore --list -- FILE`.
/// - Exits: 0; others are read as errors.
/// - Touches: nothing. At most 60 seconds.
/// - Source: pg_restore(1).
///
/// ```
/// use talia_pipeline::{Step, steps::backup::ListArchive};
///
/// assert_eq!(ListArchive::new("pg_restore", "/srv/7.dump").label(), "list the dump");
/// ```
#[derive(Debug, Clone)]
pub struct ListArchive {
    pg_restore: String,
    dump: Utf8PathBuf,
}

impl ListArchive {
    /// By this program, this dump.
    pub fn new(pg_restore: impl Into<String>, dump: impl Into<Utf8PathBuf>) -> Self {
        Self { pg_restore: pg_restore.into(), dump: dump.into() }
    }
}

impl Step for ListArchive {
    type Output = Archive;

    fn label(&self) -> String {
        "list the dump".into()
    }

    fn action(&self) -> Action<'_, Archive> {
        let line = CommandLine::new(&self.pg_restore)
            .arg("--list")
            .operand(self.dump.as_str())
            .effect(Effect::Read)
            .accept([0, 1])
            .timeout(Duration::from_secs(60))
            .capture_bytes(CAPTURE_BYTES)
            .stdout_is_data()
            .purpose("see what the dump has");
        Action::command(line, |answer| {
            let archive = Archive::read(&read_answer(answer, "listing the dump")?);
            if answer.is_truncated() {
                return Err(answer.unreadable("a shorter list"));
            }
            Ok(archive)
        })
    }

    fn assume(&self) -> Archive {
        Archive::default()
    }

    fn summary(&self, archive: &Archive) -> Summary {
        Summary::line(format!("{} entries", archive.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    #[test]
    fn list_archive_minimal() {
        check("list_archive__minimal", &ListArchive::new("pg_restore", "/srv/7.dump"));
    }
    #[test]
    fn list_archive_other_programs() {
        let step = ListArchive::new("/opt/pg/bin/pg_restore", "/srv/7.dump");
        check("list_archive__other_programs", &step);
    }
    #[test]
    fn list_archive_hostile() {
        check("list_archive__hostile", &ListArchive::new("/it's/pg_restore", "-7 $x\n.dump"));
    }

    const LIST: &str = "\
;
; Archive created at 2026-01-02 03:04:05 UTC
;
7; 2615 16398 SCHEMA - od d o wner
2; 3079 16402 EXTENSION - citext 
3464; 0 0 COMMENT - EXTENSION citext 
267; 1255 16522 FUNCTION public f(public.citext) o wner
3465; 0 0 ACL public FUNCTION f(public.citext) o wner
219; 1259 16507 TABLE od d c x o wner
3466; 0 0 COMMENT od d TABLE c x o wner
3467; 0 0 COMMENT od d COLUMN c x.a o wner
3468; 0 0 ACL od d TABLE c x o wner
220; 1259 16508 TABLE od d c o wner
3469; 0 0 COMMENT od d TABLE c o wner
3470; 0 0 COMMENT od d COLUMN c.x o wner
216; 1259 16389 SEQUENCE public s o wner
3471; 0 0 SEQUENCE OWNED BY public s o wner
3456; 0 16507 TABLE DATA od d c x o wner
3457; 0 16508 TABLE DATA od d c o wner
3472; 0 0 SEQUENCE SET public s o wner
3473; 826 16999 DEFAULT ACL public DEFAULT PRIVILEGES FOR TABLES o wner
";

    fn without(extensions: &[&str], objects: &[&str]) -> (Vec<String>, usize) {
        let extensions: Vec<String> = extensions.iter().map(|name| (*name).into()).collect();
        let objects = objects.iter().map(|object| (*object).into()).collect();
        let all = Archive::read(LIST);
        let (kept, left_out) = all.without(&extensions, &objects);
        let number = |entry: &Entry| entry.line.split(';').next().unwrap_or_default().to_owned();
        let kept: Vec<String> = kept.entries.iter().map(number).collect();
        let gone = all.entries.iter().map(number).filter(|line| !kept.contains(line)).collect();
        (gone, left_out)
    }

    #[test]
    fn all_entries_are_read_and_written_as_they_were() {
        let archive = Archive::read(LIST);
        assert_eq!(archive.len(), 18);
        let list: String = LIST.lines().skip(3).map(|line| format!("{line}\n")).collect();
        assert_eq!(archive.to_list(), list);
        assert_eq!(without(&[], &[]), (vec![], 0));
    }

    #[test]
    fn a_schema_goes_and_what_is_in_it_stays() {
        let all = Archive::read(LIST);
        let left = |name: &str, owner: &str| {
            all.without_schemas(&[name.to_owned()], &[owner.to_owned()]).len()
        };
        assert_eq!(left("od d", "o wner"), all.len() - 1);
        assert_eq!(left("od", "o wner"), all.len());
        assert_eq!(left("od d", "wner"), all.len());
    }

    #[test]
    fn what_is_said_of_an_entry_goes_with_it() {
        assert_eq!(without(&["citext"], &[]).0, ["2", "3464"]);
        assert_eq!(without(&["cite"], &[]).0, [""; 0]);
        assert_eq!(without(&[], &["1255/16522"]).0, ["267", "3465"]);
        assert_eq!(without(&[], &["1259/16508"]).0, ["220", "3469", "3470", "3457"]);
        assert_eq!(without(&[], &["1259/16389"]).0, ["216", "3471", "3472"]);
        assert_eq!(without(&[], &["1259/16507"]).0, ["219", "3466", "3467", "3468", "3456"]);
    }
}
