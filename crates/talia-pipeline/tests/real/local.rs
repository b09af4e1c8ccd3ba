//! The backend on this machine, by compose files that are not ours.

use talia_pipeline::{
    Finished, Pipeline, State, World,
    flows::{Local, LocalBackend, local_down, local_up},
    plan::Node,
    settings::Backend,
};

use crate::support::{Temp, need_engine, unique};

/// A service that says that it is healthy, at port 9000 of its container.
const SERVICE: &str = r#"
    image: talia-base:bookworm
    working_dir: /tmp
    stop_grace_period: 0s
    command: ["sh", "-c", "mkdir api && printf '{\"revision\":\"abc\"}' > api/health && exec python3 -m http.server 9000"]
"#;

/// Starts it, ends it, and tells how the start has ended and what its plan notes.
fn up(lines: &str) -> (Finished<LocalBackend>, Vec<String>) {
    need_engine();
    let folder = Temp::new();
    let compose = format!("name: talia-up-{}\nservices:\n  web:{SERVICE}{lines}", unique());
    folder.write("app/docker-compose.yml", &compose);
    let (settings, state) = (Backend::default(), State::new(folder.path().join("state")));
    let local = Local {
        root: folder.path().to_owned(),
        backend: folder.path().join("app"),
        settings: &settings,
        service: ("api".to_owned(), 8000),
        health: "/api/health".to_owned(),
        state: &state,
    };
    let pipeline = || Pipeline::new("up", folder.path(), World::real().unwrap());
    let plan = pipeline().plan(|cx| local_up(cx, &local)).unwrap();
    let finished = pipeline().run(|cx| local_up(cx, &local));
    pipeline().run(|cx| local_down(cx, &local)).result.unwrap();
    let notes = plan.nodes().iter().filter_map(|node| match node {
        Node::Note { text } => Some(text.clone()),
        _ => None,
    });
    (finished, notes.collect())
}

#[test]
fn whatever_port_a_compose_file_publishes_is_asked() {
    let (finished, notes) = up("    ports: [\"127.0.0.1::9000\"]\n");
    let (address, revision) = finished.result.unwrap().answers.unwrap();
    assert_eq!(revision, "abc");
    let port: u16 = address.strip_prefix("http://127.0.0.1:").unwrap().parse().unwrap();
    assert_ne!(port, 8000);
    assert_eq!(notes, [""; 0], "nobody knows before that there is a port");
}

#[test]
fn without_a_port_the_health_of_the_container_is_waited_for() {
    let check = "    healthcheck: {test: [CMD, test, -e, /tmp/api/health], interval: 1s}\n";
    let (finished, _) = up(check);
    assert_eq!(finished.result.unwrap(), LocalBackend { answers: None });
}

#[test]
fn a_container_that_ends_fails_at_once() {
    let (finished, _) = up("    entrypoint: [\"false\"]\n");
    let error = finished.result.unwrap_err();
    assert!(error.to_string().contains("the container of web ended with 1"), "{error}");
    assert!(error.hint_text().unwrap().contains("compose"), "{error:?}");
}
