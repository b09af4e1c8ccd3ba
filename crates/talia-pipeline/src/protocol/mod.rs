//! What a client may ask a server's agent, in one strict grammar, and what the
//! agent answers.
//!
//! A [`Request`] is one line: a verb and its words, one blank between them. It is
//! parsed with the same code that prints it, and everything else is refused whole;
//! nothing of it ever reaches a shell. Which verbs a key may use is its [`Role`].
//! The environment is not part of a request: the server's own forced command names
//! it, so that a key for staging cannot speak of production.

mod answer;
mod landing;
mod request;
mod role;
mod slot;
mod version;
mod word;
mod words;

pub use answer::{
    BackOutlook, BackupState, Cancelled, Difference, Drilled, Earlier, Hello, ImageAt, LockHolder,
    Outlook, Refusal, Released, RestorePlan, Restored, ServerState, SlotState, Taken, to_json,
};
pub use landing::{
    LandingAborted, LandingBegun, LandingDrift, LandingFile, LandingIndex, LandingRelease,
    LandingReleased, LandingRequest, LandingState, LandingTaken, LandingTransaction,
    LandingVerified, LandingVersion,
};
pub use request::{LogQuery, Request, Whose};
pub use role::Role;
pub use slot::Slot;
pub use version::Version;
pub(crate) use word::compact_time;
pub use word::{EnvironmentName, ReleaseId, RequestId, RevisionId, RunId, Since, Who, utc};
