//! The library against the real tools: git, Python and its packages, Docker,
//! PostgreSQL.
//!
//! A tool that is not there fails its tests and names what brings it in; nothing
//! is skipped. `cargo xtask selftest --fast` leaves all of them out.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]
#![expect(clippy::disallowed_methods, reason = "tests arrange processes and measure time by hand")]

mod ancestry;
mod arguments;
mod backup;
mod compose;
mod drill;
mod git;
mod image;
mod landing_kit;
mod landing_plan;
mod landing_script;
mod local;
mod port;
mod postgres;
mod pytest;
mod python_env;
mod reference;
mod registry;
mod remote;
mod restore;
mod rsync;
mod rsync_filters;
mod ruff;
mod server_backup;
mod server_plans;
mod ssh;
mod support;

use std::sync::{Arc, Mutex};

use camino::Utf8Path;
use talia_pipeline::{Event, Finished, Pipeline, Report, Step, World, secret::Secret};

/// Keeps every event.
#[derive(Clone, Default)]
struct Collect(Arc<Mutex<Vec<Event>>>);

impl Report for Collect {
    fn event(&mut self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

impl Collect {
    fn events(&self) -> Vec<Event> {
        self.0.lock().unwrap().clone()
    }
}

/// Runs one step alone.
fn alone<S: Step>(root: &Utf8Path, step: impl Fn() -> S) -> Finished<S::Output> {
    alone_in(World::real().unwrap(), root, &[], step)
}

/// Runs one step alone, in a world of the test's making.
fn alone_in<S: Step>(
    world: World,
    root: &Utf8Path,
    secrets: &[&str],
    step: impl Fn() -> S,
) -> Finished<S::Output> {
    let secrets = secrets.iter().map(|name| Secret::variable(*name));
    Pipeline::new("alone", root, world).secrets(secrets).run(|cx| cx.run(step()))
}

/// The error of a run that has to fail, with its findings as text.
fn failure<T>(finished: Finished<T>) -> (talia_pipeline::Error, Vec<String>) {
    let Err(error) = finished.result else { panic!("it has passed") };
    let findings = error.findings().iter().map(ToString::to_string).collect();
    (error, findings)
}
