//! What every command works with: the project, its settings, its state, the reports.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use clap::ArgMatches;
use talia_pipeline::{
    Context, Error, ExitCode, Pipeline, Result, State, World,
    flows::install::{Installed, Machine, install},
    process::Cancel,
    project::FindProjects,
    quote::quote,
    report::{Console, GitHub, JsonLines, Plain, Terminal, console},
    secret::{Masker, Secret},
    settings::Settings,
    signals, state_dir,
};

use crate::cli;

/// Everything that a flow is run with.
pub(crate) struct Session {
    pub(crate) world: World,
    /// The folder that holds `infra/`, or the one that `--root` names.
    pub(crate) root: Utf8PathBuf,
    pub(crate) settings: Settings,
    pub(crate) state: State,
    /// cargo's target folder.
    pub(crate) target: Utf8PathBuf,
    /// Whether `--root` was given, so that nothing but the folder is known.
    foreign: bool,
    /// Ends what runs, as Ctrl-C does.
    pub(crate) signals: Cancel,
}

impl Session {
    /// Finds the project and reads its settings.
    pub(crate) fn open(matches: &ArgMatches, world: World) -> Result<Self> {
        let named = matches.try_get_one::<String>("root").ok().flatten();
        let own = workspace(&world);
        let (root, foreign) = match named {
            Some(named) => (world.directory().join(named), true),
            None => (own.clone(), false),
        };
        let root = root.canonicalize_utf8().map_err(|cause| {
            Error::usage(format!("the folder {root} cannot be opened"))
                .caused_by(cause)
                .hint("name an existing folder with `--root DIR`")
        })?;
        let settings = Settings::read(&root)?.unwrap_or_default();
        let target = match world.variable("CARGO_TARGET_DIR") {
            Some(target) => own.join(target),
            None => own.join("target"),
        };
        let state = State::new(state_dir(&target, &root));
        let signals = signals::listen()?;
        Ok(Self { world, root, settings, state, target, foreign, signals })
    }

    /// A pipeline of this name with everything that the command line and the
    /// settings say. `loud` also attaches the report for people.
    pub(crate) fn pipeline(
        &self,
        name: &str,
        matches: &ArgMatches,
        loud: bool,
    ) -> Result<Pipeline> {
        let limits = &self.settings.limits;
        let number = |name| matches.try_get_one::<u32>(name).ok().flatten().copied();
        let flag =
            |name| matches.try_get_one::<bool>(name).ok().flatten().copied().unwrap_or(false);
        let mut pipeline = Pipeline::new(name, &self.root, self.world.clone())
            .secrets(self.secrets())
            .step_timeout(limits.step_timeout)
            .grace(limits.grace)
            .fail_fast(flag("fail-fast"))
            .adopt_orphans();
        if self.world.on_github_actions() {
            // GitHub kills 7.5 s + 2.5 s after it has asked; be done before that.
            pipeline = pipeline.grace(limits.grace.min(Duration::from_millis(4500)));
        }
        let timeout = number("timeout").map(|seconds| Duration::from_secs(seconds.into()));
        if let Some(timeout) = timeout.or(limits.run_timeout) {
            pipeline = pipeline.timeout(timeout);
        }
        if let Some(jobs) = number("jobs") {
            pipeline = pipeline.jobs(jobs as usize);
        }
        if loud {
            pipeline = self.attach_reports(pipeline, matches)?;
        }
        Ok(pipeline)
    }

    fn attach_reports(&self, pipeline: Pipeline, matches: &ArgMatches) -> Result<Pipeline> {
        let flag =
            |name| matches.try_get_one::<bool>(name).ok().flatten().copied().unwrap_or(false);
        let (verbose, plain) =
            (flag("verbose"), flag("no-color") || self.world.variable("NO_COLOR").is_some());
        let live = console::is_terminal() && !plain && self.world.variable("TERM") != Some("dumb");
        let screen = Console::stdout().color(live);
        let pipeline = if self.world.on_github_actions() {
            let summary = self.world.variable("GITHUB_STEP_SUMMARY").map(Utf8PathBuf::from);
            let prefix = self.settings.backend.root.clone().unwrap_or_default();
            pipeline.report(GitHub::new(screen, summary, prefix.as_str()))
        } else if live {
            pipeline.report(Terminal::new(screen, self.world.clone(), verbose))
        } else {
            pipeline.report(Plain::new(screen, verbose))
        };
        match matches.try_get_one::<String>("report").ok().flatten() {
            Some(file) => {
                Ok(pipeline.report(JsonLines::create(&self.world.directory().join(file))?))
            }
            None => Ok(pipeline),
        }
    }

