//! Whether what was run is what was planned; here and in the tests of real deploys.

use std::env;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;
use talia_pipeline::{CommandLine, EnvValue};

use crate::trace::Started;

/// The plan's command lines: requirement look-ups, observations and steps.
pub(crate) fn planned(json: &str) -> Vec<CommandLine> {
    // In a plan's text a hole is written for people.
    let json = json.replace('⟨', "\u{FDD0}").replace('⟩', "\u{FDD1}");
    let plan: Value = serde_json::from_str(&json).unwrap();
    let mut found = Vec::new();
    collect(&plan, &mut found);
    found
}

fn collect(value: &Value, found: &mut Vec<CommandLine>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(fields) => {
            for (name, field) in fields {
                if ["command", "probe"].contains(&name.as_str()) {
                    found.push(serde_json::from_value(field.clone()).unwrap());
                } else {
                    collect(field, found);
                }
            }
        }
        _ => {}
    }
}

/// Where a shell finds a program.
fn resolved(program: &str) -> Utf8PathBuf {
    if program.contains('/') {
        return program.into();
    }
    let path = env::var("PATH").unwrap();
    let found = path.split(':').map(|folder| Utf8Path::new(folder).join(program));
    found.into_iter().find(|path| path.is_file()).unwrap_or_default()
}

/// Whether this process is that command line with its holes filled.
fn is(started: &Started, planned: &CommandLine, directory: &Utf8Path) -> bool {
    if started.program != resolved(planned.program()) || started.env["LC_ALL"] != "C.UTF-8" {
        return false;
    }
    let mut line = CommandLine::new(planned.program()).args(&started.args[1..]);
    match planned.directory() {
        Some(_) => line = line.cwd(&started.directory),
        None if started.directory != *directory => return false,
        None => {}
    }
    for (name, value) in planned.environment() {
        line = match (started.env.get(name), value) {
            (None, EnvValue::Removed) => line.env_remove(name),
            (Some(actual), EnvValue::Text(_)) => line.env(name, actual),
            (Some(_), EnvValue::Secret(secret)) => line.env_secret(name, secret),
            _ => return false,
        };
    }
    line.fills(planned)
}

/// Fails the test unless these processes are those command lines, in any order.
pub(crate) fn assert_same(started: Vec<Started>, mut plan: Vec<CommandLine>, directory: &Utf8Path) {
    // One with a hole fits more than one without, so it chooses last.
    plan.sort_by_key(|line| line.holes().len());
    let mut left = started;
    plan.retain(|line| match left.iter().position(|one| is(one, line, directory)) {
        Some(at) => {
            left.remove(at);
            false
        }
        None => true,
    });
    let plan: Vec<String> = plan.iter().map(ToString::to_string).collect();
    let left: Vec<_> = left.iter().map(|one| (&one.directory, &one.args)).collect();
    assert!(plan.is_empty() && left.is_empty(), "only planned: {plan:#?}\nonly run: {left:#?}");
}
