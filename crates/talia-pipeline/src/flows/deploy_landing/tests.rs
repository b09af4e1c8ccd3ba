use camino::Utf8PathBuf;

use super::*;
use crate::{
    Answer, CommandLine, ErrorKind, Fake, Pipeline, World,
    flows::{
        publish::tests::{COMMIT, OTHER, STAGE, Stage, answer, assert_none, assert_order},
        remote::tests::{failed, hello, told},
    },
    landing::{ContentHash, Entry, Overrides},
    private::PrivateFolder,
    protocol::{LandingAborted, LandingBegun, LandingDrift, Role, Version},
    settings::Agent,
};

const LIVE: &str = "20261124T081500Z-89abcdef0123";
const NEXT: &str = "20261124T091500Z-0123456789ab";
/// What rsync reports of a source without any file, where the server has two.
const BOTH_GO: &str = "*deleting   0 a\n*deleting   0 b\n";

/// A clone whose source has nothing in it, a server, and an rsync.
#[derive(Clone)]
struct Scene {
    agent: Agent,
    index: LandingIndex,
    overrides: Overrides,
    accept_drift: bool,
    /// What git says of the tree.
    status: &'static str,
    /// What rsync reports, dry or not.
    report: &'static str,
    /// And what else it reports of what is there already, and when it is not dry.
    existing: Option<&'static str>,
    done: Option<&'static str>,
    /// Commands with these words end so.
    fails: Vec<(&'static str, i32, String)>,
    /// Whether the live commit has the one that is checked out, not the other way round.
    is_older: bool,
}

fn taken(release: &str, revision: &str) -> LandingTaken {
    LandingTaken {
        release: release.parse().unwrap(),
        revision: Some(revision.parse().unwrap()),
        tree: ContentHash::of(b""),
        at_ms: 0,
        by: "ana".parse().unwrap(),
    }
}

fn scene() -> Scene {
    let file = || Entry::file(1, ContentHash::of(b"x"));
    let tree: Tree = ["a", "b"].map(|path| (path.parse().unwrap(), file())).into_iter().collect();
    Scene {
        agent: Agent::Talia,
        index: LandingIndex {
            live: Some(taken(LIVE, OTHER)),
            hash: tree.hash(),
            tree: Some(tree),
            drift: Vec::new(),
            transaction: None,
            unfinished: None,
            strategy: LandingStrategy::Release,
            protected: Vec::new(),
            standing: Vec::new(),
            keeps_assets: false,
            notes: Vec::new(),
        },
        overrides: Overrides {
            deletions: Some(2),
            empty: true,
            missing: true,
            ..Overrides::default()
        },
        accept_drift: false,
        status: "",
        report: BOTH_GO,
        existing: None,
        done: None,
        fails: Vec::new(),
        is_older: false,
    }
}

fn everything(scene: &Scene, line: &CommandLine) -> Answer {
    let words = line.words();
    let has = |part: &str| words.contains(part);
    if let Some((_, exit, said)) = scene.fails.iter().find(|(part, ..)| has(part)) {
        return Answer::new(*exit, said.clone(), "");
    }
    let said = match () {
        () if words.starts_with("rsync ") => {
            let other = match () {
                () if has(" --existing ") => scene.existing,
                () if has(" --dry-run ") => None,
                () => scene.done,
            };
            other.unwrap_or(scene.report).to_owned()
        }
        () if has("'hello ") => hello(&Version::own().to_string(), "production", "deploy"),
        () if has("'landing index ") => told(&scene.index),
        () if has("'landing begin ") => {
            told(&LandingBegun::new(NEXT.parse().unwrap(), scene.index.strategy))
        }
        () if has("'landing commit ") => told(&LandingReleased::new(taken(NEXT, COMMIT))),
        () if has("'landing abort ") => told(&LandingAborted::Aborted),
        () if has("--is-ancestor") && has(OTHER) => {
            let asks_whether_newer = has(&format!("{OTHER} {COMMIT}"));
            return Answer::new(i32::from(scene.is_older == asks_whether_newer), "", "");
        }
        () => return answer(Stage { status: scene.status, ..STAGE }, line),
    };
    Answer::new(0, said, "")
}

/// Runs a flow on an order for this scene; gives what was asked, too.
fn on<T>(scene: &Scene, run: impl FnOnce(&Pipeline, Fake, &LandingDeploy<'_>) -> T) -> T {
    let mut environment = Environment::named("production");
    (environment.address, environment.agent) = (Some("talia.example".into()), scene.agent);
    let (world, name) = (World::fixed("/", []), "production".parse().unwrap());
    let private = PrivateFolder::new(&world).unwrap();
    let no_key = |_: &str| unreachable!("no key is named");
    let root = Utf8PathBuf::from("/srv/talia");
    let remote = Remote::new(&name, &environment, Role::Deploy, &private, &root, no_key).unwrap();
    let order = LandingDeploy {
        source: root.join("site"),
        root,
        index: IndexTree::new("/srv/talia/site", Filters::default(), 0),
        environment: &environment,
        remote: &remote,
        by: "ana".parse().unwrap(),
        cache: "/srv/state/landing.index".into(),
        known: "/srv/state/landing-production.tree".into(),
        changes: private.path().join("changes.json"),
        accept_drift: scene.accept_drift,
        guards: Guards { overrides: scene.overrides, ..Guards::default() },
    };
    let answers = scene.clone();
    let fake = Fake::new(move |line| everything(&answers, line));
    run(&Pipeline::new("deploy", "/", world), fake, &order)
}

fn run(scene: &Scene) -> (Result<LandingDeployed>, Vec<String>) {
    on(scene, |pipeline, fake, order| {
        let (result, asked) = pipeline.fake(fake, |cx| {
            let prospect = look_at_landing(cx, order)?;
            deploy_landing(cx, order, &prospect)
        });
        (result, asked.iter().map(CommandLine::words).collect())
    })
}

/// Whatever would change something on the server.
const CHANGES: &[&str] = &["'landing begin ", "rsync ", "'landing commit ", "'landing abort "];

#[test]
fn a_transaction_is_opened_filled_and_published_in_this_order() {
    let (result, asked) = run(&scene());
    let released = result.unwrap().released.unwrap();
    assert_eq!(released.live.release.as_str(), NEXT);
    let nothing = Tree::default().hash();
    assert_order(
        &asked,
        &[
            "'hello ",
            &format!("'landing index {nothing}'"),
            " status --porcelain",
            " rev-parse --verify",
            &format!("--is-ancestor -- {OTHER} {COMMIT}"),
            &format!("'landing begin {nothing} {COMMIT} after {LIVE} by ana'"),
            "rsync ",
            &format!("'landing commit {NEXT}'"),
            " -O exit ",
        ],
    );
    assert_none(&asked, &["'landing abort ", "--delay-updates", "--dry-run"]);
    assert_eq!(asked.iter().filter(|words| words.contains(" status ")).count(), 1);
}

#[test]
fn a_source_outside_of_the_repository_is_published_knowingly_and_marked() {
    // The repository is /srv/talia.
    let at = |overrides| {
        let scene = Scene { overrides, ..scene() };
        on(&scene, |pipeline, fake, order| {
            let index = IndexTree::new("/srv/elsewhere", Filters::default(), 0);
            let order = LandingDeploy { source: "/srv/elsewhere".into(), index, ..order.clone() };
            let (result, asked) = pipeline.fake(fake, |cx| {
                let prospect = look_at_landing(cx, &order)?;
                deploy_landing(cx, &order, &prospect)
            });
            (result, asked.iter().map(CommandLine::words).collect::<Vec<_>>())
        })
    };
    let error = at(scene().overrides).0.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.hint_text().unwrap().contains("`--allow-outside`"), "{error:?}");
    let (result, asked) = at(Overrides { outside: true, ..scene().overrides });
    result.unwrap();
    assert_order(&asked, &[&format!(" {COMMIT}-dirty after {LIVE} by ana"), "rsync "]);
    assert_none(&asked, &[" status "]);
}

#[test]
fn an_asset_that_is_served_on_is_no_deletion() {
    let file = || Entry::file(1, ContentHash::of(b"x"));
    let paths = ["app.1a2b3c4d.js", "page.html", "same.html"];
    let there: Tree = paths.map(|path| (path.parse().unwrap(), file())).into_iter().collect();
    let here: Tree = [("same.html".parse().unwrap(), file())].into_iter().collect();
    let plan = RsyncPlan::between(&there, &here, |_, _| false).unwrap();
    let of = |keeps_assets| {
        let Deletions { deleted, of } =
            deletions(&plan, &LandingIndex { keeps_assets, ..scene().index });
        (deleted, of)
    };
    assert_eq!((of(true), of(false)), ((1, 3), (2, 3)));
}

#[test]
fn a_renamed_file_has_gone_from_where_it_was() {
    let file = |text: &str| Entry::file(1, ContentHash::of(text.as_bytes()));
    let tree = |paths: &[(&str, &str)]| -> Tree {
        paths.iter().map(|(path, text)| (path.parse().unwrap(), file(text))).collect()
    };
    let there =
        tree(&[("a.html", "a"), ("app.1a2b3c4d.js", "j"), ("b.html", "a"), ("c.html", "c")]);
    let of = |keeps_assets, here: &Tree| {
        let plan = RsyncPlan::between(&there, here, |_, _| false).unwrap();
        let index = LandingIndex { keeps_assets, ..scene().index };
        let Deletions { deleted, of } = deletions(&plan, &index);
        (deleted, of)
    };
    // Everything is elsewhere, one of two that are alike too.
    let moved = tree(&[("x/a.html", "a"), ("app.js", "j"), ("y.html", "a"), ("c.html", "c")]);
    let moved: Tree = moved.into_iter().chain([("x".parse().unwrap(), Entry::folder())]).collect();
    assert_eq!((of(true, &moved), of(false, &moved)), ((2, 4), (3, 4)));
    // What has got a second place has not gone from the first one.
    let copied = tree(&[("a.html", "a"), ("b.html", "a"), ("c.html", "c"), ("d.html", "c")]);
    assert_eq!((of(true, &copied), of(false, &copied)), ((0, 4), (1, 4)));
}

#[test]
fn what_git_ignores_makes_no_tree_differ_from_its_commit() {
    for status in [" M site/a\0", "?? site/b\0", "!! dist/\0A  site/c\0"] {
        let (result, asked) = run(&Scene { status, ..scene() });
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert!(error.to_string().contains("the working tree differs"), "{error}");
        assert_none(&asked, CHANGES);
    }
    let (result, _) = run(&Scene { status: "!! dist/\0", ..scene() });
    assert!(result.unwrap().released.is_some());
}

#[test]
fn what_rsync_does_beside_the_plan_is_never_published() {
    for report in ["", "*deleting   0 a\n", "*deleting   0 a\n*deleting   0 b\n<f+++++++++ 1 c\n"] {
        let (result, asked) = run(&Scene { report, ..scene() });
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Step);
        assert!(error.to_string().contains("something else than what was planned"), "{error}");
        assert_order(&asked, &["rsync ", &format!("'landing abort {NEXT}'"), " -O exit "]);
        assert_none(&asked, &["'landing commit "]);
    }
}

