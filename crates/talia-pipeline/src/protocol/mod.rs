//! What a client may ask a server's agent, in one strict grammar, and what the
//! agent answers.
//!
//! A [`Request`] is one line: a verb and its words, one blank between them. It is
//! parsed with the same code that prints it, and everything else is refused whole;
//! nothing of it ever reaches a shell. Which verbs a key may use is its [`Role`].
//! The environment is not part of a request: the server's own forced command names
//! it, so that a key for staging cannot speak of production.

mod accepted;
mod answer;
mod area;
mod backups;
mod landing;
mod lock_holder;
mod log_query;
mod request;
mod role;
mod slot;
mod version;
mod whose;
mod word;
mod words;

pub use accepted::Accepted;
pub use answer::{
    BackOutlook, BackupState, Cancelled, Difference, Drilled, Earlier, Hello, ImageAt, Outlook,
    Refusal, Released, RestorePlan, Restored, ServerState, SlotState, Taken, to_json,
};
pub use area::Area;
pub use backups::{BackupKept, BackupList};
pub use landing::{
    LandingAborted, LandingBegun, LandingDrift, LandingFile, LandingIndex, LandingRelease,
    LandingReleased, LandingRequest, LandingState, LandingTaken, LandingTransaction,
    LandingVerified, LandingVersion,
};
pub use lock_holder::LockHolder;
pub use log_query::LogQuery;
pub use request::Request;
pub use role::Role;
pub use slot::Slot;
pub use version::Version;
pub use whose::Whose;
pub(crate) use word::compact_time;
pub use word::{EnvironmentName, ReleaseId, RequestId, RevisionId, RunId, Since, Who, utc};
