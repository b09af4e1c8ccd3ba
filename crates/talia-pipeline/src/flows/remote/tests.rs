use super::*;
use crate::{Answer, CommandLine, Event, ExitCode, Failure, Fake, Pipeline, Stdin, World};

const REVISION: &str = "0123456789abcdef0123456789abcdef01234567";

fn remote() -> Remote {
    let connection = Connection::new("talia.example", "deploy", "/pins", "/run/x/c");
    Remote::at(connection, "staging".parse().unwrap(), Role::Deploy)
}

fn answered(json: &str) -> String {
    Event::Answered { answer: json.parse().unwrap() }.to_json() + "\n"
}

/// What an agent says at the end of a request with this answer.
pub(in crate::flows) fn told(answer: &impl serde::Serialize) -> String {
    answered(&serde_json::to_string(answer).unwrap())
}

/// What it says where this has failed.
pub(in crate::flows) fn failed(error: &Error) -> String {
    let ended = Event::FlowFinished {
        flow: "release".into(),
        exit_code: error.exit_code().code(),
        duration_ms: 1,
        passed: 0,
        failures: error.failures().iter().map(Failure::from).collect(),
        allowed: Vec::new(),
        not_run: Vec::new(),
    };
    ended.to_json() + "\n"
}

/// Runs a flow against a server that says this.
fn ask<T>(
    exit: i32,
    said: String,
    flow: impl FnOnce(&Context, &Remote) -> Result<T>,
) -> (Result<T>, Vec<CommandLine>) {
    ask_saying(exit, said, "sudo: no agent", flow)
}

/// The same, with this by standard error.
fn ask_saying<T>(
    exit: i32,
    said: String,
    stderr: &str,
    flow: impl FnOnce(&Context, &Remote) -> Result<T>,
) -> (Result<T>, Vec<CommandLine>) {
    let pipeline = Pipeline::new("ask", "/", World::fixed("/", []));
    let stderr = stderr.to_owned();
    let fake = Fake::new(move |_| Answer::new(exit, said.clone(), stderr.clone()));
    pipeline.fake(fake, |cx| flow(cx, &remote()))
}

/// What it says to a greeting.
pub(in crate::flows) fn hello(version: &str, environment: &str, role: &str) -> String {
    answered(&format!(
        r#"{{"version":"{version}","environment":"{environment}","role":"{role}","later":1}}"#
    ))
}

#[test]
fn a_greeting_of_the_same_version_environment_and_role_is_good() {
    let own = Version::own().to_string();
    let (greeted, asked) =
        ask(0, hello(&own, "staging", "deploy"), |cx, remote| remote.open(cx).map(drop));
    greeted.unwrap();
    assert_eq!(asked[0].arguments().last().unwrap(), &format!("hello {own}"));
    assert!(asked[1].words().ends_with(" -O exit -- talia.example"), "{}", asked[1]);
}

#[test]
fn a_greeting_of_another_version_environment_or_role_is_not() {
    let own = Version::own().to_string();
    for (version, environment, role, exit, says) in [
        ("9.0", "staging", "deploy", ExitCode::Preflight, "is 9.0, this client is"),
        (&own, "production", "deploy", ExitCode::Refused, "serves the environment production"),
        (&own, "staging", "admin", ExitCode::Refused, "of the role admin, not deploy"),
    ] {
        let said = hello(version, environment, role);
        let error = ask(0, said, |cx, remote| remote.hello(cx)).0.unwrap_err();
        assert_eq!(error.exit_code(), exit, "{error}");
        assert!(error.to_string().contains(says), "{error}");
        assert!(error.hint_text().is_some());
    }
}

#[test]
fn an_agent_that_greets_and_then_refuses_is_told_by_its_version() {
    let said = hello("9.0", "staging", "deploy") + &failed(&Error::usage("not understood"));
    let error = ask(2, said, |cx, remote| remote.hello(cx)).0.unwrap_err();
    assert!(error.to_string().contains("is 9.0"), "{error}");
}

#[test]
fn a_server_without_the_agent_says_so() {
    let error = ask(1, String::new(), |cx, remote| remote.hello(cx)).0.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Preflight);
    assert_eq!(error.last_lines(), ["sudo: no agent"]);
}

#[test]
fn what_fails_there_is_the_same_error_here() {
    let there = Error::refused("alice@laptop holds the lock")
        .hint("wait")
        .tail(vec!["last".into()])
        .in_step("lock");
    let error = ask(4, failed(&there), |cx, remote| remote.prune(cx)).0.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert_eq!(error.to_string(), "lock: alice@laptop holds the lock");
    assert_eq!(error.hint_text(), Some("wait"));
    // What failed here is the request; else a report takes it for one that may fail.
    assert_eq!(error.step_label(), Some("prune at deploy@talia.example"));
    assert_eq!(error.last_lines(), ["last"]);
    let both = Error::all(vec![Error::step("a"), Error::refused("b")]);
    let error = ask(4, failed(&both), |cx, remote| remote.prune(cx)).0.unwrap_err();
    assert_eq!((error.failures().len(), error.exit_code()), (2, ExitCode::Refused));
}

