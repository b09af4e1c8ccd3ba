//! A plan: the flow without its effects.

use talia_pipeline::{
    Answer, CommandLine, Context, Error, ErrorKind, Fake, Outcome, Pipeline, Result, World, hole,
    secret::{Secret, SecretValue},
};

use crate::kit::{Events, Folder, Run, Work, pipeline, run};

/// A folder of programs that write down how they are called, and a world that
/// has nothing else on its `PATH`.
fn logging(names: &[&str]) -> (Folder, World) {
    let folder = Folder::new();
    for name in names {
        let log = folder.join("log");
        let script =
            format!("#!/bin/sh\necho \"{name} $*\" >> '{log}'\necho '{name} version 99.1'\n");
        folder.program(&format!("bin/{name}"), &script);
    }
    let world = World::fixed(folder.path(), [("PATH", folder.join("bin").as_str())]);
    (folder, world)
}

fn call(label: &str, words: &str) -> Run {
    let mut words = words.split(' ');
    Run::new(label, CommandLine::new(words.next().unwrap()).args(words))
}

fn flow(cx: &Context) -> Result<String> {
    cx.finally(call("clean up", "tool clean"));
    let revision = cx.observe(call("revision", "git log").reads())?;
    assert!(cx.probe(call("nothing", "no-such-tool").reads())?.is_none());
    let (built, _) = cx.join(
        |cx| cx.run(call("build", "docker build").with(|line| line.requires("docker-buildx"))),
        |cx| cx.group("checks", |cx| cx.run(call("lint", "tool lint"))),
    )?;
    cx.run(Work::new("write", || panic!("a plan does no work")))?;
    cx.run(call("push", &format!("tool push {}", built.trim())))?;
    Ok(revision)
}

#[test]
fn a_plan_executes_observations_and_version_probes_and_nothing_else() {
    let (folder, world) = logging(&["git", "docker", "tool"]);
    let pipeline = Pipeline::new("test", folder.path(), world);
    let plan = pipeline.plan(flow).unwrap();
    let called = folder.read("log");
    let called: Vec<&str> = called.lines().collect();
    assert_eq!(called, ["git log", "docker --version", "docker buildx version"]);
    let labels: Vec<&str> = plan.steps().iter().map(|step| step.label.as_str()).collect();
    assert_eq!(labels, ["build", "lint", "write", "push", "clean up"]);
    let observed: Vec<&str> = plan.observations().iter().map(|it| it.label.as_str()).collect();
    assert_eq!(observed, ["revision", "nothing"]);
    // Whatever was executed stands in the plan.
    let commands: Vec<String> = plan.commands().iter().map(|line| line.words()).collect();
    assert!(called.iter().all(|call| commands.contains(&(*call).to_owned())), "{commands:?}");
}

#[test]
fn why_there_is_no_plan_is_one_object_too_and_masked() {
    let secret = Secret::given("TOKEN", SecretValue::new("correct horse"));
    let folder = Folder::new();
    let pipeline = Pipeline::new("deploy", folder.path(), World::fixed(folder.path(), []));
    let pipeline = pipeline.secrets([secret]);
    let no = |cx: &Context| -> Result<()> {
        cx.run(call("push", "tool push"))?;
        let cause = std::io::Error::other("the cause says correct horse");
        Err(Error::refused("correct horse is older").hint("not correct horse").caused_by(cause))
    };
    let error = pipeline.plan(no).unwrap_err();
    assert_eq!(error.to_string(), "*** is older");
    let unplanned = pipeline.unplanned(&error);
    let told: serde_json::Value = serde_json::from_str(&unplanned.to_json()).unwrap();
    assert_eq!(
        told,
        serde_json::json!({
            "flow": "deploy",
            "root": folder.path(),
            "refused": [{
                "message": "*** is older: the cause says ***",
                "hint": "not ***",
                "exit_code": 4,
            }],
            "exit_code": 4,
        })
    );
    let more: serde_json::Value =
        serde_json::from_str(&unplanned.to_json_with("prospect", &7)).unwrap();
    assert_eq!((&more["refused"], &more["prospect"]), (&told["refused"], &serde_json::json!(7)));
}

#[test]
fn a_plan_is_the_same_at_every_time() {
    let (folder, world) = logging(&["git", "docker", "tool"]);
    let plan = || Pipeline::new("test", folder.path(), world.clone()).plan(flow).unwrap();
    assert_eq!(plan(), plan());
    assert_eq!(plan().to_json(), plan().to_json());
}

