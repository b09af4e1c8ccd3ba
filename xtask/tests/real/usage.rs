//! Mistakes on the command line: each names what it is about, and what was meant.

use crate::{
    project::{ran, xtask},
    support::Temp,
};

/// Runs in a folder that is no project; gives what is told.
#[track_caller]
fn wrong(args: &[&str], texts: &[&str]) {
    let folder = Temp::new();
    let mut xtask = xtask(folder.path(), args);
    xtask.env("CARGO_TARGET_DIR", folder.path().join("target").as_str());
    let ran = ran(&mut xtask);
    ran.expect(2, texts);
    assert_eq!(ran.stdout, "", "a mistake is told on standard error");
    assert_eq!(folder.path().read_dir_utf8().unwrap().count(), 0, "nothing is written");
}

#[test]
fn commands() {
    wrong(&["co"], &["'co'", "'coverage'"]);
    wrong(&["docter"], &["'docter'", "'doctor'"]);
    wrong(&["selftst"], &["'selftst'", "'selftest'"]);
    wrong(&["cii"], &["'cii'", "'ci'"]);
    wrong(&["ci", "lnt"], &["'lnt'", "'lint'", "test, coverage, image"]);
    wrong(&["ci", "lint", "imge"], &["'imge'", "'image'"]);
}

#[test]
fn flags() {
    wrong(&["ci", "--fail-fst"], &["'--fail-fst'", "'--fail-fast'"]);
    wrong(&["ci", "--jbs", "2"], &["'--jbs'", "'--jobs'"]);
    wrong(&["ci", "--instal"], &["'--instal'", "'--install'"]);
    wrong(&["ci", "--time-out=4"], &["'--time-out'", "'--timeout'"]);
    wrong(&["coverage", "--jsn", "x.xml"], &["'--jsn'", "'--json'"]);
    wrong(&["doctor", "--jsn"], &["'--jsn'", "'--json'"]);
    wrong(&["selftest", "--fst"], &["'--fst'", "'--fast'"]);
    wrong(&["--versoin"], &["'--versoin'"]);
}

#[test]
fn values() {
    wrong(&["ci", "--jobs", "x"], &["'x'", "--jobs <N>"]);
    wrong(&["ci", "--jobs", "0"], &["'0'", "--jobs <N>", "1.."]);
    wrong(&["ci", "--jobs", "-1"], &["--jobs"]);
    wrong(&["ci", "--timeout", "0"], &["'0'", "--timeout <SECONDS>", "1.."]);
    wrong(&["ci", "--plan=yaml"], &["'yaml'", "--plan", "text, json"]);
    wrong(&["ci", "--plan=jsn"], &["'jsn'", "'json'"]);
    wrong(&["ci", "--root"], &["--root <DIR>"]);
    wrong(&["ci", "--report"], &["--report <FILE>"]);
    wrong(&["coverage"], &["<FILE>"]);
    wrong(&["coverage", "a", "b"], &["'b'"]);
}

#[test]
fn environments() {
    for command in [
        &["status"][..],
        &["releases"],
        &["backups"],
        &["logs"],
        &["cancel"],
        &["cancel", "landing"],
        &["unlock"],
        &["maintenance", "on"],
        &["backup"],
        &["drill"],
        &["restore", "20261124T030000Z", "--yes"],
        &["server", "prune"],
        &["server", "env", "push", "x.env"],
    ] {
        wrong(command, &["no environment is named", "there are: sandbox"]);
        let named = [command, &["--env", "prod"]].concat();
        wrong(&named, &["no environment \"prod\"", "there are: sandbox"]);
    }
    wrong(&["status", "--env", "sandbox-Two"], &["sandbox-Two", "there are: sandbox"]);
    wrong(&["cancel", "all", "--env", "x"], &["'all'", "backend, landing"]);
    wrong(&["maintenance", "of", "--env", "x"], &["'of'", "on, off"]);
    wrong(&["logs", "--env", "sandbox", "--since", "1 h"], &["`15m`"]);
    wrong(&["restore", "20261124T030000Z", "--env", "sandbox"], &["--yes"]);
}

