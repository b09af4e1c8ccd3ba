//! The project's Python environment, made by the manager that the project uses.

use crate::{
    context::Context,
    error::Result,
    pins,
    project::Project,
    settings::{self, Manager},
    state::State,
    steps::python::{
        Environment, PipInstall, PoetryExport, PoetryInstall, ReadStamp, UvSync, Venv, WriteStamp,
    },
};

use super::interpreter;

/// Makes the project's environment in the state folder, or brings it up to date.
///
/// The project's own files decide: uv and Poetry follow their lock, pip its
/// requirements files, and a bare `pyproject.toml` is installed editable. The
/// manager is brought in from PyPI where it is not on `PATH`. pytest and
/// pytest-cov are added where the project has none, and it is said so.
///
/// # Errors
/// When no interpreter fits, or when a step fails.
pub fn python_env(
    cx: &Context,
    project: &Project,
    options: &settings::Python,
    state: &State,
) -> Result<Environment> {
    let env = Environment::new(state.python_env(), state.cache("python"));
    let stamp = |version: &str| format!("{} {version} {}\n", project.manager, project.fingerprint);
    let uv = match project.manager {
        Manager::Uv => {
            let uv = uv_program(cx, state)?;
            let sync = UvSync::new(&uv, &env, &project.root)
                .python(options.interpreter.clone())
                .groups(&project.groups)
                .extras(&project.extras);
            cx.run(sync)?;
            Some(uv)
        }
        manager => {
            let (python, version) = interpreter(cx, project, options.interpreter.as_deref())?;
            let stamp = stamp(&version);
            let venv = |cx: &Context| {
                if cx.observe(ReadStamp::new(env.dir()))?.as_ref() != Some(&stamp) {
                    cx.run(Venv::new(&python, env.dir(), env.cache()))?;
                }
                Ok(())
            };
            match manager {
                Manager::Poetry => poetry(cx, project, &env, state, venv)?,
                Manager::Pip => {
                    venv(cx)?;
                    pip(cx, project, &env)?;
                }
                _ => {
                    venv(cx)?;
                    editable(cx, project, &env)?;
                }
            }
            cx.run(WriteStamp::new(env.dir(), stamp))?;
            None
        }
    };
    bring_in_pytest(cx, project, &env, uv)?;
    Ok(env)
}

/// An environment in the state folder that holds one tool at a pinned version.
///
/// # Errors
/// When a step fails.
pub fn tool_env(cx: &Context, state: &State, packages: &[(&str, &str)]) -> Result<Environment> {
    let list = |glue: &str, between: &str| {
        packages.iter().map(|(n, v)| format!("{n}{glue}{v}")).collect::<Vec<_>>().join(between)
    };
    let (name, version) = packages[0];
    let env = Environment::new(state.tool(&format!("{name}-{version}")), state.cache("python"));
    let stamp = format!("{}\n", list("==", " "));
    if cx.observe(ReadStamp::new(env.dir()))?.as_ref() == Some(&stamp) {
        return Ok(env);
    }
    cx.run(Venv::new("python3", env.dir(), env.cache()).of(name))?;
    let mut install = PipInstall::new(&env, state.dir()).of(list(" ", ", "));
    for (name, version) in packages {
        install = install.package(format!("{name}=={version}"));
    }
    cx.run(install)?;
    cx.run(WriteStamp::new(env.dir(), stamp).of(name))?;
    Ok(env)
}

/// The user's own uv, or the one that is brought in.
fn uv_program(cx: &Context, state: &State) -> Result<String> {
    if cx.find_program("uv").is_some() {
        return Ok("uv".to_owned());
    }
    cx.note(format!("uv is not on PATH: uv {} is brought in", pins::UV));
    Ok(tool_env(cx, state, &[("uv", pins::UV)])?.program("uv").into_string())
}

