//! What the deploy key can do, tried over a real sshd, and as its user on the server.

use std::{
    net::{TcpListener, TcpStream},
    process::Command,
    time::Duration,
};

use talia_pipeline::{
    Event,
    protocol::Request,
    templates::{AGENT, Role},
};

use crate::kit::{Asking, Said, Site, Yard, output, seen, until};

const SOON: Duration = Duration::from_secs(10);
/// What nobody who is refused may have run.
const TOUCH: &str = "touch /tmp/pwned";
/// What the agent, the gate and the web server stand on.
const WATCHED: &str = "/opt /etc/talia /etc/nginx /etc/ssh /etc/sudoers.d /home /root \
                       /usr/local/lib/talia /var/lib/talia /var/www";

/// Every file and folder of the server's with its rights, times and content.
pub(crate) fn state_of(site: &Site) -> String {
    let script = format!(
        "find {WATCHED} -printf '%p %M %u %s %T@ %l\\n' | sort; \
         find {WATCHED} -type f -print0 | sort -z | xargs -0 sha256sum"
    );
    site.droplet.script(&script).unwrap()
}

/// One line of the table.
fn tell(name: &str, exit: Option<i32>, answer: &str) {
    let exit = exit.map_or(String::new(), |exit| format!("exit {exit}: "));
    seen("25", name, format!("{exit}{}", answer.lines().next().unwrap_or_default()));
}

/// What whoever asked is told: the agent's one line, else the last one of ssh.
fn answer(said: &Said) -> String {
    let failures = said.events.iter().find_map(|event| match event {
        Event::FlowFinished { failures, .. } if !failures.is_empty() => Some(failures),
        _ => None,
    });
    if let Some(failures) = failures {
        let [only] = failures.as_slice() else { panic!("one clear line: {failures:#?}") };
        assert!(!only.message.contains('\n') && only.message.len() < 200, "{}", only.message);
        return only.message.clone();
    }
    said.stderr.lines().next_back().unwrap_or_default().trim().to_owned()
}

fn try_it(site: &Site, options: &[&str], request: &[&str]) -> Said {
    let mut ssh = site.ssh(Role::Deploy, options);
    ssh.args(request);
    Asking::start(ssh, format!("{TOUCH}\n").as_bytes()).wait()
}

/// Requests that end with this exit and do nothing.
fn refused_requests(live: &str) -> Vec<(String, i32)> {
    let digest = format!("sha256:{}", "0".repeat(64));
    let mut table: Vec<(String, i32)> = [
        ("sh -c id", 4),
        ("status; touch /tmp/pwned", 4),
        ("status && touch /tmp/pwned", 2),
        ("status || touch /tmp/pwned", 2),
        ("status | tee /tmp/pwned", 2),
        ("status > /tmp/pwned", 2),
        ("$(touch /tmp/pwned)", 4),
        ("status $(touch /tmp/pwned)", 2),
        ("`touch /tmp/pwned`", 4),
        ("status\ntouch /tmp/pwned", 2),
        ("status\rtouch /tmp/pwned", 2),
        ("\u{1b}]0;status\u{7}", 2),
        ("--help", 4),
        ("-x", 4),
        ("status --help", 2),
        ("-oProxyCommand=touch /tmp/pwned", 4),
        ("hello 0.1 --help", 2),
        ("rollback ../../etc by x", 2),
        ("rollback - from none by ../../x;id", 2),
        ("restore ../../etc/passwd", 2),
        ("logs request ../../../etc/shadow", 2),
        ("sudo -n id", 4),
        ("/usr/local/lib/talia/talia-agent ask sandbox unlock", 4),
        ("gate staging deploy", 4),
        ("ask staging status", 4),
        ("status staging", 2),
        ("STATUS", 4),
        ("backups /etc", 2),
        ("status  ", 2),
        (" status", 2),
        ("logs  follow", 2),
        ("st\u{e4}tus", 2),
        ("status\u{a0}", 2),
        ("\u{202e}sutats", 2),
        ("scp -t /tmp/pwned", 4),
        ("scp -f /etc/shadow", 4),
        ("/usr/lib/openssh/sftp-server", 4),
        ("internal-sftp", 4),
        ("rsync --server -logDtpre.iLsfxC . /tmp/pwned", 4),
        ("rsync --server --sender -e.LsfxC . /etc", 4),
        ("rsync --server --daemon --config=/tmp/pwned .", 4),
        ("git-upload-pack '/opt'", 4),
        // Those of the admin.
        ("compose push", 4),
        ("env push", 4),
        ("site push", 4),
        ("restore 20261124T081500Z-0123456789ab", 4),
        ("restore 20261124T081500Z-0123456789ab plan", 4),
        ("drill", 4),
        ("unlock", 4),
        ("maintenance on", 4),
        ("boot", 4),
        ("prune", 4),
    ]
    .map(|(request, exit)| (request.to_owned(), exit))
    .into();
    table.push((format!("release latest {live} after {live} by x"), 2));
    table.push((format!("release evil.test/x@{digest} {live} after {live} by x"), 2));
    table.push((format!("release {digest} {live} after {live} by x --force"), 2));
    table
}

