//! What the real Compose makes of compose files and of `.env`.

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt};

use camino::{Utf8Path, Utf8PathBuf};
use talia_pipeline::{
    ErrorKind, Finished, Pipeline, World,
    flows::server::{Server, push},
    server::{Layout, PushedFile, Record, ServerFiles, compose_env, slot_file},
    settings::Policy,
    steps::server::{Compose, ComposeConfig, Judged, SlotDown, SlotUp, WriteRelease},
};

use crate::{
    alone,
    support::{Temp, command, need_engine, said, unique, write},
};

/// A server in a temporary folder, with an environment that no other test has.
pub(crate) struct Here {
    pub(crate) root: Temp,
    pub(crate) server: Server,
}

impl Here {
    pub(crate) fn new(policy: &str) -> Self {
        let root = Temp::new();
        let name = format!("t{}", unique().bytes().map(u32::from).sum::<u32>() % 10_000);
        let name = format!("{name}-{}", std::process::id() % 100_000);
        let text = format!("environment = \"{name}\"\nimage = \"talia-base\"\n{policy}");
        let (_, policy) = Policy::parse(&text, "/etc/talia/x.toml".into()).unwrap();
        let layout = Layout::new(&name.parse().unwrap(), &policy).below(root.path());
        let server = Server {
            layout,
            policy,
            now_ms: 1_795_508_100_000,
            run: "1".to_owned(),
            by: "ana".parse().unwrap(),
        };
        fs::create_dir_all(server.layout.folder()).unwrap();
        Self { root, server }
    }

    fn push(&self, file: PushedFile, content: &[u8]) -> Finished<()> {
        let world = World::real().unwrap();
        Pipeline::new("push", self.root.path(), world)
            .run(|cx| push(cx, &self.server, file, content.to_vec()))
    }

    fn pushed(&self, compose: &str) -> Result<(), String> {
        self.push(PushedFile::Compose, compose.as_bytes()).result.map_err(|error| error.to_string())
    }
}

/// A service `api` with these lines, and what else stands at the top.
fn api(lines: &str, top: &str) -> String {
    format!("services:\n  api:\n    image: talia-base:bookworm\n{lines}{top}")
}

