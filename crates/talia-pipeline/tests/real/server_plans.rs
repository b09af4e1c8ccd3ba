//! What an agent makes of what it finds on its server: on the disk, and in what the
//! engine and Nginx say, which are scripts here.

use std::{fs, os::unix::fs::symlink};

use talia_pipeline::{
    Pipeline,
    flows::server::{BackOrder, Order, release, rollback, settle_all},
    protocol::Accepted,
    server::{Layout, PushedFile},
};

use crate::{
    compose::{Here, in_front},
    support::{edit, write},
};

pub(crate) const OLD: &str = "20261124T041500Z-0123456789ab";
pub(crate) const NEW: &str = "20261124T051500Z-0123456789ab";
const REVISION: &str = "0123456789abcdef0123456789abcdef01234567";
const SITE: &str = "server { listen 80; }";
const COMPOSE: &str = "services: {api: {image: 'talia-base:bookworm'}}\n";

/// A release in a slot, as its agent has left it, with an environment of its own.
pub(crate) fn released(layout: &Layout, id: &str, slot: &str, env: &str) {
    let folder = layout.releases().join(id);
    write(&folder.join("docker-compose.yml"), COMPOSE);
    write(&folder.join("env.original"), env);
    let record = format!(
        r#"{{"id":"{id}","revision":"{REVISION}","image":"talia-base","digest":"sha256:{}",
        "slot":"{slot}","by":"ana","began_ms":1,"fate":{{"live":{{"at_ms":1}}}}}}"#,
        "1".repeat(64)
    );
    write(&folder.join("record.json"), &record);
}

pub(crate) fn live_is(layout: &Layout, slot: &str) {
    let link = layout.live_socket();
    fs::create_dir_all(link.parent().unwrap()).unwrap();
    drop(fs::remove_file(&link));
    symlink(format!("{slot}/api.sock"), &link).unwrap();
}

/// A server where [`NEW`] runs in green, and [`OLD`] was before it in blue.
struct Two {
    here: Here,
}

impl Two {
    fn new(policy: &str) -> Self {
        let here = Here::new(policy);
        let layout = &here.server.layout;
        released(layout, OLD, "blue", "DATABASE_URL=postgresql://t:s3cr3t-word@db/old\n");
        released(layout, NEW, "green", "DATABASE_URL=postgresql://t:s3cr3t-word@db/new\n");
        live_is(layout, "green");
        let two = Self { here };
        two.run(&[("green", NEW)]);
        two
    }

    /// What the engine runs, as it says.
    fn run(&self, all: &[(&str, &str)]) {
        let line =
            |(slot, id): &(&str, &str)| format!("{slot}\trunning\tUp\t{slot}\t{id}\t{REVISION}\n");
        let containers = self.here.root.path().join("containers");
        write(&containers, &all.iter().map(line).collect::<String>());
    }

    /// The files that a release is made of, as they were pushed.
    fn push(&self) {
        let layout = &self.here.server.layout;
        for (file, content) in
            [(PushedFile::Compose, COMPOSE), (PushedFile::Env, "A=1\n"), (PushedFile::Site, SITE)]
        {
            write(&file.path(layout), content);
            write(&file.pushed(layout), content);
        }
    }

    fn settle(&self) {
        self.pipeline().run(|cx| settle_all(cx, &self.here.server)).result.unwrap();
    }

    fn pipeline(&self) -> Pipeline {
        let folder = self.here.root.path();
        let (containers, slow) = (folder.join("containers"), folder.join("slow"));
        let docker = format!(
            r#"case "$1 $2" in
            "container "*) [ ! -e '{slow}' ] || {{ sleep 3; echo "$2" >> '{slow}'; }} ;;
            esac
            case "$1 $2" in
            "container ls") cat '{containers}' ;;
            "container inspect") echo 0 ;;
            "image inspect") echo sha256:1 ;;
            "info "*) echo '{{"ServerVersion":"20.10.24","DockerRootDir":"/","ClientInfo":
                {{"Plugins":[{{"Name":"compose","Version":"v2.20.0"}}]}}}}' ;;
            "compose "*) echo '{{"services":{{"api":{{"image":"talia-base:bookworm"}}}}}}' ;;
            *) echo 20.10.24 ;;
            esac"#
        );
        let site = self.here.server.layout.nginx_site();
        let nginx = format!("if grep -q wrong '{site}'; then echo 'no: wrong' >&2; exit 1; fi");
        let systemctl = format!("echo \"$@\" >> '{}'", folder.join("asked"));
        let sick = folder.join("sick");
        let curl = format!("[ -e '{sick}' ] || printf '{{\"revision\":\"{REVISION}\"}}\\n200'");
        let scripts = [
            ("docker", docker.as_str()),
            ("nginx", &nginx),
            ("systemctl", &systemctl),
            ("curl", &curl),
        ];
        Pipeline::new("try", folder, in_front(&folder.join("bin"), &scripts))
    }

    /// The plan of a rollback, or why there is none.
    fn rollback(&self) -> Result<String, String> {
        let order =
            BackOrder { to: None, from: NEW.parse().unwrap(), accepted: Accepted::default() };
        let plan = self.pipeline().plan(|cx| rollback(cx, &self.here.server, &order).map(drop));
        plan.map(|plan| plan.to_string()).map_err(|error| error.to_string())
    }

    /// The plan of another release with the files that are there, or why there is none.
    fn release(&self) -> Result<String, String> {
        let order = Order {
            digest: format!("sha256:{}", "2".repeat(64)).parse().unwrap(),
            revision: REVISION.parse().unwrap(),
            after: None,
            accept_drift: false,
        };
        let plan = self.pipeline().plan(|cx| release(cx, &self.here.server, &order).map(drop));
        plan.map(|plan| plan.to_string()).map_err(|error| error.to_string())
    }
}

