//! What a client does for a landing page.

mod rsync;

pub use rsync::Rsync;
