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
    on_signals([SIGINT, SIGTERM, SIGHUP], |_, cancel| {
        if cancel.is_cancelled() {
            cancel.kill();
        } else {
            cancel.interrupt();
        }
    })
}

/// As [`listen`], for what has to put things right before it ends: however often it
/// is asked, nothing is killed, and a caller that hangs up ends nothing.
///
/// # Errors
/// When the handlers cannot be installed.
pub fn listen_gently() -> Result<Cancel> {
    on_signals([SIGINT, SIGTERM, SIGHUP], |signal, cancel| {
        if signal != SIGHUP && !cancel.is_cancelled() {
            cancel.interrupt();
        }
    })
}

fn on_signals(signals: [i32; 3], heard: impl Fn(i32, &Cancel) + Send + 'static) -> Result<Cancel> {
    let mut signals = Signals::new(signals)
        .map_err(|cause| Error::step("signals cannot be handled").caused_by(cause))?;
    let cancel = Cancel::new();
    let told = cancel.clone();
    thread::spawn(move || {
        for signal in signals.forever() {
            heard(signal, &told);
        }
    });
    Ok(cancel)
}
