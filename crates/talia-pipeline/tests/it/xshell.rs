//! `xshell::cmd!` writes words; nothing else of it is taken.

use talia_pipeline::CommandLine;
use xshell::{Shell, cmd};

use crate::kit::{Run, run};

#[test]
fn the_words_of_cmd_are_those_of_the_command_line() {
    let shell = Shell::new().unwrap();
    let (hostile, none, list) = ("it's\n$HOME -n", None::<&str>, ["--a", "b c"]);
    let line = CommandLine::try_from(cmd!(
        shell,
        "printf %s- 'quoted word' {hostile} {none...} {list...}"
    ));
    let line = line.unwrap();
    assert_eq!(line.program(), "printf");
    assert_eq!(line.arguments(), ["%s-", "quoted word", hostile, "--a", "b c"]);
    let (_, result, _) = run(|cx| cx.run(Run::new("words", line.clone())));
    assert_eq!(result.unwrap(), format!("quoted word-{hostile}---a-b c-"));
}

#[test]
fn folder_and_environment_of_the_shell_are_not_taken() {
    let shell = Shell::new().unwrap();
    shell.change_dir("/tmp");
    shell.set_var("TALIA_IT_XSHELL", "1");
    let line = CommandLine::try_from(cmd!(shell, "true").env("A", "b").stdin("x")).unwrap();
    assert_eq!(line, CommandLine::new("true"));
}

#[test]
fn a_word_that_is_no_text_is_refused() {
    use std::os::unix::ffi::OsStrExt as _;
    let shell = Shell::new().unwrap();
    let bytes = std::ffi::OsStr::from_bytes(b"a\xff");
    let error = CommandLine::try_from(cmd!(shell, "ls {bytes}")).unwrap_err();
    assert!(error.to_string().contains("not UTF-8"), "{error}");
}
