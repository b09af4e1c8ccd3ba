//! The landing page: what is asked about it, and what is answered.

mod answer;
mod request;

pub use answer::{
    LandingAborted, LandingBegun, LandingDrift, LandingFile, LandingIndex, LandingRelease,
    LandingReleased, LandingState, LandingTaken, LandingTransaction, LandingVerified,
    LandingVersion,
};
pub use request::LandingRequest;