/// What is shown of a request: its beginning, with what cannot be seen escaped.
fn shown(request: &str) -> String {
    let text: String = request.chars().flat_map(char::escape_debug).collect();
    match text.char_indices().nth(44) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

pub(crate) fn a_deploy_key_gets_requests_and_nothing_else(yard: &Yard) {
    let site = yard.site();
    site.have(&site.well("a"));
    let live = site.live().unwrap();
    let before = state_of(&site);
    let refused = |name: &str, said: &Said, exits: &[i32]| {
        let answer = answer(said);
        tell(name, said.exit, &answer);
        assert!(exits.iter().any(|exit| said.exit == Some(*exit)), "{name}: {said:#?}");
        assert!(!answer.is_empty() && !format!("{said:?}").contains("uid="), "{name}: {said:#?}");
    };
    refused("(no command)", &try_it(&site, &[], &[]), &[4]);
    for (request, exit) in refused_requests(live.as_str()) {
        refused(&shown(&request), &try_it(&site, &[], &[&request]), &[exit]);
    }
    // One word may be 128 KiB for Linux, and a packet 256 KiB for sshd.
    let word = "x".repeat(100_000);
    let long = word.as_str();
    refused("status + 4.9 KiB", &try_it(&site, &[], &["status", &long[..5000]]), &[2]);
    refused("status + 98 KiB", &try_it(&site, &[], &["status", long]), &[2]);
    refused("status + 195 KiB", &try_it(&site, &[], &["status", long, long]), &[1, 126, 255]);
    let words = ["status", long, long, long, long];
    refused("status + 390 KiB", &try_it(&site, &[], &words), &[255]);
    refused("subsystem sftp", &try_it(&site, &["-s"], &["sftp"]), &[4]);
    for user in ["root", "talia-admin", "deploy-staging", "talia-admin-staging", "www-data"] {
        let said = try_it(&site, &["-l", user], &["status"]);
        refused(&format!("the same key as {user}"), &said, &[255]);
    }
    for forward in ["-R0:127.0.0.1:22", "-R/tmp/pwned:127.0.0.1:22"] {
        let said = try_it(&site, &["-o", "ExitOnForwardFailure=yes", forward], &["status"]);
        refused(forward, &said, &[255]);
    }
    refused("-W 127.0.0.1:80", &try_it(&site, &["-W", "127.0.0.1:80"], &[]), &[255]);
    nothing_is_fetched(&site);
    nothing_comes_along(&site);
    let after = state_of(&site);
    assert_eq!(after, before, "something on the server is another one");
    nothing_was_run(&site);
    seen(
        "25",
        "all of them together",
        format!(
            "{} lines of the server's state are the same; nothing was run",
            after.lines().count()
        ),
    );
}

/// Nothing is where it would be, and the search would find it.
fn nothing_was_run(site: &Site) {
    // Across all file systems; what goes meanwhile is no fault.
    let search = "find / \\( -path /proc -o -path /sys \\) -prune -o -name 'pwned*' -print \
                  2> /dev/null || :";
    assert_eq!(site.droplet.script(search).unwrap(), "", "something was run");
    let planted = format!("{TOUCH}; {search}; rm /tmp/pwned");
    assert_eq!(site.droplet.script(&planted).unwrap(), "/tmp/pwned");
}

/// Ports and sockets of the server that a forwarding would open here.
fn nothing_is_fetched(site: &Site) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}/");
    let proxy = format!("socks5h://127.0.0.1:{port}");
    let socket = format!("/var/lib/talia/{}/sock/api.sock", site.environment);
    // Their user could do it without any forwarding if it had a shell.
    let ask = format!("curl --silent --unix-socket {socket} http://api/api/health");
    let user = site.droplet.user(&site.environment, Role::Deploy);
    site.droplet.said(["runuser", "-u", &user, "--", "sh", "-c", &ask]).unwrap();
    for (forward, curl) in [
        (format!("-L{port}:{socket}"), vec![url.as_str()]),
        (format!("-L{port}:127.0.0.1:80"), vec![url.as_str()]),
        (format!("-L{port}:/var/run/docker.sock"), vec![url.as_str()]),
        (format!("-D{port}"), vec!["--proxy", &proxy, "http://127.0.0.1:80/"]),
    ] {
        let open = Asking::start(site.ssh(Role::Deploy, &["-N", &forward]), &[]);
        until("ssh listens", SOON, || TcpStream::connect(("127.0.0.1", port)).is_ok());
        let fetched = output(
            Command::new("curl").args(["--silent", "--show-error", "--max-time", "5"]).args(curl),
        );
        let said = open.kill();
        let name = forward.replace(&port.to_string(), "PORT");
        tell(&name, fetched.status.code(), &answer(&said));
        assert!(!fetched.status.success() && fetched.stdout.is_empty(), "{name}: {fetched:?}");
        // What sshd answers where a socket is named.
        let prohibited = ["administratively prohibited", "open failed: connect failed"];
        assert!(prohibited.iter().any(|why| said.stderr.contains(why)), "{name}: {said:?}");
    }
}