#[test]
fn what_a_pushed_compose_file_hides_is_found_in_what_compose_makes_of_it() {
    let here = Here::new("");
    let live = here.server.layout.compose_file();
    let env = "SECRET_TOKEN=never-shown-anywhere\nROOT=/\nYES=true\nCOMPOSE_PROFILES=p\n";
    here.push(PushedFile::Env, env.as_bytes()).result.unwrap();
    here.pushed(&api("    env_file: .env\n    restart: always\n", "")).unwrap();
    let good = fs::read(&live).unwrap();
    write(&here.root.path().join("other.yml"), "services: {base: {image: talia-base}}\n");
    let other = here.root.path().join("other.yml");
    let mut wrong = Vec::new();
    for (compose, told) in [
        (api("    volumes: ['/:/host']\n", ""), "mounts /,"),
        (api("    volumes: ['${ROOT}:/host']\n", ""), "mounts /,"),
        (api("    volumes: ['./data:/data']\n", ""), "mounts ./data, which would be another"),
        (api("    volumes: ['~/x:/data']\n", ""), "mounts ~/x"),
        (api("    volumes: ['up:/data']\n", "volumes: {up: }\n"), "keeps files in the volume up"),
        (api("    volumes: ['/usr/../etc:/e']\n", ""), "mounts /usr/../etc"),
        (
            api(
                "    volumes: ['vol:/data']\n",
                "volumes: {vol: {driver_opts: {type: none, o: bind, device: /}}}\n",
            ),
            "`vol` of `volumes` asks for `driver_opts`",
        ),
        (api("", "volumes: {unused: {driver: nfs}}\n"), "wants the driver nfs"),
        (api("", "volumes: {unused: {external: true, name: talia-x_db}}\n"), "talia-x_db"),
        (api("    privileged: ${YES}\n", ""), "is privileged"),
        (api("    privileged: ${NO:-true}\n", ""), "is privileged"),
        (api("    network_mode: host\n", ""), "`network_mode: host`"),
        (api("    pid: host\n", ""), "`pid: host`"),
        (api("    userns_mode: host\n", ""), "`userns_mode: host`"),
        (
            api("    networks: [n]\n", "networks: {n: {external: true, name: host}}\n"),
            "network host",
        ),
        (api("    secrets: [s]\n", "secrets: {s: {file: /etc/shadow}}\n"), "mounts /etc/shadow"),
        (api("    configs: [s]\n", "configs: {s: {file: ./x}}\n"), "mounts ./x"),
        (api("    env_file: /etc/shadow\n", ""), "`env_file` /etc/shadow"),
        (api("    env_file: [.env, '${ROOT}etc/passwd']\n", ""), "`env_file` ${ROOT}etc/passwd"),
        (api("    runtime: other\n", ""), "asks for `runtime`"),
        (api("    scale: 2\n", ""), "would run 2 times"),
        (api("    deploy: {replicas: 2}\n", ""), "would run 2 times"),
        (api("    security_opt: ['seccomp=unconfined']\n", ""), "seccomp=unconfined"),
        (api("    cgroup_parent: x\n", ""), "asks for `cgroup_parent`"),
        (api("    group_add: ['0']\n", ""), "asks for `group_add`"),
        (api("    sysctls: {net.core.somaxconn: 1}\n", ""), "asks for `sysctls`"),
        (api("    volumes_from: ['container:x']\n", ""), "asks for `volumes_from`"),
        (api("    ports: ['127.0.0.1:8000:8000']\n", ""), "publishes 127.0.0.1:8000"),
        (api("    build: .\n", ""), "asks for `build`"),
        (api("    devices: ['/dev/sda:/dev/x']\n", ""), "uses the device /dev/sda"),
        (api("    device_cgroup_rules: ['a *:* rwm']\n", ""), "asks for `device_cgroup_rules`"),
        (api("    gpus: all\n", ""), "asks for `gpus`"),
        (api("    cap_add: [SYS_ADMIN]\n", ""), "adds the capability SYS_ADMIN"),
        (api("    external_links: [x]\n", ""), "asks for `external_links`"),
        (api("    develop: {watch: [{action: sync, path: ., target: /x}]}\n", ""), "`develop`"),
        (api("    credential_spec: {file: x.json}\n", ""), "asks for `credential_spec`"),
        (api("    storage_opt: {size: 1G}\n", ""), "asks for `storage_opt`"),
        (api("    blkio_config: {weight: 300}\n", ""), "asks for `blkio_config`"),
        (api("    container_name: api\n", ""), "has a `container_name`"),
        (api("  db: {image: x, profiles: [p], privileged: true}\n", ""), "`db` is privileged"),
        (api("  db: {image: x, profiles: [q], pid: host}\n", ""), "`db` asks for `pid: host`"),
        (api("  db: {image: x, ports: ['5432:5432']}\n", ""), "`db` publishes 0.0.0.0:5432"),
        (api("    extends: {file: other.yml, service: base}\n", ""), "the key `extends`"),
        (api(&format!("    \"extends\": {{file: '{other}', service: base}}\n"), ""), "`extends`"),
        (api("", &format!("include: ['{other}']\n")), "the key `include`"),
        (api("", &format!("\"\\x69nclude\": ['{other}']\n")), "escapes"),
        (api("", "# a\rinclude: [other.yml]\n"), "the key `include`"),
        ("services: {web: {image: x}}\n".to_owned(), "has no service `api`"),
        (api("", "").replace("talia-base:bookworm", "elsewhere/x"), "runs elsewhere/x"),
        ("services:\n  api: [\n".to_owned(), "Compose cannot read its files"),
        (api("    nonsense: 1\n", ""), "Compose cannot read its files"),
    ] {
        match here.pushed(&compose) {
            Err(error) if error.contains(told) && !error.contains("never-shown") => {}
            other => wrong.push(format!("{told}: {other:?} for\n{compose}")),
        }
        assert_eq!(fs::read(&live).unwrap(), good, "the live file is replaced by {compose}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(!here.server.layout.scratch().exists());
}

#[test]
fn what_a_policy_allows_is_allowed() {
    let binds = Temp::new();
    let here = Here::new(&format!(
        "[compose]\nbinds = [\"{}\"]\nnetworks = [\"edge\"]\ncapabilities = [\"NET_ADMIN\"]\n",
        binds.path()
    ));
    let data = format!("talia-{}_data", here.server.layout.environment());
    let compose = api(
        &format!(
            "    env_file: ./.env\n    volumes: ['{}/a:/a', 'data:/d']\n    cap_add: [NET_ADMIN]\n    \
             networks: [edge, default]\n    labels: {{price: '${{PRICE}}'}}\n    \
             deploy: {{resources: {{limits: {{memory: 100m, pids: 50}}}}}}\n    \
             ulimits: {{nofile: 1000}}\n    tmpfs: [/tmp]\n    init: true\n  \
             db: {{image: 'postgres:15', ports: ['127.0.0.1:5432:5432'], volumes: ['db:/x']}}\n",
            binds.path()
        ),
        &format!(
            "networks: {{edge: {{external: true, name: edge}}}}\n\
             volumes: {{data: {{name: {data}}}, db: }}\nx-more: {{a: b}}\n"
        ),
    );
    assert_eq!(here.pushed(&compose), Ok(()));
    let now = fs::read_to_string(here.server.layout.compose_file()).unwrap();
    assert_eq!(now, compose);
}

/// Values that other readers of `.env` stumble over.
fn values() -> BTreeMap<String, String> {
    let mut values: Vec<String> =
        (1..=0x2ff).filter_map(char::from_u32).map(|c| format!("a{c}b")).collect();
    values.extend(
        [
            "",
            " ",
            " lead",
            "trail ",
            "a # b",
            "#x",
            "\"q\"",
            "'q'",
            "it's",
            "a\\",
            "\\",
            "\\n",
            "\\\\n",
            "$",
            "$$",
            "$$$",
            "${A}",
            "${A:-b}",
            "$(id)",
            "`id`",
            "\\$A",
            "$abc",
            "${oops",
            "a\nb",
            "\n",
            "\r\n",
            "\t",
            "export A=1",
            "A=$B",
            "%s",
            "!x",
            "{a: b}",
            "- x",
            "?",
            "~",
            "null",
            "true",
            "1e3",
            "\u{feff}",
            "\u{2028}",
            "\u{2029}",
            "\u{ffff}",
            "\u{fffe}",
            "\u{1f600}",
            "\u{10ffff}",
            "ünï",
            "€ 5",
            "\u{1b}[31m",
        ]
        .map(str::to_owned),
    );
    values.into_iter().enumerate().map(|(at, value)| (format!("V{at}"), value)).collect()
}

/// In a grammar that is ours alone: in single quotes where that can be.
fn written(values: &BTreeMap<String, String>) -> String {
    let line = |(name, value): (&String, &String)| {
        if value.contains(['\'', '\r']) {
            talia_pipeline::parse::env_file::quoted(name, value)
        } else {
            format!("{name}='{value}'\n")
        }
    };
    values.iter().map(line).collect()
}

/// What `docker inspect` and the container itself say.
fn read_back(container: &str) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
    let environ = said(command("docker").args(["exec", container, "cat", "/proc/1/environ"]));
    let environ = environ.split('\0').filter_map(|entry| entry.split_once('='));
    let labels =
        said(command("docker").args(["inspect", "--format={{json .Config.Labels}}", container]));
    let environ = environ.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    (environ, serde_json::from_str(&labels).unwrap())
}

fn record(image: &str) -> Record {
    serde_json::from_str(&format!(
        r#"{{"id":"20261124T081500Z-0123456789ab",
        "revision":"0123456789abcdef0123456789abcdef01234567","image":"{image}",
        "digest":"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "slot":"green","by":"ana","began_ms":1,"fate":"begun"}}"#
    ))
    .unwrap()
}

/// FAULT 35: read back from the running container.
#[test]
fn values_of_env_reach_the_container_byte_for_byte() {
    need_engine();
    let here = Here::new("");
    let (root, layout) = (here.root.path(), &here.server.layout);
    let mut values = values();
    values.insert("COMPOSE_PROFILES".into(), "x".into());
    values.insert("DOCKER_HOST".into(), "tcp://nowhere.invalid:1".into());
    let env = written(&values);
    let labels: Vec<String> =
        (0..values.len() - 2).map(|at| format!("      l{at}: '${{V{at}}}'\n")).collect();
    let compose = api(
        &format!(
            "    env_file: .env\n    network_mode: none\n    command: [sleep, '300']\n    \
             stop_grace_period: 1s\n    labels:\n{}",
            labels.concat()
        ),
        "",
    );
    let record = record("talia-base");
    // This machine's own image has no digest of a registry.
    let slot = slot_file(layout, &here.server.policy, &record, env.as_bytes()).unwrap();
    let slot = slot.replace(&record.reference(), "talia-base:bookworm");
    for folder in [layout.socket_folder(record.slot), layout.logs(record.slot)] {
        fs::create_dir_all(folder).unwrap();
    }
    let files = ServerFiles {
        compose: compose.into_bytes(),
        env: env.clone().into_bytes(),
        ..ServerFiles::default()
    };
    alone(root, || WriteRelease::new(layout, record.clone(), files.clone(), slot.clone()))
        .result
        .unwrap();
    let folder = layout.release(&record.id);
    assert_eq!(fs::read(folder.join("env.original")).unwrap(), env.as_bytes());
    assert_eq!(ServerFiles::of_release(&folder).unwrap().env, env.as_bytes());

    let project = layout.project(record.slot);
    let compose = || Compose::new(&project, &folder).with(Record::SLOT_FILE);
    let judged =
        alone(root, || ComposeConfig::new(compose(), layout, &here.server.policy)).result.unwrap();
    assert_eq!(judged, Judged::default(), "the slot's own file is refused");
    let written = || ComposeConfig::new(compose(), layout, &here.server.policy).as_written();
    assert_eq!(alone(root, written).result.unwrap(), Judged::default());

    let up = alone(root, || SlotUp::new(compose(), "api"));
    let read = up.result.map(|()| {
        let label = format!("label=com.docker.compose.project={project}");
        let id = said(command("docker").args(["ps", "--quiet", "--filter", &label]));
        read_back(id.trim())
    });
    alone(root, || SlotDown::new(&project, std::time::Duration::from_secs(1))).result.unwrap();
    let (environ, labels) = read.unwrap();
    for (name, value) in &values {
        assert_eq!(environ.get(name), Some(value), "{name}");
        if let Some(at) = name.strip_prefix('V') {
            assert_eq!(labels.get(&format!("l{at}")), Some(value), "${{{name}}}");
        }
    }
    assert_eq!(environ["UVICORN_UDS"], "/run/talia/api.sock");
    assert_eq!(environ["FORWARDED_ALLOW_IPS"], "*");
}

#[test]
fn compose_warns_of_no_value_and_needs_none_of_ours_explained() {
    let here = Here::new("");
    let folder = here.root.path().join("own");
    let env = written(&values());
    write(&folder.join(".env"), &compose_env(env.as_bytes()).unwrap());
    write(&folder.join("docker-compose.yml"), &api("    env_file: .env\n", ""));
    let output = command("docker")
        .args(["compose", "--project-directory", folder.as_str(), "--env-file"])
        .arg(folder.join(".env").as_str())
        .args(["--file", folder.join("docker-compose.yml").as_str(), "config", "--quiet"])
        .output()
        .unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "Compose warns");
    // The same values as they were pushed: Compose refuses them or tells of them.
    write(&folder.join(".env"), &env);
    let output = command("docker")
        .args(["compose", "--project-directory", folder.as_str(), "config", "--quiet"])
        .current_dir(folder.as_std_path())
        .output()
        .unwrap();
    assert!(!output.status.success() || !output.stderr.is_empty());
}

