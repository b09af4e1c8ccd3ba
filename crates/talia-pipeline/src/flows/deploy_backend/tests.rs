use super::*;
use crate::{
    Answer, CommandLine, Fake, Pipeline, State, World,
    digest::Digest,
    flows::{
        publish::tests::{
            COMMIT, OTHER, STAGE, Stage, Temp, answer, assert_none, assert_order, digest, position,
        },
        remote::tests::{hello, told},
    },
    private::PrivateFolder,
    protocol::{Difference, Refusal, Role, ServerState, Version},
    settings::{Agent, Backend, Environment},
};

/// A clone, a registry and a server.
#[derive(Clone)]
struct Scene {
    stage: Stage,
    agent: Agent,
    /// The live revision.
    live: Option<&'static str>,
    /// Pairs of commits, the first in the second.
    history: &'static [(&'static str, &'static str)],
    /// The revision that `latest` names, if it is there.
    latest: Option<&'static str>,
    refused: Vec<Refusal>,
    unchanged: bool,
}

fn scene() -> Scene {
    Scene {
        stage: Stage { labelled: Some(COMMIT), ..STAGE },
        agent: Agent::Talia,
        live: Some(OTHER),
        history: &[(OTHER, COMMIT), (COMMIT, "origin/main")],
        latest: Some(OTHER),
        refused: Vec::new(),
        unchanged: false,
    }
}

fn taken(revision: &str) -> Taken {
    Taken {
        release: format!("20261124T081500Z-{}", &revision[..12]).parse().expect("an id"),
        revision: revision.parse().expect("a revision"),
        digest: Digest::parse(&digest("c")).expect("a digest"),
        slot: None,
        at_ms: 0,
        by: "ana".parse().expect("a name"),
    }
}

fn outlook(scene: &Scene) -> Outlook {
    let state = ServerState {
        environment: "production".parse().expect("a name"),
        at_ms: 0,
        live: scene.live.map(taken),
        served: Err("nothing".into()),
        slots: Vec::new(),
        lock: None,
        unfinished: None,
        drift: Vec::new(),
        maintenance: false,
        maintenance_reason: None,
        backup: None,
        free_bytes: 0,
        landing: None,
    };
    let steps = serde_json::Value::Null;
    Outlook::new(state, Difference::default(), steps, String::new()).refused(scene.refused.clone())
}

fn server(scene: &Scene, words: &str) -> Answer {
    let has = |part: &str| words.contains(part);
    let said = match () {
        () if has("'hello ") => hello(&Version::own().to_string(), "production", "deploy"),
        () if has("'plan ") => told(&outlook(scene)),
        () if has("'release ") => told(&Released {
            live: taken(COMMIT),
            before: scene.live.map(taken),
            unchanged: scene.unchanged,
            waits_for_latest: true,
        }),
        () => told(&"the lock is free"),
    };
    Answer::new(0, said, "")
}

fn everything(scene: &Scene, line: &CommandLine) -> Answer {
    let words = line.words();
    if words.starts_with("ssh ") {
        return server(scene, &words);
    }
    if words.contains("--is-ancestor") {
        let mut named = words.rsplit(' ');
        let (of, ancestor) = (named.next().unwrap_or_default(), named.next().unwrap_or_default());
        let same = |a: &str, b: &str| a == b || (b.len() < 40 && a.starts_with(b));
        let is =
            ancestor == of || scene.history.iter().any(|(a, b)| same(a, ancestor) && same(b, of));
        return Answer::new(i32::from(!is), "", "");
    }
    if words.contains(".Manifest") && words.contains("backend:latest") {
        return match scene.latest {
            Some(_) => Answer::new(0, format!("{{\"digest\":\"{}\"}}", digest("e")), ""),
            None => Answer::new(1, "", "ERROR: x: not found\n"),
        };
    }
    if words.contains("{{json .Image}}") && words.contains(&digest("e")) {
        let stage = Stage { labelled: scene.latest, ..scene.stage };
        return answer(stage, line);
    }
    answer(scene.stage, line)
}

fn run(scene: Scene) -> (Result<Deployed>, Vec<String>) {
    let temp = Temp::new();
    let state = State::new(&temp.0);
    let mut backend = Backend::default();
    backend.image.repository = Some("r.example/talia/backend".into());
    backend.image.dockerfile = Some("Dockerfile".into());
    let mut environment = Environment::named("production");
    (environment.address, environment.agent) = (Some("talia.example".into()), scene.agent);
    let (world, name) = (World::fixed("/", []), "production".parse().expect("a name"));
    let private = PrivateFolder::new(&world).expect("a folder");
    let no_key = |_: &str| unreachable!("no key is named");
    let root = "/srv/talia".into();
    let remote = Remote::new(&name, &environment, Role::Deploy, &private, root, no_key);
    let remote = remote.expect("it has an address");
    let order = Deploy {
        publish: Publish {
            root: "/srv/talia".into(),
            backend: "/srv/talia/backend".into(),
            settings: &backend,
            environment: &environment,
            state: &state,
            revision: None,
            docker: "/run/x/docker".into(),
            own_docker: None,
        },
        remote: &remote,
        by: "ana".parse().expect("a name"),
        accept_drift: false,
    };
    let pipeline = Pipeline::new("deploy", "/", world);
    let (result, asked) = pipeline.fake(Fake::new(move |line| everything(&scene, line)), |cx| {
        let prospect = look_ahead(cx, &order)?;
        deploy_backend(cx, &order, &prospect)
    });
    (result, asked.iter().map(CommandLine::words).collect())
}