fn poetry(
    cx: &Context,
    project: &Project,
    env: &Environment,
    state: &State,
    venv: impl FnOnce(&Context) -> Result<()> + Send,
) -> Result<()> {
    let settings = project.pyproject.poetry.as_ref();
    let package_mode = settings.is_none_or(|poetry| poetry.package_mode);
    let with_root = package_mode && project.has_package;
    if package_mode && !project.has_package {
        cx.note(
            "the project's own package is not where Poetry looks for it, so it is not installed",
        );
    }
    if cx.find_program("poetry").is_some() {
        venv(cx)?;
        let optional = settings.map(|poetry| poetry.optional_groups.as_slice()).unwrap_or_default();
        let optional = project.groups.iter().filter(|group| optional.contains(group)).cloned();
        return cx.run(
            PoetryInstall::new("poetry", env, &project.root)
                .optional_groups(optional.collect())
                .extras(&project.extras)
                .no_root(!with_root),
        );
    }
    let written_by_1 = project.lock_written_by.as_ref().is_some_and(|v| v.starts_with("1."));
    let packages = if written_by_1 {
        [("poetry", pins::POETRY_1), ("poetry-plugin-export", pins::POETRY_1_EXPORT)]
    } else {
        [("poetry", pins::POETRY), ("poetry-plugin-export", pins::POETRY_EXPORT)]
    };
    let requirements = state.report("requirements.txt");
    cx.join(venv, |cx| {
        cx.note(format!("poetry is not on PATH: poetry {} is brought in", packages[0].1));
        let poetry = tool_env(cx, state, &packages)?.program("poetry");
        cx.run(
            PoetryExport::new(poetry.into_string(), &project.root, &requirements, env.cache())
                .groups(&project.groups)
                .extras(&project.extras),
        )
    })?;
    cx.run(
        PipInstall::new(env, &project.root)
            .requirements(requirements)
            .no_dependencies()
            .of("what poetry.lock holds"),
    )?;
    if with_root {
        let install = PipInstall::new(env, &project.root).editable(".").no_dependencies();
        cx.run(install.of("the project itself"))?;
    }
    Ok(())
}

fn pip(cx: &Context, project: &Project, env: &Environment) -> Result<()> {
    let mut install = PipInstall::new(env, &project.root).of("the requirements");
    for file in &project.requirements {
        install = install.requirements(file);
    }
    cx.run(install)?;
    if project.pyproject.builds && project.has_package {
        cx.note("the project can be installed itself, and tests may need that: it is, editable");
        let install = PipInstall::new(env, &project.root).editable(".").no_dependencies();
        cx.run(install.of("the project itself"))?;
    }
    Ok(())
}

fn editable(cx: &Context, project: &Project, env: &Environment) -> Result<()> {
    let extras = project.extras.join(",");
    let target = if extras.is_empty() { ".".to_owned() } else { format!(".[{extras}]") };
    let mut install = PipInstall::new(env, &project.root).editable(target).of("the project itself");
    // pip itself takes groups by name since 25.1 only.
    for requirement in
        project.groups.iter().filter_map(|g| project.pyproject.groups.get(g)).flatten()
    {
        install = install.package(requirement);
    }
    cx.run(install)
}

fn bring_in_pytest(
    cx: &Context,
    project: &Project,
    env: &Environment,
    uv: Option<String>,
) -> Result<()> {
    let wanted = [("pytest", pins::PYTEST), ("pytest-cov", pins::PYTEST_COV)];
    let missing: Vec<_> = wanted.iter().filter(|(name, _)| !project.declares(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list: Vec<String> =
        missing.iter().map(|(name, version)| format!("{name} {version}")).collect();
    let list = list.join(", ");
    cx.note(format!("the project does not declare all that its tests need: {list} is added"));
    let mut install = PipInstall::new(env, &project.root).of(&list);
    for (name, version) in missing {
        install = install.package(format!("{name}=={version}"));
    }
    if let Some(uv) = uv {
        install = install.by_uv(uv);
    }
    cx.run(install)
}
