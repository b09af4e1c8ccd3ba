//! What the landing page's source says, against what clients get.

use crate::{
    context::Context,
    error::{Error, Result},
    landing::{Change, Entry, TreePath},
    parse::line_diff,
    protocol::LandingFile,
    steps::landing::ReadText,
};

use super::deploy_landing::{LandingDeploy, LandingProspect, look_at_landing};

/// How one file differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDiff {
    /// Which one.
    pub path: TreePath,
    /// A unified diff from what is live to the source, or in a few words why there is none.
    pub diff: String,
}

/// Compares every text that would change with what is live, without a change on either
/// side. Its first part is that of a deploy.
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
    let mut files = Vec::new();
    for (path, change) in plan.changes() {
        let is_file = |entry: Option<&Entry>| matches!(entry, Some(Entry::File { .. }));
        let (before, after) = (is_file(change.before()), is_file(change.after()));
        let is_moved = matches!(change, Change::Renamed { .. } | Change::ModeChanged { .. });
        if is_moved || !(before || after) {
            continue;
        }
        let nothing = || LandingFile::Text { text: String::new() };
        let live = if before { order.remote.landing_file(cx, path)? } else { nothing() };
        let source = ReadText::new(&prospect.local.source, path);
        let own = if after { cx.observe(source)? } else { nothing() };
        files.push(FileDiff { path: path.clone(), diff: compared(path, &live, &own) });
    }
    Ok((prospect, files))
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
}
