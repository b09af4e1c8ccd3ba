//! A secret that everything could give away is nowhere after a deploy, but where it
//! belongs.

use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    process::{Command, Stdio},
};

use camino::{Utf8Path, Utf8PathBuf};
use talia_pipeline::{protocol::Request, templates::Role};

use crate::{
    canary::{pieces, watch},
    kit::{Project, Ran, Site, Yard, output, said, seen},
    support::{Temp, unique},
};

/// Prints its secrets in every spelling, as an app does that fails at its start.
const TELL: &str = "\
import base64, json, os, sys, urllib.parse as u
for name in 'TWILIO_AUTH_TOKEN', 'ODD_TOKEN', 'DATABASE_URL':
    s = os.environ[name]
    b = s.encode()
    for text in (s, json.dumps(s), json.dumps(s, ensure_ascii=False), u.quote(s),
                 u.quote(s, safe='').lower(), base64.b64encode(b).decode(), repr(s),
                 base64.urlsafe_b64encode(b'x' + b).decode(),
                 base64.b64encode(b'xy' + b + b'z').decode()):
        print(text, flush=True)
        print(text, file=sys.stderr)
sys.exit(int(sys.argv[1]))
";
/// Where secrets belong on a server: what the app is started with.
const BELONG: &[&str] = &[".env", ".env.*", "env.original", "slot.yml"];

/// What may be nowhere: each secret in every spelling.
struct Canaries {
    names: Vec<&'static str>,
    pieces: Vec<String>,
    /// A file of them, because they may not be arguments of what searches either.
    file: Utf8PathBuf,
}

impl Canaries {
    fn new(site: &Site, odd: &str, folder: &Utf8Path) -> Self {
        let sandbox = &site.sandbox;
        let url = sandbox.database_url();
        let database = url.split(['@', ':']).nth(2).unwrap().to_owned();
        // A line in the middle, which says nothing of its kind.
        let middle = |role| {
            let key = fs::read_to_string(sandbox.key(&site.environment, role)).unwrap();
            key.lines().nth(key.lines().count() / 2).unwrap().to_owned()
        };
        let all = [
            ("the registry's password", sandbox.registry().password),
            ("the database's password", database),
            ("TWILIO_AUTH_TOKEN", sandbox.twilio_token().to_owned()),
            ("ODD_TOKEN", odd.to_owned()),
            ("the deploy key", middle(Role::Deploy)),
            ("the admin key", middle(Role::Admin)),
        ];
        let mut pieces = Vec::new();
        for (name, value) in &all {
            // What is short enough to be there by chance says nothing.
            let own = spellings(value).filter(|piece| piece.len() >= 12);
            let before = pieces.len();
            pieces.extend(own);
            assert!(pieces.len() > before + 3, "{name} is too short");
        }
        let file = folder.join("canaries");
        fs::write(&file, pieces.join("\n")).unwrap();
        Self { names: all.map(|(name, _)| name).into(), pieces, file }
    }

    /// The files below these folders that hold one.
    fn found(&self, folders: &[&Utf8Path]) -> BTreeSet<String> {
        let mut grep = Command::new("grep");
        grep.env("LC_ALL", "C").args(["--recursive", "--files-with-matches", "--text"]);
        grep.args(["--fixed-strings", "--file", self.file.as_str(), "--"]).args(folders);
        // 2 is what a file that has gone meanwhile makes of it.
        let lines = String::from_utf8(output(&mut grep).stdout).unwrap();
        lines.lines().map(str::to_owned).collect()
    }
}

/// A secret in every spelling, each once.
fn spellings(secret: &str) -> impl Iterator<Item = String> {
    BTreeSet::from_iter(pieces(secret)).into_iter()
}

/// Runs a script of this machine's.
fn shell(script: &str, words: &[&str]) -> String {
    said(Command::new("sh").args(["-eu", "-c", script, "sh"]).args(words))
}