#[test]
fn an_rsync_that_fails_is_what_is_told_even_if_nothing_can_be_forgotten() {
    let lost = ("'landing abort ", 255, String::new());
    for fails in [vec![("rsync ", 23, String::new())], vec![("rsync ", 23, String::new()), lost]] {
        let (result, asked) = run(&Scene { fails, ..scene() });
        let error = result.unwrap_err();
        assert!(error.to_string().contains("rsync has failed with exit 23"), "{error}");
        assert_order(&asked, &["rsync ", "'landing abort "]);
        assert_none(&asked, &["'landing commit "]);
    }
}

#[test]
fn nothing_is_sent_where_no_transaction_is_opened() {
    let there = Error::refused("bob opened one").hint("wait");
    let fails = vec![("'landing begin ", 4, failed(&there))];
    let (result, asked) = run(&Scene { fails, ..scene() });
    let error = result.unwrap_err();
    assert_eq!((error.kind(), error.hint_text()), (ErrorKind::Refused, Some("wait")));
    assert_none(&asked, &["rsync ", "'landing commit ", "'landing abort "]);
}

#[test]
fn what_an_agent_cannot_publish_it_has_taken_back_itself() {
    let there = Error::step("clients do not get it");
    for (exit, said, kind) in
        [(1, failed(&there), ErrorKind::Step), (255, String::new(), ErrorKind::Unknown)]
    {
        let (result, asked) =
            run(&Scene { fails: vec![("'landing commit ", exit, said)], ..scene() });
        assert_eq!(result.unwrap_err().kind(), kind);
        assert_order(&asked, &["rsync ", "'landing commit ", " -O exit "]);
        assert_none(&asked, &["'landing abort "]);
    }
}

