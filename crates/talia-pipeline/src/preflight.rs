//! What a plan needs before it starts: programs, versions, an engine, secrets.
//!
//! Everything is looked up at once, so that one run tells all that is missing,
//! each with the command that installs it on this system.

use std::{collections::BTreeMap, fmt};

use camino::Utf8PathBuf;
use serde::Serialize;

use crate::{
    command_line::CommandLine,
    error::ErrorKind,
    parse::visible,
    plan::{Node, Planned},
    process::Cancel,
    runner::{Limits, Shell},
    tool::{Tool, version_in},
};

/// What the commands need on a machine, by the names that look-ups take.
pub const TOOLS: &[&str] = &[
    "git",
    "python3",
    "python3-venv",
    "docker",
    "docker-engine",
    "docker-buildx",
    "docker-compose",
    "rsync",
];

/// Requirements as a JSON list.
pub fn to_json(requirements: &[Requirement]) -> String {
    // Serialising strings and lists of them cannot fail.
    serde_json::to_string_pretty(requirements).unwrap_or_default()
}

/// Something that a plan needs, and whether it is there.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Requirement {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    minimum: Option<String>,
    /// The command that was asked, if the program is there to ask.
    #[serde(skip_serializing_if = "Option::is_none")]
    probe: Option<CommandLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    install: Option<String>,
}

impl Requirement {
    /// The program's or the secret's name.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// The command that was asked for the version.
    pub fn probe(&self) -> Option<&CommandLine> {
        self.probe.as_ref()
    }
    /// The version, or the path where no version is known.
    pub fn found(&self) -> Option<&str> {
        self.found.as_deref()
    }
    /// What is wrong with it, if anything is.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }
    /// The exact command that puts it right on this system.
    pub fn install(&self) -> Option<&str> {
        self.install.as_deref()
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A program has said these: they must not move the cursor.
        let Some(problem) = &self.problem else {
            let found = visible(self.found.as_deref().unwrap_or_default());
            return write!(f, "✓ {} {found}", self.name);
        };
        write!(f, "✗ {}: {}", self.name, visible(problem))?;
        if let Some(install) = &self.install {
            write!(f, "; `{install}`")?;
        }
        Ok(())
    }
}

/// Looks up every one of these tools; see [`crate::CommandLine::requires`].
pub(crate) fn look_up<'a>(
    names: impl IntoIterator<Item = &'a str>,
    shell: &Shell,
    cancel: &Cancel,
    limits: Limits,
) -> Vec<Requirement> {
    let mut found: Vec<Requirement> = Vec::new();
    for name in names {
        if found.iter().all(|requirement| requirement.name != name) {
            found.push(look_up_one(name, shell, cancel, limits));
        }
    }
    found
}

/// What the plan needs, looked up. Programs that an earlier step writes are left out.
pub(crate) fn check(
    nodes: &[Node],
    shell: &Shell,
    cancel: &Cancel,
    limits: Limits,
) -> Vec<Requirement> {
    let mut needs = Needs::default();
    needs.collect(nodes);
    let mut requirements = look_up(needs.tools.iter().map(String::as_str), shell, cancel, limits);
    for name in needs.secrets {
        if let Err(error) = shell.secret_is_there(&name) {
            requirements.push(Requirement {
                install: error.hint_text().map(str::to_owned),
                problem: Some(error.to_string()),
                name,
                minimum: None,
                probe: None,
                found: None,
            });
        }
    }
    requirements
}

/// Whether only the runner can tell where the program is: the command has a `PATH`
/// of its own, or names a path that begins at its folder.
pub(crate) fn is_looked_up_at_its_start(line: &CommandLine) -> bool {
    let program = line.program();
    line.environment().contains_key("PATH") || program.contains('/') && !program.starts_with('/')
}

/// The reasons that block a step, by the name of what it needs.
pub(crate) fn missing(requirements: &[Requirement]) -> BTreeMap<String, String> {
    requirements
        .iter()
        .filter_map(|requirement| {
            let problem = requirement.problem.as_ref()?;
            let install = requirement.install.as_ref();
            let then = install.map(|command| format!(": `{command}`")).unwrap_or_default();
            Some((requirement.name.clone(), format!("{}: {problem}{then}", requirement.name)))
        })
        .collect()
}

#[derive(Default)]
struct Needs {
    tools: Vec<String>,
    secrets: Vec<String>,
    provided: Vec<Utf8PathBuf>,
    brought: Vec<String>,
}