/// Puts into a folder what no file of this machine holds: the server's files, its
/// logs, and the layers and the history of an image.
fn gather(site: &Site, image: &str, folder: &Utf8Path) {
    let named: Vec<String> = BELONG.iter().map(|name| format!("-name '{name}'")).collect();
    let others =
        format!("find /opt \\( {} \\) \\( ! -user root -o -perm /077 \\)", named.join(" -o "));
    assert_eq!(site.droplet.script(&others).unwrap(), "", "others than root can read it");
    let belong: Vec<String> = BELONG.iter().map(|name| format!("--exclude={name}")).collect();
    let (server, layers) = (folder.join("server"), folder.join("image"));
    fs::create_dir_all(&server).unwrap();
    fs::create_dir_all(&layers).unwrap();
    let container = site.droplet.container();
    let script = "server=$1 container=$2; shift 2; \
        docker exec \"$container\" tar --create --warning=no-file-ignored \
            --warning=no-file-changed --exclude=var/log/journal \"$@\" --directory=/ \
            opt var/lib/talia var/log var/tmp var/www tmp root home run/talia etc/nginx \
            2> /dev/null | tar --extract --directory \"$server\"; \
        docker exec \"$container\" journalctl --all --output=verbose > \"$server/journal\"";
    let belong = belong.iter().map(String::as_str);
    let words: Vec<&str> = [server.as_str(), &container].into_iter().chain(belong).collect();
    shell(script, &words);
    let logs = "for one in $(docker ps --all --quiet); do docker logs $one 2>&1; done; \
                for one in $(docker image ls --quiet); do docker history --no-trunc $one; done";
    fs::write(server.join("docker"), site.droplet.script(logs).unwrap()).unwrap();
    let script = "docker save \"$2\" | tar --extract --directory \"$1\"; \
        docker history --no-trunc \"$2\" > \"$1/history\"; \
        find \"$1\" -type f -exec sh -c \
            'if gzip --test \"$0\" 2> /dev/null; then gzip -cd \"$0\" > \"$0.raw\"; fi' {} \\;";
    shell(script, &[layers.as_str(), image]);
}

