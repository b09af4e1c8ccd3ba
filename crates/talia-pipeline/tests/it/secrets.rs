//! A secret reaches the child that needs it and shows nowhere else, in no spelling.

use std::{
    collections::BTreeSet,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use talia_pipeline::{
    Action, CommandLine, Context, Error, Event, Pipeline, Result, State, Stdin, Step, World,
    report::{Console, GitHub, JsonLines, Plain, Terminal, console},
    secret::{Masker, Secret, SecretValue},
};

use crate::{
    kit::{Folder, Run, Work, pipeline, run},
    scenario::play,
};

/// Everything that an encoder could spell differently.
const VALUE: &str = "p\u{e4}/ss \"w\u{f6}rd\" & x=1+2\nsecond l\u{ef}ne <of> it's\u{1f600}";

/// Prints its secret in every spelling to both streams, some of them in two
/// writes, and puts the list of the spellings into the file of its argument.
const TELLTALE: &str = r#"
import base64, json, os, sys, time, urllib.parse, html
for stream in (sys.stdout, sys.stderr):
    stream.reconfigure(encoding="utf-8")
value = os.environ["TOKEN"]
assert sys.stdin.read() == value, "the input is not the secret"
lower = lambda text: "".join(p.lower() if p[:1] == "%" else p for p in split(text))
def split(text):
    i = 0
    while i < len(text):
        n = 3 if text[i] == "%" else 1
        yield text[i:i + n]
        i += n
forms = [value, *value.split("\n")]
for ascii in (True, False):
    plain = json.dumps(value, ensure_ascii=ascii)[1:-1]
    forms += [plain, plain.replace("/", "\\/"), plain.replace("\\u00", "\\U000000") if 0 else plain]
    forms += [json.dumps(value, ensure_ascii=ascii)[1:-1].replace("\\u00e4", "\\u00E4")]
for safe in ("", "/"):
    quoted = urllib.parse.quote(value, safe=safe)
    forms += [quoted, lower(quoted), urllib.parse.quote_plus(value, safe=safe)]
forms += [repr(value)[1:-1], ascii_repr[1:-1] if (ascii_repr := __builtins__.ascii(value)) else "", html.escape(value)]
told = [form for form in forms if form]
parts = []
for before in (b"", b"x", b"xy"):
    raw = before + value.encode() + b"tail"
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        text = encode(raw).decode()
        told.append(text)
        # The first and the last group also hold bytes of the neighbours.
        parts.append(text[4:-8])
with open(sys.argv[1], "w", encoding="utf-8") as file:
    file.write("\0".join(sorted({*forms, *parts} - {""})))
for stream in (sys.stdout, sys.stderr):
    for form in told:
        print("before", form, "after", file=stream, flush=True)
    half = len(value) // 2
    stream.write("split " + value[:half]); stream.flush(); time.sleep(0.15)
    stream.write(value[half:] + "\n"); stream.flush()
    line = value.split("\n")[0]
    stream.write("coloured " + line[:5] + "\x1b[0m" + line[5:] + "\n"); stream.flush()
time.sleep(0.3)
sys.exit(1)
"#;

/// Every report that there is, and what each has printed.
struct Shown(Vec<(&'static str, std::sync::Arc<std::sync::Mutex<Vec<u8>>>)>);

fn attach(pipeline: Pipeline, folder: &Folder) -> (Pipeline, Shown) {
    let buffers = [(); 4].map(|()| Console::buffer(100));
    let [(plain, a), (verbose, b), (terminal, c), (github, d)] = buffers;
    let summary = Some(folder.join("summary.md"));
    let pipeline = pipeline
        .report(Plain::new(plain, false))
        .report(Plain::new(verbose, true))
        .report(Terminal::new(terminal, World::real().unwrap(), true))
        .report(GitHub::new(github, summary, ""))
        .report(JsonLines::create(&folder.join("events.jsonl")).unwrap());
    (pipeline, Shown(vec![("plain", a), ("verbose", b), ("terminal", c), ("github", d)]))
}

/// All arguments of all processes, read again and again until it is over.
fn watch_arguments(over: &AtomicBool) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    while !over.load(Ordering::Relaxed) {
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            seen.insert(String::from_utf8_lossy(&line).into_owned());
        }
        thread::sleep(Duration::from_millis(2));
    }
    seen
}

#[test]
fn a_secret_reaches_its_child_and_shows_in_no_spelling_anywhere() {
    let folder = Folder::new();
    let (pipeline, events) = pipeline();
    let (mut pipeline, shown) = attach(pipeline, &folder);
    pipeline = pipeline
        .state(State::new(folder.join("state")))
        .secrets([Secret::given("TOKEN", SecretValue::new(VALUE))]);
    let line = CommandLine::new("python3")
        .args(["-c", TELLTALE])
        .arg(folder.join("forms"))
        .env_secret("TOKEN", "TOKEN")
        .stdin(Stdin::Secret("TOKEN".into()));
    let flow = |cx: &Context| -> Result<()> {
        cx.note(format!("a note with {VALUE}"));
        cx.join(
            |cx| cx.run(Run::new("telltale", line.clone())),
            |cx| {
                let text = format!("an error with {VALUE}");
                let cause = std::io::Error::other(format!("a cause with {VALUE}"));
                let cause = std::sync::Mutex::new(Some(cause));
                cx.run(Work::new("work", move || {
                    let cause = cause.lock().unwrap().take().unwrap();
                    Err(Error::step(&text).hint(&text).tail(vec![text.clone()]).caused_by(cause))
                }))
            },
        )?;
        Ok(())
    };
    let over = AtomicBool::new(false);
    let (code, arguments) = thread::scope(|scope| {
        let watcher = scope.spawn(|| watch_arguments(&over));
        let code = pipeline.run(flow).exit_code.code();
        over.store(true, Ordering::Relaxed);
        (code, watcher.join().unwrap())
    });
    drop(pipeline);
    let forms = folder.read("forms");
    let forms: Vec<&str> = forms.split('\0').collect();
    assert!(forms.len() > 15, "the child has told {} forms", forms.len());
    assert_eq!(code, 1);

    let log = fs::read(events.log("telltale")).unwrap();
    let mut texts = vec![
        ("log".to_owned(), String::from_utf8_lossy(&log).into_owned()),
        ("events".to_owned(), events.json()),
        ("events.jsonl".to_owned(), folder.read("events.jsonl")),
        ("summary".to_owned(), folder.read("summary.md")),
        ("arguments".to_owned(), arguments.into_iter().collect::<Vec<_>>().join("\n")),
    ];
    texts.extend(shown.0.iter().map(|(name, bytes)| {
        let text = String::from_utf8(bytes.lock().unwrap().clone()).unwrap();
        ((*name).to_owned(), text)
    }));
    // JSON spells the texts that it carries once more.
    texts.push(("events' texts".to_owned(), format!("{:#?}", events.all())));
    texts.extend(events.all().into_iter().filter_map(|event| match event {
        Event::Output { text, .. } | Event::Progress { text, .. } => Some(("line".into(), text)),
        _ => None,
    }));
    for (name, text) in &texts {
        for form in &forms {
            assert!(!text.contains(form), "{name} shows {form:?}");
        }
    }
    for name in ["plain", "github", "terminal"] {
        let text = &texts.iter().find(|(own, _)| own == name).unwrap().1;
        assert!(text.contains("***"), "{name} shows that something was there");
    }
    assert!(texts[0].1.matches("***").count() > 30);
}

/// A reader's own error is made of masked text already.
#[test]
fn what_a_step_gives_to_the_flow_is_masked_too() {
    let (pipeline, _) = pipeline();
    let secret = Secret::given("TOKEN", SecretValue::new("correct horse"));
    let step = Run::sh("tell", "printf 'it is %s' \"$TOKEN\"");
    let finished = pipeline
        .secrets([secret])
        .run(|cx| cx.run(step.clone().with(|line| line.env_secret("TOKEN", "TOKEN"))));
    assert_eq!(finished.result.unwrap(), "it is ***");
}

/// A record keeps why a release was undone.
#[test]
fn an_error_of_work_that_a_flow_goes_on_with_is_masked_too() {
    let (pipeline, _) = pipeline();
    let failing = || {
        let branch = Error::step("at correct horse").hint("not correct horse");
        Err(Error::all(vec![branch, Error::step("x").tail(vec!["correct horse".into()])]))
    };
    let secret = Secret::given("TOKEN", SecretValue::new("correct horse"));
    let finished = pipeline.secrets([secret]).run(|cx| {
        // In the plan it passes.
        let Err(error) = cx.run(Work::new("fails", failing)) else { return Ok(Default::default()) };
        let [first, second] = error.failures() else { panic!("{error:?}") };
        let told = (first.to_string(), first.hint_text().map(str::to_owned));
        Ok((told, second.last_lines().to_vec(), error.to_string()))
    });
    let (first, last, all) = finished.result.unwrap();
    assert_eq!(first, ("at ***".into(), Some("not ***".into())));
    assert_eq!(last, ["***"]);
    assert!(all.contains("at ***; x"), "{all}");
}

/// A question of this process, whose answer is an error with a secret.
#[derive(Clone)]
struct Question;

impl Step for Question {
    type Output = ();

    fn label(&self) -> String {
        "ask".into()
    }

    fn action(&self) -> Action<'_, ()> {
        Action::read("ask", || Err(Error::step("it says correct horse")))
    }

    fn assume(&self) {}
}

