//! What a child finds around it: variables, folder, program.

use std::{collections::BTreeMap, fs};

use talia_pipeline::{CommandLine, ErrorKind, Outcome, Pipeline, Result, World};

use crate::kit::{Events, Folder, Run, run};

/// The environment that a command gets in this world.
fn child_environment(
    world: World,
    change: fn(CommandLine) -> CommandLine,
) -> BTreeMap<String, String> {
    let line = change(CommandLine::new("/usr/bin/env").arg("-0"));
    let mut pipeline = Pipeline::new("test", "/", world);
    let said = pipeline.run(|cx| cx.run(Run::new("env", line.clone()))).result.unwrap();
    let pairs = said.split_terminator('\0').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// What cargo's parent gave to cargo, if cargo is what runs these tests.
fn before_cargo() -> Option<BTreeMap<String, String>> {
    let parent = rustix::process::getppid()?.as_raw_nonzero();
    let name = fs::read_to_string(format!("/proc/{parent}/comm")).ok()?;
    let environment = fs::read(format!("/proc/{parent}/environ")).ok()?;
    let text = String::from_utf8(environment).ok()?;
    let pairs = text.split_terminator('\0').filter_map(|pair| pair.split_once('='));
    let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    (name.trim() == "cargo").then_some(pairs)
}

#[test]
fn under_a_real_cargo_a_child_gets_what_cargo_got_but_for_the_locale_and_the_mark() {
    let Some(mut expected) = before_cargo() else { return };
    // What the proxy of rustup adds stands there already; the library path is cargo's
    // alone unless the caller has one of their own.
    if expected.get("LD_LIBRARY_PATH").is_some_and(|path| path.contains("/toolchains/")) {
        expected.remove("LD_LIBRARY_PATH");
    }
    expected.retain(|name, _| !name.starts_with("LC_") && !name.starts_with("LANG"));
    let own = ["RUST_RECURSION_COUNT", "CARGO"];
    expected.retain(|name, _| !own.contains(&name.as_str()));
    expected.insert("LC_ALL".into(), "C.UTF-8".into());
    let mut given = child_environment(World::real().unwrap(), |line| line);
    assert!(given.remove("TALIA_RUN_MARK").is_some());
    given.remove("RUST_RECURSION_COUNT");
    expected.remove("TALIA_RUN_MARK");
    assert_eq!(given, expected);
}

#[test]
fn the_users_own_settings_of_cargo_reach_a_child_and_cargos_do_not() {
    let world = World::real().unwrap();
    let users = ["CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_REGISTRIES_MINE_INDEX", "RUSTC_WRAPPER"];
    let cargos = ["CARGO", "CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_PKG_VERSION"];
    let world = users.iter().chain(&cargos).fold(world, |world, name| world.with(name, "x"));
    let given = child_environment(world, |line| line);
    for name in users {
        assert_eq!(given.get(name).map(String::as_str), Some("x"), "{name}");
    }
    for name in cargos {
        assert_eq!(given.get(name), None, "{name}");
    }
}

#[test]
fn the_locale_is_pinned_whatever_the_callers_is() {
    let world = World::real().unwrap().with("LANG", "de_DE.UTF-8").with("LC_ALL", "tr_TR.UTF-8");
    let given = child_environment(world, |line| line);
    assert_eq!(given["LC_ALL"], "C.UTF-8");
    assert_eq!(given.get("LANG"), None);
}

#[test]
fn a_command_sets_and_takes_away_its_own_variables() {
    let world = World::real().unwrap().with("TAKEN", "caller's").with("LEFT", "caller's");
    let given = child_environment(world, |line| {
        line.env("ADDED", "a b\n'c'").env("EMPTY", "").env("LC_ALL", "C").env_remove("TAKEN")
    });
    assert_eq!(given["ADDED"], "a b\n'c'");
    assert_eq!((given["EMPTY"].as_str(), given["LEFT"].as_str()), ("", "caller's"));
    assert_eq!((given["LC_ALL"].as_str(), given.get("TAKEN")), ("C", None));
}

#[test]
fn a_value_that_is_no_text_reaches_a_child_as_it_is() {
    use std::os::unix::ffi::OsStringExt as _;
    let bytes = std::ffi::OsString::from_vec(b"\xff\xfe".to_vec());
    let world = World::real().unwrap().with("BYTES", bytes);
    let mut pipeline = Pipeline::new("test", "/", world);
    let script = "printf %s \"$BYTES\" | od -An -tx1";
    let finished = pipeline.run(|cx| cx.run(Run::sh("bytes", script)));
    assert_eq!(finished.result.unwrap().trim(), "ff fe");
}

#[test]
fn a_program_is_looked_up_along_the_path_of_its_own_command() {
    let folder = Folder::new();
    folder.program("bin/only-here", "#!/bin/sh\necho found\n");
    let path = folder.join("bin");
    let line = CommandLine::new("only-here").env("PATH", format!("{path}:/usr/bin:/bin"));
    let (code, result, _) = run(|cx| cx.run(Run::new("lookup", line.clone())));
    assert_eq!((code, result.unwrap().as_str()), (0, "found\n"));
    // The caller's own `sh` is not on this path.
    let lost = CommandLine::new("sh").env("PATH", path.as_str());
    let (code, _, events) = run(|cx| cx.run(Run::new("lost", lost.clone())));
    assert_eq!((code, events.outcomes()["lost"]), (3, Outcome::Blocked));
}

#[test]
fn a_program_with_a_slash_is_looked_up_from_its_own_folder() {
    let folder = Folder::new();
    folder.program("tools/hello", "#!/bin/sh\npwd\n");
    let line = CommandLine::new("tools/hello").cwd(folder.path());
    let (code, result, _) = run(|cx| cx.run(Run::new("relative", line.clone())));
    assert_eq!((code, result.unwrap().trim()), (0, folder.path().as_str()));
}

#[test]
fn without_a_path_a_program_is_found_where_a_shell_would_find_it() {
    let world = World::real().unwrap().without("PATH");
    let mut pipeline = Pipeline::new("test", "/", world);
    let finished = pipeline.run(|cx| cx.run(Run::sh("no path", "echo fine")));
    assert_eq!(finished.result.unwrap(), "fine\n");
    let (_, result, _) = run(|cx| {
        cx.run(Run::sh("path taken away", "echo fine").with(|line| line.env_remove("PATH")))
    });
    assert_eq!(result.unwrap(), "fine\n");
}

#[test]
fn a_missing_folder_is_what_is_said_and_not_a_missing_program() {
    for program in ["sh", "/bin/sh", "./run"] {
        let line = CommandLine::new(program).cwd("/no/such folder");
        let (code, result, events) = run(|cx| cx.run(Run::new("lost", line.clone())));
        let error = result.err().unwrap();
        assert_eq!((code, error.kind()), (1, ErrorKind::Step), "{program}: {error}");
        let failure = &events.end().failures[0].message;
        assert!(failure.contains("/no/such folder"), "{program}: {failure}");
        assert!(!failure.contains("is not there"), "{program}: {failure}");
    }
}

#[test]
fn a_program_that_ends_by_a_signal_says_which() {
    let (code, _, events) = run(|cx| cx.run(Run::sh("shot", "kill -9 $$")));
    assert_eq!(code, 1);
    assert!(events.end().failures[0].message.contains("signal 9"));
}

#[test]
fn a_path_with_spaces_and_newlines_and_quotes_works_everywhere() {
    let folder = Folder::named("it's a\nhostile \"path\" $HOME");
    let state = talia_pipeline::State::new(folder.join("state dir"));
    let program = folder.program("the program", "#!/bin/sh\ncat; pwd\n");
    let input = folder.write("the input", "in\n");
    let line =
        CommandLine::new(program).cwd(folder.path()).stdin(talia_pipeline::Stdin::File(input));
    let events = Events::default();
    let mut pipeline = Pipeline::new("test", folder.path(), World::real().unwrap())
        .state(state)
        .report(events.clone());
    let result: Result<String> = pipeline.run(|cx| cx.run(Run::new("works", line.clone()))).result;
    assert_eq!(result.unwrap(), format!("in\n{}\n", folder.path()));
    assert!(fs::read_to_string(events.log("works")).unwrap().starts_with("in\n"));
}
