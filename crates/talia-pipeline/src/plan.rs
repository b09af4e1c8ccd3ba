//! The plan: a flow's recording, as a tree that can be printed, compared and read
//! by other programs.

use std::fmt::{self, Write as _};

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use crate::{
    command_line::{CommandLine, Effect, Leaves},
    event::{Event, Failure},
    exit_code::ExitCode,
    hole,
    parse::visible,
    preflight::Requirement,
    step::Touches,
};

/// What a flow would do: the same function, run by the recorder.
///
/// `Display` is the tree for people; [`Plan::to_json`] is for programs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    pub(crate) flow: String,
    pub(crate) root: Utf8PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) state: Option<Utf8PathBuf>,
    pub(crate) requirements: Vec<Requirement>,
    pub(crate) nodes: Vec<Node>,
}

/// One place in a [`Plan`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Node {
    /// A question that was answered for real.
    Observation(Planned),
    /// A step that would run.
    Step(Planned),
    /// A step that would run at the end, whatever happens before.
    Finally(Planned),
    /// Steps under one name.
    Group {
        /// The name.
        name: String,
        /// The steps, in order.
        nodes: Vec<Node>,
    },
    /// Branches that may run side by side.
    Parallel {
        /// The branches, each in order.
        branches: Vec<Vec<Node>>,
    },
    /// A remark of the flow.
    Note {
        /// The remark.
        text: String,
    },
    /// A part that would be left out.
    Skipped {
        /// Why.
        reason: String,
    },
}

/// A step or observation of a [`Plan`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Planned {
    /// Its place in the flow: `2.1.3`.
    pub id: String,
    /// Its name.
    pub label: String,
    /// The command, if it runs one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<CommandLine>,
    /// The command as text for a POSIX shell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shell: Option<String>,
    /// What it does in the process, where it runs no command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub work: Option<String>,
    /// What it may change.
    pub effect: Effect,
    /// What it depends on and what it writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub touches: Option<Touches>,
    /// What was observed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
}

impl Plan {
    /// The flow's name.
    pub fn flow(&self) -> &str {
        &self.flow
    }

    /// The tree.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// What has to be there, and whether it is.
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// Every step and `finally`, in order; observations are left out.
    pub fn steps(&self) -> Vec<&Planned> {
        let mut found = Vec::new();
        visit(&self.nodes, &mut |node| {
            if let Node::Step(planned) | Node::Finally(planned) = node {
                found.push(planned);
            }
        });
        found
    }

    /// Every observation, in order.
    pub fn observations(&self) -> Vec<&Planned> {
        let mut found = Vec::new();
        visit(&self.nodes, &mut |node| {
            if let Node::Observation(planned) = node {
                found.push(planned);
            }
        });
        found
    }

    /// Every command line that the run executes: what looks up the
    /// requirements, then observations and steps in the order of the flow.
    pub fn commands(&self) -> Vec<&CommandLine> {
        let mut found: Vec<&CommandLine> =
            self.requirements.iter().filter_map(Requirement::probe).collect();
        visit(&self.nodes, &mut |node| {
            if let Node::Step(planned) | Node::Finally(planned) | Node::Observation(planned) = node
            {
                found.extend(planned.command.as_ref());
            }
        });
        found
    }

    /// As one JSON object, indented, with holes as `⟨name⟩`.
    pub fn to_json(&self) -> String {
        // Serialising strings, numbers and lists of them cannot fail.
        hole::shown(&serde_json::to_string_pretty(self).unwrap_or_default())
    }

    /// The same with one more field, for what a flow has found out beside its steps.
    pub fn to_json_with(&self, name: &str, found: &impl Serialize) -> String {
        with(self, name, found)
    }
}

/// Why there is no plan, for programs: in the place of the steps what stands against them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Unplanned {
    flow: String,
    root: Utf8PathBuf,
    refused: Vec<Failure>,
    exit_code: u8,
}

impl Unplanned {
    /// What a run of this flow would have ended with.
    pub(crate) fn new(flow: &str, root: &Utf8Path, finished: Event, code: ExitCode) -> Self {
        let refused = match finished {
            Event::FlowFinished { failures, .. } => failures,
            // A secret that is a word of our own leaves nothing that can be read.
            _ => Vec::new(),
        };
        Self { flow: flow.to_owned(), root: root.to_owned(), refused, exit_code: code.code() }
    }

    /// As one JSON object, indented: `flow`, `root`, `refused` with `message`, `hint` and
    /// `exit_code` of each, and the `exit_code` of all.
    pub fn to_json(&self) -> String {
        hole::shown(&serde_json::to_string_pretty(self).unwrap_or_default())
    }

    /// The same with one more field, as [`Plan::to_json_with`].
    pub fn to_json_with(&self, name: &str, found: &impl Serialize) -> String {
        with(self, name, found)
    }
}

fn with(plan: &impl Serialize, name: &str, found: &impl Serialize) -> String {
    let mut plan = serde_json::to_value(plan).unwrap_or_default();
    plan[name] = serde_json::to_value(found).unwrap_or_default();
    hole::shown(&serde_json::to_string_pretty(&plan).unwrap_or_default())
}