/// A refusal at plan time is told by an agent as an answer.
#[test]
fn an_error_of_a_question_is_masked_too() {
    let (pipeline, _) = pipeline();
    let secret = Secret::given("TOKEN", SecretValue::new("correct horse"));
    let finished = pipeline.secrets([secret]).run(|cx| {
        let told = |error: Error| error.to_string();
        Ok([cx.observe(Question).unwrap_err(), cx.observe_once(Question).unwrap_err()].map(told))
    });
    assert_eq!(finished.result.unwrap(), ["it says ***", "it says ***"]);
}

#[test]
fn an_error_before_the_first_step_is_masked_too() {
    let (pipeline, events) = pipeline();
    let secret = Secret::given("TOKEN", SecretValue::new("correct horse"));
    let finished = pipeline
        .secrets([secret])
        .run(|_| -> Result<()> { Err(Error::usage("wrong: correct horse")) });
    assert_eq!(finished.exit_code.code(), 2);
    assert_eq!(events.end().failures[0].message, "wrong: ***");
}

#[test]
fn a_secret_that_spells_like_a_part_of_an_event_is_masked_as_well() {
    for value in ["command_started", "step_finished", "until_flow_ends", "cancelled"] {
        let folder = Folder::new();
        let (pipeline, events) = pipeline();
        drop(
            pipeline
                .secrets([Secret::given("TOKEN", SecretValue::new(value))])
                .state(State::new(folder.path()))
                .run(|cx| {
                    let step = Run::sh(&format!("say {value}"), &format!("echo {value}"));
                    cx.run(step.with(|line| {
                        line.leaves(talia_pipeline::Leaves::UntilFlowEnds)
                            .purpose(format!("to say {value}"))
                    }))
                }),
        );
        for event in events.all() {
            let texts = format!("{event:?}");
            assert!(!texts.contains(value), "{value}: {texts}");
        }
    }
}