#[test]
fn what_is_there_is_released_and_latest_moves_while_the_lock_is_held() {
    let (result, asked) = run(scene());
    let deployed = result.expect("it is released");
    assert_eq!((deployed.built, deployed.latest), (false, Latest::Moved));
    let release = format!("'release {} {COMMIT} after {OTHER} by ana run fake'", digest("a"));
    let moved = format!("'latest moved {}'", taken(COMMIT).release);
    let plan = format!("'plan {} {COMMIT}'", digest("a"));
    assert_order(&asked, &["'hello ", &plan, " log -z ", &release, "imagetools create", &moved]);
    assert_none(&asked, &["buildx build", "docker push"]);
}

#[test]
fn what_is_not_there_is_asked_about_before_it_is_built() {
    let (result, asked) = run(Scene { stage: STAGE, live: None, latest: None, ..scene() });
    assert!(result.expect("it is released").built);
    let release = format!("'release {} {COMMIT} after none by ana run fake'", digest("b"));
    assert_order(&asked, &[&format!("'plan - {COMMIT}'"), "buildx build", "docker push", &release]);
}

#[test]
fn an_older_commit_is_refused_and_rollback_is_named() {
    let history = &[(COMMIT, OTHER), (COMMIT, "origin/main")];
    let (result, asked) = run(Scene { stage: STAGE, history, ..scene() });
    let error = result.expect_err("it is older");
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains("is older than 89abcdef0123"), "{error}");
    let hint = error.hint_text().unwrap_or_default();
    assert!(hint.contains("cargo xtask rollback backend --env production"), "{hint}");
    assert_none(&asked, &["buildx build", "docker push", "'release "]);
}

#[test]
fn a_commit_beside_the_live_one_is_refused() {
    let (result, asked) = run(Scene { history: &[(COMMIT, "origin/main")], ..scene() });
    let error = result.expect_err("it does not contain it");
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains("does not contain 89abcdef0123"), "{error}");
    assert_none(&asked, &["'release "]);
}

#[test]
fn what_the_server_refuses_is_not_built() {
    let message = ".env was edited".to_owned();
    let refused = vec![Refusal { message, hint: None, exit_code: 4 }];
    let (result, asked) = run(Scene { stage: STAGE, refused, ..scene() });
    let error = result.expect_err("the server refuses");
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains(".env was edited"), "{error}");
    assert_none(&asked, &["buildx build", "docker push", "'release "]);
}

#[test]
fn what_the_server_refuses_keeps_its_kind_and_its_hint() {
    let message = "the registry refuses the login".to_owned();
    let refusal = Refusal { message, hint: Some("renew it".to_owned()), exit_code: 3 };
    let (result, _) = run(Scene { stage: STAGE, refused: vec![refusal], ..scene() });
    let error = result.expect_err("the server refuses");
    assert_eq!((error.kind(), error.hint_text()), (ErrorKind::Preflight, Some("renew it")));
}

#[test]
fn latest_never_moves_back_and_the_lock_is_freed_nevertheless() {
    let newer = "fedcba9876543210fedcba9876543210fedcba98";
    let (result, asked) = run(Scene { latest: Some(newer), ..scene() });
    let deployed = result.expect("it is released");
    assert!(matches!(deployed.latest, Latest::Stays(_)), "{:?}", deployed.latest);
    assert_order(&asked, &["'release ", "'latest moved "]);
    assert_none(&asked, &["imagetools create"]);
}

#[test]
fn a_missed_move_of_latest_is_mended_where_nothing_else_is_to_be_done() {
    let (result, asked) = run(Scene { live: Some(COMMIT), unchanged: true, ..scene() });
    let deployed = result.expect("nothing is to be done");
    assert!(deployed.released.is_some_and(|released| released.unchanged));
    assert_eq!(deployed.latest, Latest::Moved);
    assert_order(&asked, &["'release ", "imagetools create", "'latest moved "]);
}

#[test]
fn without_an_agent_latest_is_moved_first_and_one_request_follows() {
    let (result, asked) = run(Scene { agent: Agent::None, stage: STAGE, ..scene() });
    assert_eq!(result.expect("it is deployed").latest, Latest::Moved);
    assert_order(&asked, &["docker push", "imagetools create", "ssh "]);
    assert!(position(&asked, " talia.example deploy").is_some(), "{asked:#?}");
    assert_none(&asked, &["'hello ", "'plan "]);
}

#[test]
fn without_an_agent_an_older_commit_is_refused() {
    let history = &[(COMMIT, OTHER), (COMMIT, "origin/main")];
    let (result, asked) = run(Scene { agent: Agent::None, stage: STAGE, history, ..scene() });
    assert_eq!(result.expect_err("it is older").kind(), ErrorKind::Refused);
    assert_none(
        &asked,
        &["buildx build", "docker push", " talia.example deploy", "imagetools create"],
    );
}