impl Needs {
    fn collect(&mut self, nodes: &[Node]) {
        for node in nodes {
            match node {
                Node::Step(planned) | Node::Finally(planned) => self.add(planned),
                Node::Group { nodes, .. } => self.collect(nodes),
                Node::Parallel { branches } => branches.iter().for_each(|b| self.collect(b)),
                // A question has been answered by now, or its answer was "not there".
                Node::Observation(_) | Node::Note { .. } | Node::Skipped { .. } => {}
            }
        }
    }

    /// Asks for a tool, unless an earlier step of the plan brings it.
    fn need(&mut self, tool: String) {
        if !self.brought.contains(&tool) {
            self.tools.push(tool);
        }
    }

    fn add(&mut self, planned: &Planned) {
        if let Some(line) = &planned.command {
            let program = line.program();
            let path = camino::Utf8Path::new(program);
            // A path is what the flow itself has made, now or at an earlier run.
            let is_made = path.is_absolute()
                && (path.is_file() || self.provided.iter().any(|made| path.starts_with(made)));
            if !is_made && !is_looked_up_at_its_start(line) {
                self.need(program.to_owned());
            }
            line.required_tools().iter().cloned().for_each(|tool| self.need(tool));
            self.brought.extend(line.provided_tools().iter().cloned());
            self.secrets.extend(line.secrets().map(str::to_owned));
        }
        self.provided.extend(planned.touches.iter().flat_map(|t| t.outputs().to_vec()));
    }
}

fn look_up_one(name: &str, shell: &Shell, cancel: &Cancel, limits: Limits) -> Requirement {
    let system = shell.world().system();
    let tool = Tool::named(name);
    let mut requirement = Requirement {
        name: name.to_owned(),
        minimum: tool.and_then(|tool| tool.minimum).map(str::to_owned),
        probe: None,
        found: None,
        problem: None,
        install: tool.and_then(|tool| tool.install_command(system)),
    };
    let Some(path) = shell.world().find_program(tool.map_or(name, |tool| tool.program)) else {
        requirement.problem = Some("not installed".to_owned());
        return requirement;
    };
    let Some(tool) = tool else {
        requirement.found = Some(path.into_string());
        return requirement;
    };
    let probe = tool.probe();
    requirement.probe = Some(probe.clone());
    match shell.observe(&probe, cancel, limits, false) {
        Ok(answer) => {
            let said = format!("{} {}", answer.stdout(), answer.stderr());
            let version = version_in(&said);
            let shown = version.as_ref().map_or_else(
                || said.trim().to_owned(),
                |numbers| numbers.iter().map(u64::to_string).collect::<Vec<_>>().join("."),
            );
            if let Some(minimum) = tool.minimum
                && version < version_in(minimum)
            {
                requirement.problem = Some(format!("is {shown}, at least {minimum} is needed"));
            } else {
                requirement.install = None;
            }
            requirement.found = Some(shown);
        }
        Err(error) if error.kind() == ErrorKind::Interrupted => {
            requirement.problem = Some("not looked up, the run was cancelled".to_owned());
        }
        Err(error) => {
            let said = error.last_lines().last().cloned().unwrap_or_else(|| error.to_string());
            requirement.problem = Some(format!("{}: {}", tool.unwell, said.trim()));
        }
    }
    requirement
}

#[cfg(test)]
mod tests {
    use crate::{Action, CommandLine, Pipeline, Step, World};

    struct Line(CommandLine);
    impl Step for Line {
        type Output = ();
        fn label(&self) -> String {
            "a line".into()
        }
        fn action(&self) -> Action<'_, ()> {
            Action::command(self.0.clone(), |_| Ok(()))
        }
        fn assume(&self) {}
    }

    #[test]
    fn what_an_earlier_step_brings_is_not_missed() {
        let pipeline = Pipeline::new("test", "/", World::fixed("/", []));
        let plan = pipeline.plan(|cx| {
            cx.run(Line(CommandLine::new("too-early")))?;
            cx.run(Line(CommandLine::new("/bin/sh").provides("too-early").provides("brought")))?;
            cx.run(Line(CommandLine::new("brought").requires("brought")))
        });
        let plan = plan.expect("nothing is asked");
        let names: Vec<&str> = plan.requirements().iter().map(|needed| needed.name()).collect();
        assert_eq!(names, ["too-early"]);
    }
}