impl Plan {
    /// Long paths that the text for people writes as variables.
    fn names(&self) -> Vec<(&'static str, &Utf8Path)> {
        let state = self.state.as_deref().map(|state| ("STATE", state));
        let mut names: Vec<_> = state.into_iter().chain([("ROOT", self.root.as_path())]).collect();
        // A path that has to be quoted cannot be put together from a variable.
        names.retain(|(_, path)| crate::quote::argument(path.as_str()) == path.as_str());
        names.retain(|(_, path)| path.as_str().len() > 8);
        names
    }
}

fn visit<'a>(nodes: &'a [Node], see: &mut impl FnMut(&'a Node)) {
    for node in nodes {
        see(node);
        match node {
            Node::Group { nodes, .. } => visit(nodes, see),
            Node::Parallel { branches } => branches.iter().for_each(|branch| visit(branch, see)),
            _ => {}
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {} steps in {}", self.flow, self.steps().len(), self.root)?;
        f.write_str(
            "Every command runs with LC_ALL=C.UTF-8, and with no input unless one is shown.\n",
        )?;
        for (name, path) in self.names() {
            writeln!(f, "{name}={}", crate::quote::argument(path.as_str()))?;
        }
        if !self.requirements.is_empty() {
            writeln!(f, "\nneeds")?;
            for requirement in &self.requirements {
                writeln!(f, "  {requirement}")?;
            }
        }
        let observations = self.observations();
        if !observations.is_empty() {
            writeln!(f, "\nlooked up for this plan")?;
            let mut told = Vec::new();
            for planned in observations {
                // A program has said this: it must not move the cursor.
                let answer = visible(planned.answer.as_deref().unwrap_or("no answer"));
                let line = format!("  {}: {answer}", hole::shown(&planned.label));
                if !told.contains(&line) {
                    writeln!(f, "{line}")?;
                    told.push(line);
                    if let Some(command) = &planned.command {
                        writeln!(f, "      {}", command.shortened(&self.names()))?;
                    }
                }
            }
        }
        writeln!(f, "\nwould run")?;
        let mut text = String::new();
        Tree { names: &self.names() }.nodes(&self.nodes, "  ", &mut text)?;
        f.write_str(&text)
    }
}

/// Writes the tree for people.
struct Tree<'a> {
    names: &'a [(&'static str, &'a Utf8Path)],
}

impl Tree<'_> {
    fn nodes(&self, nodes: &[Node], indent: &str, out: &mut String) -> fmt::Result {
        for node in nodes {
            match node {
                Node::Observation(_) => {}
                Node::Step(planned) => self.step(planned, "", indent, out)?,
                Node::Finally(planned) => {
                    self.step(planned, "at the end, whatever happens: ", indent, out)?
                }
                Node::Note { text } => writeln!(out, "{indent}note: {text}")?,
                Node::Skipped { reason } => writeln!(out, "{indent}left out: {reason}")?,
                Node::Group { name, nodes } => {
                    writeln!(out, "{indent}{name}")?;
                    self.nodes(nodes, &format!("{indent}  "), out)?;
                }
                Node::Parallel { branches } => {
                    let branches: Vec<&Vec<Node>> =
                        branches.iter().filter(|branch| !only_observes(branch)).collect();
                    let last = branches.len().saturating_sub(1);
                    if last > 0 {
                        writeln!(out, "{indent}side by side")?;
                    }
                    for (index, branch) in branches.into_iter().enumerate() {
                        let mut inner = String::new();
                        self.nodes(branch, "", &mut inner)?;
                        for (number, line) in inner.lines().enumerate() {
                            let mark = match (last, number, index == last) {
                                (0, ..) => "",
                                (_, 0, true) => "└ ",
                                (_, 0, false) => "├ ",
                                (_, _, true) => "  ",
                                (_, _, false) => "│ ",
                            };
                            writeln!(out, "{indent}{mark}{line}")?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn step(&self, planned: &Planned, prefix: &str, indent: &str, out: &mut String) -> fmt::Result {
        writeln!(out, "{indent}{} {prefix}{}", planned.id, hole::shown(&planned.label))?;
        if let Some(command) = &planned.command {
            // A quoted newline would break the tree; the text stays one command.
            let mut lines = command.shortened(self.names);
            if command.effect_kind() == Effect::Remote {
                lines.push_str("   # changes another machine");
            }
            if command.leaves_kind() == Leaves::Running {
                lines.push_str("   # stays running");
            }
            for line in lines.lines() {
                writeln!(out, "{indent}    {line}")?;
            }
        }
        if let Some(work) = &planned.work {
            let named = |text: String, (name, path): &(&str, &Utf8Path)| {
                text.replace(path.as_str(), &format!("${name}"))
            };
            let work = self.names.iter().fold(hole::shown(work), named);
            writeln!(out, "{indent}    in this process: {work}")?;
        }
        Ok(())
    }
}

fn only_observes(nodes: &[Node]) -> bool {
    nodes.iter().all(|node| match node {
        Node::Observation(_) => true,
        Node::Group { nodes, .. } => only_observes(nodes),
        Node::Parallel { branches } => branches.iter().all(|branch| only_observes(branch)),
        _ => false,
    })
}
