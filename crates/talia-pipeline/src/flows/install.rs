//! Brings in what is missing of the tools that the other flows need.

mod base;
mod engine;
mod machine;
mod packages;
mod suite;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::{
    context::Context,
    error::{Error, Result},
    steps::install::{
        AptInstall, AptUpdate, OsRelease, PackagesInstalled, Privilege, ProgramThere, Release,
        SudoWorks, ToolThere,
    },
    tool::Tool,
    world::System,
};

pub use engine::StartedEngine;
pub use machine::Machine;

use base::{Base, Need};

/// The name by which [`install`] is asked for the base image.
pub const BASE_IMAGE: &str = "base-image";

/// What [`install`] has brought in. All empty where nothing was missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Installed {
    packages: Vec<String>,
    engine: Option<StartedEngine>,
    base_image: Option<String>,
}

impl Installed {
    /// The packages that were installed, as apt was asked for them.
    pub fn packages(&self) -> &[String] {
        &self.packages
    }
    /// The engine, if this run has started it and no init system looks after it.
    pub fn engine(&self) -> Option<&StartedEngine> {
        self.engine.as_ref()
    }
    /// The id of the base image, if this run has made it; a hole in a plan.
    pub fn base_image(&self) -> Option<&str> {
        self.base_image.as_deref()
    }
}

/// What this machine is, as far as it decides how something is brought in.
struct Debian {
    privilege: Privilege,
    release: Release,
}

/// Brings in what is missing of these tools, by their names: `git`, `python3`,
/// `python3-venv`, `docker`, `docker-engine` (running), `docker-buildx`,
/// `docker-compose` (v2), `rsync`, `debootstrap`, `strace`, `postgresql` (a
/// server that can be started), …, and [`BASE_IMAGE`]. Where nothing is missing it
/// only asks a few cheap questions.
///
/// On Debian and Ubuntu it runs apt, as root or through sudo. Debian 12 has no
/// compose v2 and no buildx: they come from the next release, which apt knows
/// afterwards at a priority that nothing else is taken from. Where no systemd
/// runs, the engine is started and stays; [`Installed::engine`] tells, so that a
/// self-test can stop what it started. The base image is made from packages
/// where no container registry answers.
///
/// ```no_run
/// use talia_pipeline::{Pipeline, World, flows::install::{Machine, install}};
///
/// let world = World::real()?;
/// let machine = Machine::new(&world);
/// let mut pipeline = Pipeline::new("install", "/srv/app", world);
/// let finished = pipeline.run(|cx| install(cx, &machine, &["git", "docker-engine"]));
/// println!("{:?}", finished.result?.packages());
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
///
/// # Errors
/// Preflight, with every command to type as its hint, on another system and
/// where root's rights cannot be had; a step's error, with the way out, when the
/// archive cannot be reached, a lock is held, or the disk is full. Nothing
/// half-written stays: files are put in place when all is done.
pub fn install(cx: &Context, machine: &Machine, wanted: &[&str]) -> Result<Installed> {
    let missing = missing(cx, machine, wanted)?;
    if missing.is_empty() {
        return Ok(Installed::default());
    }
    let debian = debian(cx, machine, &missing)?;
    let mut tools: Vec<&str> = missing.tools.iter().map(|tool| tool.name).collect();
    if missing.base.may_be_made() && !tools.contains(&"debootstrap") {
        let there = ToolThere::of("debootstrap").map(|question| cx.probe(question));
        if there.transpose()?.flatten().is_none() {
            tools.push("debootstrap");
        }
    }
    let mut installed =
        Installed { packages: bring(cx, machine, &debian, &tools)?, ..Installed::default() };
    if tools.contains(&"docker-engine") {
        installed.engine = engine::start(cx, machine, debian.privilege)?;
        if let Some(engine) = installed.engine.as_ref().filter(|_| machine.stops_engine()) {
            cx.finally(engine.stop());
        }
    }
    for tool in &missing.tools {
        if let Some(question) = ToolThere::of(tool.name) {
            cx.run(question.engine(machine.engine()))
                .map_err(|error| still_missing(tool, error))?;
        }
    }
    installed.base_image = base::make(cx, machine, &debian, missing.base)?;
    Ok(installed)
}

/// What is not there.
struct Missing {
    tools: Vec<&'static Tool>,
    base: Need,
}

impl Missing {
    fn is_empty(&self) -> bool {
        self.tools.is_empty() && !self.base.may_be_made()
    }

    fn has(&self, name: &str) -> bool {
        self.tools.iter().any(|tool| tool.name == name)
    }
}

