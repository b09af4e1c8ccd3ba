//! A release that is interrupted, or whose connection breaks, through a real sshd. What
//! an agent would say is a script's.

use std::{
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use talia_pipeline::{
    ErrorKind, Event, Finished, Pipeline, World,
    digest::Digest,
    flows::Remote,
    private::PrivateFolder,
    process::Cancel,
    protocol::{Request, Role},
};

use crate::{Collect, ssh::Sshd, support::wait_until};

fn release() -> Request {
    Request::Release {
        digest: format!("sha256:{}", "1".repeat(64)).parse::<Digest>().unwrap(),
        revision: "0123456789abcdef0123456789abcdef01234567".parse().unwrap(),
        after: None,
        by: "ana@laptop".parse().unwrap(),
        run: None,
        accept_drift: false,
    }
}

/// Runs a release, and does something once the server works on it.
fn released(sshd: &Sshd, cancel: &Cancel, meanwhile: impl Fn() + Sync) -> (Finished<()>, Collect) {
    let private = PrivateFolder::new(&World::real().unwrap()).unwrap();
    let connection = sshd.connection("pins", &sshd.path("user"), &private);
    let remote = Remote::at(connection, "staging".parse().unwrap(), Role::Deploy);
    let (kept, waits) = (Collect::default(), sshd.path("command.waits"));
    drop(std::fs::remove_file(&waits));
    let mut pipeline = Pipeline::new("release", "/", World::real().unwrap())
        .cancel(cancel.clone())
        .report(kept.clone());
    let finished = thread::scope(|scope| {
        scope.spawn(|| {
            assert!(wait_until(Duration::from_secs(10), || waits.exists()));
            meanwhile();
        });
        pipeline.run(|cx| remote.run(cx, release(), ()))
    });
    (finished, kept)
}

#[test]
fn an_interrupt_has_the_server_take_the_release_back() {
    let sshd = Sshd::start();
    let (cancel, began) = (Cancel::new(), Mutex::new(None));
    let (finished, kept) = released(&sshd, &cancel, || {
        *began.lock().unwrap() = Some(Instant::now());
        cancel.interrupt();
    });
    let took = began.lock().unwrap().unwrap().elapsed();
    assert!(took < Duration::from_secs(7), "{took:?}");
    assert_eq!(finished.exit_code.code(), 130);
    let error = finished.result.unwrap_err();
    assert_eq!(error.to_string(), "interrupted; the server took it back");
    assert!(error.hint_text().unwrap().contains("cargo xtask status --env staging"));
    let told = kept.events();
    let pulling = Event::Note { text: "pulling".into() };
    let is_told = |event: &Event| matches!(event, Event::Remote { told, .. } if **told == pulling);
    assert!(told.iter().any(is_told), "what happens there is told: {told:?}");
}

#[test]
fn a_connection_that_breaks_leaves_the_state_unknown() {
    let sshd = Sshd::start();
    let (finished, _) = released(&sshd, &Cancel::new(), || sshd.kill_sessions());
    assert_eq!(finished.exit_code.code(), 5);
    let error = finished.result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unknown);
    assert!(error.hint_text().unwrap().contains("cargo xtask status --env staging"));
    assert!(error.last_lines().iter().all(|line| !line.contains("event")), "{error:?}");
}