#[test]
fn a_question_that_nobody_answers_ends_it_before_any_change() {
    for part in [
        "'hello ",
        " rev-parse --verify",
        "--format=%H%n%cI",
        "--show-toplevel",
        " status --porcelain",
        "--is-ancestor",
        "'landing index ",
    ] {
        let (result, asked) = run(&Scene { fails: vec![(part, 128, String::new())], ..scene() });
        assert!(result.is_err(), "{part}");
        assert_order(&asked, &[part, " -O exit "]);
        assert_none(&asked, CHANGES);
    }
}

#[test]
fn what_is_live_already_is_one_question() {
    let scene = scene();
    let index = LandingIndex { tree: None, ..scene.index.clone() };
    let (result, asked) = run(&Scene { index: index.clone(), ..scene.clone() });
    assert_eq!(result.unwrap().released, None);
    assert_none(&asked, CHANGES);
    // Files of a release in place that did not end may all be there.
    let live = Some(LandingTaken { tree: ContentHash::of(b"other"), ..taken(LIVE, OTHER) });
    let left = LandingIndex { live, ..index.clone() };
    let (result, asked) = run(&Scene { index: left, report: "", ..scene.clone() });
    assert!(result.unwrap().released.is_some());
    assert_order(&asked, &["'landing begin ", "rsync ", "'landing commit "]);
    // Where a release was cut off, the same files are published again, which mends it.
    let index = LandingIndex { unfinished: Some(NEXT.parse().unwrap()), ..index };
    let (result, asked) = run(&Scene { index, report: "", ..scene });
    assert!(result.unwrap().released.is_some());
    assert_order(&asked, &["'landing begin ", "rsync ", "'landing commit "]);
}