/// Asks for each tool once. Changes nothing.
fn missing(cx: &Context, machine: &Machine, wanted: &[&str]) -> Result<Missing> {
    let mut wanted: Vec<&str> = unique(wanted);
    let base_wanted = wanted.contains(&BASE_IMAGE);
    wanted.retain(|&name| name != BASE_IMAGE);
    // What is behind the client is nothing without it.
    let behind = wanted.iter().any(|name| name.starts_with("docker-"));
    for (needed, is_needed) in [("docker", base_wanted || behind), ("docker-engine", base_wanted)] {
        if is_needed && !wanted.contains(&needed) {
            wanted.push(needed);
        }
    }
    let mut tools = Vec::new();
    let mut unknown = Vec::new();
    for name in wanted {
        let Some(tool) = Tool::named(name) else {
            if cx.observe(ProgramThere::new(name, machine.search(), machine.directory()))?.is_none()
            {
                unknown.push(name);
            }
            continue;
        };
        if let Some(question) = ToolThere::of(name)
            && cx.probe(question.engine(machine.engine()))?.is_none()
        {
            tools.push(tool);
        }
    }
    if !unknown.is_empty() {
        let names = unknown.join(", ");
        return Err(Error::preflight(format!("nobody knows which package brings {names}"))
            .hint(format!("install {names} by hand, then start again")));
    }
    let mut missing = Missing { tools, base: Need::Not };
    if base_wanted {
        missing.base = base::need(cx, machine, !missing.has("docker-engine"))?;
    }
    Ok(missing)
}

fn unique<'a>(names: &[&'a str]) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    names.iter().copied().filter(|name| seen.insert(*name)).collect()
}

/// What apt needs to know, or the error that tells what to type.
fn debian(cx: &Context, machine: &Machine, missing: &Missing) -> Result<Debian> {
    let System::Debian { root } = machine.system() else {
        let why = "nothing can be installed on this system from here";
        return Err(by_hand(machine, missing, why, None));
    };
    let release = cx.observe(OsRelease::new())?;
    let privilege = if root {
        Privilege::Root
    } else if cx.probe(SudoWorks)?.is_some() {
        Privilege::Sudo
    } else {
        let why = "sudo gives this user no rights without a password";
        return Err(by_hand(machine, missing, why, Some(&release)));
    };
    Ok(Debian { privilege, release })
}

/// The error that lists every command for a person to type.
fn by_hand(machine: &Machine, missing: &Missing, why: &str, release: Option<&Release>) -> Error {
    let mut names: Vec<&str> = missing.tools.iter().map(|tool| tool.name).collect();
    let packages = release.map(|release| packages::of_tools(&names, release));
    let mut commands = match packages {
        Some(Ok(packages)) => packages::commands(&packages),
        _ => Vec::new(),
    };
    let mut add = |command: String| {
        if !commands.contains(&command) {
            commands.push(command);
        }
    };
    if release.is_none() {
        for tool in &missing.tools {
            let command = tool.install_command(machine.system());
            add(command.unwrap_or_else(|| format!("install {} as this system has it", tool.name)));
        }
    }
    if missing.has("docker-engine") {
        add("start the engine: `sudo systemctl enable --now docker`, or Docker Desktop".to_owned());
    }
    if missing.base.may_be_made() {
        let Base { image, upstream, .. } = machine.base();
        names.push(image);
        add(format!("docker pull {upstream} && docker tag {upstream} {image}"));
    }
    let or = if release.is_some() { "run it as root, or " } else { "" };
    Error::preflight(format!("{why}; missing: {}", names.join(", ")))
        .hint(format!("{or}type these, then start again:\n{}", commands.join("\n")))
}

/// Installs the packages of these tools, as far as they are not there.
fn bring(cx: &Context, machine: &Machine, debian: &Debian, tools: &[&str]) -> Result<Vec<String>> {
    let packages = packages::of_tools(tools, &debian.release)?;
    if packages.is_empty() {
        return Ok(Vec::new());
    }
    let names = packages.iter().map(|package| package.name());
    let there = cx.observe(PackagesInstalled::new(names))?;
    let missing: Vec<_> =
        packages.into_iter().filter(|package| !there.contains(&package.name())).collect();
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    let (own, borrowed): (Vec<_>, Vec<_>) =
        missing.into_iter().partition(|package| package.from.is_none());
    cx.group("packages", |cx| {
        cx.run(AptUpdate::new(debian.privilege))?;
        let mut asked = Vec::new();
        if !own.is_empty() {
            let own: Vec<String> = own.into_iter().map(|package| package.spec).collect();
            let provided = packages::provided(tools);
            cx.run(AptInstall::new(debian.privilege, &own).provides(provided))?;
            asked.extend(own);
        }
        if let Some(next) = borrowed.first().and_then(|package| package.from) {
            let specs: Vec<String> = borrowed.into_iter().map(|package| package.spec).collect();
            suite::install_from(cx, machine, debian, next, &specs, tools)?;
            asked.extend(specs);
        }
        Ok(asked)
    })
}

/// A tool that was brought in and does not work all the same.
fn still_missing(tool: &Tool, error: Error) -> Error {
    let said = error.last_lines().join("\n").to_lowercase();
    if said.contains("is too new") || said.contains("is too old") {
        return error.hint(
            "this client and the engine are too far apart: \
             put `/usr/bin` first in PATH, where the client of the same package is",
        );
    }
    if said.contains("permission denied") {
        return error.hint(engine::NOT_IN_GROUP);
    }
    let way_out =
        format!("`{}` was brought in: see what answers to that name in PATH", tool.program);
    let error = crate::steps::install::explained(error);
    if error.hint_text().is_some() { error } else { error.hint(way_out) }
}
