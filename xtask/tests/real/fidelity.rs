//! A run executes what its plan shows, one for one.

use std::env;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;
use talia_pipeline::{CommandLine, EnvValue};

use crate::{
    project::{Project, ran},
    support::{command, need_engine, output},
    trace::{Started, Trace, under_strace},
};

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

#[test]
fn a_run_executes_its_plan_cold_and_warm() {
    need_engine();
    let project = Project::fresh();
    let file = project.target().join("trace");
    let mut counts = Vec::new();
    for state in ["cold", "warm"] {
        let plan = project.run(&["ci", "--plan=json"]);
        plan.expect(0, &["\"flow\": \"ci\""]);
        let plan = planned(&plan.stdout);
        let run = ran(&mut under_strace(&project.xtask(&["ci"]), &file));
        run.expect(0, &["8 passed, 2 skipped", "ci passed"]);
        counts.push(plan.len());
        assert_same(Trace::read(&file).children(), plan, project.root());
        println!("{state}: {} command lines, planned and run", counts[counts.len() - 1]);
    }
    assert!(counts[0] > counts[1] && counts[1] > 10, "{counts:?}");
    // The comparison would see a single command more or less.
    let plan = planned(&project.run(&["ci", "--plan=json"]).stdout);
    let children = || Trace::read(&file).children();
    let fails = |started: Vec<Started>, plan: Vec<CommandLine>| {
        let compare = || assert_same(started, plan, project.root());
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(compare)).is_err()
    };
    assert!(fails(children(), plan[1..].to_vec()) && fails(children().split_off(1), plan));
    assert!(output(command("strace").arg("--version")).status.success());
}