#[test]
fn a_plan_as_json_is_one_object_with_the_tree() {
    let (folder, world) = logging(&["git", "docker", "tool"]);
    let plan = Pipeline::new("te\"st", folder.path(), world).plan(|cx| {
        cx.note(hole::named("a \"quoted\" hole\n"));
        flow(cx)
    });
    let json: serde_json::Value = serde_json::from_str(&plan.unwrap().to_json()).unwrap();
    assert_eq!(json["flow"], "te\"st");
    let kinds: Vec<&str> =
        json["nodes"].as_array().unwrap().iter().map(|n| n["kind"].as_str().unwrap()).collect();
    let expected = ["note", "observation", "observation", "parallel", "step", "step", "finally"];
    assert_eq!(kinds, expected);
    let lint = &json["nodes"][3]["branches"][1][0]["nodes"][0];
    assert_eq!(lint["command"]["args"][0], "lint");
    assert_eq!(lint["shell"], "tool lint");
}

#[test]
fn an_observation_is_answered_once_for_plan_and_run_and_all_branches() {
    let (folder, world) = logging(&["git", "docker"]);
    let mut pipeline = Pipeline::new("test", folder.path(), world);
    let ask = |cx: &Context| cx.observe(call("revision", "git log").reads());
    let finished = pipeline.run(|cx| {
        let first = ask(cx)?;
        let (second, third) = cx.join(ask, ask)?;
        Ok([first, second, third])
    });
    assert_eq!(finished.result.unwrap(), [(); 3].map(|()| "git version 99.1\n"));
    assert_eq!(folder.read("log"), "git log\n");
}

#[test]
fn what_others_may_have_changed_is_asked_anew_by_the_run() {
    let (folder, world) = logging(&["git", "docker"]);
    let mut pipeline = Pipeline::new("test", folder.path(), world);
    let finished = pipeline.run(|cx| {
        cx.observe(call("revision", "git log").reads())?;
        cx.run(call("release", "docker push"))?;
        cx.observe_anew(call("revision", "git log").reads())
    });
    assert_eq!(finished.result.unwrap(), "git version 99.1\n");
    assert_eq!(folder.read("log"), "git log\ndocker --version\ndocker push\ngit log\n");
}

#[test]
fn what_has_an_effect_cannot_be_observed_and_is_not_executed() {
    let (folder, world) = logging(&["tool"]);
    let mut pipeline = Pipeline::new("test", folder.path(), world);
    let finished = pipeline.run(|cx| cx.observe(call("clean", "tool clean")));
    assert_eq!(finished.exit_code.code(), 2);
    let error = finished.result.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.hint_text().is_some());
    assert_eq!(folder.read("log"), "");
    let finished = pipeline.run(|cx| cx.observe(Work::new("write", || panic!("not done"))));
    assert_eq!(finished.exit_code.code(), 2);
}

#[test]
fn a_command_with_a_hole_is_refused_by_the_real_runner() {
    let digest = hole::named("digest");
    let lines = [
        CommandLine::new("sh").arg(&digest),
        CommandLine::new(&digest),
        CommandLine::new("sh").cwd(format!("/{digest}")),
        CommandLine::new("sh").env("A", &digest),
        CommandLine::new("sh").stdin(talia_pipeline::Stdin::Text(digest.clone())),
        CommandLine::new("sh").stdin(talia_pipeline::Stdin::File(digest.as_str().into())),
    ];
    for line in lines {
        let (code, _, events) = run(|cx| cx.run(Run::new("holed", line.clone())));
        assert_ne!(code, 0, "{line}");
        assert!(line.to_string().contains("⟨digest⟩"), "{line}");
        // A program that is a hole is missing already.
        if line.program() == "sh" {
            assert_eq!(events.outcomes()["holed"], Outcome::Failed);
            let message = &events.end().failures[0].message;
            assert!(message.contains("holes that nobody filled: "), "{message}");
        }
    }
}

#[test]
fn a_command_that_ran_fills_the_planned_one() {
    let planned = |digest: &str, env: &str| {
        CommandLine::new("docker").args(["push", &format!("app@{digest}")]).env("A", env).cwd("/x")
    };
    let plan = planned(&hole::named("digest"), "1");
    assert!(planned("sha256:12", "1").fills(&plan));
    assert!(!planned("", "1").fills(&plan), "a hole is filled by something");
    assert!(!planned("sha256:12", "2").fills(&plan));
    assert!(!planned("sha256:12", "1").arg("more").fills(&plan));
    assert!(!planned("sha256:12", "1").cwd("/y").fills(&plan));
    assert!(!planned("sha256:12", "1").env_remove("A").fills(&plan));
}