#[test]
fn a_sandbox_that_is_not_up_is_something_missing() {
    let folder = Temp::new();
    for (name, hint) in
        [("sandbox", "`cargo xtask sandbox up`"), ("sandbox-two", "sandbox up --name two`")]
    {
        let mut xtask = xtask(folder.path(), &["status", "--env", name]);
        xtask.env("CARGO_TARGET_DIR", folder.path().join("target").as_str());
        ran(&mut xtask).expect(3, &["is not up", hint]);
    }
}

#[test]
fn files_and_folders_that_are_not_there() {
    wrong(&["coverage", "not there.xml"], &["not there.xml", "cannot be read"]);
    wrong(&["coverage", "--json", "not there.xml"], &["not there.xml", "cannot be read"]);
    wrong(&["ci", "--root", "not there"], &["not there", "`--root DIR`"]);
    wrong(&["ci", "--root", "not there", "--plan"], &["not there", "`--root DIR`"]);
    wrong(&["doctor", "--root", "not there"], &["not there", "`--root DIR`"]);
    wrong(&["ci", "--plan"], &["no Python project was found", "`--root DIR`"]);
}

#[test]
fn a_report_in_a_folder_that_is_not_there() {
    let folder = Temp::new();
    folder.write("requirements.txt", "");
    let mut xtask = xtask(folder.path(), &["ci", "--report", "no/where.jsonl"]);
    xtask.env("CARGO_TARGET_DIR", folder.path().join("target").as_str());
    ran(&mut xtask).expect(2, &["no/where.jsonl", "cannot be written"]);
}

#[test]
fn a_file_that_is_no_report() {
    let folder = Temp::new();
    folder.write("notes.xml", "<coverage><lines");
    for args in [&["coverage", "notes.xml"][..], &["coverage", "--json", "notes.xml"]] {
        let ran = ran(&mut xtask(folder.path(), args));
        ran.expect(2, &["notes.xml:1:"]);
        assert_eq!(ran.stdout, "");
    }
}

#[test]
fn several_projects_are_listed() {
    let folder = Temp::new();
    folder.write("one/requirements.txt", "").write("b c/two/pyproject.toml", "[project]\n");
    folder.write("node_modules/x/setup.py", "");
    for plan in [&["ci", "--root", "."][..], &["ci", "--root", ".", "--plan"], &["ci", "--plan"]] {
        let mut xtask = xtask(folder.path(), plan);
        xtask.env("CARGO_TARGET_DIR", folder.path().join("target").as_str());
        let ran = ran(&mut xtask);
        ran.expect(2, &["2 projects were found", "choose one:"]);
        // It can be pasted.
        let one = format!("--root '{}/one'\n", folder.path());
        ran.expect(2, &[&one, &format!("--root '{}/b c/two'\n", folder.path())]);
        ran.expect_no("node_modules");
    }
}

#[test]
fn a_plan_for_a_program_is_one_document_also_where_there_is_none() {
    let (folder, target) = (Temp::new(), Temp::new());
    folder.write(
        "infra/pipeline.toml",
        "[backend]\nroot = \"app\"\n[backend.image]\nrepository = \"r.example/x\"\n\
         [environments.staging]\naddress = \"127.0.0.1\"\nport = 1\n",
    );
    folder.write("app/requirements.txt", "");
    for (args, message, code) in [
        (&["up", "--plan=json"][..], "no compose file", 2),
        (&["unlock", "--env", "staging", "--plan=json"], "127.0.0.1", 3),
        (&["deploy", "backend", "--env", "staging", "--plan=json"], "127.0.0.1", 3),
    ] {
        let mut xtask = xtask(folder.path(), args);
        xtask.env("CARGO_TARGET_DIR", target.path().as_str());
        let ran = ran(&mut xtask);
        ran.expect(code, &["error: "]);
        let told: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(told["flow"], args[0]);
        assert_eq!(
            (&told["exit_code"], &told["refused"][0]["exit_code"]),
            (&code.into(), &code.into())
        );
        let why = told["refused"][0]["message"].as_str().unwrap();
        assert!(why.contains(message), "{why}");
    }
}

#[test]
fn help_is_no_mistake() {
    let folder = Temp::new();
    for command in ["ci", "doctor", "coverage", "selftest"] {
        let ran = ran(&mut xtask(folder.path(), &[command, "--help"]));
        ran.expect(0, &["Examples:", &format!("cargo xtask {command}")]);
        assert_eq!(ran.stderr, "");
    }
}
