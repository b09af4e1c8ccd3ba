//! Who answers an action: the shell, the recorder, or a fake for tests.

mod core;
mod fake;
#[cfg(feature = "fault-injection")]
pub mod faults;
mod kept;
mod masking;
mod observe;
mod output;
mod poll;
mod put_off;
mod recorder;
mod shell;
mod slots;

pub(crate) use self::core::{Core, Limits, Progress};
pub use fake::Fake;
pub(crate) use masking::masked;
pub(crate) use recorder::Recorder;
pub(crate) use shell::{Shell, told};
pub(crate) use slots::Slots;

/// The three ways to answer an action.
pub(crate) enum Runner {
    Shell,
    Recorder(Recorder),
    Fake(Fake),
}