#[test]
fn what_is_refused_changes_nothing() {
    let scene = scene();
    let drift = vec![LandingDrift::Changed { path: "a".parse().unwrap() }];
    let edited = LandingIndex { drift, ..scene.index.clone() };
    let overrides = Overrides { deletions: Some(1), ..scene.overrides };
    for (scene, message, hint) in [
        (Scene { is_older: true, ..scene.clone() }, "is older than", "rollback landing"),
        (Scene { index: edited.clone(), ..scene.clone() }, "a was edited", "--accept-drift"),
        (Scene { overrides, ..scene.clone() }, "2 of 2", "--allow-deletions"),
    ] {
        let (result, asked) = run(&scene);
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert!(error.to_string().contains(message), "{error}");
        let hint_text = error.hint_text().unwrap_or_default();
        assert!(hint_text.contains(hint), "{hint_text}");
        assert_none(&asked, CHANGES);
    }
    let (result, asked) = run(&Scene { index: edited, accept_drift: true, ..scene });
    assert!(result.unwrap().released.is_some());
    assert_order(&asked, &[" by ana accept-drift'", "'landing commit "]);
}

#[test]
fn in_place_rsync_knows_what_is_the_servers_own() {
    let scene = scene();
    let protected = vec!["b".parse().unwrap()];
    let strategy = LandingStrategy::InPlace;
    let index = LandingIndex { protected, strategy, ..scene.index.clone() };
    let (result, asked) = run(&Scene { index, report: "*deleting   0 a\n", ..scene });
    assert!(result.unwrap().released.is_some());
    let rsync = asked.iter().find(|words| words.starts_with("rsync ")).unwrap();
    assert!(rsync.contains(" --delay-updates ") && rsync.contains("'--filter=P /b'"), "{rsync}");
}

#[test]
fn in_place_the_folders_around_what_is_the_servers_own_stay() {
    let scene = scene();
    let file = || Entry::file(1, ContentHash::of(b"x"));
    let entries = [("assets", Entry::folder()), ("assets/a", file())];
    let entries = entries.map(|(path, entry)| (path.parse().unwrap(), entry));
    let tree: Tree = entries.into_iter().collect();
    let own: Vec<TreePath> = vec!["assets/uploads".parse().unwrap()];
    let index = LandingIndex {
        hash: tree.hash(),
        tree: Some(tree),
        protected: own.clone(),
        standing: own,
        strategy: LandingStrategy::InPlace,
        ..scene.index.clone()
    };
    let report = "*deleting   0 assets/a\ncannot delete non-empty directory: assets\n";
    let (result, asked) = run(&Scene { index: index.clone(), report, ..scene.clone() });
    assert!(result.unwrap().released.is_some());
    let left: Tree = [("assets".parse().unwrap(), Entry::folder())].into_iter().collect();
    assert_order(&asked, &[&format!("'landing begin {} ", left.hash()), "rsync "]);
    // Where nothing is there yet, the folder goes.
    let index = LandingIndex { standing: Vec::new(), ..index };
    let report = "*deleting   0 assets/a\n*deleting   0 assets/\n";
    let (result, _) = run(&Scene { index, report, ..scene });
    assert!(result.unwrap().released.is_some());
}