/// Variables, terminals, agents and displays that a client would bring along.
fn nothing_comes_along(site: &Site) {
    let brought = [
        "LC_ALL",
        "LC_PWNED",
        "LANG",
        "TERM",
        "BASH_ENV",
        "ENV",
        "SUDO_USER",
        "SSH_ORIGINAL_COMMAND",
        // The one that sshd lets in.
        "TALIA_NOTHING",
        "DOCKER_HOST",
    ];
    // A client may end by itself where it is refused a terminal.
    let refused = try_it(site, &["-tt"], &["status"]);
    tell("-tt: status", refused.exit, "PTY allocation request failed");
    assert!(refused.stderr.contains("PTY allocation request failed"), "{refused:?}");
    let names = format!("SendEnv={}", brought.join(" "));
    let ssh = site.ssh(Role::Deploy, &["-A", "-X", "-o", &names]);
    // With an agent of keys that ends when ssh does.
    let mut agent = Command::new("ssh-agent");
    agent.arg(ssh.get_program()).args(ssh.get_args()).arg("logs follow");
    agent.envs(brought.map(|name| (name, "pwned"))).env("DISPLAY", "127.0.0.1:9");
    let following = Asking::start(agent, &[]);
    let script = "pid=$(pgrep --exact talia-agent); tr '\\0' '\\n' < /proc/$pid/environ; \
                  echo ---; ls /dev/pts; find /tmp -name 'ssh-*' -o -type s; \
                  ss --listening --tcp --numeric --no-header | grep ':60[0-9][0-9] ' || :";
    let mut told = String::new();
    until("the agent follows", SOON, || {
        let said = site.droplet.exec(["sh", "-eu", "-c", script]).unwrap();
        told = String::from_utf8(said.stdout).unwrap();
        said.exit == 0 && told.contains("=logs follow\n")
    });
    let said = following.kill();
    until("the agent has gone", SOON, || site.agents() == 0);
    for refusal in said.stderr.lines().filter(|line| line.contains("failed")) {
        tell("-A -X SendEnv …: logs follow", None, refusal.trim());
    }
    let (environment, rest) = told.split_once("---\n").unwrap();
    tell("  its environment", None, &environment.replace('\n', " "));
    assert!(!environment.contains("pwned"), "{environment}");
    assert_eq!(rest.trim(), "ptmx", "a terminal, an agent or a display");
}

