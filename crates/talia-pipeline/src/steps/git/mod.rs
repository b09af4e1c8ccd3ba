//! Questions to git. Nothing here changes a repository.

mod ancestor;
pub mod commits;
mod diff;
mod export;
mod file;
mod resolve;
mod revision;
mod uncommitted;

pub use ancestor::Ancestor;
pub use diff::{ChangedLines, IsShallow, RepositoryRoot, TrackedFiles};
pub use export::{FreshFolder, Gaps, GitArchive, LeftOut, Unpack};
pub use file::CommittedFile;
pub use resolve::ResolveRevision;
pub use revision::{Remote, Revision, RevisionOf, WorkingTree};
pub use uncommitted::Uncommitted;

use camino::Utf8Path;

use crate::command_line::{CommandLine, Effect};

/// A git command that reads: no index refresh, no pager, no hooks, no helper
/// programs of the user's configuration.
fn git(root: &Utf8Path) -> CommandLine {
    CommandLine::new("git")
        .args(["--no-optional-locks", "--no-pager", "-c", "core.fsmonitor=false"])
        .cwd(root)
        // A question about a password would wait for ever.
        .env("GIT_TERMINAL_PROMPT", "0")
        // A calling hook's repository is not the one that is asked about.
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE")
        .effect(Effect::Read)
}
