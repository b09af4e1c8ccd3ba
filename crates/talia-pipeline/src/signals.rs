//! Ctrl-C and SIGTERM as a cancellation.

use std::thread;

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::{
    error::{Error, Result},
    process::Cancel,
};

/// From now on the first SIGINT, SIGTERM or SIGHUP interrupts, and the second
/// one kills what is left. It concerns the whole process, so only a binary
/// should call it, once.
///
/// # Errors
/// When the handlers cannot be installed.
pub fn listen() -> Result<Cancel> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])
        .map_err(|cause| Error::step("signals cannot be handled").caused_by(cause))?;
    let cancel = Cancel::new();
    let heard = cancel.clone();
    thread::spawn(move || {
        for _ in signals.forever() {
            if heard.is_cancelled() {
                heard.kill();
            } else {
                heard.interrupt();
            }
        }
    });
    Ok(cancel)
}
