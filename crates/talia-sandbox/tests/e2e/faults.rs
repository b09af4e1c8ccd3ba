//! What may happen to a droplet.

use std::time::Instant;

use talia_pipeline::{ErrorKind, templates::Role};
use talia_sandbox::{Droplet, Sandbox};

use crate::kit::{https, ssh};

pub(crate) fn a_container_survives_its_engine(droplet: &Droplet, image: &str) {
    let run = ["docker", "run", "--detach", "--name=long", "--restart=unless-stopped", image];
    // The first process of a container gets no signal that it does not ask for.
    let sleep = ["sh", "-c", "trap exit TERM; sleep 1000 & wait"];
    droplet.said(run.into_iter().chain(sleep)).unwrap();
    let since = || {
        let ask = ["docker", "inspect", "--format={{.State.StartedAt}} {{.State.Running}}", "long"];
        droplet.said(ask).unwrap()
    };
    let before = since();
    assert!(before.ends_with(" true"), "{before}");
    droplet.restart_engine().unwrap();
    assert_eq!(since(), before);
}

pub(crate) fn a_reboot_keeps_ports_and_files(sandbox: &Sandbox, droplet: &Droplet) {
    for file in ["/opt/x", "/var/www/x", "/var/lib/talia/x", "/etc/x", "/run/x"] {
        droplet.write(file, b"x", 0o644).unwrap();
    }
    droplet.said(["rm", "/var/www/talia-landing/index.html"]).unwrap();
    droplet.reboot().unwrap();
    for file in ["/opt/x", "/var/www/x", "/var/lib/talia/x", "/etc/x"] {
        assert_eq!(droplet.read(file).unwrap(), b"x", "{file}");
    }
    assert!(droplet.read("/run/x").is_err(), "a reboot empties /run");
    // What was removed stays removed: a server is provisioned once.
    assert!(droplet.read("/var/www/talia-landing/index.html").is_err());
    let (exit, stderr) = ssh(sandbox, droplet, Role::Deploy, "deploy", &["status"]);
    assert_eq!(exit, Some(1), "{stderr}");
    assert!(https(sandbox, droplet, "/api/health").starts_with("HTTP/2 502"));
    let long = ["docker", "inspect", "--format={{.State.Running}}", "long"];
    assert_eq!(droplet.said(long).unwrap(), "true", "it is restarted with the engine");
    droplet.power_cut().unwrap();
    droplet.start().unwrap();
    assert_eq!(droplet.said(long).unwrap(), "true");
}

pub(crate) fn a_partition_cuts_everything_and_heals(
    sandbox: &Sandbox,
    droplet: &Droplet,
    image: &str,
) {
    let reach = || {
        let within = |program: &str| {
            let program = ["timeout", "2"].into_iter().chain(program.split(' '));
            droplet.exec(program).unwrap().exit == 0
        };
        let find = within("getent hosts db");
        let database = within("pg_isready --quiet --host=db");
        let registry =
            within(&format!("docker --config=/etc/talia/sandbox/docker pull --quiet {image}"));
        let login = ssh(sandbox, droplet, Role::Deploy, "deploy", &["status"]).0 == Some(1);
        (find, database, registry, login)
    };
    assert_eq!(reach(), (true, true, true, true));
    droplet.partition().unwrap();
    assert_eq!(reach(), (false, false, false, false));
    droplet.heal().unwrap();
    assert_eq!(reach(), (true, true, true, true));
    let find = ["docker", "run", "--rm", "--network=talia-sandbox", image, "getent", "hosts", "db"];
    assert!(droplet.said(find).unwrap().ends_with("db"), "inside a container too");
}

pub(crate) fn a_process_is_killed(droplet: &Droplet) {
    droplet.said(["systemd-run", "--unit=victim", "sleep", "12345"]).unwrap();
    assert_eq!(droplet.kill("no-such-process", "KILL").unwrap(), 0);
    assert_eq!(droplet.kill("dnsmasq", "KILL").unwrap(), 1);
    let state = droplet.exec(["systemctl", "is-active", "victim"]).unwrap();
    assert_eq!(state.exit, 0, "another one is not touched");
    droplet.said(["systemctl", "stop", "victim"]).unwrap();
    droplet.restart("names").unwrap();
}

pub(crate) fn the_network_is_slow(sandbox: &Sandbox, droplet: &Droplet) {
    // A kernel may have neither: then it has to say so.
    let told = |result: talia_pipeline::Result<()>| match result {
        Ok(()) => true,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Preflight, "{error}");
            false
        }
    };
    droplet.write("/var/www/talia-landing/big", &[b'x'; 200_000], 0o644).unwrap();
    let fetch = || {
        let began = Instant::now();
        https(sandbox, droplet, "/big");
        began.elapsed().as_millis()
    };
    let quick = fetch();
    if told(droplet.slow_network(0, 1000)) {
        let slow = fetch();
        assert!(slow > 800 && slow > quick * 3, "{quick} ms, then {slow} ms");
    }
    if told(droplet.slow_network(200, 0)) {
        assert!(fetch() >= 200);
    }
    droplet.slow_network(0, 0).unwrap();
    let again = fetch();
    assert!(again < 500, "{again} ms");
    told(sandbox.slow_registry(8000));
    sandbox.slow_registry(0).unwrap();
}

pub(crate) fn the_database_stops_and_comes_back(sandbox: &Sandbox, droplet: &Droplet) {
    let ask = ". /opt/talia-backend/.env; psql --no-psqlrc --command=\"$1\" -- \"$DATABASE_URL\"";
    let query = |sql: &str| droplet.exec(["sh", "-c", ask, "sh", sql]).unwrap().exit;
    assert_eq!(query("create table kept (a int)"), 0);
    sandbox.stop("db").unwrap();
    assert_ne!(query("select 1"), 0);
    sandbox.start("db").unwrap();
    assert_eq!(query("select * from kept"), 0);
    assert_eq!(query("drop table kept"), 0);
}

pub(crate) fn a_disk_is_full(sandbox: &Sandbox) {
    let refused = sandbox.droplet("droplet").unwrap().fill_disk("/opt", 0).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Refused);
    let small = sandbox.droplet("small").unwrap();
    let write = |kilobytes: u32| {
        let count = format!("count={kilobytes}");
        let write = ["dd", "if=/dev/zero", "of=/opt/talia-backend/x", "bs=1024", &count];
        small.exec(write).unwrap()
    };
    let full = small.fill_disk("/opt", 100 * 1024).unwrap();
    assert_eq!(write(50).exit, 0);
    let said = write(200);
    assert!(said.exit != 0 && said.stderr.contains("No space left"), "{said:?}");
    full.free().unwrap();
    assert_eq!(write(200).exit, 0);
    let full = small.fill_disk("/var/lib/docker", 1 << 20).unwrap();
    small.said(["docker", "version"]).unwrap();
    full.free().unwrap();
}
