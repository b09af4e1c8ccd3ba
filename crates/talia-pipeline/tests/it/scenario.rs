//! Scenarios that need a process of their own: this binary again, asked by a
//! variable to play one of them.
#![expect(clippy::disallowed_methods, reason = "tests arrange processes by hand")]

use std::{
    env,
    process::{Child, Command, Stdio},
};

const SCENARIO: &str = "TALIA_IT_SCENARIO";
const ARGUMENT: &str = "TALIA_IT_ARGUMENT";

/// This binary as a command that plays the scenario, in no report's way.
pub(crate) fn scenario(name: &str, argument: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["scenario::helper", "--exact", "--nocapture", "--test-threads=1"]);
    command.env(SCENARIO, name).env(ARGUMENT, argument).stdin(Stdio::null());
    // The tests may themselves run in a step, and what a live run has started is spared.
    command.env_remove(talia_pipeline::process::RUN_MARK);
    command
}

/// A process that does not outlive a test that fails.
pub(crate) struct Ends(pub(crate) Child);

impl Drop for Ends {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Plays the scenario to its end; gives what it printed to both streams.
#[track_caller]
pub(crate) fn play(name: &str, argument: &str) -> String {
    let output = scenario(name, argument).output().unwrap();
    let text = [output.stdout, output.stderr].map(|b| String::from_utf8_lossy(&b).into_owned());
    let text = text.concat();
    assert!(output.status.success(), "{name} {argument}: {}\n{text}", output.status);
    text
}

/// Plays a scenario when this process was started to; else nothing.
#[test]
fn helper() {
    let Ok(name) = env::var(SCENARIO) else { return };
    let argument = env::var(ARGUMENT).unwrap_or_default();
    match name.as_str() {
        "interrupted" => crate::signals::interrupted(&argument),
        "memory" => crate::memory::memory(&argument),
        "report" => crate::memory::report(),
        "panic" => crate::secrets::panic_with_a_secret(),
        "holder" => crate::state::holder(&argument),
        other => panic!("no scenario {other}"),
    }
}
