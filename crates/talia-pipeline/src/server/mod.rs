//! What a server's disk holds: where things lie, which releases there are, who
//! holds the lock.
//!
//! Nothing here decides what is done; that is for the flows of the agent.

mod app_logs;
mod compose_env;
mod endpoint;
mod files;
pub mod landing;
mod layout;
mod lock;
mod policies;
mod record;
mod rights;
mod slot_file;

pub use app_logs::{LogFile, LogFolder, LogTail};
pub use compose_env::compose_env;
pub use endpoint::Endpoint;
pub use files::{Drift, PushedFile, ServerFiles, drift};
pub use layout::Layout;
pub use lock::{GONE, Lock, end_holders, holder, holds, interrupt_holder};
pub use policies::{policies, refuse_shared};
pub use record::{Fate, Record, Records};
pub use rights::{Judge, Reading};
pub use slot_file::slot_file;
