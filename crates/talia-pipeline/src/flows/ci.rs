//! Continuous integration: environment, lint, tests, coverage, image.

use std::collections::BTreeSet;

use camino::Utf8PathBuf;

use crate::{
    context::Context,
    coverage::Gate,
    error::{Error, Result},
    pins,
    project::{Detect, Project},
    settings,
    state::State,
    steps::{
        check::{CoverageGate, Judged, Pytest, RemoveReports, RuffCheck, RuffFormat, Tests},
        git::{ChangedLines, IsShallow, RepositoryRoot, TrackedFiles},
        image::Image,
        python::Environment,
    },
};

use super::{image, python_env, tool_env};

/// A part of the flow that can be asked for alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Part {
    /// ruff.
    Lint,
    /// pytest.
    Test,
    /// Coverage; runs the tests first.
    Coverage,
    /// The container image.
    Image,
}

impl Part {
    /// Every part, in order.
    pub const ALL: [Self; 4] = [Self::Lint, Self::Test, Self::Coverage, Self::Image];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lint => "lint",
            Self::Test => "test",
            Self::Coverage => "coverage",
            Self::Image => "image",
        }
    }
}

/// What to check.
#[derive(Debug, Clone)]
pub struct Ci<'a> {
    /// The project's folder.
    pub root: Utf8PathBuf,
    /// The backend's settings.
    pub settings: &'a settings::Backend,
    /// Where environments and reports go.
    pub state: &'a State,
    /// The parts that are asked for.
    pub parts: BTreeSet<Part>,
}

/// What [`ci`] gives.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CiReport {
    /// The test results, where they were asked for.
    pub tests: Option<Tests>,
    /// The coverage, where it was asked for.
    pub coverage: Option<Judged>,
    /// The image, where it was asked for.
    pub image: Option<Image>,
}

/// Checks a backend: nothing waits for what it does not need, so it takes as
/// long as its longest chain of steps.
///
/// # Errors
/// With every failure of the steps.
pub fn ci(cx: &Context, app: &Ci<'_>) -> Result<CiReport> {
    let project = &cx.observe(Detect::new(&app.root).options(&app.settings.python))?;
    let wants = |part| app.parts.contains(&part);
    let own_ruff = project.declares("ruff");
    let needs_env = wants(Part::Test) || wants(Part::Coverage) || (wants(Part::Lint) && own_ruff);
    if wants(Part::Lint) && !own_ruff {
        cx.note(format!("the project does not declare ruff: ruff {} is brought in", pins::RUFF));
    }
    let (image, (), (tests, coverage)) = cx.join3(
        |cx| {
            if !wants(Part::Image) {
                return Ok(None);
            }
            if project.dockerfiles.is_empty()
                && app.settings.image.dockerfile.is_none()
                && app.parts.len() > 1
            {
                cx.skip("there is no Dockerfile, so there is no image");
                return Ok(None);
            }
            image(cx, project, &app.settings.image, app.state).map(Some)
        },
        |cx| {
            if !wants(Part::Lint) || own_ruff {
                return Ok(());
            }
            let env = tool_env(cx, app.state, &[("ruff", pins::RUFF)])?;
            lint(cx, project, app.state, &env)
        },
        |cx| {
            if !needs_env {
                return Ok((None, None));
            }
            let env = python_env(cx, project, &app.settings.python, app.state)?;
            let ((), results) = cx.join(
                |cx| {
                    if wants(Part::Lint) && own_ruff {
                        lint(cx, project, app.state, &env)
                    } else {
                        Ok(())
                    }
                },
                |cx| {
                    if wants(Part::Test) || wants(Part::Coverage) {
                        test(cx, app, project, &env)
                    } else {
                        Ok((None, None))
                    }
                },
            )?;
            Ok(results)
        },
    )?;
    Ok(CiReport { tests, coverage, image })
}

