//! The landing page: what is asked about it, and what is answered.

mod answer;
mod encoded;
mod request;

pub use answer::{
    LandingAborted, LandingBegun, LandingDrift, LandingFile, LandingIndex, LandingRelease,
    LandingReleased, LandingState, LandingTaken, LandingTransaction, LandingVerified,
};
pub use request::LandingRequest;