#[test]
fn commands_in_a_hint_name_the_environment_that_was_asked() {
    let hint = "look at `cargo xtask status`, `nginx -t` or `cargo xtask unlock --env staging`";
    let there = Error::all(vec![Error::refused("held").hint(hint), Error::step("x")]);
    let error = ask(4, failed(&there), |cx, remote| remote.prune(cx)).0.unwrap_err();
    let told = "look at `cargo xtask status --env staging`, `nginx -t` or \
                `cargo xtask unlock --env staging`";
    assert_eq!(error.failures()[0].hint_text(), Some(told));
}

#[test]
fn a_script_tells_a_held_lock_from_what_it_refuses_and_from_what_nobody_knows() {
    let script = |exit, said| {
        let (ended, asked) =
            ask_saying(exit, String::new(), said, |cx, remote| remote.script(cx, "deploy"));
        assert_eq!(asked[0].arguments().last().unwrap(), "deploy");
        ended.unwrap_err()
    };
    let held = script(4, "deploy.sh: another deploy works here\n");
    assert_eq!(held.to_string(), "another deploy works on that server");
    let refused = script(4, "deploy.sh: this key may ask for status\n");
    assert_eq!(refused.to_string(), "that server's script refuses `deploy`");
    assert_eq!(refused.kind(), ErrorKind::Refused);
    let lost = script(255, "");
    assert_eq!(lost.exit_code(), ExitCode::Unknown);
    assert!(lost.hint_text().unwrap().contains("deploy@talia.example status"), "{lost:?}");
}

#[test]
fn a_connection_that_is_lost_leaves_it_unknown_and_names_the_question() {
    let error = ask(255, String::new(), |cx, remote| remote.prune(cx)).0.unwrap_err();
    assert_eq!(error.exit_code(), ExitCode::Unknown);
    assert!(error.hint_text().unwrap().contains("cargo xtask status --env staging"));
}

#[test]
fn a_change_that_ends_without_a_word_is_unknown_and_a_question_is_not() {
    let begun = Event::Note { text: "pulled".into() }.to_json();
    let error = ask(137, begun.clone(), |cx, remote| remote.prune(cx)).0.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unknown);
    let error = ask(137, begun, |cx, remote| remote.status(cx)).0.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Step);
    // An answer of a shape that nobody knows says nothing of what was done.
    let error = ask(0, answered("[7]"), |cx, remote| remote.cancel(cx, None)).0.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unknown);
}

#[test]
fn requests_are_one_word_each_for_ssh_and_answers_are_typed() {
    let (ended, asked) = ask(0, answered("[7, 8]"), |cx, remote| remote.unlock(cx));
    assert_eq!(ended.unwrap(), [7, 8]);
    assert_eq!(asked[0].arguments().last().unwrap(), "unlock");
    assert_eq!(asked[0].effect_kind(), Effect::Remote);
    let (records, asked) = ask(0, answered("[]"), |cx, remote| remote.releases(cx));
    assert_eq!((records.unwrap().len(), asked[0].effect_kind()), (0, Effect::Read));
    let request =
        Request::Plan { digest: None, revision: REVISION.parse().unwrap(), accept_drift: true };
    let asked = ask(0, answered("[]"), |cx, remote| remote.observe::<Vec<u8>>(cx, request)).1;
    let words = format!("plan - {REVISION} accept-drift");
    assert_eq!(asked[0].arguments().last().unwrap(), &words);
}

#[test]
fn an_agent_that_does_not_know_backups_yet_is_to_be_replaced() {
    let there = "no-such-verb".parse::<Request>().unwrap_err();
    let error = ask(4, failed(&there), |cx, remote| remote.backups(cx)).0.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    let hint = error.hint_text().unwrap();
    assert!(hint.contains("`cargo xtask server agent install --env staging`"), "{hint}");
    let held = failed(&Error::refused("held").hint("wait"));
    let error = ask(4, held, |cx, remote| remote.backups(cx)).0.unwrap_err();
    assert_eq!(error.hint_text(), Some("wait"));
}

#[test]
fn what_is_pushed_goes_by_a_file_and_never_stands_in_a_command() {
    let folder = std::env::temp_dir().join(format!("talia-push-{}", std::process::id()));
    let folder = camino::Utf8PathBuf::from_path_buf(folder).unwrap();
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("env");
    let push = |content: &[u8]| {
        std::fs::write(&file, content).unwrap();
        ask(0, answered("null"), |cx, remote| remote.push(cx, Request::EnvPush, &file))
    };
    let (pushed, asked) = push(b"TOKEN=s3cr3t-word\n");
    pushed.unwrap();
    assert_eq!(asked[0].input(), &Stdin::File(file.clone()));
    assert!(!format!("{:?}", asked[0]).contains("s3cr3t"));
    for wrong in [&b""[..], &vec![b'x'; (1 << 20) + 1]] {
        let (pushed, asked) = push(wrong);
        assert_eq!((pushed.unwrap_err().kind(), asked.len()), (ErrorKind::Usage, 0));
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
