//! What is missing is told at once, and only what needs it waits.

use talia_pipeline::{CommandLine, ErrorKind, Outcome, Pipeline, World, secret::Secret};

use crate::kit::{Events, Folder, Run, pipeline, run};

fn missing() -> Run {
    Run::new("needs it", CommandLine::new("talia-no-such-program").arg("--now"))
}

#[test]
fn a_missing_program_blocks_its_step_and_the_others_run() {
    let (code, result, events) = run(|cx| {
        cx.join(|cx| cx.run(missing()), |cx| cx.run(Run::sh("beside", "sleep 0.1; echo fine")))
    });
    assert_eq!(code, 3);
    assert_eq!(result.err().unwrap().kind(), ErrorKind::Preflight);
    assert_eq!(events.outcomes()["needs it"], Outcome::Blocked);
    assert_eq!(events.outcomes()["beside"], Outcome::Passed);
    let failure = &events.end().failures[0];
    assert_eq!(failure.exit_code, 3);
    assert!(failure.message.contains("talia-no-such-program: not installed"));
}

#[test]
fn a_failed_step_counts_more_than_a_missing_program() {
    let (code, _, _) =
        run(|cx| cx.join(|cx| cx.run(missing()), |cx| cx.run(Run::sh("fails", "exit 1"))));
    assert_eq!(code, 1);
}

#[test]
fn a_missing_known_tool_comes_with_the_command_that_installs_it() {
    let folder = Folder::new();
    let world = World::fixed("/", [("PATH", folder.path().as_str())]);
    let events = Events::default();
    let mut pipeline = Pipeline::new("test", "/", world).report(events.clone());
    let finished = pipeline.run(|cx| {
        cx.run(Run::new("clone", CommandLine::new("git").arg("clone").requires("rsync")))
    });
    assert_eq!(finished.exit_code.code(), 3);
    let message = &events.end().failures[0].message;
    assert!(message.contains("git: not installed: `apt-get install -y git`"), "{message}");
    assert!(message.contains("rsync: not installed: `apt-get install -y rsync`"), "{message}");
}

#[test]
fn a_tool_that_is_too_old_or_unwell_is_told_with_what_it_said() {
    let folder = Folder::new();
    folder.program("git", "#!/bin/sh\necho git version 2.1.4\n");
    folder.program("docker", "#!/bin/sh\necho 'it is broken' >&2; exit 1\n");
    let path = format!("{}:/usr/bin:/bin", folder.path());
    let pipeline = Pipeline::new("test", "/", World::fixed("/", [("PATH", path.as_str())]));
    let found = pipeline.look_up(&["git", "docker", "git"]).unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].problem(), Some("is 2.1.4, at least 2.30 is needed"));
    assert!(found[1].problem().unwrap().contains("it is broken"));
}

#[test]
fn what_an_earlier_step_makes_is_not_missing() {
    let folder = Folder::new();
    let program = folder.join("env/bin/tool");
    struct Makes(camino::Utf8PathBuf);
    impl talia_pipeline::Step for Makes {
        type Output = ();
        fn label(&self) -> String {
            "make it".into()
        }
        fn action(&self) -> talia_pipeline::Action<'_, ()> {
            let script = r#"mkdir -p "$0" && printf '#!/bin/sh\necho made\n' > "$0/tool" && chmod +x "$0/tool""#;
            let line = CommandLine::new("sh").args(["-c", script]).arg(self.0.join("bin").as_str());
            talia_pipeline::Action::command(line, |_| Ok(()))
        }
        fn assume(&self) {}
        fn touches(&self) -> Option<talia_pipeline::Touches> {
            Some(talia_pipeline::Touches::new(&self.0).writes(&self.0))
        }
    }
    let (code, result, _) = run(|cx| {
        cx.run(Makes(folder.join("env")))?;
        cx.run(Run::new("use it", CommandLine::new(program.as_str())))
    });
    assert_eq!((code, result.unwrap().as_str()), (0, "made\n"));
}

#[test]
fn a_missing_secret_blocks_the_step_that_needs_it_alone() {
    let (pipeline, events) = pipeline();
    let finished = pipeline.secrets([Secret::variable("TALIA_NO_SUCH_SECRET")]).run(|cx| {
        cx.join(
            |cx| {
                let step = Run::sh("push", "exit 0");
                cx.run(step.with(|line| line.env_secret("TOKEN", "TALIA_NO_SUCH_SECRET")))
            },
            |cx| cx.run(Run::sh("beside", "exit 0")),
        )
    });
    assert_eq!(finished.exit_code.code(), 3);
    assert_eq!(events.outcomes()["push"], Outcome::Blocked);
    assert_eq!(events.outcomes()["beside"], Outcome::Passed);
    assert!(events.end().failures[0].hint.is_some());
}

#[test]
fn a_secret_that_nobody_declared_is_missing_too() {
    let (code, _, events) = run(|cx| {
        let step = Run::sh("push", "exit 0");
        cx.run(step.with(|line| line.stdin(talia_pipeline::Stdin::Secret("NOBODYS".into()))))
    });
    assert_eq!((code, events.outcomes()["push"]), (3, Outcome::Blocked));
}
