//! Whether what was done is what was planned.

use std::collections::{BTreeMap, BTreeSet};

use super::{Change, Entry, Kept, RsyncPlan, Tree, TreePath, difference::described};
use crate::{
    diagnostic::Diagnostic,
    error::{Error, Result},
    parse::itemize::{
        Attributes, Code, Differ, Format, Item, ItemEvent, Kind, Name, Notice, RsyncItemize, Time,
        Update,
    },
};

/// So many disagreements are told one by one.
const TOLD: usize = 20;

impl RsyncPlan {
    /// Checks that rsync reports exactly what is planned, deletions included.
    ///
    /// For a run with `-rl --checksum --delete --delete-delay` and neither `--times`
    /// nor `--perms`, into a folder with the server's files. What is only given other
    /// permissions is none of rsync's work, so that it may not report it. Nor does it
    /// report a deletion of what another kind takes the place of, and whoever needs to
    /// know looks at the plan. Other lines than those of items are the caller's to show.
    ///
    /// A dry run (`--dry-run`) of such a command is judged in the same way.
    ///
    /// # Errors
    /// A failed step whose findings name each place with what was planned and what was
    /// reported; a usage error when the report is not in [`Format::LengthAndName`].
    pub fn check_report(&self, report: &RsyncItemize) -> Result<()> {
        if report.items().iter().any(|item| item.length.is_none()) {
            let format = Format::LengthAndName.argument();
            return Err(Error::usage("a report in which names and targets cannot be told apart")
                .hint(format!("let rsync write it with `--out-format='{format}'`")));
        }
        let mut lines = Lines::default();
        self.plan_lines(&mut lines);
        report_lines(report, |name, line| lines.at(name).reported.push(line));
        for (path, _) in self.changes().filter(|(path, change)| self.may_be_there(path, change)) {
            let line = lines.at(path.as_str().into());
            if line.reported.is_empty() {
                line.planned.clear();
            }
        }
        lines.agree()
    }

    /// Checks that the tree that rsync has left is the plan's result.
    ///
    /// # Errors
    /// A failed step whose findings name each place with what was planned and what is
    /// there.
    pub fn check_staged(&self, staged: &Tree) -> Result<()> {
        let differences = self.result().differences(staged);
        let told = differences.iter().map(|one| {
            let (planned, there) = (described(one.before), described(one.after));
            format!("{}: planned {planned}, there is {there}", one.path)
        });
        disagree("the staged files are something else than what was planned", told)
    }

    /// Whether it is a folder that the server may have as its own.
    fn may_be_there(&self, path: &TreePath, change: &Change) -> bool {
        matches!(change, Change::Added { after } if after.is_folder())
            && self.own.iter().any(|own| path == own || path.is_below(own))
    }

    /// The lines that a run has to print.
    fn plan_lines(&self, lines: &mut Lines) {
        for (path, change) in self.changes() {
            let mut plan = |path: &TreePath, line: Option<String>| {
                if let Some(line) = line {
                    lines.at(path.as_str().into()).planned.push(line);
                }
            };
            if let Change::Renamed { from, before, .. } = change {
                plan(from, Some(deletion(before.is_folder())));
            }
            plan(path, planned(change));
        }
        for (path, _) in self.kept().filter(|(_, why)| *why == Kept::Holds) {
            lines.at(path.as_str().into()).planned.push(NOT_EMPTY.to_owned());
        }
    }
}

/// Checks that rsync reports exactly what a dry run of the same command did before it: that
/// is the plan where the server tells no tree. In the sense of [`RsyncPlan::check_report`],
/// in any order.
///
/// # Errors
/// A failed step whose findings name each place with what was planned and what was
/// reported.
pub fn check_repeated(dry_run: &RsyncItemize, report: &RsyncItemize) -> Result<()> {
    let mut lines = Lines::default();
    report_lines(dry_run, |name, line| lines.at(name).planned.push(line));
    report_lines(report, |name, line| lines.at(name).reported.push(line));
    lines.agree()
}

/// What was planned and what was reported of each name. Both as text, which is
/// compared and shown.
#[derive(Default)]
struct Lines(BTreeMap<Name, Line>);

#[derive(Default)]
struct Line {
    planned: Vec<String>,
    reported: Vec<String>,
}

impl Lines {
    fn at(&mut self, name: Name) -> &mut Line {
        self.0.entry(name).or_default()
    }

    /// Fails with every name of which both say something else.
    fn agree(mut self) -> Result<()> {
        self.0.retain(|_, line| {
            line.planned.sort();
            line.reported.sort();
            line.planned != line.reported
        });
        let said = |lines: &[String]| match lines {
            [] => "nothing".to_owned(),
            lines => lines.join(" and "),
        };
        let told = self.0.iter().map(|(name, line)| {
            format!("{name}: planned {}, reported {}", said(&line.planned), said(&line.reported))
        });
        disagree("rsync reports something else than what was planned", told)
    }
}

const NOT_EMPTY: &str = "that it stays, as it is not empty";

fn deletion(is_folder: bool) -> String {
    if is_folder { "`*deleting` of a folder" } else { "`*deleting`" }.to_owned()
}

