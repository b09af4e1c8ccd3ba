//! The whole CI flow on the reference backend, cold and warm.

use std::{
    collections::BTreeSet,
    fs,
    time::{Duration, Instant},
};

use camino::Utf8Path;
use talia_pipeline::{
    Event, Finished, Outcome, Pipeline, State, World,
    flows::{Ci, CiReport, Part, ci},
    settings::Settings,
};

use crate::{
    Collect,
    support::{
        Images, Temp, command, counted_by_python, git, need_engine, reference, said, state_of,
    },
};

fn run(root: &Utf8Path, state: &State) -> (Finished<CiReport>, Vec<Event>, Duration) {
    let settings = Settings::read(root).unwrap().unwrap();
    let app = Ci {
        root: root.join(settings.backend.root.clone().unwrap()),
        settings: &settings.backend,
        state,
        parts: Part::ALL.into(),
    };
    let told = Collect::default();
    let began = Instant::now();
    let finished = Pipeline::new("ci", root, World::real().unwrap())
        .state(state.clone())
        .report(told.clone())
        .run(|cx| ci(cx, &app));
    (finished, told.events(), began.elapsed())
}

fn passed(events: &[Event]) -> BTreeSet<&str> {
    let labels = events.iter().filter_map(|event| match event {
        Event::StepFinished { label, outcome: Outcome::Passed, .. } => Some(label.as_str()),
        _ => None,
    });
    labels.collect()
}

fn summary<'a>(events: &'a [Event], step: &str) -> &'a str {
    let found = events.iter().find_map(|event| match event {
        Event::StepFinished { label, summary, .. } if label == step => Some(summary.as_str()),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("no step {step} has ended"))
}

#[test]
fn the_reference_backend_passes_cold_and_warm() {
    need_engine();
    let (checkout, elsewhere, images) = (Temp::new(), Temp::new(), Images::new());
    let root = checkout.path();
    reference(root, &images);
    git(root, &["remote", "add", "origin", "https://me:hunter2hunter2@example.org/talia.git"]);
    let state = State::new(elsewhere.path().join("state"));
    let before = state_of(root);

    let (cold, events, took_cold) = run(root, &state);
    assert_eq!(cold.exit_code.code(), 0, "{:?}", cold.result);
    let report = cold.result.unwrap();

    let tests = report.tests.unwrap().report;
    assert_eq!((tests.passed, tests.skipped, tests.failed, tests.errors), (8, 2, 0, 0));
    let reasons = tests.skip_reasons();
    assert!(reasons.iter().all(|(reason, _)| reason.contains("pending")), "{reasons:?}");
    assert_eq!(summary(&events, "pytest"), "8 passed, 2 skipped");
    assert_eq!(summary(&events, "ruff check"), "clean");

    let coverage = report.coverage.unwrap().coverage;
    let counts = [coverage.lines, coverage.branches].map(|counts| [counts.valid, counts.covered]);
    assert_eq!(counts.concat(), counted_by_python(&state.report("coverage.xml")));
    assert_eq!(coverage.disagreements, [""; 0]);

    let image = report.image.unwrap();
    let inspected = |format: &str| {
        let args = ["image", "inspect", "--format", format, "--", &image.tags[0]];
        said(command("docker").args(args)).trim().to_owned()
    };
    assert_eq!(inspected("{{.Id}}"), image.id);
    assert_eq!(inspected("{{.Size}}"), image.size_bytes.to_string());
    assert_eq!(inspected("{{len .RootFS.Layers}}"), image.layers.to_string());
    let label = |name: &str| inspected(&format!("{{{{index .Config.Labels \"{name}\"}}}}"));
    let commit = git(root, &["rev-parse", "HEAD"]);
    assert_eq!(image.tags, [format!("{}:ci-{}", images.repository(), &commit[..12])]);
    assert_eq!(label("org.opencontainers.image.revision"), commit);
    assert_eq!(
        label("org.opencontainers.image.created"),
        git(root, &["log", "-1", "--format=%cI"])
    );
    assert_eq!(label("org.opencontainers.image.version"), "0.1.0");
    assert_eq!(label("org.opencontainers.image.source"), "https://example.org/talia.git");

    let (warm, warm_events, took_warm) = run(root, &state);
    assert_eq!(warm.exit_code.code(), 0, "{:?}", warm.result);
    let again = warm.result.unwrap();
    assert_eq!(again.image.unwrap().id, image.id, "the same commit gives the same image");
    assert_eq!(again.tests.unwrap().report.passed, 8);
    assert!(took_warm < took_cold, "cold {took_cold:?}, warm {took_warm:?}");
    let checks =
        ["build image", "inspect image", "ruff check", "ruff format", "pytest", "coverage"];
    for events in [&events, &warm_events] {
        assert!(passed(events).is_superset(&checks.into()), "{:?}", passed(events));
    }
    assert!(passed(&events).contains("create environment"));
    assert!(!passed(&warm_events).contains("create environment"), "it was made already");

    let after = state_of(root);
    let changed: Vec<_> =
        after.iter().filter(|(path, what)| before.get(*path) != Some(*what)).collect();
    assert!(changed.is_empty() && before.len() == after.len(), "the checkout: {changed:#?}");
    let beside: Vec<_> =
        fs::read_dir(elsewhere.path()).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(beside.len(), 1, "{beside:?}");
    assert!(state.python_env().join("bin/pytest").exists() && state.report("junit.xml").exists());
}