#[test]
fn what_compose_shows_is_in_no_log() {
    let here = Here::new("");
    let folder = here.root.path().join("own");
    let state = here.root.path().join("state");
    write(&folder.join(".env"), "PLAIN_NAME=\"never-in-a-log\"\n");
    write(&folder.join("docker-compose.yml"), &api("    env_file: .env\n", ""));
    let (layout, policy) = (&here.server.layout, &here.server.policy);
    let world = World::real().unwrap();
    let finished = Pipeline::new("ask", here.root.path(), world)
        .state(talia_pipeline::State::new(&state))
        .run(|cx| cx.run(ComposeConfig::new(Compose::new("x", &folder), layout, policy)));
    assert_eq!(finished.result.unwrap(), Judged::default());
    let found = command("grep").args(["-r", "never-in-a-log", state.as_str()]).output().unwrap();
    assert!(!found.status.success(), "{}", String::from_utf8_lossy(&found.stdout));
    assert!(fs::read_dir(&state).unwrap().next().is_some(), "there is a log");
}

/// Programs of these names, as scripts, in front of all others.
pub(crate) fn in_front(folder: &Utf8Path, scripts: &[(&str, &str)]) -> World {
    for (name, script) in scripts {
        let path = folder.join(name);
        write(&path, &format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let real = World::real().unwrap();
    let path = format!("{folder}:{}", real.variable("PATH").unwrap());
    real.with("PATH", path)
}

#[test]
fn a_site_that_nginx_refuses_or_that_reaches_further_is_gone_again() {
    let here = Here::new("");
    let site: Utf8PathBuf = here.server.layout.nginx_site();
    let told = here.root.path().join("reloads");
    // Whether a site is right is Nginx's to say; here it is right without `wrong`.
    let nginx = format!("if grep -q wrong '{site}'; then echo 'no: wrong' >&2; exit 1; fi");
    let world = || {
        let scripts =
            [("nginx", nginx.as_str()), ("systemctl", &format!("echo \"$@\" >> '{told}'"))];
        in_front(&here.root.path().join("bin"), &scripts)
    };
    let pushed = |content: &str| {
        let content = content.as_bytes().to_vec();
        let mut pipeline = Pipeline::new("push", here.root.path(), world());
        pipeline.run(|cx| push(cx, &here.server, PushedFile::Site, content.clone())).result
    };
    pushed("server { listen 80; }").unwrap();
    let reloads = || fs::read_to_string(&told).unwrap_or_default().lines().count();
    assert_eq!(reloads(), 1);
    let now = || fs::read_to_string(&site).unwrap();
    let error = pushed("server { wrong; }").unwrap_err();
    assert!(error.to_string().contains("Nginx refuses"), "{error}");
    let error = pushed("server { access_log /root/.ssh/authorized_keys; }").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert_eq!((now().as_str(), reloads()), ("server { listen 80; }", 1));
    // A kill between the new site and Nginx's word.
    write(&here.server.layout.tried_site(), "there\nserver { listen 80; }");
    write(&site, "server { wrong; }");
    pushed("server { listen 81; }").unwrap();
    assert_eq!((now().as_str(), reloads()), ("server { listen 81; }", 3));
    assert!(!here.server.layout.tried_site().exists());
    let copy = fs::read_to_string(PushedFile::Site.pushed(&here.server.layout)).unwrap();
    assert_eq!(copy, now());
}