#[test]
fn every_command_that_runs_fills_its_place_in_the_plan() {
    let flow = |cx: &Context| {
        let (digest, _) = cx.join(|cx| cx.run(Digest), |cx| cx.run(Run::sh("beside", "exit 0")))?;
        cx.run(Run::new("push", CommandLine::new("echo").arg(format!("app@{digest}"))))
    };
    let (plain, _) = pipeline();
    let plan = plain.plan(flow).unwrap();
    let (code, _, events) = run(flow);
    assert_eq!(code, 0);
    let mut ran = 0;
    for event in events.all() {
        if let talia_pipeline::Event::CommandStarted { id, command, .. } = event {
            let steps = plan.steps();
            let planned = steps.iter().find(|step| step.id == id).unwrap();
            assert!(command.fills(planned.command.as_ref().unwrap()), "{command}");
            ran += 1;
        }
    }
    assert_eq!(ran, 3);
}

/// Gives what only a run can know.
struct Digest;

impl talia_pipeline::Step for Digest {
    type Output = String;
    fn label(&self) -> String {
        "digest".into()
    }
    fn action(&self) -> talia_pipeline::Action<'_, String> {
        let line = CommandLine::new("echo").arg("sha256:12");
        talia_pipeline::Action::command(line, |answer| Ok(answer.stdout().trim().to_owned()))
    }
    fn assume(&self) -> String {
        hole::named("digest")
    }
}

#[test]
fn a_text_plan_writes_a_long_path_as_a_variable_only_where_a_shell_reads_the_same() {
    let root = "/srv/reference/backend";
    let pipeline = Pipeline::new("test", root, World::fixed("/", []));
    let words = [
        format!("{root}/a:{root}2/b"),
        format!("{root}:{root}"),
        format!("--file={root}/c"),
        format!("{root}_old"),
        format!("{root} and more"),
        format!("/backup{root}/d"),
    ];
    let plan = pipeline
        .plan(|cx| cx.run(Run::new("x", CommandLine::new("printf").arg("%s\\n").args(&words))));
    let text = plan.unwrap().to_string();
    let command = text.lines().find(|line| line.trim().starts_with("printf")).unwrap();
    let script = format!("ROOT={root}\n{command}");
    let (_, result, _) = run(|cx| cx.run(Run::sh("paste", &script)));
    assert_eq!(result.unwrap(), words.map(|word| word + "\n").concat(), "{text}");
    assert!(text.contains("--file=$ROOT/c"), "{text}");
}

#[test]
fn what_programs_say_cannot_move_the_cursor_in_a_plan() {
    struct Says;
    impl talia_pipeline::Step for Says {
        type Output = String;
        fn label(&self) -> String {
            "remote".into()
        }
        fn action(&self) -> talia_pipeline::Action<'_, String> {
            let line = CommandLine::new("git").effect(talia_pipeline::Effect::Read);
            talia_pipeline::Action::command(line, |answer| Ok(answer.stdout().into_owned()))
        }
        fn assume(&self) -> String {
            String::new()
        }
        fn summary(&self, said: &String) -> talia_pipeline::Summary {
            talia_pipeline::Summary::line(said)
        }
    }
    let folder = Folder::new();
    folder.program("git", "#!/bin/sh\nprintf 'a\\033[2J\\n::set-output name=x::y\\n'\n");
    folder.program("docker", "#!/bin/sh\nprintf 'no\\033[2J\\n' >&2\nexit 1\n");
    let world = World::fixed("/", [("PATH", folder.path().as_str())]);
    let pipeline = Pipeline::new("test", "/", world);
    let plan = pipeline.plan(|cx| {
        cx.observe(Says)?;
        cx.run(call("build", "docker build"))
    });
    let text = plan.unwrap().to_string();
    assert!(text.contains("remote: a") && text.contains("docker: does not tell its version: no"));
    assert!(!text.contains('\u{1b}') && !text.contains("\n::"), "{text}");
}

#[test]
fn a_fake_answers_commands_does_no_work_and_remembers_what_was_asked() {
    let events = Events::default();
    let pipeline = Pipeline::new("test", "/", World::fixed("/", [])).report(events.clone());
    let fake = Fake::new(|line| match line.program() {
        "git" => Answer::new(0, "abc\n", ""),
        _ => Answer::new(3, "", "no\n"),
    });
    let (result, asked) = pipeline.fake(fake, |cx| {
        cx.finally(call("clean up", "git gc"));
        cx.run(Work::new("write", || panic!("a fake does no work")))?;
        let revision = cx.observe(call("revision", "git log").reads())?;
        let failed = cx.join(|cx| cx.run(call("push", "tool push")), |_| Ok(()));
        assert_eq!(failed.err().unwrap().last_lines(), ["no"]);
        Ok(revision)
    });
    assert_eq!(result.unwrap(), "abc\n");
    let asked: Vec<String> = asked.iter().map(ToString::to_string).collect();
    assert_eq!(asked, ["git log", "tool push", "git gc"]);
    assert!(events.all().is_empty());
}
