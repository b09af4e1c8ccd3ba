//! `--plan` answers questions and changes nothing.

use std::fs;

use crate::{
    project::{Project, ran},
    same::{assert_same, planned},
    support::{Temp, need_engine, state_of},
    trace::{Trace, under_strace},
};

#[test]
fn a_plan_executes_its_observations_alone_and_writes_nowhere() {
    need_engine();
    let (project, scratch, home) = (Project::fresh(), Temp::new(), Temp::new());
    let before = state_of(project.root());
    for format in ["--plan", "--plan=json"] {
        let file = scratch.path().join("trace");
        let mut plan = project.xtask(&["ci", format]);
        // A home without any settings, where a tool would lay its own.
        plan.env("HOME", home.path().as_str());
        for name in ["XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "DOCKER_CONFIG"] {
            plan.env_remove(name);
        }
        let said = ran(&mut under_strace(&plan, &file));
        said.expect(0, &["pytest", "buildx"]);
        let trace = Trace::read(&file);
        assert_eq!(trace.writes(), [], "{format}");
        if format == "--plan=json" {
            let plan = planned(&said.stdout);
            let asked = questions(&said.stdout);
            assert!(asked.len() > 5 && asked.len() < plan.len(), "{asked:#?}");
            let plan = plan.into_iter().filter(|line| asked.contains(&line.to_string()));
            assert_same(trace.children(), plan.collect(), project.root());
        }
    }
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    assert_eq!(fs::read_dir(project.target()).unwrap().count(), 0, "there is no state yet");
    assert_eq!(state_of(project.root()), before);
}

/// What the plan looks up for real, as text.
fn questions(json: &str) -> Vec<String> {
    fn collect(value: &serde_json::Value, found: &mut Vec<String>) {
        match value {
            serde_json::Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
            serde_json::Value::Object(fields) => {
                let is_observation = fields.get("kind").is_some_and(|kind| kind == "observation");
                let line = fields.get("command").filter(|_| is_observation);
                if let Some(line) = line.or_else(|| fields.get("probe")) {
                    let line: talia_pipeline::CommandLine =
                        serde_json::from_value(line.clone()).unwrap();
                    found.push(line.to_string());
                }
                fields.values().for_each(|field| collect(field, found));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    collect(&serde_json::from_str(json).unwrap(), &mut found);
    found
}