#[test]
fn a_short_secret_is_refused_before_anything_runs_and_is_not_told() {
    let (pipeline, events) = pipeline();
    let secret = Secret::given("PIN", SecretValue::new("s3cr3t!"));
    let finished = pipeline.secrets([secret]).run(|cx| cx.run(Run::sh("x", "exit 0")));
    assert_eq!(finished.exit_code.code(), 3);
    assert!(events.began().is_empty());
    let failure = &events.end().failures[0];
    assert!(failure.message.contains("PIN") && failure.hint.is_some());
    assert!(!events.json().contains("s3cr3t!"));
}

#[test]
fn a_plan_names_a_secret_and_never_its_value() {
    let (pipeline, _) = pipeline();
    let secret = Secret::given("TOKEN", SecretValue::new("correct horse"));
    let plan = pipeline.secrets([secret]).plan(|cx| {
        let step = Run::sh("push", "exit 0");
        cx.run(step.with(|line| {
            line.env_secret("REGISTRY_TOKEN", "TOKEN").stdin(Stdin::Secret("TOKEN".into()))
        }))
    });
    let plan = plan.unwrap();
    for text in [plan.to_string(), plan.to_json()] {
        assert!(text.contains("TOKEN") && !text.contains("correct horse"), "{text}");
    }
    assert!(plan.to_string().contains("printf %s \"$TOKEN\" | REGISTRY_TOKEN=\"$TOKEN\" sh"));
}

/// Panics with a secret in its message, as a binary that masks panics.
pub(crate) fn panic_with_a_secret() {
    let (pipeline, _) = pipeline();
    let pipeline = pipeline.secrets([Secret::given("TOKEN", SecretValue::new(VALUE))]);
    console::mask_panics(Masker::new(pipeline.secret_values()));
    let mut pipeline = pipeline;
    let ended = catch_unwind(AssertUnwindSafe(|| {
        pipeline.run(|cx| cx.run(Work::new("boom", || panic!("lost {VALUE} and {VALUE:?}"))))
    }));
    assert!(ended.is_err());
}

#[test]
fn the_text_of_a_panic_is_masked() {
    let text = play("panic", "");
    assert!(text.contains("internal error, please report it"), "{text}");
    assert!(text.contains("lost *** and"), "{text}");
    for line in VALUE.lines() {
        assert!(!text.contains(line), "{text}");
        assert!(!text.contains(line.escape_debug().to_string().as_str()), "{text}");
    }
}

#[test]
fn a_value_that_was_not_declared_a_secret_is_not_touched() {
    let (_, result, _) = run(|cx| cx.run(Run::sh("x", "echo password=hunter22")));
    assert_eq!(result.unwrap(), "password=hunter22\n");
}

#[test]
fn a_secret_in_an_argument_is_refused_and_not_told() {
    let (pipeline, events) = pipeline();
    let secret = Secret::given("TOKEN", SecretValue::new("s3cret-value"));
    let mut pipeline = pipeline.secrets([secret]);
    let finished = pipeline.run(|cx| cx.run(Run::sh("login", "echo -p s3cret-value")));
    assert_eq!(finished.exit_code.code(), 4);
    assert!(events.json().contains("an argument of"));
    assert!(!events.json().contains("s3cret-value"));
}
