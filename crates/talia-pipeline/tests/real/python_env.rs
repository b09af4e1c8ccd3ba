//! A project's environment by uv, Poetry and pip.

use camino::{Utf8Path, Utf8PathBuf};
use talia_pipeline::{
    Context, Finished, Pipeline, Result, State, World, flows, pins,
    project::Detect,
    settings,
    steps::python::{Environment, PoetryExport, UvSync},
};

use crate::{
    alone, failure,
    support::{Temp, command, output, run, said, state_of, venv},
};

/// Makes the environment of the project at `root` as `ci` does.
fn make(root: &Utf8Path, state: &State) -> Finished<Environment> {
    let flow = |cx: &Context| -> Result<Environment> {
        let project = cx.observe(Detect::new(root))?;
        flows::python_env(cx, &project, &settings::Python::default(), state)
    };
    Pipeline::new("environment", root, World::real().unwrap()).state(state.clone()).run(flow)
}

/// What the environment's Python prints.
fn python(env: &Utf8Path, folder: &Utf8Path, script: &str) -> String {
    let mut python = command(env.join("bin/python").as_str());
    said(python.args(["-c", script]).current_dir(folder).env("PYTHONDONTWRITEBYTECODE", "1"))
        .trim()
        .to_owned()
}

fn uv() -> Utf8PathBuf {
    venv("uv", &[&format!("uv=={}", pins::UV)]).join("bin/uv")
}

/// A workspace with one member, which needs a group and an extra.
fn workspace() -> Temp {
    let folder = Temp::new();
    folder.write("pyproject.toml", "[tool.uv.workspace]\nmembers = [\"api\"]\n");
    folder.write(
        "api/pyproject.toml",
        "[project]\nname = \"api\"\nversion = \"1\"\nrequires-python = \">=3.9\"\n\
         dependencies = [\"iniconfig\"]\n\
         [project.optional-dependencies]\nextra = [\"idna\"]\n\
         [dependency-groups]\ntest = [\"toml\"]\n\
         [build-system]\nrequires = [\"uv_build\"]\nbuild-backend = \"uv_build\"\n",
    );
    folder.write("api/src/api/__init__.py", "ANSWER = 42\n");
    run(folder.path(), uv().as_str(), &["lock", "--quiet"]);
    folder
}

#[test]
fn uv_syncs_a_member_of_a_workspace_and_a_stale_lock_tells_why() {
    let (folder, state) = (workspace(), Temp::new());
    let (root, env) = (folder.path().join("api"), state.path().join("env"));
    let before = state_of(folder.path());
    let environment = Environment::new(&env, state.path().join("cache"));
    let sync = || {
        let (groups, extras) = (["test".to_owned()], ["extra".to_owned()]);
        UvSync::new(uv(), &environment, &root).groups(&groups).extras(&extras)
    };
    let finished = alone(&root, sync);
    assert_eq!(finished.exit_code.code(), 0, "{:?}", finished.result);
    let script = "import api, idna, iniconfig, toml; print(api.ANSWER)";
    assert_eq!(python(&env, &root, script), "42");
    assert_eq!(state_of(folder.path()), before, "nothing is written into the project");

    let file = root.join("pyproject.toml");
    crate::support::edit(&file, "\"iniconfig\"", "\"iniconfig\", \"six\"");
    let (error, _) = failure(alone(&root, sync));
    let said = error.last_lines().join("\n");
    assert!(said.contains("lockfile") && said.contains("needs to be updated"), "{error}\n{said}");
}

#[test]
fn requirements_that_include_each_other_are_all_installed() {
    let (folder, state) = (Temp::new(), Temp::new());
    folder.write("requirements.txt", "iniconfig\n");
    folder.write("requirements-dev.txt", "-r requirements.txt\n-r more/tests.txt\n");
    folder.write("requirements-docs.txt", "this-is-not-installed-for-tests\n");
    folder.write("more/tests.txt", "pytest\npytest-cov\n");
    let before = state_of(folder.path());
    let state = State::new(state.path().join("s"));
    let finished = make(folder.path(), &state);
    assert_eq!(finished.exit_code.code(), 0, "{:?}", finished.result);
    let script = "import iniconfig, pytest, pytest_cov; print('there')";
    assert_eq!(python(&state.python_env(), folder.path(), script), "there");
    assert_eq!(state_of(folder.path()), before, "nothing is written into the project");
}

#[test]
fn an_editable_project_gets_its_extras_and_groups() {
    let (folder, state) = (Temp::new(), Temp::new());
    folder.write(
        "pyproject.toml",
        "[project]\nname = \"shop\"\nversion = \"1\"\ndependencies = [\"iniconfig\"]\n\
         [project.optional-dependencies]\ndev = [\"toml\"]\ndocs = [\"not-installed-for-tests\"]\n\
         [dependency-groups]\ntest = [\"six\", {include-group = \"base\"}]\nbase = [\"idna\"]\n\
         [build-system]\nrequires = [\"setuptools\"]\nbuild-backend = \"setuptools.build_meta\"\n\
         [tool.setuptools]\npackages = [\"shop\"]\n",
    );
    folder.write("shop/__init__.py", "ANSWER = 42\n");
    let state = State::new(state.path().join("s"));
    let finished = make(folder.path(), &state);
    assert_eq!(finished.exit_code.code(), 0, "{:?}", finished.result);
    let script =
        "import idna, iniconfig, pytest, six, toml, shop; print(shop.ANSWER, shop.__file__)";
    let told = python(&state.python_env(), state.dir(), script);
    assert_eq!(told, format!("42 {}", folder.path().join("shop/__init__.py")));
}

