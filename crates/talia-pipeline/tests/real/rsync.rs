//! The client's rsync, with the real program.

use std::{fs, os::unix::fs::PermissionsExt as _};

use talia_pipeline::{
    Action, Step as _,
    steps::{landing::Rsync, ssh::Connection},
};

use crate::support::{Temp, command};

/// rsync splits the text of `--rsh` by rules of its own.
#[test]
fn ssh_gets_its_words_as_they_were_meant() {
    let temp = Temp::new();
    temp.write("site/index.html", "hello\n");
    let path = |name: &str| temp.path().join(name);
    // It tells its words and says no more, so that rsync ends.
    let told = path("told");
    temp.write("ssh", &format!("#!/bin/sh\nprintf '%s\\0' \"$@\" > '{told}'\nexit 7\n"));
    fs::set_permissions(path("ssh"), fs::Permissions::from_mode(0o755)).unwrap();
    let server = Connection::new("deploy.example", "a user", "/it's 100%\"", "/a b/c")
        .key_file("/keys/it''s", "DEPLOY_KEY");
    let step = Rsync::new(&server, path("site"));
    let Action::Command { line, .. } = step.action() else { panic!("it is a command") };
    let mut rsync = command("rsync");
    rsync.args(line.arguments()).env("PATH", format!("{}:/usr/bin:/bin", temp.path()));
    rsync.output().unwrap();
    let told = fs::read_to_string(told).unwrap();
    let words: Vec<&str> = told.split_terminator('\0').collect();
    for expected in [
        "ControlPath=\"/a b/c\"",
        "User=a user",
        "IdentityFile=\"/keys/it''s\"",
        "UserKnownHostsFile=\"/it's 100%%\\\"\"",
    ] {
        assert!(words.contains(&expected), "{expected} in {words:#?}");
    }
    assert_eq!(words[words.len() - 5..], ["deploy.example", "rsync", "--server", "--daemon", "."]);
}