/// What a run prints for a change; `None` where it prints nothing.
fn planned(change: &Change) -> Option<String> {
    let code = |update, after: &Entry, attributes| {
        let (kind, length) = match after {
            Entry::File { size, .. } => (Kind::File, Some(*size)),
            Entry::Folder { .. } => (Kind::Folder, None),
            Entry::Link { target } => (Kind::Link, Some(target.len() as u64)),
        };
        let update = if kind == Kind::File { update } else { Update::Local };
        told(Code { update, kind, attributes }, length)
    };
    let (after, attributes) = match change {
        Change::ModeChanged { .. } => return None,
        Change::Deleted { before } => return Some(deletion(before.is_folder())),
        Change::Added { after }
        | Change::KindChanged { after, .. }
        | Change::Renamed { after, .. } => (after, Attributes::New),
        Change::Changed { before, after } | Change::LinkChanged { before, after } => {
            let size = before.size() != after.size();
            let differ = Differ { content: true, size, time: Time::Transfer, ..Differ::default() };
            (after, Attributes::Differ(differ))
        }
    };
    Some(code(Update::Received, after, attributes))
}

fn told(code: Code, length: Option<u64>) -> String {
    match length {
        Some(length) => format!("`{code}` of {length} bytes"),
        None => format!("`{code}`"),
    }
}

fn report_lines(report: &RsyncItemize, mut add: impl FnMut(Name, String)) {
    let stay = report.notices().iter().filter_map(|notice| match notice {
        Notice::NotEmpty(name) => Some(name),
        Notice::Other(_) => None,
    });
    // It may be said more than once.
    let stay: BTreeSet<&Name> = stay.collect();
    for name in &stay {
        add((*name).clone(), NOT_EMPTY.to_owned());
    }
    for item in report.items() {
        // A dry run does not see that a folder in a folder that goes is not empty.
        let deletes_what_stays =
            matches!(item.event, ItemEvent::Deleted { folder: true }) && stay.contains(&item.name);
        if !deletes_what_stays {
            add(item.name.clone(), reported(item));
        }
    }
}

fn reported(item: &Item) -> String {
    match item.event {
        ItemEvent::Deleted { folder } => deletion(folder),
        ItemEvent::Updated(code) => {
            // Sent to another machine or copied on this one: the same change.
            let is_sent = code.update == Update::Sent;
            let update = if is_sent { Update::Received } else { code.update };
            let length = item.length.filter(|_| code.kind != Kind::Folder);
            told(Code { update, ..code }, length)
        }
    }
}