fn lint(cx: &Context, project: &Project, state: &State, env: &Environment) -> Result<()> {
    let ruff = env.program("ruff").into_string();
    let cache = state.cache("ruff");
    cx.join(
        |cx| cx.run(RuffCheck::new(&ruff, &project.root, &cache)),
        |cx| {
            // A project that never chose ruff never chose its formatting.
            if project.declares("ruff") || project.configures_ruff {
                cx.run(RuffFormat::new(&ruff, &project.root, &cache)).map(drop)
            } else {
                cx.skip("the project does not use ruff, so its formatting is not checked");
                Ok(())
            }
        },
    )?;
    Ok(())
}

fn test(
    cx: &Context,
    app: &Ci<'_>,
    project: &Project,
    env: &Environment,
) -> Result<(Option<Tests>, Option<Judged>)> {
    let (options, minima) = (&app.settings.tests, &app.settings.coverage);
    let (junit, xml) = (app.state.report("junit.xml"), app.state.report("coverage.xml"));
    let folder = match &options.directory {
        Some(directory) => project.root.join(directory),
        None => project.root.clone(),
    };
    cx.run(RemoveReports::new([junit.clone(), xml.clone()]))?;
    let tests = cx.run(
        Pytest::new(env, folder, junit)
            .coverage(&xml)
            .sources(&sources(cx, app, project))
            .branches(minima.branches.is_some())
            .arguments(&options.arguments)
            .timeout(options.timeout),
    )?;
    if !app.parts.contains(&Part::Coverage) {
        return Ok((Some(tests), None));
    }
    let coverage = coverage(cx, xml, &project.root, minima, false)?;
    Ok((Some(tests), Some(coverage)))
}

/// What to measure: the settings, else the project's own configuration, else its
/// folders of code.
fn sources(cx: &Context, app: &Ci<'_>, project: &Project) -> Vec<String> {
    if let Some(sources) = &app.settings.coverage.sources {
        return sources.clone();
    }
    if project.configures_coverage {
        return Vec::new();
    }
    let sources =
        if project.sources.is_empty() { vec![".".to_owned()] } else { project.sources.clone() };
    cx.note(format!("nothing says what coverage measures: it is {}", sources.join(", ")));
    sources
}

/// Reads a coverage report and holds it against the minima. Changed lines are
/// told where a minimum asks for them, or where `show_changed` does.
///
/// # Errors
/// When a minimum is not reached, or when the base is not there.
pub fn coverage(
    cx: &Context,
    xml: Utf8PathBuf,
    root: &camino::Utf8Path,
    minima: &settings::Coverage,
    show_changed: bool,
) -> Result<Judged> {
    let mut gate = Gate::new();
    if let Some(minimum) = minima.lines {
        gate = gate.lines(minimum);
    }
    if let Some(minimum) = minima.branches {
        gate = gate.branches(minimum);
    }
    if let Some(minimum) = minima.file_lines {
        gate = gate.per_file_lines(minimum);
    }
    if let Some(minimum) = minima.changed_lines {
        gate = gate.changed_lines(minimum);
    }
    let mut step = CoverageGate::new(xml, gate).worst(minima.worst).root(root);
    if let Some(base) = Some(&minima.base).filter(|_| gate.needs_diff() || show_changed) {
        let repository = cx.probe(RepositoryRoot::new(root))?.ok_or_else(|| {
            Error::usage("changed lines are asked for, and this is no git repository")
                .hint("leave `backend.coverage.changed_lines` out")
        })?;
        if cx.observe(IsShallow::new(&repository))? {
            cx.note(
                "this clone is shallow: where the base is not in it, run `git fetch --unshallow`, \
                 or set `fetch-depth: 0` for actions/checkout",
            );
        }
        let changed = cx.run(ChangedLines::new(&repository, base))?;
        let tracked = cx.run(TrackedFiles::new(&repository))?;
        step = step.changed(changed, repository, tracked);
    }
    cx.run(step)
}
