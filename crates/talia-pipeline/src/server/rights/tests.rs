use camino::{Utf8Path, Utf8PathBuf};

use super::*;
use crate::{
    parse::compose::Project,
    server::Layout,
    settings::{ComposeRights, Policy},
};

const FOLDER: &str = "/opt/talia-backend/releases/1";

fn judged(json: &str, policy: &Policy, reading: Reading) -> Vec<String> {
    let layout = Layout::new(&"production".parse().unwrap(), policy);
    let project = Project::read(json.as_bytes()).unwrap();
    let folder = Utf8Path::new(FOLDER);
    Judge::new(&layout, policy, "talia-production-blue", folder, reading).refusals(&project)
}

fn policy(compose: ComposeRights) -> Policy {
    Policy { image: Some("ghcr.io/talia/backend".into()), compose, ..Policy::default() }
}

fn refused(api: &str, rights: ComposeRights) -> Vec<String> {
    let json = format!(r#"{{"services":{{"api":{api}}}}}"#);
    judged(&json, &policy(rights), Reading::AsUsed)
}

fn top(section: &str) -> Vec<String> {
    let json = format!(r#"{{"services":{{"api":{{}}}},{section}}}"#);
    judged(&json, &policy(ComposeRights::default()), Reading::AsUsed)
}

#[test]
fn what_reaches_into_the_host_is_refused() {
    for bad in [
        r#"{"volumes":[{"type":"bind","source":"/","target":"/host"}]}"#,
        r#"{"volumes":[{"type":"bind","source":"/var/run/docker.sock","target":"/s"}]}"#,
        r#"{"volumes":[{"type":"npipe","source":"x","target":"/s"}]}"#,
        r#"{"volumes":[{"type":"volume","source":"v","target":"/s","image":{"a":1}}]}"#,
        r#"{"cap_add":["SYS_ADMIN"]}"#,
        r#"{"devices":["/dev/sda:/dev/sda:rwm"]}"#,
        r#"{"devices":[{"source":"/dev/sda","target":"/dev/sda","permissions":"rwm"}]}"#,
        r#"{"privileged":true}"#,
        r#"{"network_mode":"host"}"#,
        r#"{"network_mode":"container:x"}"#,
        r#"{"pid":"host"}"#,
        r#"{"ipc":"host"}"#,
        r#"{"uts":"host"}"#,
        r#"{"userns_mode":"host"}"#,
        r#"{"cgroup":"host"}"#,
        r#"{"security_opt":["seccomp=unconfined"]}"#,
        r#"{"security_opt":["no-new-privileges:false"]}"#,
        r#"{"cgroup_parent":"x"}"#,
        r#"{"group_add":["0"]}"#,
        r#"{"sysctls":{"kernel.x":"1"}}"#,
        r#"{"volumes_from":["container:x"]}"#,
        r#"{"device_cgroup_rules":["a *:* rwm"]}"#,
        r#"{"gpus":[{"count":"all"}]}"#,
        r#"{"runtime":"x"}"#,
        r#"{"build":{"context":"/"}}"#,
        r#"{"pull_policy":"build"}"#,
        r#"{"external_links":["x"]}"#,
        r#"{"links":["x"]}"#,
        r#"{"post_start":[{"command":"x","privileged":true,"user":"root"}]}"#,
        r#"{"pre_stop":[{"command":"x"}]}"#,
        r#"{"develop":{"watch":[{"path":"/"}]}}"#,
        r#"{"credential_spec":{"file":"x"}}"#,
        r#"{"storage_opt":{"size":"1"}}"#,
        r#"{"blkio_config":{"weight":1}}"#,
        r#"{"annotations":{"a":"b"}}"#,
        r#"{"oom_score_adj":-1000}"#,
        r#"{"use_api_socket":true}"#,
        r#"{"provider":{"type":"x"}}"#,
        r#"{"label_file":["/etc/shadow"]}"#,
        r#"{"something_new":1}"#,
        r#"{"scale":2}"#,
        r#"{"deploy":{"replicas":2}}"#,
        r#"{"deploy":{"mode":"global"}}"#,
        r#"{"deploy":{"resources":{"reservations":{"devices":[{"capabilities":["gpu"]}]}}}}"#,
        r#"{"logging":{"driver":"syslog"}}"#,
        r#"{"ports":[{"target":8000,"published":"8000"}]}"#,
        r#"{"ports":[{"target":8000,"published":"8000","host_ip":"127.0.0.1"}]}"#,
        r#"{"container_name":"api"}"#,
        r#"{"image":"ghcr.io/other/backend:latest"}"#,
    ] {
        let found = refused(bad, ComposeRights::default());
        assert_eq!(found.len(), 1, "{bad}: {found:?}");
    }
}

#[test]
fn the_top_of_a_file_is_held_to_what_is_known_too() {
    for bad in [
        r#""volumes":{"v":{"driver_opts":{"type":"none","o":"bind","device":"/"}}}"#,
        r#""volumes":{"v":{"driver":"nfs"}}"#,
        r#""volumes":{"v":{"external":true,"name":"talia-staging_data"}}"#,
        r#""volumes":{"v":{"name":"talia-production-b_data"}}"#,
        r#""networks":{"n":{"external":true,"name":"host"}}"#,
        r#""networks":{"n":{"driver":"macvlan","name":"talia-production-blue_n"}}"#,
        r#""networks":{"n":{"driver_opts":{"parent":"eth0"}}}"#,
        r#""networks":{"n":{"ipam":{"config":[{"subnet":"10.0.0.0/8"}]}}}"#,
        r#""secrets":{"s":{"file":"/etc/shadow"}}"#,
        r#""configs":{"s":{"file":"/opt/talia-backend/releases/1/x"}}"#,
        r#""secrets":{"s":{"external":true}}"#,
        r#""models":{"m":{"model":"x"}}"#,
        r#""include":["x"]"#,
    ] {
        assert_eq!(top(bad).len(), 1, "{bad}: {:?}", top(bad));
    }
    for good in [
        r#""volumes":{"v":{"name":"talia-production-blue_v"},"w":null}"#,
        r#""volumes":{"v":{"external":true,"name":"talia-production_data"}}"#,
        r#""networks":{"proxy":{"external":true,"name":"talia-production","ipam":{}}}"#,
        r#""secrets":{"s":{"environment":"TOKEN","name":"x_s"}},"configs":{"c":{"content":"a"}}"#,
        r#""x-common":{"a":1},"version":"3.8","name":"x""#,
    ] {
        assert_eq!(top(good), Vec::<String>::new(), "{good}");
    }
}

#[test]
fn what_a_service_usually_says_is_allowed() {
    let api = r#"{"image":"ghcr.io/talia/backend:latest","command":null,"privileged":false,
        "environment":{"A":"b"},"restart":"unless-stopped","stop_grace_period":"15s",
        "security_opt":["no-new-privileges:true"],"networks":{"proxy":null},
        "logging":{"driver":"json-file","options":{"max-size":"10m"}},"network_mode":"",
        "deploy":{"replicas":1,"resources":{"limits":{"memory":"5"}},"placement":{}},
        "labels":{"talia.slot":"blue"},"x-note":"y","healthcheck":{"test":["CMD","x"]},
        "volumes":[{"type":"volume","source":"v","target":"/v","volume":{}},
          {"type":"tmpfs","target":"/t"},
          {"type":"bind","source":"/var/lib/talia/production/sock/blue","target":"/run/talia",
           "bind":{"create_host_path":false}},
          {"type":"bind","source":"/var/log/talia/production/blue","target":"/var/log/talia"}]}"#;
    assert_eq!(refused(api, ComposeRights::default()), Vec::<String>::new());
    let other = api.replace("/blue\"", "/green\"");
    assert_eq!(refused(&other, ComposeRights::default()).len(), 2, "the other slot's folders");
}

#[test]
fn a_volume_that_goes_with_its_slot_is_refused_where_the_service_keeps_files_in_it() {
    let says = |volume: &str, mount: &str| {
        let api = format!(
            r#"{{"services":{{"api":{{"volumes":[{{"type":"volume",{mount}}}]}}}},"volumes":{{"up":{volume}}}}}"#
        );
        judged(&api, &policy(ComposeRights::default()), Reading::AsUsed)
    };
    let mount = r#""source":"up","target":"/srv/up""#;
    for lost in ["null", "{}", r#"{"name":"talia-production-blue_up","external":false}"#] {
        let found = says(lost, mount);
        assert_eq!(found.len(), 1, "{lost}: {found:?}");
        assert!(found[0].ends_with("`name: talia-production_up`"), "{found:?}");
    }
    for kept in
        [r#"{"name":"talia-production_up"}"#, r#"{"name":"talia-production_up","external":true}"#]
    {
        assert_eq!(says(kept, mount), [""; 0], "{kept}");
    }
    assert_eq!(says("{}", r#""target":"/tmp/x""#), [""; 0], "nobody expects to find it again");
}

#[test]
fn with_ports_the_slots_own_one_alone_is_published() {
    let text = "image = \"ghcr.io/talia/backend\"\nlisten = \"port\"\napp_port = 80\n";
    let (_, policy) = Policy::parse(text, "policy.toml".into()).unwrap();
    let says = |port: &str, reading| {
        let api = format!(r#"{{"services":{{"api":{{"ports":[{port}]}}}}}}"#);
        judged(&api, &policy, reading).len()
    };
    let port = |ip: &str, published: &str, target: &str| {
        let text = format!(
            r#"{{"target":{target},"published":"{published}","host_ip":"{ip}","protocol":"tcp"}}"#
        );
        says(&text, Reading::AsUsed)
    };
    assert_eq!(port("127.0.0.1", "8001", "80"), 0);
    for (ip, published, target, what) in [
        ("127.0.0.1", "8002", "80", "the other slot's"),
        ("127.0.0.1", "8001", "81", "to another port of the app's"),
        ("127.0.0.1", "8001-8002", "80", "more than one"),
        ("127.0.0.1", "9000", "80", "nobody's"),
        ("0.0.0.0", "8001", "80", "to everybody"),
        ("::1", "8001", "80", "where Nginx does not ask"),
    ] {
        assert_eq!(port(ip, published, target), 1, "{what}");
    }
    assert_eq!(says(r#"{"target":80,"published":"8001"}"#, Reading::AsUsed), 1);
    assert_eq!(says(r#""${PORT}:80""#, Reading::AsWritten), 1);
    let socket = r#"{"services":{"api":{"volumes":[{"type":"bind","target":"/run/talia",
        "source":"/var/lib/talia/production/sock/blue"}]}}}"#;
    assert_eq!(judged(socket, &policy, Reading::AsUsed).len(), 1, "it has no socket");
}

#[test]
fn another_service_may_run_any_image_and_listen_on_loopback() {
    let project = |db: &str| {
        let json = format!(r#"{{"services":{{"api":{{}},"db":{db}}}}}"#);
        judged(&json, &policy(ComposeRights::default()), Reading::AsUsed)
    };
    let none: Vec<String> = Vec::new();
    let port = |ip: &str| {
        format!(
            r#"{{"image":"postgres:15","ports":[{{"target":1,"published":"1","host_ip":"{ip}"}}]}}"#
        )
    };
    assert_eq!(project(&port("127.0.0.1")), none);
    assert_eq!(project(r#"{"container_name":"db","scale":2}"#), none);
    assert_eq!(project(&port("10.0.0.1")).len(), 1);
    assert_eq!(project(r#"{"ports":[{"target":1}]}"#).len(), 1);
    assert_eq!(project(r#"{"labels":{"talia.release":"x"}}"#).len(), 1);
    assert_eq!(project(r#"{"privileged":true}"#).len(), 1);
    let nobody = judged(r#"{"services":{}}"#, &Policy::default(), Reading::AsUsed);
    assert_eq!(nobody, ["has no service `api`"]);
}

#[test]
fn what_may_become_anything_is_left_for_when_it_is_known() {
    let written = |api: &str| {
        let json = format!(r#"{{"services":{{"api":{api}}}}}"#);
        judged(&json, &policy(ComposeRights::default()), Reading::AsWritten)
    };
    for open in [
        r#"{"image":"${TALIA_IMAGE:-x}","privileged":"${P}","cap_add":["${C}"]}"#,
        r#"{"env_file":[{"path":".env","required":true}],"network_mode":"${N}"}"#,
        r#"{"volumes":[{"type":"bind","source":"${D}/a","target":"/a"}]}"#,
        r#"{"deploy":{"replicas":"${R}"},"security_opt":["${S}"],"devices":["${V}:/x"]}"#,
    ] {
        assert_eq!(written(open), Vec::<String>::new(), "{open}");
    }
    for bad in [
        r#"{"env_file":[{"path":"/etc/shadow","required":true}]}"#,
        r#"{"env_file":["${X}"]}"#,
        r#"{"env_file":["../.env"]}"#,
        r#"{"volumes":[{"type":"bind","source":"./data","target":"/a"}]}"#,
        r#"{"volumes":[{"type":"bind","source":"~/data","target":"/a"}]}"#,
        r#"{"runtime":"${R}"}"#,
        r#"{"ports":["${P}:80"]}"#,
    ] {
        assert_eq!(written(bad).len(), 1, "{bad}: {:?}", written(bad));
    }
}

#[test]
fn rights_are_given_by_the_policy_one_by_one() {
    let rights = ComposeRights {
        networks: vec!["edge".into()],
        capabilities: vec!["CAP_NET_ADMIN".into()],
        devices: vec!["/dev/ttyUSB0".into()],
        privileged: true,
        host_namespaces: true,
        ..ComposeRights::default()
    };
    let api = r#"{"cap_add":["NET_ADMIN"],"devices":["/dev/ttyUSB0:/dev/x"],"privileged":true,
        "security_opt":["apparmor=unconfined"],"pid":"host"}"#;
    assert_eq!(refused(api, rights.clone()), Vec::<String>::new());
    let networks = r#"{"services":{"api":{}},"networks":{"e":{"external":true,"name":"edge"}}}"#;
    assert_eq!(judged(networks, &policy(rights), Reading::AsUsed), Vec::<String>::new());
}

#[test]
fn a_named_folder_is_allowed_with_what_is_below_it_alone_whatever_links_say() {
    let root = std::env::temp_dir().join(format!("talia-rights-{}", std::process::id()));
    let root = Utf8PathBuf::from_path_buf(root).unwrap();
    let media = root.join("media");
    std::fs::create_dir_all(media.join("a")).unwrap();
    std::os::unix::fs::symlink("/etc", media.join("out")).unwrap();
    std::os::unix::fs::symlink("/nowhere/yet", media.join("later")).unwrap();
    std::os::unix::fs::symlink(&media, root.join("way")).unwrap();
    let rights = || ComposeRights { binds: vec![media.clone()], ..ComposeRights::default() };
    let bind = |source: &str| {
        let api = format!(r#"{{"volumes":[{{"type":"bind","source":"{root}/{source}"}}]}}"#);
        refused(&api, rights()).len()
    };
    for good in ["media", "media/a", "media/new/er", "way/a", "media/../media/a"] {
        assert_eq!(bind(good), 0, "{good}");
    }
    for bad in ["media2", "media/../x", "media/out", "media/out/x", "media/later", "media/n/../.."]
    {
        assert_eq!(bind(bad), 1, "{bad}");
    }
    std::fs::remove_dir_all(root).unwrap();
}