fn disagree(what: &str, mut told: impl ExactSizeIterator<Item = String>) -> Result<()> {
    let count = told.len();
    let Some(first) = told.next() else { return Ok(()) };
    let more = match count - 1 {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let error = Error::step(format!("{what}: {first}{more}"));
    let mut findings = vec![Diagnostic::error(first)];
    findings.extend(told.take(TOLD - 1).map(Diagnostic::error));
    if count > TOLD {
        findings.push(Diagnostic::error(format!("and {} more", count - TOLD)));
    }
    Err(error.diagnostics(findings))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{ContentHash, Filters},
        *,
    };
    use crate::ErrorKind;

    fn file(content: &str) -> Entry {
        Entry::file(content.len() as u64, ContentHash::of(content.as_bytes()))
    }

    fn tree(entries: &[(&str, Entry)]) -> Tree {
        entries.iter().map(|(path, entry)| (path.parse().unwrap(), entry.clone())).collect()
    }

    /// A plan with one of each change.
    fn plan() -> RsyncPlan {
        let server = tree(&[
            ("changed", file("12")),
            ("gone", Entry::folder()),
            ("gone/keep", file("k")),
            ("gone/x", Entry::folder()),
            ("gone/x/y", file("y")),
            ("kind", Entry::folder()),
            ("kind/in", file("in")),
            ("link", Entry::link("a")),
            ("mode", Entry::File { size: 1, hash: ContentHash::of(b"m"), mode: 0o600 }),
            ("moved from", file("moved")),
        ]);
        let local = tree(&[
            ("added", Entry::folder()),
            ("added/link", Entry::link("é")),
            ("changed", file("21")),
            ("kind", file("k2")),
            ("link", Entry::link("bcd")),
            ("mode", file("m")),
            ("moved\nto", file("moved")),
        ]);
        RsyncPlan::between(&server, &local, |path, _| path.name() == "keep").unwrap()
    }

    /// What rsync prints for it.
    const SAID: [&str; 12] = [
        "*deleting   0 kind/in",
        ">f+++++++++ 2 kind",
        ">fc.T...... 2 changed",
        "cLc.T...... 3 link",
        "<f+++++++++ 5 moved\\#012to",
        "cd+++++++++ 4096 added/",
        "cL+++++++++ 2 added/link",
        "*deleting   0 moved from",
        "*deleting   0 gone/x/y",
        "*deleting   0 gone/x/",
        "cannot delete non-empty directory: gone",
        "a message of the day",
    ];

    fn check(lines: &[&str]) -> Result<()> {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        plan().check_report(&RsyncItemize::parse(text.as_bytes(), Format::LengthAndName).unwrap())
    }

    #[test]
    fn what_is_reported_is_what_is_planned() {
        check(&SAID).unwrap();
        let backwards: Vec<&str> = SAID.into_iter().rev().collect();
        check(&backwards).unwrap();
        // A real run says it twice, a dry run also that the folder goes.
        check(&[&SAID[..], &[SAID[10], "*deleting   0 gone/"]].concat()).unwrap();
    }

    #[test]
    fn a_folder_that_the_server_has_as_its_own_may_be_there() {
        let local = tree(&[
            ("own", Entry::folder()),
            ("own/in", Entry::folder()),
            ("own/in/x", file("x")),
            ("other", Entry::folder()),
        ]);
        let plan = RsyncPlan::between(&Tree::default(), &local, |_, _| false).unwrap();
        let check = |plan: &RsyncPlan, lines: &str| {
            let report = RsyncItemize::parse(lines.as_bytes(), Format::LengthAndName).unwrap();
            plan.check_report(&report)
        };
        let some = "<f+++++++++ 1 own/in/x\ncd+++++++++ 4096 other/\n";
        check(&plan, some).unwrap_err();
        let own = ["own".parse().unwrap()];
        let filters = Filters::default();
        let plan = RsyncPlan::beside(&Tree::default(), &local, &filters, &own, &[]).unwrap();
        check(&plan, some).unwrap();
        check(&plan, &format!("{some}cd+++++++++ 4096 own/\n")).unwrap();
        check(&plan, "<f+++++++++ 1 own/in/x\n").unwrap_err();
        check(&plan, "cd+++++++++ 4096 other/\n").unwrap_err();
    }

    #[test]
    fn a_run_has_to_report_what_its_dry_run_did() {
        let read = |lines: &[&str]| {
            let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
            RsyncItemize::parse(text.as_bytes(), Format::LengthAndName).unwrap()
        };
        let backwards: Vec<&str> = SAID.into_iter().rev().collect();
        check_repeated(&read(&SAID), &read(&backwards)).unwrap();
        let dry = [&SAID[..], &["*deleting   0 gone/"]].concat();
        check_repeated(&read(&dry), &read(&[&SAID[..], &[SAID[10]]].concat())).unwrap();
        for at in 0..SAID.len() - 1 {
            let mut fewer = SAID.to_vec();
            fewer.remove(at);
            let error = check_repeated(&read(&SAID), &read(&fewer)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Step);
            assert!(error.to_string().contains("reported nothing"), "{error}");
            let error = check_repeated(&read(&fewer), &read(&SAID)).unwrap_err();
            assert!(error.to_string().contains("planned nothing"), "{error}");
        }
    }

    #[test]
    fn a_report_that_can_be_read_two_ways_is_not_taken() {
        let said = RsyncItemize::parse(b"cL+++++++++ a -> b\n", Format::NameAndTarget).unwrap();
        let error = plan().check_report(&said).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.hint_text().unwrap().contains("%i %l %n"));
    }

    #[test]
    fn every_line_counts() {
        for at in 0..SAID.len() - 1 {
            let mut fewer = SAID.to_vec();
            fewer.remove(at);
            let error = check(&fewer).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Step);
            assert!(error.to_string().contains("reported nothing"), "{error}");
        }
        for more in [
            ".d..t...... 4096 ./",
            "cd+++++++++ 4096 ./",
            ".f..T...... 1 mode",
            ".f...p..... 1 mode",
            "*deleting   0 kind/",
            "*deleting   0 gone/keep",
            "cannot delete non-empty directory: kind",
            "<f+++++++++ 5 moved\\#012to",
            "cL+++++++++ 1 new",
        ] {
            let error = check(&[&SAID[..], &[more]].concat()).unwrap_err().to_string();
            assert!(error.contains("planned"), "{more}: {error}");
        }
        let different = SAID.map(|line| line.replace("+ 5 moved", "+ 6 moved"));
        let different: Vec<&str> = different.iter().map(String::as_str).collect();
        assert_eq!(
            check(&different).unwrap_err().to_string(),
            "rsync reports something else than what was planned: moved\\nto: planned \
             `>f+++++++++` of 5 bytes, reported `>f+++++++++` of 6 bytes"
        );
    }

    #[test]
    fn many_disagreements_are_told_in_bounds() {
        let error = plan().check_report(&RsyncItemize::default()).unwrap_err();
        assert_eq!(error.findings().len(), SAID.len() - 1);
        assert!(error.to_string().ends_with("; and 10 more"), "{error}");
        let many: Tree =
            (0..500).map(|n| (format!("{n}\u{1b}").parse().unwrap(), Entry::link("x"))).collect();
        let error = plan().check_staged(&many).unwrap_err();
        assert_eq!(error.findings().len(), TOLD + 1);
        let last = error.findings().last().unwrap().to_string();
        assert!(last.contains("and 489 more"), "{last}");
        assert!(!error.findings()[0].to_string().contains('\u{1b}'));
        plan().check_staged(plan().result()).unwrap();
    }
}
