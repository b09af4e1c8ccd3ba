//! What the landing page's source says, against what clients get.

use crate::{
    context::Context,
    error::{Error, Result},
    landing::{Change, Entry, TreePath},
    parse::{line_diff, visible},
    protocol::LandingFile,
    steps::landing::ReadText,
};

use super::deploy_landing::{LandingDeploy, LandingProspect, look_at_landing};

/// How one place differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDiff {
    /// Which one.
    pub path: TreePath,
    /// A unified diff from what is live to the source; in a few words what else is
    /// different, or why there is none.
    pub diff: String,
}

/// Compares all that a deploy would change with what is live, without a change on either
/// side: texts line by line. Its first part is that of a deploy.
///
/// # Errors
/// Refused where the server has no agent; as [`look_at_landing`].
pub fn diff_landing(
    cx: &Context,
    order: &LandingDeploy<'_>,
) -> Result<(LandingProspect, Vec<FileDiff>)> {
    if !order.remote.has_agent() {
        return Err(Error::refused("a server without an agent does not tell what its files hold")
            .hint(
                order.remote.addressed(
                    "`cargo xtask deploy landing --plan` tells which files would change",
                ),
            ));
    }
    let prospect = look_at_landing(cx, order)?;
    let Some(plan) = &prospect.plan else { return Ok((prospect, Vec::new())) };
    let is_there = |change: &Change| is_compared(change) && is_file(change.before());
    let there: Vec<TreePath> = plan
        .changes()
        .filter(|(_, change)| is_there(change))
        .map(|(path, _)| path.clone())
        .collect();
    let mut live = order.remote.landing_files(cx, &there)?.into_iter();
    let mut files = Vec::new();
    for (path, change) in plan.changes() {
        let diff = if is_compared(change) {
            let nothing = || LandingFile::Text { text: String::new() };
            let before = if is_there(change) { live.next() } else { None };
            let before = before.unwrap_or_else(nothing);
            let after = match is_file(change.after()) {
                true => cx.observe(ReadText::new(&prospect.local.source, path))?,
                false => nothing(),
            };
            compared(path, &before, &after)
        } else {
            told(path, change)
        };
        files.push(FileDiff { path: path.clone(), diff });
    }
    Ok((prospect, files))
}

fn is_file(entry: Option<&Entry>) -> bool {
    matches!(entry, Some(Entry::File { .. }))
}

/// Whether contents differ.
fn is_compared(change: &Change) -> bool {
    let is_same = matches!(change, Change::Renamed { .. } | Change::ModeChanged { .. });
    !is_same && (is_file(change.before()) || is_file(change.after()))
}

/// What differs beside contents.
fn told(path: &TreePath, change: &Change) -> String {
    let what = |entry: &Entry| match entry {
        Entry::Folder { mode } => format!("a folder, {mode:o}"),
        Entry::File { mode, .. } => format!("a file, {mode:o}"),
        Entry::Link { target } => format!("a link to {}", visible(target)),
    };
    match change {
        Change::Renamed { from, .. } => format!("{path}: the same as {from}, which goes\n"),
        _ => {
            let (before, after) = (change.before().map(what), change.after().map(what));
            let nothing = || "nothing".to_owned();
            let (before, after) = (before.unwrap_or_else(nothing), after.unwrap_or_else(nothing));
            format!("{path}: {before} → {after}\n")
        }
    }
}

fn compared(path: &TreePath, live: &LandingFile, own: &LandingFile) -> String {
    match (live, own) {
        (LandingFile::Text { text: live }, LandingFile::Text { text: own }) => {
            line_diff::unified(&path.to_string(), live, own)
        }
        (LandingFile::TooLong { .. }, _) | (_, LandingFile::TooLong { .. }) => {
            format!("{path}: longer than {} bytes\n", LandingFile::LONGEST)
        }
        _ => format!("{path}: no text\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::landing::ContentHash;

    #[test]
    fn texts_are_compared_and_bytes_are_named() {
        let path: TreePath = "a\n.html".parse().unwrap();
        let text = |text: &str| LandingFile::Text { text: text.into() };
        let diff = compared(&path, &text("one\n"), &text("two\n"));
        assert!(diff.starts_with("--- a\\n.html\n+++ a\\n.html\n"), "{diff}");
        assert!(diff.ends_with("-one\n+two\n"), "{diff}");
        let bytes = LandingFile::Binary { size: 2 };
        assert_eq!(compared(&path, &text(""), &bytes), "a\\n.html: no text\n");
    }

    #[test]
    fn what_is_no_content_is_told_in_a_line() {
        let path: TreePath = "a".parse().unwrap();
        let file = |mode| Entry::File { size: 1, hash: ContentHash::of(b"x"), mode };
        let renamed = Change::Renamed {
            from: "b c".parse().unwrap(),
            before: file(0o644),
            after: file(0o644),
        };
        let mode = Change::ModeChanged { before: file(0o600), after: file(0o644) };
        let link = Change::LinkChanged { before: Entry::link("x\n"), after: Entry::link("y") };
        for change in [&renamed, &mode, &link] {
            assert!(!is_compared(change), "{change:?}");
        }
        assert_eq!(told(&path, &renamed), "a: the same as b c, which goes\n");
        assert_eq!(told(&path, &mode), "a: a file, 600 → a file, 644\n");
        assert_eq!(told(&path, &link), "a: a link to x\\n → a link to y\n");
        let gone = Change::Deleted { before: Entry::folder() };
        assert_eq!(told(&path, &gone), "a: a folder, 755 → nothing\n");
    }
}
