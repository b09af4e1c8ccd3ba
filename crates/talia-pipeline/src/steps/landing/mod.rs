//! What a client does for a landing page.

mod changes;
mod rsync;

pub use changes::WriteChanges;
pub use rsync::Rsync;