/// An image that gives a secret away by its variables, and in a layer.
fn telling_image(secret: &str, scratch: &Utf8Path) -> String {
    let name = format!("talia-canary:{}", unique());
    let mut command = Command::new("docker");
    command.args(["build", "--quiet", "--tag", &name, "-"]).env("DOCKER_BUILDKIT", "1");
    // docker leaves its copy of the recipe there.
    command.env("TMPDIR", scratch);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let recipe =
        format!("FROM talia-base:bookworm\nENV TOKEN={secret}\nRUN printenv TOKEN > /planted\n");
    child.stdin.take().unwrap().write_all(recipe.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    name
}

/// The names in the folder for temporary files.
fn temporary() -> BTreeSet<Utf8PathBuf> {
    let folder = Utf8PathBuf::from_path_buf(std::env::temp_dir()).unwrap();
    folder.read_dir_utf8().unwrap().map(|entry| entry.unwrap().into_path()).collect()
}

pub(crate) fn a_secret_is_left_nowhere(yard: &Yard) {
    let site = yard.site();
    site.empty();
    let project = Project::new(&site);
    let scratch = Temp::new();
    let odd = format!("canary{}/\"p&w<é+ü 7$x", unique().replace('-', "x"));
    // What has keys in it anyway.
    let own = site.sandbox.place().folder();
    let canaries = Canaries::new(&site, &odd, &own);
    let env_path = format!("{}/.env", site.folder());
    let before = site.droplet.read(&env_path).unwrap();
    let env = own.join("canary.env");
    let odd_line = format!("ODD_TOKEN='{odd}'\n");
    fs::write(&env, [before.as_slice(), odd_line.as_bytes()].concat()).unwrap();
    let there = temporary();

    let (report, client) = (scratch.path().join("report"), scratch.path().join("client"));
    fs::create_dir(&client).unwrap();
    let environment = ["--env", &site.environment];
    let push = ["server", "env", "push", env.as_str()];
    let deploy = ["deploy", "backend", "--verbose", "--report", report.as_str()];
    let run = |name: &str, words: &[&str], exit: i32| {
        let ran = project.run(&[words, &environment].concat());
        fs::write(client.join(name), format!("{}{}", ran.stdout, ran.stderr)).unwrap();
        if report.exists() {
            fs::rename(&report, client.join(format!("{name}.report"))).unwrap();
        }
        ran.ended(exit)
    };
    let migrate = |exit: &str| serde_json::to_string(&["python3", "-c", TELL, exit]).unwrap();
    let (fails, looks, seen_in_argv) = {
        let _database = site.policy("database", "\"DATABASE_URL\"");
        watch(&canaries.pieces, || {
            run("push", &push, 0);
            let fails: Ran = {
                let _tells = site.policy("migrate", &migrate("1"));
                run("fails", &deploy, 1)
            };
            let _tells = site.policy("migrate", &migrate("0"));
            run("succeeds", &deploy, 0);
            run("again", &deploy, 0);
            fails
        })
    };
    assert!(looks > 100 && seen_in_argv == 0, "{looks} looks, {seen_in_argv} of them saw one");
    assert!(fails.stdout.contains("***"), "nothing was masked: {}", fails.stdout);
    let lines = |name: &str| fs::read_to_string(client.join(name)).unwrap().lines().count();
    assert!(lines("fails.report") > 20 && lines("succeeds.report") > 20);

    let repository = site.sandbox.registry().repository;
    let live = site.live().unwrap();
    let image = format!("{repository}:main-{live}");
    let gathered = scratch.path().join("gathered");
    gather(&site, &image, &gathered);
    let left: Vec<Utf8PathBuf> = temporary().difference(&there).cloned().collect();
    let home = Utf8PathBuf::from(std::env::var("HOME").unwrap()).join(".docker");
    let (server, layers) = (gathered.join("server"), gathered.join("image"));
    let mut places = vec![
        ("what the client has said, with its reports", client.as_path()),
        ("the server's files, logs and journal", &server),
        ("the image's layers and history", &layers),
        ("the client's state", project.target()),
        ("the client's tree", project.root()),
        ("docker's own configuration", &home),
    ];
    places.extend(left.iter().map(|left| ("what is left of temporary files", left.as_path())));
    let script = "find \"$@\" -type f 2> /dev/null | wc -l; du -cm \"$@\" 2> /dev/null | tail -n 1";
    let words: Vec<&str> = places.iter().map(|(_, place)| place.as_str()).collect();
    println!("    {} secrets in {} spellings", canaries.names.len(), canaries.pieces.len());
    println!("    files and MB searched: {}", shell(script, &words).replace('\n', ", "));
    let mut found = BTreeSet::new();
    let hits = places.iter().map(|(name, place)| {
        let own = canaries.found(&[place]);
        let told = format!("{name}: {}", own.len());
        found.extend(own);
        told
    });
    let hits: Vec<String> = hits.collect();
    assert!(found.is_empty(), "{} in {found:#?}", canaries.names.join(", "));
    seen(
        "secrets",
        &format!("{} secrets in {} spellings", canaries.names.len(), canaries.pieces.len()),
        format!("argv: {seen_in_argv} of {looks} looks; hits in {}", hits.join(", ")),
    );
    what_is_planted_is_found(&site, &canaries, &client, &project);

    fs::remove_file(&env).unwrap();
    let pushed = site.begin(Role::Admin, &Request::EnvPush, &before).wait();
    assert_eq!(pushed.exit, Some(0), "{}", pushed.failure());
    site.empty();
}

/// One canary in every kind of place, each in another spelling.
fn what_is_planted_is_found(
    site: &Site,
    canaries: &Canaries,
    client: &Utf8Path,
    project: &Project,
) {
    let token = site.sandbox.twilio_token();
    let spelt: Vec<String> = spellings(token).collect();
    let state = format!("/var/lib/talia/{}/state", site.environment);
    site.droplet.write(&format!("{state}/planted"), spelt[1].as_bytes(), 0o600).unwrap();
    site.droplet.script(&format!("systemd-cat < {state}/planted")).unwrap();
    fs::write(client.join("planted"), &spelt[2]).unwrap();
    fs::write(project.target().join("planted"), &spelt[3]).unwrap();
    let image = telling_image(token, &site.sandbox.place().folder());
    let folder = Temp::new();
    gather(site, &image, folder.path());
    said(Command::new("docker").args(["image", "rm", "--", &image]));
    let found = canaries.found(&[folder.path(), client, project.target()]);
    let under = |start: &str| found.iter().filter(|file| file.contains(start)).count();
    // An image has it in its history, its configuration and a layer.
    let kinds = [
        ("server/var/lib/talia/", 1),
        ("server/journal", 1),
        ("/client/", 1),
        ("/image/history", 1),
        ("/image/", 3),
    ];
    for (kind, files) in kinds {
        assert!(under(kind) >= files, "what was planted in {kind} is not in {found:#?}");
    }
    assert!(under(project.target().as_str()) == 1, "{found:#?}");
    let hits: Vec<String> =
        kinds.iter().map(|(kind, _)| format!("{kind}: {}", under(kind))).collect();
    seen(
        "secrets",
        &format!("one planted in each of {} kinds of places", kinds.len() + 1),
        format!("found in {} files: {}", found.len(), hits.join(", ")),
    );

    // As an argument of a process: one here, one on the server.
    let (_, _, here) = watch(&canaries.pieces, || {
        said(Command::new("sh").args(["-c", "sleep 0.3", token]));
    });
    assert!(here > 0, "an argument of a process here");
    let script = format!("sh -c 'sleep 0.3; :' {token}\n");
    site.droplet.write("/tmp/planted", script.as_bytes(), 0o600).unwrap();
    let (_, _, there) = watch(&canaries.pieces, || site.droplet.script(". /tmp/planted").unwrap());
    assert!(there > 0, "an argument of a process on the server");
    seen(
        "secrets",
        "one planted as an argument of a process",
        format!("seen {here} times here, {there} times on the server"),
    );
    site.droplet.script(&format!("rm /tmp/planted {state}/planted")).unwrap();
}
