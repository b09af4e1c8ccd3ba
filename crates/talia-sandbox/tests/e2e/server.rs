//! What a droplet is when it is up.

use std::process::Command;

use talia_pipeline::templates::Role;
use talia_sandbox::{Droplet, Sandbox};

use crate::kit::{https, said, ssh};

pub(crate) fn a_key_reaches_the_gate_and_no_other_does(sandbox: &Sandbox, droplet: &Droplet) {
    let ask = |key, user: &str, more: &[&str]| ssh(sandbox, droplet, key, user, more);
    let reached = |(exit, stderr): (Option<i32>, String)| {
        assert_eq!(exit, Some(1), "{stderr}");
        // There is no agent yet, so sudo tells that it does not find it.
        assert!(stderr.contains("talia-agent: command not found"), "{stderr}");
    };
    reached(ask(Role::Deploy, "deploy", &["status"]));
    reached(ask(Role::Admin, "talia-admin", &["unlock"]));
    // Whatever is asked for, the gate is what starts.
    reached(ask(Role::Deploy, "deploy", &["--", "touch /tmp/x; id"]));
    let (_, stderr) = ask(Role::Deploy, "deploy", &["-tt"]);
    assert!(stderr.contains("PTY allocation request failed"), "{stderr}");
    let refused = |(exit, stderr): (Option<i32>, String)| {
        assert_eq!(exit, Some(255), "{stderr}");
        assert!(stderr.contains("Permission denied (publickey)"), "{stderr}");
    };
    refused(ask(Role::Admin, "deploy", &["status"]));
    refused(ask(Role::Deploy, "talia-admin", &["status"]));
    refused(ask(Role::Deploy, "root", &["status"]));
    let forward =
        ask(Role::Deploy, "deploy", &["-N", "-o", "ExitOnForwardFailure=yes", "-R", "1:x:1"]);
    assert_ne!(forward.0, Some(0), "{}", forward.1);
    assert_eq!(droplet.exec(["test", "-e", "/tmp/x"]).unwrap().exit, 1);
    // sudo lets through the request, and nothing else of what a client may send.
    let rights = droplet.said(["sudo", "--list", "--other-user=deploy"]).unwrap();
    assert!(
        rights.contains("talia-agent gate sandbox deploy") && !rights.contains('*'),
        "{rights}"
    );
    assert_eq!(rights.matches("NOPASSWD").count(), 1, "{rights}");
}

pub(crate) fn nginx_answers_over_tls(sandbox: &Sandbox, droplet: &Droplet) {
    let begins = |path: &str, status: &str| {
        let answer = https(sandbox, droplet, path);
        assert!(answer.starts_with(&format!("HTTP/2 {status}")), "{path}: {answer}");
        assert!(answer.contains("strict-transport-security: "), "{path}: {answer}");
        assert!(answer.contains("content-security-policy: "), "{path}: {answer}");
        answer
    };
    begins("/", "200");
    begins("/missing", "404");
    begins("/api/health", "502");
    begins("/api/webchat", "502");
    let file = "/var/lib/talia/sandbox/maintenance";
    droplet.write(file, b"", 0o644).unwrap();
    assert!(begins("/api/webchat", "503").contains("retry-after: 120"));
    assert!(begins("/", "503").contains("maintenance"));
    begins("/api/health", "502");
    droplet.said(["rm", "--", file]).unwrap();
    begins("/", "200");
    // Plain HTTP only leads to TLS.
    let plain = format!("http://127.0.0.1:{}/x", droplet.http_port());
    let host = format!("Host: {}", sandbox.host_name("sandbox"));
    let answer = said(Command::new("curl").args(["-sS", "-I", "-H", &host, &plain]));
    assert!(answer.contains("301") && answer.contains("https://sandbox.talia.test/x"), "{answer}");
}

