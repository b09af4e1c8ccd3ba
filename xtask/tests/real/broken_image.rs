//! An image that cannot be built, or not as it should.

use std::fs;

use crate::{
    project::{Project, ran},
    support::{Temp, command, need_engine, run, said},
};

#[test]
fn a_dockerfile_with_a_mistake() {
    need_engine();
    let project = Project::fresh();
    let lines = |project: &Project| {
        fs::read_to_string(project.backend("Dockerfile")).unwrap().lines().count()
    };
    project.edit("Dockerfile", "USER talia\n", "USERR talia\n");
    let line = 1 + fs::read_to_string(project.backend("Dockerfile"))
        .unwrap()
        .lines()
        .position(|line| line.starts_with("USERR"))
        .unwrap();
    let ran = project.run(&["ci", "image"]);
    ran.expect(1, &["build image: the image could not be built", &format!("Dockerfile:{line}: ")]);
    ran.expect(1, &["unknown instruction: USERR"]);

    project.edit("Dockerfile", "USERR talia\n", "USER talia\n");
    let end = fs::read_to_string(project.backend("Dockerfile")).unwrap();
    fs::write(project.backend("Dockerfile"), format!("{end}RUN echo so far; \\\n    false\n"))
        .unwrap();
    let ran = project.run(&["ci", "image"]);
    ran.expect(1, &[&format!("Dockerfile:{}: ", lines(&project) - 1), "exit code: 1", "so far"]);
    assert!(project.images.tags().is_empty());
}

#[test]
fn a_dockerfile_that_is_not_there() {
    let project = Project::fresh();
    fs::remove_file(project.backend("Dockerfile")).unwrap();
    let ran = project.run(&["ci", "image"]);
    ran.expect(2, &["Dockerfile", "infra/reference/backend", "backend.image.dockerfile"]);
}

#[test]
fn uncommitted_changes_mark_the_image() {
    need_engine();
    let project = Project::fresh();
    project.edit("app/__init__.py", "\"\"\"", "\"\"\"Changed. ");
    project.run(&["ci", "image"]).expect(0, &["✓ build image"]);
    let (tag, name) = (format!("{}-dirty", project.tag()), project.images.repository());
    assert_eq!(project.images.tags(), [tag.as_str()]);
    let format = "{{index .Config.Labels \"org.opencontainers.image.revision\"}}";
    let args = ["image", "inspect", "--format", format, "--", &format!("{name}:{tag}")];
    let hash = run(project.root(), "git", &["rev-parse", "HEAD"]);
    assert_eq!(said(command("docker").args(args)).trim(), format!("{}-dirty", hash.trim()));
}

#[test]
fn an_engine_that_does_not_answer_blocks_the_image_alone() {
    let project = Project::with_environment();
    let mut xtask = project.xtask(&["ci", "lint", "image"]);
    let ran = ran(xtask.env("DOCKER_HOST", "unix:///nonexistent/docker.sock"));
    ran.expect(3, &["▲ build image", "docker-engine: the engine does not answer"]);
    ran.expect(3, &["unix:///nonexistent/docker.sock", "✓ ruff check", "✓ ruff format"]);
    ran.expect(3, &["not run: inspect image", "ci something needed is missing"]);
}

#[test]
fn programs_that_are_missing_are_named_with_what_installs_them() {
    let (project, bin) = (Project::with_environment(), Temp::new());
    // The interpreter behind any shim, and nothing else.
    let python = run(project.root(), "python3", &["-c", "import sys; print(sys._base_executable)"]);
    std::os::unix::fs::symlink(python.trim(), bin.path().join("python3")).unwrap();
    let mut xtask = project.xtask(&["ci", "lint", "image"]);
    let ran = ran(xtask.env("PATH", bin.path().as_str()));
    ran.expect(3, &["▲ build image", "docker: not installed", "✓ ruff check"]);
    ran.expect(3, &["git is not installed"]);
    ran.expect_no("this is no git repository");
}