/// A digest that is well-formed, and of an image that is not this repository's.
pub(crate) fn an_image_of_another_repository(yard: &Yard) {
    let site = yard.site();
    let a = site.well("a");
    site.have(&a);
    let before = site.containers();
    let other = site.images.elsewhere("other/thing");
    let live = site.live();
    let request = Request::Release {
        digest: other,
        revision: site.well("b").revision,
        after: live,
        by: "test".parse().unwrap(),
        run: None,
        accept_drift: false,
    };
    let said = site.ask(Role::Deploy, &request);
    tell("release of another repository's image", said.exit, &said.failure());
    assert!(matches!(said.exit, Some(1 | 3 | 4)), "{said:#?}");
    assert_eq!(site.containers(), before);
    site.is_settled_at(&a);
}

/// What the key's user may do if somebody got its shell after all.
pub(crate) fn a_deploy_user_owns_nothing(yard: &Yard) {
    let site = yard.site();
    site.have(&site.well("a"));
    let (user, folder) = (site.droplet.user(&site.environment, Role::Deploy), site.folder());
    let environment = &site.environment;
    let before = state_of(&site);
    let run = |script: &str| {
        let said = site.droplet.exec(["runuser", "-u", &user, "--", "sh", "-c", script]).unwrap();
        let stdout = String::from_utf8_lossy(&said.stdout).into_owned();
        tell(script, Some(said.exit), if stdout.is_empty() { &said.stderr } else { &stdout });
        (said.exit, stdout)
    };
    for script in [
        "sudo -n id".to_owned(),
        "sudo -n sh -c id".to_owned(),
        "sudo -n -u talia-admin id".to_owned(),
        format!("sudo -n {AGENT} version"),
        format!("sudo -n {AGENT} ask {environment} unlock"),
        format!("sudo -n {AGENT} gate {environment} admin"),
        format!("sudo -n {AGENT} gate staging deploy"),
        format!("sudo -n {AGENT} gate {environment} deploy -x"),
        format!("sudo -n LD_PRELOAD=/tmp/x.so {AGENT} gate {environment} deploy"),
        format!("sudo -n -E {AGENT} gate {environment} deploy"),
        "sudo -n -e /etc/talia/users".to_owned(),
        format!("cat {folder}/.env"),
        format!("cat {folder}/releases/*/.env"),
        format!("ls {folder}/backups"),
        format!("cat /etc/talia/{environment}/docker/config.json"),
        format!("cat /etc/talia/{environment}/tls/key.pem"),
        format!("ls /var/lib/talia/{environment}/state"),
        "cat /etc/ssh/ssh_host_ed25519_key".to_owned(),
        "docker ps".to_owned(),
        "touch ~/.ssh ~/.profile".to_owned(),
    ] {
        let (exit, stdout) = run(&script);
        assert!(exit != 0 && !stdout.contains("uid="), "{script}: {exit} {stdout}");
    }
    // Sockets of the app are there for whoever can ask Nginx too.
    println!("    as {user}: what it may write to, and what it may run");
    let writable = format!("find {WATCHED} -writable ! -type l ! -type s 2> /dev/null");
    assert_eq!(run(&writable).1, "", "it can write there");
    let (_, may) = run("sudo -n -l | sed -n '/may run/,$p' | grep -v 'may run'");
    assert_eq!(may.trim(), format!("(root) NOPASSWD: {AGENT} gate {environment} deploy"));
    assert_eq!(state_of(&site), before);
    nothing_was_run(&site);
}