pub(crate) fn the_owners_are_right(droplet: &Droplet) {
    for (path, what) in [
        ("/usr/local/lib/talia", "755 0"),
        ("/home/deploy", "755 0"),
        ("/etc/talia/sandbox.toml", "644 0"),
        ("/etc/talia/sandbox/docker/config.json", "600 0"),
        ("/etc/talia/sandbox/tls/key.pem", "600 0"),
        ("/etc/ssh/talia/deploy.keys", "644 0"),
        ("/etc/sudoers.d/talia-sandbox", "440 0"),
        ("/opt/talia-backend", "755 0"),
        ("/opt/talia-backend/.env", "600 0"),
        ("/opt/talia-backend/backups", "700 0"),
        ("/var/lib/talia/sandbox/sock/blue", "755 10001"),
        ("/var/log/talia/sandbox/green", "755 10001"),
        ("/var/www/talia-landing", "755 0"),
    ] {
        assert_eq!(droplet.said(["stat", "--format=%a %u", path]).unwrap(), what, "{path}");
    }
    assert_eq!(
        droplet.said(["readlink", "/var/lib/talia/sandbox/sock/api.sock"]).unwrap(),
        "blue/api.sock"
    );
    assert!(!droplet.said(["id", "deploy"]).unwrap().contains("docker"));
    // A folder can be exchanged with another one at once, which image layers refuse.
    let exchange = "import ctypes, os; os.makedirs('/var/www/a'); os.makedirs('/var/www/b'); \
                    libc = ctypes.CDLL(None, use_errno=True); \
                    done = libc.renameat2(-100, b'/var/www/a', -100, b'/var/www/b', 2); \
                    os.rmdir('/var/www/a'); os.rmdir('/var/www/b'); raise SystemExit(-done)";
    droplet.said(["python3", "-c", exchange]).unwrap();
    droplet.said(["docker", "compose", "version"]).unwrap();
    droplet.said(["nginx", "-t"]).unwrap();
    droplet.said(["visudo", "--check"]).unwrap();
}

pub(crate) fn the_database_answers(droplet: &Droplet) {
    let ask = ". /opt/talia-backend/.env; psql --no-psqlrc --tuples-only --no-align \
               --command='show server_version' -- \"$DATABASE_URL\"";
    let version = droplet.script(ask).unwrap();
    assert!(version.starts_with("15."), "{version}");
}

pub(crate) fn files_go_there_and_back(droplet: &Droplet) {
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    droplet.write("/opt/bytes ü", &bytes, 0o640).unwrap();
    assert_eq!(droplet.read("/opt/bytes ü").unwrap(), bytes);
    assert_eq!(droplet.said(["stat", "--format=%a", "/opt/bytes ü"]).unwrap(), "640");
    droplet.said(["rm", "--", "/opt/bytes ü"]).unwrap();
    assert_eq!(droplet.exec(["sh", "-c", "exit 7"]).unwrap().exit, 7);
    assert!(droplet.said(["false"]).is_err());
}

/// Pushes an image from this machine and pulls it on the droplet by the same name.
pub(crate) fn an_image_goes_through_the_registry(sandbox: &Sandbox, droplet: &Droplet) -> String {
    let registry = sandbox.registry();
    let image = format!("{}:e2e", registry.repository);
    let config = sandbox.place().folder().join("docker");
    let docker = |script: &str| {
        let script = format!("exec docker --config \"$CONFIG\" {script}");
        said(Command::new("sh").args(["-c", &script]).envs([
            ("CONFIG", config.as_str()),
            ("PASSWORD", sandbox.registry_password().as_str()),
            ("IMAGE", &image),
            ("REGISTRY", &registry.address),
        ]))
    };
    docker("login --username talia --password-stdin -- \"$REGISTRY\" < \"$PASSWORD\"");
    docker("tag -- talia-base:bookworm \"$IMAGE\"");
    docker("push --quiet -- \"$IMAGE\"");
    // Without the credential nobody gets in.
    assert_ne!(droplet.exec(["docker", "pull", "--quiet", &image]).unwrap().exit, 0);
    let pull = ["docker", "--config=/etc/talia/sandbox/docker", "pull", "--quiet", &image];
    droplet.said(pull).unwrap();
    // A container finds the database by its name, as the app will.
    let find =
        ["docker", "run", "--rm", "--network=talia-sandbox", &image, "getent", "hosts", "db"];
    assert!(droplet.said(find).unwrap().ends_with("db"));
    image
}

pub(crate) fn two_environments_share_one_host(sandbox: &Sandbox) {
    let small = sandbox.droplet("small").unwrap();
    assert_eq!(small.user("staging", Role::Deploy), "deploy-staging");
    assert_eq!(small.environments(), ["sandbox", "staging"]);
    for path in ["/opt/talia-backend-staging/.env", "/etc/talia/staging.toml"] {
        small.read(path).unwrap();
    }
    let rights = small.said(["sudo", "--list", "--other-user=deploy-staging"]).unwrap();
    assert!(rights.contains("gate staging deploy") && !rights.contains("gate sandbox"), "{rights}");
    small.said(["nginx", "-t"]).unwrap();
    small.said(["docker", "network", "inspect", "talia-staging"]).unwrap();
}