#[test]
fn a_rollback_works_with_the_database_that_its_release_names() {
    // There is no `.env`, and none is needed.
    let plan = Two::new("").rollback().unwrap();
    assert!(plan.contains("database of DATABASE_URL: old at db:5432"), "{plan}");
}

/// A kill between a site that is wrong and Nginx's word.
#[test]
fn a_site_that_a_killed_push_has_left_stops_nothing() {
    let two = Two::new("host = \"talia.example\"\n[backup]\ndatabase = \"none\"\n");
    let layout = &two.here.server.layout;
    two.push();
    write(&layout.tried_site(), &format!("there\n{SITE}"));
    write(&layout.nginx_site(), "server { wrong; }");
    for plan in [two.release().unwrap(), two.rollback().unwrap()] {
        assert!(plan.contains("restore the site"), "{plan}");
    }
    // It may have kept Nginx from starting.
    two.settle();
    let asked = fs::read_to_string(two.here.root.path().join("asked")).unwrap();
    assert_eq!(asked, "reload-or-restart nginx\n");
    assert_eq!(fs::read_to_string(layout.nginx_site()).unwrap(), SITE);
    // What is edited by hand still does.
    write(&layout.nginx_site(), "server { listen 81; }");
    let refused = two.release().unwrap_err();
    assert!(refused.contains("was edited on the server"), "{refused}");
}

/// A newer agent has written it, say, and the one before was installed again.
#[test]
fn what_is_live_is_not_replaced_while_its_record_cannot_be_read() {
    let two = Two::new("[backup]\ndatabase = \"none\"\n");
    two.push();
    assert!(two.release().is_ok());
    let layout = &two.here.server.layout;
    write(&layout.releases().join(NEW).join("record.json"), "{\"from\": \"another version\"}");
    for refused in [two.release().unwrap_err(), two.rollback().unwrap_err()] {
        assert!(refused.contains(&format!("{NEW} is live, and its record cannot")), "{refused}");
    }
    // A kill has left the one before; it is older, and clients do not get it.
    two.run(&[("green", NEW), ("blue", OLD)]);
    two.settle();
    let live = fs::read_link(layout.live_socket()).unwrap();
    assert_eq!(live.to_str(), Some("green/api.sock"));
}

/// What is live already is no edit by hand any more, whatever fails after that.
#[test]
fn the_files_of_a_release_count_before_anything_else_is_tidied() {
    let two = Two::new("[backup]\ndatabase = \"none\"\n");
    two.push();
    let plan = two.release().unwrap();
    let at = |step: &str| plan.find(step).unwrap_or_else(|| panic!("no {step:?} in {plan}"));
    let steps = ["wait for health", "record\n", "keep the files", "drain green", "end talia-"];
    assert!(steps.map(at).is_sorted(), "{plan}");
}

/// An engine that hangs takes of the time that a release may take to be healthy.
#[test]
fn a_deadline_is_one_while_the_engine_hangs() {
    let two = Two::new("[backup]\ndatabase = \"none\"\n[health]\ndeadline_seconds = 8\n");
    let record = two.here.server.layout.releases().join(NEW).join("record.json");
    edit(&record, r#"{"live":{"at_ms":1}}"#, "\"begun\"");
    let folder = two.here.root.path();
    write(&folder.join("sick"), "");
    write(&folder.join("slow"), "");
    two.settle();
    let asked = fs::read_to_string(folder.join("slow")).unwrap();
    // One look at everything, then one at the container: three and six seconds are over.
    assert_eq!(asked, "ls\nls\ninspect\n");
}