    /// Brings in what is missing of these tools. Gives what it has done, or the
    /// exit code that ends the command.
    pub(crate) fn install(
        &self,
        matches: &ArgMatches,
        tools: &[&str],
    ) -> Result<Result<Installed, ExitCode>> {
        let machine = Machine::new(&self.world);
        let pipeline = self.pipeline("install", matches, true)?.state(self.state.clone());
        let mut pipeline = pipeline.cancel(self.signals.clone());
        let finished = pipeline.run(|cx| install(cx, &machine, tools));
        Ok(finished.result.map_err(|_| finished.exit_code))
    }

    /// Makes a pipeline cancellable by signals, and masks what a panic would say.
    pub(crate) fn guard(&self, pipeline: Pipeline) -> Result<Pipeline> {
        console::mask_panics(Masker::new(pipeline.secret_values()));
        Ok(pipeline.cancel(self.signals.clone()))
    }

    pub(crate) fn secrets(&self) -> Vec<Secret> {
        let sources = &self.settings.secrets;
        let files = sources.files.iter().map(|(name, path)| Secret::file(name, path));
        sources.names.iter().map(Secret::variable).chain(files).collect()
    }

    /// The backend's folder: the settings name it, or it is the one project found.
    pub(crate) fn backend(&self, cx: &Context) -> Result<Utf8PathBuf> {
        if let Some(root) = &self.settings.backend.root {
            let folder = self.root.join(root);
            if !folder.is_dir() {
                return Err(Error::usage(format!("the backend's folder {folder} does not exist"))
                    .hint(format!("correct `backend.root` in {}", Settings::PATH)));
            }
            return Ok(folder);
        }
        let found = cx.observe(FindProjects::new(&self.root))?;
        match found.as_slice() {
            [only] => {
                if self.foreign || *only != self.root {
                    cx.note(format!("the project is {only}"));
                }
                Ok(only.clone())
            }
            [] => Err(Error::usage(format!("no Python project was found below {}", self.root))
                .hint("name its folder with `--root DIR`")),
            several => {
                let list: Vec<String> = several
                    .iter()
                    .map(|path| format!("  --root {}", quote(path.as_str())))
                    .collect();
                Err(Error::usage(format!("{} projects were found", several.len()))
                    .hint(format!("choose one:\n{}", list.join("\n"))))
            }
        }
    }
}

/// The workspace that this program belongs to: the nearest folder above that has
/// settings, else where cargo found the program's manifest.
fn workspace(world: &World) -> Utf8PathBuf {
    let with_settings =
        world.directory().ancestors().find(|dir| dir.join(Settings::PATH).is_file());
    let manifest = world.variable("CARGO_MANIFEST_DIR").map(Utf8Path::new);
    with_settings
        .or_else(|| manifest.and_then(Utf8Path::parent))
        .unwrap_or(world.directory())
        .to_owned()
}

/// Prints a flow's plan in the format that `--plan` asks for. As JSON also why there is
/// none: a program reads one document, however it ends.
pub(crate) fn print_plan<T>(
    matches: &ArgMatches,
    pipeline: &Pipeline,
    flow: impl FnOnce(&Context) -> Result<T>,
) -> Result<ExitCode> {
    let plan = pipeline.plan(flow);
    match (cli::text(matches, "plan"), &plan) {
        (Some("json"), Ok(plan)) => console::print(&format!("{}\n", plan.to_json())),
        (Some("json"), Err(error)) => {
            console::print(&format!("{}\n", pipeline.unplanned(error).to_json()));
        }
        (_, Ok(plan)) => console::print(&plan.to_string()),
        (_, Err(_)) => {}
    }
    Ok(plan_code(&plan?))
}

/// The exit code of a plan: whether what it needs is there.
pub(crate) fn plan_code(plan: &talia_pipeline::Plan) -> ExitCode {
    if plan.requirements().iter().any(|requirement| requirement.problem().is_some()) {
        return ExitCode::Preflight;
    }
    ExitCode::Success
}
