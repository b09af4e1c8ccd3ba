//! What a client does for a landing page: the source on this machine, and its way to a
//! server.

mod cache;
mod changes;
mod hash;
mod index;
mod keep;
mod known;
mod rsync;
mod stamp;
mod text;
mod walk;

pub use changes::WriteChanges;
pub use index::IndexTree;
pub use keep::KeepIndex;
pub use known::{KeepTree, KnownHash, KnownTree};
pub use rsync::Rsync;
pub use text::ReadText;
