//! Mistakes in `infra/pipeline.toml`.

use crate::{project::Project, support::edit};

#[test]
fn a_syntax_error_is_pointed_at() {
    let project = Project::fresh();
    edit(&project.settings(), "name = \"talia\"\n", "name = \"talia\n");
    for command in [&["ci"][..], &["ci", "--plan"], &["doctor"]] {
        let ran = project.run(command);
        ran.expect(2, &["error: infra/pipeline.toml:9:", "9 | name = \"talia", "  | "]);
        assert_eq!(ran.stdout, "", "nothing was begun");
    }
}

#[test]
fn an_unknown_key_is_pointed_at_and_the_nearest_one_named() {
    let project = Project::fresh();
    edit(&project.settings(), "branches = 70.5\n", "brances = 70.5\n");
    let ran = project.run(&["ci"]);
    ran.expect(2, &["unknown key `brances` in [backend.coverage]", "brances = 70.5", "^^^^^^^"]);
    ran.expect(2, &["infra/pipeline.toml:", "hint: did you mean `branches`?"]);
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let project = Project::fresh();
    edit(&project.settings(), "root = \"infra/reference/backend\"", "root = \"infra/backend\"");
    project.run(&["ci"]).expect(2, &["infra/backend", "does not exist", "backend.root"]);
}

#[test]
fn a_secret_that_is_not_set_blocks_and_is_named() {
    let project = Project::fresh();
    edit(&project.settings(), "names = [\"DEPLOY_KEY\"", "names = [\"NOT_SET_HERE\"");
    let old = "#build_secrets = [\"TWILIO_AUTH_TOKEN\"]";
    edit(&project.settings(), old, "build_secrets = [\"NOT_SET_HERE\"]");
    crate::support::need_engine();
    project.run(&["ci", "image"]).expect(3, &["▲ build image", "NOT_SET_HERE"]);
}