#[test]
fn without_an_agent_rsync_says_first_what_it_would_do() {
    let scene = Scene { agent: Agent::None, ..scene() };
    let (result, asked) = run(&scene);
    assert_eq!(result.unwrap().released, None);
    assert_order(&asked, &[" --dry-run ", "rsync ", " -O exit "]);
    assert_none(&asked, &["'hello ", "'landing "]);
    let runs = |asked: &[String]| asked.iter().filter(|words| words.starts_with("rsync ")).count();
    assert_eq!(runs(&asked), 2);
    // Nothing is to be done.
    let (result, asked) = run(&Scene { report: "", ..scene.clone() });
    assert_eq!((result.unwrap().released, runs(&asked)), (None, 1));
    // It is what the guards judge by.
    let overrides = Overrides { deletions: Some(1), ..scene.overrides };
    let (result, asked) = run(&Scene { overrides, ..scene });
    assert_eq!((result.unwrap_err().kind(), runs(&asked)), (ErrorKind::Refused, 1));
}

#[test]
fn without_an_agent_what_was_shown_is_what_is_done() {
    let scene = Scene { agent: Agent::None, ..scene() };
    let done = Some("*deleting   0 b\n*deleting   0 c\n");
    let (result, asked) = run(&Scene { done, ..scene.clone() });
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Step);
    assert!(error.to_string().contains("a: planned `*deleting`, reported nothing"), "{error}");
    assert_order(&asked, &[" --dry-run ", "rsync ", " -O exit "]);
    assert_none(&asked, &[" --existing "]);
    // A plan tells it, too.
    on(&scene, |pipeline, fake, order| {
        let (prospect, _) = pipeline.fake(fake, |cx| look_at_landing(cx, order));
        let told = serde_json::to_value(prospect.unwrap()).unwrap();
        let gone =
            |path| serde_json::json!({"path": path, "change": "deleted", "kind": "file_or_link"});
        assert_eq!(told["dry_run"], serde_json::json!([gone("a"), gone("b")]));
    });
}

#[test]
fn without_an_agent_what_takes_the_place_of_another_kind_is_asked_for() {
    let report = "cL+++++++++ 1 a\n<f+++++++++ 1 new\n";
    let existing = Some("cL+++++++++ 1 a\n");
    let overrides = Overrides { deletions: None, ..scene().overrides };
    let scene = Scene { agent: Agent::None, report, existing, overrides, ..scene() };
    let (result, asked) = run(&scene);
    let error = result.unwrap_err();
    assert!(error.to_string().starts_with("1 of 1 file on the server would be deleted"), "{error}");
    assert_order(&asked, &[" --dry-run ", " --dry-run --existing ", " -O exit "]);
    let (result, _) = run(&Scene { existing: Some(""), ..scene });
    assert_eq!(result.unwrap().released, None);
}

#[test]
fn a_plan_tells_what_a_run_asks_and_does_none_of_it() {
    let scene = scene();
    // Without a live commit git has no question to answer here.
    let scene = Scene { index: LandingIndex { live: None, ..scene.index.clone() }, ..scene };
    on(&scene, |pipeline, fake, order| {
        let (prospect, asked) = pipeline.fake(fake, |cx| {
            let prospect = look_at_landing(cx, order)?;
            deploy_landing(cx, order, &prospect)?;
            Ok(prospect)
        });
        let prospect = prospect.unwrap();
        let plan = pipeline.plan(|cx| deploy_landing(cx, order, &prospect)).unwrap();
        let planned: Vec<&CommandLine> =
            plan.steps().into_iter().filter_map(|step| step.command.as_ref()).collect();
        let at = asked.iter().position(|line| line.words().contains("'landing begin ")).unwrap();
        // The last one closes the connection, which is of the part before.
        let done = &asked[at..asked.len() - 1];
        assert_eq!(done.len(), planned.len());
        for (done, planned) in done.iter().zip(planned) {
            assert!(done.fills(planned), "{done}\n{planned}");
        }
        assert!(plan.observations().is_empty());
        assert!(!order.changes.exists(), "a plan has written what is to be sent");
    });
}