#[test]
fn both_lines_of_poetry_export_their_lock_and_refuse_a_stale_one() {
    let one = [
        format!("poetry=={}", pins::POETRY_1),
        format!("poetry-plugin-export=={}", pins::POETRY_1_EXPORT),
    ];
    let two = [
        format!("poetry=={}", pins::POETRY),
        format!("poetry-plugin-export=={}", pins::POETRY_EXPORT),
    ];
    for (name, packages, lock, needs) in
        [("poetry-1", one, LOCK_1, OLD_PROJECT), ("poetry-2", two, LOCK_2, NEW_PROJECT)]
    {
        let env = venv(name, &packages.each_ref().map(String::as_str));
        let (folder, state) = (Temp::new(), Temp::new());
        folder.write("pyproject.toml", needs);
        let hash = content_hash(&env, folder.path());
        folder.write("poetry.lock", &lock.replace("HASH", &hash));
        let before = state_of(folder.path());
        let requirements = state.path().join("requirements.txt");
        let export = || {
            let poetry = env.join("bin/poetry");
            PoetryExport::new(poetry, folder.path(), &requirements, state.path().join("cache"))
                .groups(&["dev".to_owned()])
        };
        let finished = alone(folder.path(), export);
        assert_eq!(finished.exit_code.code(), 0, "{name}: {:?}", finished.result);
        let text = std::fs::read_to_string(&requirements).unwrap();
        assert!(text.contains("iniconfig==2.0.0") && text.contains("--hash=sha256:"), "{text}");
        assert_eq!(state_of(folder.path()), before, "{name}: nothing is written");

        crate::support::edit(&folder.path().join("pyproject.toml"), "2.0.0", "2.0.1");
        let (error, _) = failure(alone(folder.path(), export));
        let said = format!("{error} {}", error.last_lines().join(" "));
        assert!(said.contains("poetry.lock") && said.contains("pyproject.toml"), "{name}: {said}");
        assert!(said.contains("poetry lock"), "{name}: {said}");
    }
}

const OLD_PROJECT: &str = "[tool.poetry]\nname = \"old\"\nversion = \"1\"\ndescription = \"\"\n\
    authors = []\n[tool.poetry.dependencies]\npython = \">=3.9\"\n\
    [tool.poetry.group.dev.dependencies]\niniconfig = \"2.0.0\"\n";
const NEW_PROJECT: &str = "[project]\nname = \"new\"\nversion = \"1\"\nrequires-python = \">=3.9\"\n\
    [dependency-groups]\ndev = [\"iniconfig==2.0.0\"]\n[tool.poetry]\npackage-mode = false\n";

const LOCK_1: &str = "# This file is automatically @generated by Poetry 1.8.5 and should not be changed by hand.

[[package]]
name = \"iniconfig\"
version = \"2.0.0\"
description = \"\"
optional = false
python-versions = \">=3.7\"
files = [
    {file = \"iniconfig-2.0.0-py3-none-any.whl\", hash = \"sha256:b6a85871a79d2e3b22d2d1b94ac2824226a63c6b741c88f7ae975f18b6778374\"},
]

[metadata]
lock-version = \"2.0\"
python-versions = \">=3.9\"
content-hash = \"HASH\"
";
const LOCK_2: &str = "# This file is automatically @generated by Poetry 2.5.1 and should not be changed by hand.

[[package]]
name = \"iniconfig\"
version = \"2.0.0\"
description = \"\"
optional = false
python-versions = \">=3.7\"
groups = [\"dev\"]
files = [
    {file = \"iniconfig-2.0.0-py3-none-any.whl\", hash = \"sha256:b6a85871a79d2e3b22d2d1b94ac2824226a63c6b741c88f7ae975f18b6778374\"},
]

[metadata]
lock-version = \"2.1\"
python-versions = \">=3.9\"
content-hash = \"HASH\"
";

/// What this Poetry takes for the fingerprint of the folder's `pyproject.toml`.
fn content_hash(env: &Utf8Path, folder: &Utf8Path) -> String {
    const SCRIPT: &str = "from pathlib import Path; from poetry.factory import Factory; \
        print(Factory().create_poetry(Path('.')).locker._get_content_hash())";
    let mut python = command(env.join("bin/python").as_str());
    let told = output(python.args(["-c", SCRIPT]).current_dir(folder));
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    String::from_utf8_lossy(&told.stdout).trim().to_owned()
}
